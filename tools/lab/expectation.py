# SPDX-License-Identifier: BSD-3-Clause
"""What a guest test must do, and whether a run did it.

Verdicts are named as the tests' own lines name them; a guest that says nothing
has crashed, whatever else happened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from . import crash, elf
from .domain_run import DomainRun
from .errors import LabError

_VERDICT = re.compile(r"^halvm test: (\S+): (SUCCESS|SKIP|ERROR|FAILURE)\b(.*)$", re.M)
_WORST_LAST = ("SUCCESS", "SKIP", "ERROR", "FAILURE")


@dataclass
class Judgement:
    verdict: str  # "pass", "skip" or "fail"
    reason: str


def check_syntax(expect: str) -> None:
    kind, colon, rest = expect.partition(":")
    plain = expect in ("success", "crash")
    with_argument = kind in ("panic", "stack-overflow", "watchdog", "status", "output") and colon
    if not plain and not with_argument:
        raise LabError(
            f"unknown expectation {expect!r}",
            "it is one of: success, panic:REGEX, crash, stack-overflow:FIBER, watchdog:FIBER, status:N, output:REGEX.",
        )
    try:
        int(rest) if kind == "status" else re.compile(rest)
    except (ValueError, re.error) as error:
        raise LabError(f"bad expectation {expect!r}: {error}") from error


def stop_pattern(expect: str) -> str:
    """A pattern after which the run need not go on."""
    kind, _, rest = expect.partition(":")
    return rest if kind == "output" else ""


def judge(expect: str, run: DomainRun, kernel: Path) -> Judgement:
    """Compare; the kernel gives the symbols."""
    kind, _, argument = expect.partition(":")
    if kind == "success":
        return _success(run)
    if kind == "output":
        found = re.search(argument, run.console, re.M)
        return _verdict(found is not None, f"the output matches {argument!r}", run)
    if kind == "status":
        return _verdict(run.status == int(argument), f"the exit status is {argument}", run)
    if kind == "panic":
        at = run.console.find("halvm: panic:")
        matched = at >= 0 and re.search(argument, run.console[at:], re.M) is not None
        died = run.end == "crash" or run.panicked
        return _verdict(matched and died, f"it panics with {argument!r}", run)
    if "halvm: panic:" in run.console:
        return Judgement("fail", "it panicked by itself; a crash that only Xen reports was expected")
    if kind == "crash":
        return _verdict(run.end == "crash", "Xen crashes it", run)
    if kind == "watchdog":
        return _watchdog(run, kernel, argument)
    return _stack_overflow(run, kernel, argument)


def _success(run: DomainRun) -> Judgement:
    found = _VERDICT.findall(run.console)
    if not found:
        return Judgement("fail", f"CRASH: it gave no verdict line; {describe_end(run)}")
    name, worst, detail = max(found, key=lambda line: _WORST_LAST.index(line[1]))
    if worst == "SKIP":
        return Judgement("skip", f"{name}{detail}")
    if worst != "SUCCESS":
        return Judgement("fail", f"{name}: {worst}{detail}")
    if run.status not in (0, None) or run.panicked or run.end in ("crash", "timeout"):
        return Judgement("fail", f"it said SUCCESS, but then: {describe_end(run)}")
    return Judgement("pass", name)


def _stack_overflow(run: DomainRun, kernel: Path, fiber: str) -> Judgement:
    found = crash.of_run(run)
    if run.end != "crash" or found is None:
        return Judgement("fail", f"a stack overflow was expected; {describe_end(run)}")
    stack = crash.overflowed(found, elf.with_symbols(kernel))
    if stack is None:
        return Judgement("fail", f"it crashed, but rsp {found.rsp:#x} is in no guard page")
    if stack.name != fiber:
        return Judgement("fail", f"the stack of fiber {stack.name!r} overflowed, not that of {fiber!r}")
    return Judgement("pass", f"the stack of fiber {fiber} overflowed")


def _watchdog(run: DomainRun, kernel: Path, fiber: str) -> Judgement:
    found = crash.of_run(run)
    if run.end != "watchdog" or found is None:
        return Judgement("fail", f"an end by the watchdog was expected; {describe_end(run)}")
    stack = crash.stack_of(found, elf.with_symbols(kernel))
    if stack is None or stack.name != fiber:
        return Judgement("fail", f"fiber {stack.name if stack else '?'} kept the processor, not {fiber}")
    return Judgement("pass", f"the watchdog ended it while fiber {fiber} ran")


def _verdict(holds: bool, wanted: str, run: DomainRun) -> Judgement:
    if holds:
        return Judgement("pass", wanted)
    return Judgement("fail", f"expected: {wanted}; {describe_end(run)}")


def describe_end(run: DomainRun) -> str:
    if run.end == "timeout":
        return f"it was still running after {run.seconds:.0f} s"
    status = "a panic" if run.panicked else f"status {run.status}"
    return f"it ended by {run.end} with {status}"
