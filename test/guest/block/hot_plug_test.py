# SPDX-License-Identifier: BSD-3-Clause
"""What dom0 does to the disks of hot_plug.cpp, at each word that it says.

hot_plug_test.py PROGRAM
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lab import expectation
from lab.domain import Disk, Domain, Guest
from lab.lab import Lab
from lab.lane import Lane

MEBIBYTE = 1 << 20
PATIENCE = 300.0


class Host:
    def __init__(self, lab: Lab, lane: Lane, domain: Domain, second: Path, first: str) -> None:
        self._lab, self._lane, self._domain = lab, lane, domain
        self._second = second
        self._first = first
        self._plugged = ExitStack()

    def dom0(self, command: str) -> None:
        answer = self._lane.run(command)
        if answer.status != 0:
            sys.exit(f"{command}: {answer.text}")

    def restart_back_end(self) -> None:
        device = f"vbd-{self._domain.result.domain}-51712"
        self.dom0(f"cd /sys/bus/xen-backend/drivers/vbd && echo {device} >unbind && echo {device} >bind")

    def resize(self) -> None:
        self._lab.drives.resize(self._first, 8 * MEBIBYTE)

    def attach(self) -> None:
        drives = self._lab.drives
        (name,) = drives.find(self._lane, [self._plugged.enter_context(drives.drive(self._second))])
        self.dom0(f"xl block-attach {self._domain.result.domain} format=raw,vdev=xvdb,access=w,target={name}")

    def detach(self) -> None:
        self.dom0(f"xl block-detach {self._domain.result.domain} xvdb")
        self._plugged.close()


def main() -> None:
    kernel = Path(sys.argv[1])
    with Lab() as lab, tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        images = [Path(scratch) / name for name in ("first", "second")]
        for image in images:
            with open(image, "wb") as file:
                file.truncate(4 * MEBIBYTE)
        lanes = [stack.enter_context(lab.lane()) for _ in range(2)]
        guest = Guest("hot_plug", kernel, memory_mb=32, disks=(Disk(str(images[0]), "xvda"),))
        domain = stack.enter_context(Domain(lab, lanes[0], guest))
        host = Host(lab, lanes[1], domain, images[1], domain.drives["xvda"])
        steps = {
            "busy": host.restart_back_end,
            "restarted": host.resize,
            "resized": host.attach,
            "attached": host.detach,
            "detached": host.attach,
            "attached again": host.detach,
        }
        deadline = time.monotonic() + PATIENCE
        while not domain.over and time.monotonic() < deadline:
            domain.poll(0.1)
            for word in [*steps]:
                if word in domain.result.console.splitlines():
                    steps.pop(word)()
    judgement = expectation.judge("success", domain.result, kernel)
    print(domain.result.console)
    if judgement.verdict != "pass" or steps:
        sys.exit(f"{judgement.reason}; not reached: {', '.join(steps) or 'nothing'}")


if __name__ == "__main__":
    main()
