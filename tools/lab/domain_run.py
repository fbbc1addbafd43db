# SPDX-License-Identifier: BSD-3-Clause
"""What is known about a domain after it ran, however it was booted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass
class DomainRun:
    """The result of one guest's run.

    `end` is Xen's word for how it ended (poweroff, reboot, suspend, crash,
    watchdog), `destroyed`, or `timeout`, or `stopped` when the caller had seen enough.
    `status` is what the program returned; None when it published nothing, and
    `panicked` says that it published a panic instead.
    """

    console: str = ""
    xen: str = ""
    toolstack: str = ""
    end: str = "timeout"
    status: int | None = None
    panicked: bool = False
    seconds: float = 0.0
    # Of a guest that crashed, or that its watchdog ended: registers, (address, word) of the stack, and the crash.Stack
    # of the fiber that ran.
    rip: int = 0
    rsp: int = 0
    stack: list[tuple[int, int]] = field(default_factory=list)
    fiber: tuple[str, int, int, int] | None = None
    cpu_ns: int = 0
    first_output_cpu_ns: int = 0
    domain: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> DomainRun:
        run = DomainRun(**json.loads(text))
        run.stack = [(address, word) for address, word in run.stack]
        run.fiber = tuple(run.fiber) if run.fiber else None
        return run
