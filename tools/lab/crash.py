# SPDX-License-Identifier: BSD-3-Clause
"""Makes sense of the register dump that Xen prints when a PV guest crashes.

A guest reports its own faults, save one: on a stack overflow Xen cannot push
the fault's frame, and crashes the domain. Then only Xen's dump says where it
was; the kernel's symbols turn that into names, and the guest's memory tells
which fiber it was.
"""

from __future__ import annotations

import itertools
import re
import struct
import subprocess
from dataclasses import astuple, dataclass, field
from pathlib import Path

from . import fibers
from .domain_run import DomainRun
from .elf import Elf, with_symbols

_DUMP = re.compile(r"Domain (\d+) \(vcpu#(\d+)\) crashed on cpu#\d+:(.*?)(?=Domain \d+ \(vcpu#|\Z)", re.S)
_REGISTER = re.compile(r"\b(r[a-z0-9]{2}|r[89]|cr[0234]):\s+([0-9a-f]{16})")
_RIP = re.compile(r"RIP:\s+[0-9a-f]{4}:\[<([0-9a-f]{16})>\]")
_STACK_LINE = re.compile(r"^\(XEN\)    ((?:[0-9a-f]{16}\s*)+)$", re.M)

# Xen pushes up to this much below rsp; when that reaches the guard page, rsp
# itself may still be just above it.
_FRAME = 0x80

_MOST_LINES = 16


# How much of a crashed guest's stack is looked at for return addresses, at most.
_STACK_BYTES = 262144

# A fiber that ran when the stack ran over is nearly always the current one; when
# it is not, this many others are looked at.
_MOST_FIBERS = 4096

_PAGE = 4096


@dataclass(frozen=True)
class Stack:
    """A fiber's stack with the guard page under it."""

    name: str
    guard: int
    bottom: int
    top: int

    @property
    def size(self) -> int:
        return self.top - self.bottom

    def holds(self, rsp: int) -> bool:
        return self.guard <= rsp < self.top


@dataclass
class Crash:
    """One vCPU's registers at the crash, and the words of stack that are known."""

    domain: int
    rip: int
    registers: dict[str, int]
    stack: list[tuple[int, int]] = field(default_factory=list)  # (address, word)
    fiber: Stack | None = None  # the stack of the fiber that ran
    watchdog: bool = False  # no crash: the domain did not set its watchdog in time

    @property
    def rsp(self) -> int:
        return self.registers.get("rsp", 0)


def parse(xen_lines: str, domain: int) -> Crash | None:
    """The last crash in Xen's messages, of this domain."""
    last = None
    for match in _DUMP.finditer(xen_lines):
        text = match.group(3)
        rip = _RIP.search(text)
        if rip is None or int(match.group(1)) != domain:
            continue
        registers = {name: int(value, 16) for name, value in _REGISTER.findall(text)}
        last = Crash(int(match.group(1)), int(rip.group(1), 16), registers)
        address = last.rsp
        for line in _STACK_LINE.findall(text):
            for word in line.split():
                last.stack.append((address, int(word, 16)))
                address += 8
    return last


def of_run(run: DomainRun) -> Crash | None:
    """The crash, or Xen's watchdog, that ended a run, with all that is known about it."""
    found = parse(run.xen, run.domain)
    if found is None and run.rip:
        found = Crash(run.domain, run.rip, {"rsp": run.rsp})
    if found is not None:
        found.watchdog = run.end == "watchdog"
        found.stack = run.stack or found.stack
        found.fiber = Stack(*run.fiber) if run.fiber else None
    return found


def look_into(run: DomainRun, read: fibers.Read, kernel: Path) -> None:
    """Takes from a crashed guest's memory what a report needs: the stack's words and whose stack it is."""
    symbols = with_symbols(kernel)
    rsp = run.rsp
    fiber = _fiber_on(read, symbols, rsp)
    if fiber is not None:
        run.fiber = astuple(fiber)
    at = max(rsp, fiber.bottom) & ~7 if fiber else rsp & ~7
    end = fiber.top if fiber else at + _STACK_BYTES
    skipped = (at | _PAGE - 1) + 1
    data = read(at, end - at)
    if not data and skipped < end:  # rsp is in the guard page of the main stack
        at = skipped
        data = read(at, end - at)
    run.stack = words(at, data)


def _fiber_on(read: fibers.Read, symbols: Elf, rsp: int) -> Stack | None:
    variable, place = symbols.value_of(fibers.SCHEDULER), symbols.value_of(fibers.LAYOUT)
    layout = fibers.Layout.parse(read(place, fibers.LAYOUT_BYTES)) if place else None
    if layout is None or variable is None:
        return None
    running = fibers.running(read, layout, variable)
    others = fibers.walk(read, layout, variable, _MOST_FIBERS)
    for one in itertools.chain([running] if running else [], others):
        stack = Stack(one.name, one.bottom - (_PAGE if one.guarded else 0), one.bottom, one.bottom + one.size)
        if one.size and stack.holds(rsp):
            return stack
    return None


def stack_of(crash: Crash, symbols: Elf) -> Stack | None:
    """The stack that was in use."""
    borders = [symbols.value_of(f"__stack_{border}") for border in ("guard", "bottom", "top")]
    main = [Stack("main", *borders)] if all(borders) else []
    return next((s for s in [crash.fiber, *main] if s is not None and s.holds(crash.rsp)), None)


def overflowed(crash: Crash, symbols: Elf) -> Stack | None:
    """The stack that overflowed, when that is what the crash was."""
    stack = stack_of(crash, symbols)
    return stack if stack and stack.guard < stack.bottom and crash.rsp < stack.bottom + _FRAME else None


_INDIRECT = -1


def _called_from(kernel: Elf, address: int) -> int | None:
    """What the call instruction before this address calls; None when there is none."""
    code = kernel.read(address - 7, 7)
    if len(code) < 7:
        return None
    if code[2] == 0xE8:
        return address + struct.unpack_from("<i", code, 3)[0]
    if any(code[7 - size] == 0xFF and code[8 - size] & 0x38 == 0x10 for size in (2, 3, 4, 6, 7)):
        return _INDIRECT
    return None


def _names(addresses: list[int], symbols: Elf) -> list[str]:
    found = []
    for address in addresses:
        function = symbols.function_at(address)
        found.append(f"{function.name}+{address - function.value:#x}" if function else "?")
    return _demangled(found)


def _demangled(names: list[str]) -> list[str]:
    try:
        done = subprocess.run(
            ["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return names
    lines = done.stdout.splitlines()
    return lines if len(lines) == len(names) else names


def _frames(crash: Crash, kernel: Elf, symbols: Elf) -> list[int]:
    """Return addresses on the stack, innermost first.

    Without frame pointers this is a guess: a word counts when the call before
    it calls the function below, or calls through a pointer. What earlier calls
    left on the stack seldom does. When nothing fits, a function may have ended
    in a jump to the one below, and the next call of any kind counts.
    """
    stack = stack_of(crash, symbols)
    calls = []
    for address, word in crash.stack:
        if stack and address >= stack.top:
            break
        target = _called_from(kernel, word)
        if target is not None and symbols.function_at(word - 1):
            calls.append((word, target))
    found = [crash.rip]
    index = 0
    while index < len(calls):
        below = symbols.function_at(found[-1])
        begin = below.value if below else 0
        fitting = (i for i in range(index, len(calls)) if calls[i][1] in (begin, _INDIRECT))
        index = next(fitting, index)
        found.append(calls[index][0])
        index += 1
    return found


def _listed(frames: list[str]) -> list[str]:
    """Numbered, with runs of one frame folded, as deep recursion gives them."""
    lines: list[str] = []
    index = 0
    while index < len(frames) and len(lines) < _MOST_LINES:
        end = index + 1
        while end < len(frames) and frames[end] == frames[index]:
            end += 1
        again = f"  ({end - index} times)" if end > index + 1 else ""
        lines.append(f"  #{index} {frames[index]}{again}")
        index = end
    return lines


def report(crash: Crash, kernel: Elf, symbols: Elf) -> str:
    """The crash in words, with function names."""
    stack = overflowed(crash, symbols)
    lines = []
    addresses = _frames(crash, kernel, symbols)
    names = _names(addresses, symbols)
    if stack:
        function = names[0].rpartition("+")[0]
        where = f", in {function}" if function else ""
        lines.append(
            f'stack overflow in fiber "{stack.name}" (stack {stack.size // 1024} KiB){where}, rsp {crash.rsp:#x}'
        )
    elif crash.watchdog:
        name = stack_of(crash, symbols)
        which = f'fiber "{name.name}"' if name else "a fiber"
        lines.append(f"the watchdog ended the guest: {which} kept the processor, at rip {crash.rip:#x}")
    else:
        fault = crash.registers.get("cr2", 0)
        lines.append(f"the guest crashed at rip {crash.rip:#x}, rsp {crash.rsp:#x}, cr2 {fault:#x}")
    lines += _listed([f"{a:#018x} {name}" for a, name in zip(addresses, names)])
    if not symbols.symbols:
        lines.append("  (no names: the kernel is stripped and its debug file is not beside it)")
    elif stack and stack == crash.fiber:
        lines.append("  A larger stack: options::stack when it is spawned; pthread_attr_setstacksize() for a thread.")
    elif stack:
        lines.append("  A larger main stack: link with -Wl,-z,stack-size=BYTES.")
    return "\n".join(lines)


def words(address: int, data: bytes) -> list[tuple[int, int]]:
    """Memory read from the guest as a list of stack words."""
    count = len(data) // 8
    return [(address + 8 * i, w) for i, w in enumerate(struct.unpack(f"<{count}Q", data[: 8 * count]))]
