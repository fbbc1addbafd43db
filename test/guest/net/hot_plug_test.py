# SPDX-License-Identifier: BSD-3-Clause
"""What dom0 does to the network interfaces of hot_plug.cpp, at each word that it says.

hot_plug_test.py PROGRAM
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from lab import expectation
from lab.domain import Domain, Guest
from lab.lab import Lab
from lab.lane import Lane
from lab.network import ISOLATED, Nic

PATIENCE = 300.0
FIRST, SECOND = Nic(ISOLATED, "00:16:3e:00:88:01"), Nic(ISOLATED, "00:16:3e:00:88:02")


class Host:
    def __init__(self, lane: Lane, domain: Domain) -> None:
        self._lane = lane
        self._domain = domain.result.domain

    def dom0(self, command: str) -> None:
        answer = self._lane.run(command)
        if answer.status != 0:
            sys.exit(f"{command}: {answer.text}")

    def attach(self) -> None:
        self.dom0(f"xl network-attach {self._domain} {SECOND.words().replace(',', ' ')}")

    def restart_back_end(self) -> None:
        device = f"vif-{self._domain}-0"
        self.dom0(f"cd /sys/bus/xen-backend/drivers/vif && echo {device} >unbind && echo {device} >bind")
        # What the toolstack's script does once, when the domain is made.
        node = f"/local/domain/0/backend/vif/{self._domain}/0"
        self.dom0(f"ip link set vif{self._domain}.0 master $(xenstore-read {node}/bridge) up")
        self.dom0(f"xenstore-write {node}/hotplug-status connected")

    def detach(self) -> None:
        self.dom0(f"xl network-detach {self._domain} {SECOND.mac}")


def main() -> None:
    kernel = Path(sys.argv[1])
    with Lab() as lab, ExitStack() as stack:
        lanes = [stack.enter_context(lab.lane()) for _ in range(2)]
        guest = Guest("hot_plug", kernel, memory_mb=32, nics=(FIRST,))
        domain = stack.enter_context(Domain(lab, lanes[0], guest))
        host = Host(lanes[1], domain)
        steps = {
            "busy": host.restart_back_end,
            "served again": host.attach,
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
