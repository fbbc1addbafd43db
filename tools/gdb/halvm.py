# SPDX-License-Identifier: BSD-3-Clause
"""Fibers in gdb: `source tools/gdb/halvm.py`, in a process that runs or its core.

    info fibers                 all fibers: what each does, and in which function
    fiber N                     looks at a fiber: bt, up and print then mean that one
    fiber                       which fiber is looked at
    fiber apply all|N... CMD    CMD for all, or some: `fiber apply all bt`

A fiber that waits is a stack and the few registers that its last switch saved
there. It is shown as if the innermost real frame, #0, had been called from it;
so its own frames begin with #1, and neither registers nor memory are changed.
`fiber 0`, or letting the program run, goes back to what really runs.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import gdb
from gdb.unwinder import Unwinder, register_unwinder

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lab import fibers  # noqa: E402

# What Boost.Context's jump_fcontext() saves, at these offsets from the context; the stack goes on above.
_SAVED = {"r12": 0x08, "r13": 0x10, "r14": 0x18, "r15": 0x20, "rbx": 0x28, "rbp": 0x30, "rip": 0x38}
_SAVED_BYTES = 0x40


def _read(address: int, size: int) -> bytes:
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except (gdb.MemoryError, OverflowError):
        return b""


def _address_of(symbol: str) -> int:
    try:
        return int(gdb.parse_and_eval(f"(unsigned long)&'{symbol}'"))
    except gdb.error:
        raise gdb.GdbError(f"there is no {symbol} here: this is no halvm program, or its symbols are not loaded") from None


def _layout() -> fibers.Layout:
    layout = fibers.Layout.parse(_read(_address_of("halvm_fiber_layout"), fibers.LAYOUT_BYTES))
    if layout is None:
        raise gdb.GdbError("the program's memory cannot be read: start it, or load a core")
    return layout


def _all() -> list[fibers.Fiber]:
    return list(fibers.walk(_read, _layout(), _address_of("halvm::fiber::detail::of_this_vcpu")))


class _Selection:
    """The fiber that is looked at, and the real innermost frame that it is put under."""

    fiber: fibers.Fiber | None = None
    number = 0
    real = (0, 0)

    @classmethod
    def clear(cls, *_: object) -> None:
        if cls.fiber is not None:
            cls.fiber = None
            gdb.invalidate_cached_frames()

    @classmethod
    def select(cls, number: int, fiber: fibers.Fiber) -> None:
        cls.clear()
        frame = gdb.newest_frame()
        cls.number = number
        if fiber.running:
            frame.select()
            return
        cls.real = (int(frame.read_register("rsp")), int(frame.read_register("rip")))
        cls.fiber = fiber
        gdb.invalidate_cached_frames()
        below = gdb.newest_frame().older()
        if below is not None:
            below.select()


class _FrameId:
    def __init__(self, sp: gdb.Value, pc: gdb.Value) -> None:
        self.sp = sp
        self.pc = pc


class _FiberUnwinder(Unwinder):
    def __init__(self) -> None:
        super().__init__("halvm fibers")

    def __call__(self, frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        fiber = _Selection.fiber
        if fiber is None:
            return None
        rsp, rip = frame.read_register("rsp"), frame.read_register("rip")
        if (int(rsp), int(rip)) != _Selection.real:
            return None
        made = frame.create_unwind_info(_FrameId(rsp, rip))
        word = gdb.lookup_type("unsigned long")
        for register, offset in _SAVED.items():
            saved = _read(fiber.context + offset, 8)
            made.add_saved_register(register, gdb.Value(saved, word))
        above = (fiber.context + _SAVED_BYTES).to_bytes(8, "little")
        made.add_saved_register("rsp", gdb.Value(above, word))
        return made


class _HideRealFrame:
    """Backtraces of a fiber are without the frame that is not its own."""

    name = "halvm fibers"
    enabled = True
    priority = 1000

    def filter(self, frames: Iterator[object]) -> Iterator[object]:
        return itertools.islice(frames, 1, None) if _Selection.fiber is not None else frames


# The functions by which a fiber waits; what called them is of interest.
_WAITING = ("halvm::fiber::", "jump_fcontext")


def _own_function(number: int, fiber: fibers.Fiber) -> str:
    """Where it is: the innermost function that is not the scheduler's."""
    _Selection.select(number, fiber)
    frame = gdb.newest_frame() if fiber.running else gdb.newest_frame().older()
    first = ""
    for _ in range(16):
        if frame is None:
            break
        name = frame.name() or "?"
        first = first or name
        if not name.startswith(_WAITING):
            return name
        frame = frame.older()
    return first


class _InfoFibers(gdb.Command):
    """All fibers: number, name, what each does, and in which function. The one that runs has a star."""

    def __init__(self) -> None:
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        before = (_Selection.number, _Selection.fiber)
        layout = _layout()
        found = _all()
        if not found:
            gdb.write("no fibers: the program has not started\n")
        for number, fiber in enumerate(found, 1):
            what = fibers.waits_for(_read, layout, fiber)
            state = f"{fiber.state} for {what}" if what else fiber.state
            where = "" if fiber.state == "finished" else f", in {_own_function(number, fiber)}"
            gdb.write(f"{'*' if fiber.running else ' '} {number:<4} {fiber.name:<23} {state}{where}\n")
        _Selection.clear()
        if before[1] is not None:
            _Selection.select(before[0], before[1])


class _Fiber(gdb.Command):
    """Looks at a fiber: fiber N. `fiber 0` goes back to what runs; `fiber apply all bt` shows all backtraces."""

    def __init__(self) -> None:
        super().__init__("fiber", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if argument == "":
            fiber = _Selection.fiber
            gdb.write(f"fiber {_Selection.number} ({fiber.name})\n" if fiber else "what runs is looked at\n")
            return
        if not argument.isdecimal():
            raise gdb.GdbError("fiber takes a number that `info fibers` shows")
        if int(argument) == 0:
            _Selection.clear()
            return
        number, fiber = _numbered([argument])[0]
        _Selection.select(number, fiber)
        gdb.write(f"fiber {number} ({fiber.name}), {fiber.state}\n")
        gdb.execute("frame")


def _numbered(numbers: list[str]) -> list[tuple[int, fibers.Fiber]]:
    found = _all()
    for word in numbers:
        if not 1 <= int(word) <= len(found):
            raise gdb.GdbError(f"there is no fiber {word}: `info fibers` shows all")
    return [(int(word), found[int(word) - 1]) for word in numbers]


class _FiberApply(gdb.Command):
    """Runs a command for fibers: fiber apply all CMD, fiber apply N... CMD."""

    def __init__(self) -> None:
        super().__init__("fiber apply", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        words = argument.split()
        count = 1 if words[:1] == ["all"] else len(list(itertools.takewhile(str.isdecimal, words)))
        command = " ".join(words[count:])
        if count == 0 or not command:
            raise gdb.GdbError("fiber apply takes `all`, or numbers, and a command")
        chosen = list(enumerate(_all(), 1)) if words[0] == "all" else _numbered(words[:count])
        for number, fiber in chosen:
            if fiber.state == "finished":
                continue
            _Selection.select(number, fiber)
            gdb.write(f"\nfiber {number} ({fiber.name}), {fiber.state}:\n")
            gdb.execute(command)
        _Selection.clear()


register_unwinder(None, _FiberUnwinder(), replace=True)
gdb.frame_filters[_HideRealFrame.name] = _HideRealFrame()
gdb.events.cont.connect(_Selection.clear)
gdb.events.exited.connect(_Selection.clear)
_InfoFibers()
_Fiber()
_FiberApply()
