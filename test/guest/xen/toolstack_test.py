# SPDX-License-Identifier: BSD-3-Clause
"""What a toolstack asks of a running domain, by xl and by the XenStore: acknowledged, done, and ended for its reason.

toolstack_test.py PROGRAM EXAMPLE: domain_control.cpp, and the example that ends when it is asked to.
"""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab.domain import Domain, Guest
from lab.lab import Lab

PATIENCE = 240.0  # a fault; a busy machine needs less


class Failed(Exception):
    pass


class Talk:
    """A running guest, and dom0 beside it."""

    def __init__(self, lab: Lab, domain: Domain, lane) -> None:
        self._domain, self._lane = domain, lane
        self.id = domain.result.domain
        self.home = f"/local/domain/{self.id}"

    def dom0(self, command: str) -> str:
        answer = self._lane.run(command.format(id=self.id, home=self.home))
        if answer.status != 0:
            raise Failed(f"{command}: {answer.text}")
        return answer.out.strip()

    def expect(self, pattern: str) -> None:
        self._until(lambda: re.search(pattern, self._domain.result.console, re.M), f"no {pattern!r}")

    def ends(self, reason: str, status: int | None) -> None:
        self._until(lambda: self._domain.result.end != "timeout", "it did not end")
        if self._domain.result.end != reason:
            raise Failed(f"ended with {self._domain.result.end}, not {reason}")
        if status is not None:
            text = self.dom0("xenstore-read {home}/data/halvm/status")
            if text != str(status):
                raise Failed(f"its status is {text}, not {status}")

    def becomes(self, node: str, value: str) -> None:
        self._until(lambda: self.dom0(f"xenstore-read {{home}}/{node}") == value, f"{node} did not become {value!r}")

    def _until(self, done, complaint: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline or (self._domain.over and not done()):
                raise Failed(f"{complaint}; its console:\n{self._domain.result.console}")
            self._domain.poll(0.05)


def asked_by_xl(command: str, says: str, reason: str, status: int) -> Callable[[Talk], None]:
    def case(talk: Talk) -> None:
        talk.expect("^ready")
        for node in ("poweroff", "reboot"):
            talk.becomes(f"control/feature-{node}", "1")
        talk.dom0(f"xl {command} {{id}}")
        talk.expect(f"^{says}atexit\\nstatic destructor")
        talk.ends(reason, status)

    case.__name__ = f"xl {command}"
    return case


def crash_by_default(talk: Talk) -> None:
    talk.expect("^ready")
    talk.dom0("xenstore-write {home}/control/shutdown crash")
    talk.expect("^halvm: panic: the toolstack asked for a crash")
    talk.ends("crash", None)


def sysrq_by_default(talk: Talk) -> None:
    talk.expect("^ready")
    talk.dom0("xl sysrq {id} t")
    talk.becomes("control/sysrq", "")
    talk.expect("domain control")
    talk.dom0("xl sysrq {id} b")
    talk.ends("reboot", None)


def hooks(talk: Talk) -> None:
    talk.expect("^ready")
    # Not understood, so not acknowledged; and no reason to stop listening.
    talk.dom0("xenstore-write {home}/control/shutdown suspend")
    talk.dom0("xl sysrq {id} s")
    talk.becomes("control/sysrq", "")
    talk.expect("^sysrq s")
    if talk.dom0("xenstore-read {home}/control/shutdown") != "suspend":
        raise Failed("a request that was not understood was acknowledged")
    talk.dom0("xl shutdown {id}")
    talk.becomes("control/shutdown", "")
    talk.expect("^asked for 0")
    talk.dom0("xl reboot {id}")
    talk.becomes("control/shutdown", "")
    talk.expect("^asked for 1")
    talk.dom0("xenstore-write {home}/control/shutdown halt")
    talk.expect("^asked for 2")
    talk.ends("poweroff", 4)


def watch(talk: Talk) -> None:
    talk.expect("^ready")
    for value in ("one", "two"):
        talk.dom0(f"xenstore-write {{home}}/data/from-dom0 {value}")
        talk.expect(f"^data/from-dom0 is {value}")
    talk.dom0("xenstore-rm {home}/data/from-dom0")
    talk.expect("^data/from-dom0 is gone")
    talk.ends("poweroff", 0)


def long_listing(talk: Talk) -> None:
    """Longer than a message; only dom0 may make such a node."""
    names = [f"a-name-of-forty-bytes-so-that-it-is-long-{i}" for i in range(1000, 1150)]
    talk.expect("^ready")
    talk.dom0("xenstore-write " + " ".join(f"{{home}}/data/many/{name} ''" for name in names))
    talk.dom0("xenstore-write {home}/data/many/last ''")
    talk.expect(f"^{len(names) + 1} names of {sum(len(name) + 1 for name in names) + 5} bytes")
    talk.ends("poweroff", 0)


def shutdown_example(talk: Talk) -> None:
    talk.expect("^Working[.]\\nWorking[.]")
    talk.dom0("xl shutdown {id}")
    talk.expect("^Asked to end[.] Goodbye!")
    talk.ends("poweroff", 0)


CASES = {
    "default": (
        asked_by_xl("shutdown", "", "poweroff", 0),
        asked_by_xl("reboot", "", "reboot", 0),
        crash_by_default,
        sysrq_by_default,
    ),
    "token": (
        asked_by_xl("shutdown", "asked to stop\\n", "poweroff", 3),
        asked_by_xl("reboot", "asked to stop\\n", "reboot", 3),
    ),
    "hook": (hooks,),
    "watch": (watch,),
    "list": (long_listing,),
}


def main() -> None:
    program, example = map(Path, sys.argv[1:])
    runs = [(program, argument, case) for argument, cases in CASES.items() for case in cases]
    runs.append((example, "", shutdown_example))
    failures = 0
    with Lab() as lab, lab.lane() as guests, lab.lane() as dom0:
        for kernel, argument, case in runs:
            name = f"{kernel.name} {argument}: {case.__name__}"
            guest = Guest("control", kernel, memory_mb=16, command_line=argument)
            try:
                with Domain(lab, guests, guest) as domain:
                    case(Talk(lab, domain, dom0))
                print(f"{name}: passed")
            except Failed as failed:
                failures += 1
                print(f"{name}: {failed}")
    sys.exit(f"{failures} failed" if failures else 0)


if __name__ == "__main__":
    main()
