# SPDX-License-Identifier: BSD-3-Clause
"""What dom0 does to the console of reconnect.cpp: it ends xenconsoled and starts it again, twice.

reconnect_test.py PROGRAM
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from lab import expectation
from lab.domain import Domain, Guest
from lab.lab import Lab
from lab.lane import Lane

PATIENCE = 300.0
XENCONSOLED = (
    "/usr/lib/xen-4.17/bin/xenconsoled --log=guest --log-dir=/var/log/xen/console --pid-file=/run/xenconsoled.pid"
)


def dom0(lane: Lane, command: str) -> None:
    answer = lane.run(command)
    if answer.status != 0:
        sys.exit(f"{command}: {answer.text}")


def end_xenconsoled(lane: Lane, home: str, turn: int) -> None:
    dom0(lane, "pid=$(cat /run/xenconsoled.pid) && kill -9 $pid && while [ -e /proc/$pid/exe ]; do sleep 0.1; done")
    dom0(lane, f"xenstore-rm {home}/console/tty; xenstore-write {home}/data/gone{turn} 1")
    dom0(lane, f"until xenstore-read {home}/data/full{turn} >/dev/null 2>&1; do sleep 0.1; done")
    dom0(lane, f"{XENCONSOLED} >/dev/null 2>&1")


def type_word(lane: Lane, home: str, turn: int) -> None:
    # xenconsoled drops what was typed when the terminal's last user closes it, so this one stays.
    dom0(lane, f"until tty=$(xenstore-read {home}/console/tty 2>/dev/null) && [ -c $tty ]; do sleep 0.1; done; "
               f"(exec 3<>$tty; printf word{turn}! >&3; exec sleep 100) >/dev/null 2>&1 </dev/null &")


def main() -> None:
    kernel = Path(sys.argv[1])
    with Lab() as lab, ExitStack() as stack:
        lanes = [stack.enter_context(lab.lane()) for _ in range(2)]
        guest = Guest("reconnect", kernel, memory_mb=32, command_line="COLUMNS=132 LINES=43")
        domain = stack.enter_context(Domain(lab, lanes[0], guest))
        home = f"/local/domain/{domain.result.domain}"
        waits_for = [0, 1]
        deadline = time.monotonic() + PATIENCE
        while not domain.over and time.monotonic() < deadline:
            domain.poll(0.1)
            if waits_for and f"ready {waits_for[0]}" in domain.result.console.splitlines():
                turn = waits_for.pop(0)
                end_xenconsoled(lanes[1], home, turn)
                type_word(lanes[1], home, turn)
    judgement = expectation.judge("status:0", domain.result, kernel)
    text = domain.result.console
    lines = [line for line in text.splitlines() if line.startswith(("ready", "line", "typed"))]
    wanted = [
        line
        for turn in range(2)
        for line in [f"ready {turn}", *(f"line {i:04}" for i in range(1000)), f"typed word{turn}!"]
    ]
    if judgement.verdict != "pass" or lines != wanted:
        print(text[-3000:])
        sys.exit(f"{judgement.reason}; {len(lines)} lines instead of {len(wanted)}")


if __name__ == "__main__":
    main()
