# SPDX-License-Identifier: BSD-3-Clause
"""Finds the fibers in the memory of a halvm program: a crashed domain's, or a process under gdb.

Where things are is written in the image itself, by src/fiber/scheduler.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Reads up to so many bytes at an address: fewer where nothing is mapped.
Read = Callable[[int, int], bytes]

LAYOUT = "halvm_fiber_layout"
SCHEDULER = "_ZN5halvm5fiber6detail12of_this_vcpuE"

_LAYOUT = struct.Struct("<10H")
_STATES = ("runnable", "running", "waiting", "finished")
_NAME_BYTES = 24
LAYOUT_BYTES = _LAYOUT.size


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes; the names say in which object and of what."""

    scheduler_current: int
    scheduler_all: int
    task_next: int
    task_context: int
    task_stack: int
    task_state: int
    task_waits: int
    task_name: int
    waiter_queue: int
    queue_what: int

    @staticmethod
    def parse(data: bytes) -> Layout | None:
        return Layout(*_LAYOUT.unpack(data)) if len(data) == _LAYOUT.size else None


@dataclass(frozen=True)
class Fiber:
    task: int
    name: str
    state: str
    running: bool  # it is the one on the processor
    bottom: int  # of its stack; 0 for the first fiber, whose stack is not the scheduler's
    size: int
    guarded: bool
    context: int  # where Boost.Context saved its registers when it last gave way
    waits: int  # the first place that it waits in, or 0


def _pointer(read: Read, address: int) -> int:
    data = read(address, 8)
    return int.from_bytes(data, "little") if len(data) == 8 else 0


def _text(read: Read, address: int) -> str:
    return read(address, 64).split(b"\0", 1)[0].decode(errors="replace")


def _fiber(read: Read, layout: Layout, task: int, current: int) -> tuple[Fiber, int] | None:
    """One, and the hook of the next."""
    end = max(layout.task_name + _NAME_BYTES, layout.task_stack + 24)
    data = read(task, end)
    if len(data) < end:
        return None

    def word(offset: int) -> int:
        return int.from_bytes(data[offset : offset + 8], "little")

    name = data[layout.task_name : layout.task_name + _NAME_BYTES].split(b"\0", 1)[0]
    state = data[layout.task_state]
    found = Fiber(
        task=task,
        name=name.decode(errors="replace"),
        state=_STATES[state] if state < len(_STATES) else f"state {state}",
        running=task == current,
        bottom=word(layout.task_stack),
        size=word(layout.task_stack + 8),
        guarded=data[layout.task_stack + 16] != 0,
        context=word(layout.task_context),
        waits=word(layout.task_waits),
    )
    return found, word(layout.task_next)


def walk(read: Read, layout: Layout, scheduler_variable: int, most: int = 1 << 20) -> Iterator[Fiber]:
    """Each fiber, the oldest first. Ends early where memory is damaged."""
    scheduler = _pointer(read, scheduler_variable)
    if scheduler == 0:
        return
    current = _pointer(read, scheduler + layout.scheduler_current)
    root = scheduler + layout.scheduler_all
    hook = _pointer(read, root)
    while hook not in (0, root) and most > 0:
        most -= 1
        one = _fiber(read, layout, hook - layout.task_next, current)
        if one is None:
            return
        yield one[0]
        hook = one[1]


def running(read: Read, layout: Layout, scheduler_variable: int) -> Fiber | None:
    scheduler = _pointer(read, scheduler_variable)
    current = _pointer(read, scheduler + layout.scheduler_current) if scheduler else 0
    one = _fiber(read, layout, current, current) if current else None
    return one[0] if one else None


def waits_for(read: Read, layout: Layout, fiber: Fiber) -> str:
    """What the fiber waits for, in the words of the listings; "" when it does not wait."""
    queue = _pointer(read, fiber.waits + layout.waiter_queue) if fiber.waits else 0
    what = _pointer(read, queue + layout.queue_what) if queue else 0
    return _text(read, what) if what else ""
