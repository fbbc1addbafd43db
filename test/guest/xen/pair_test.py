# SPDX-License-Identifier: BSD-3-Clause
"""Two guests of one program, each the other's partner (partner.hpp): what Xen's mechanisms do between them; or three.

pair_test.py PROGRAM...: each in the runs that CASES has for its name, all in one boot of the lab.
"""

import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lab import expectation
from lab.domain import Domain, Guest
from lab.lab import Lab
from lab.lane import Lane

PATIENCE = 240.0  # a fault; a busy machine needs less


class Failed(Exception):
    pass


class Pair:
    """Both guests, started; the offerer first, because the taker is told its number, as a third is told the taker's."""

    def __init__(self, lab: Lab, lanes: list[Lane], kernel: Path, words: tuple[str, ...]) -> None:
        self._kernel = kernel
        self._lane, *lanes = lanes
        self._stack = ExitStack()
        try:
            self.offer = self._stack.enter_context(Domain(lab, lanes[0], self._guest(f"role=offer {words[0]}")))
            taker = self._guest(f"role=take peer={self.offer.result.domain} {words[1]}")
            self.take = self._stack.enter_context(Domain(lab, lanes[1], taker))
            self.all = [self.offer, self.take]
            if words[2:]:
                third = self._guest(f"role=third peer={self.take.result.domain} {words[2]}")
                self.all.append(self._stack.enter_context(Domain(lab, lanes[2], third)))
                self.write("data/third", str(self.all[2].result.domain), self.take)
            self.write("data/peer", str(self.take.result.domain), self.offer)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> "Pair":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _guest(self, words: str) -> Guest:
        return Guest(self._kernel.name, self._kernel, memory_mb=16, command_line=words.strip())

    def write(self, node: str, value: str, owner: Domain) -> None:
        self.dom0(f"xenstore-write /local/domain/{owner.result.domain}/{node} {value}")

    def dom0(self, command: str) -> None:
        answer = self._lane.run(command)
        if answer.status != 0:
            raise Failed(f"{command}: {answer.text}")

    def until(self, done: Callable[[], bool], domains: list[Domain]) -> None:
        """Wait; a guest that has ended badly leaves the other waiting for it, so that ends the wait too."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            dead = any(domain.over and "SUCCESS" not in domain.result.console for domain in domains)
            if dead or time.monotonic() > deadline:
                raise Failed("one of them did not come to its end")
            for domain in domains:
                domain.poll(0.05)

    def said_success(self, domain: Domain) -> None:
        judgement = expectation.judge("success", domain.result, self._kernel)
        if judgement.verdict != "pass":
            raise Failed(judgement.reason)

    def consoles(self) -> str:
        return "".join(
            f"--- {name} (domain {domain.result.domain})\n{domain.result.console}"
            for name, domain in zip(("offer", "take", "third"), self.all)
        )


def all_succeed(pair: Pair) -> None:
    with pair:
        pair.until(lambda: all(domain.over for domain in pair.all), pair.all)
    for domain in pair.all:
        pair.said_success(domain)


def taker_is_destroyed(pair: Pair) -> None:
    with pair:
        pair.until(lambda: re.search("^parked$", pair.offer.result.console, re.M) is not None, pair.all)
        pair.dom0(f"xl destroy {pair.take.result.domain}")
        pair.until(lambda: pair.take.result.end == "destroyed", [pair.take])
        pair.write("data/gone", "1", pair.offer)
        pair.until(lambda: pair.offer.over, [pair.offer])
    pair.said_success(pair.offer)


CASES = {
    "ping_pong": ((all_succeed, ("", "")), (all_succeed, ("fifo", "")), (all_succeed, ("", "fifo"))),
    "copy_test": ((all_succeed, ("", "")), (all_succeed, ("version=2", "version=2"))),
    "transfer_test": ((all_succeed, ("", "")),),
    "passed_on": ((all_succeed, ("", "", "")),),
    "lost_partner": ((taker_is_destroyed, ("", "")),),
}


def main() -> None:
    failures = 0
    with Lab() as lab, ExitStack() as stack:
        lanes = [stack.enter_context(lab.lane()) for _ in range(4)]
        for kernel in map(Path, sys.argv[1:]):
            for case, words in CASES[kernel.name]:
                name = " / ".join(filter(None, [kernel.name, *words]))
                pair = Pair(lab, lanes, kernel, words)
                try:
                    case(pair)
                    print(f"{name}: passed")
                except Failed as failed:
                    failures += 1
                    print(f"{name}: {failed}\n{pair.consoles()}")
    sys.exit(f"{failures} failed" if failures else 0)


if __name__ == "__main__":
    main()
