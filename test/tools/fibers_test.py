# SPDX-License-Identifier: BSD-3-Clause
"""fibers.py and guest_memory.py: the fibers in a program's memory, whole or damaged, through page tables."""

import struct
import unittest

from lab import fibers
from lab.guest_memory import Paged

LAYOUT = fibers.Layout(8, 16, 8, 0, 24, 48, 56, 64, 8, 16)
VARIABLE, SCHEDULER, MAIN, WORKER, PLACE, QUEUE, WHAT = (0x1000 * n for n in range(1, 8))
HOOK = LAYOUT.task_next


def task(name: bytes, context: int, following: int, stack: tuple[int, int, int], state: int, waits: int) -> bytes:
    return struct.pack("<QQQQQQBxxxxxxxQ24s", context, following, 0, *stack, state, waits, name)


class Memory:
    """Pages by their addresses; reads stop at the first that is not there."""

    def __init__(self) -> None:
        self.pages = {
            VARIABLE: struct.pack("<Q", SCHEDULER),
            SCHEDULER: struct.pack("<QQQ", 0, WORKER, MAIN + HOOK),
            MAIN: task(b"main", 0x111, WORKER + HOOK, (0, 0, 1), 2, PLACE),
            WORKER: task(b"worker", 0x222, SCHEDULER + 16, (0x50000, 0x4000, 1), 1, 0),
            PLACE: struct.pack("<QQ", 0, QUEUE),
            QUEUE: struct.pack("<QQQ", 0, 0, WHAT),
            WHAT: b"mutex\0",
        }

    def read(self, address: int, size: int) -> bytes:
        page = self.pages.get(address & ~0xFFF)
        return b"" if page is None else page.ljust(4096, b"\0")[address & 0xFFF :][:size]


class FibersTest(unittest.TestCase):
    def test_all_are_found_with_what_they_wait_for(self) -> None:
        memory = Memory()
        found = list(fibers.walk(memory.read, LAYOUT, VARIABLE))
        self.assertEqual([one.name for one in found], ["main", "worker"])
        self.assertEqual([one.state for one in found], ["waiting", "running"])
        self.assertEqual([one.running for one in found], [False, True])
        self.assertEqual((found[1].bottom, found[1].size, found[1].guarded), (0x50000, 0x4000, True))
        self.assertEqual(fibers.waits_for(memory.read, LAYOUT, found[0]), "mutex")
        self.assertEqual(fibers.waits_for(memory.read, LAYOUT, found[1]), "")
        running = fibers.running(memory.read, LAYOUT, VARIABLE)
        self.assertEqual(running and running.name, "worker")

    def test_before_the_scheduler_is_there_are_no_fibers(self) -> None:
        memory = Memory()
        memory.pages[VARIABLE] = bytes(8)
        self.assertEqual(list(fibers.walk(memory.read, LAYOUT, VARIABLE)), [])
        self.assertIsNone(fibers.running(memory.read, LAYOUT, VARIABLE))

    def test_a_damaged_list_ends(self) -> None:
        memory = Memory()
        del memory.pages[WORKER]
        self.assertEqual([one.name for one in fibers.walk(memory.read, LAYOUT, VARIABLE)], ["main"])
        memory = Memory()
        memory.pages[WORKER] = task(b"loop", 0, WORKER + HOOK, (0, 0, 0), 9, 0)
        self.assertEqual(len(list(fibers.walk(memory.read, LAYOUT, VARIABLE, 7))), 7)

    def test_another_layout_is_none(self) -> None:
        self.assertIsNone(fibers.Layout.parse(b""))


class PagedTest(unittest.TestCase):
    def setUp(self) -> None:
        self.machine = bytearray(0x400000)
        self.entry(0x1000, 0, 0x2000 | 7)
        self.entry(0x2000, 0, 0x3000 | 7)
        self.entry(0x3000, 0, 0x4000 | 7)
        self.entry(0x3000, 1, 0x200000 | 0x80 | 7)  # 2 MiB at once
        self.entry(0x4000, 5, 0x8000 | 1 << 63 | 7)
        self.entry(0x4000, 6, 0x6000 | 7)
        self.machine[0x8FFE:0x9000] = b"ab"
        self.machine[0x6000:0x6002] = b"cd"
        self.machine[0x212345:0x212347] = b"xy"
        self.paged = Paged(lambda at, size: bytes(self.machine[at : at + size]), 0x1018)

    def entry(self, table: int, index: int, value: int) -> None:
        struct.pack_into("<Q", self.machine, table + 8 * index, value)

    def test_pages_that_follow_each_other_may_lie_anywhere(self) -> None:
        self.assertEqual(self.paged.read(0x5FFE, 4), b"abcd")

    def test_a_read_ends_where_nothing_is_mapped(self) -> None:
        self.assertEqual(self.paged.read(0x4000, 8), b"")
        self.assertEqual(len(self.paged.read(0x6FF0, 64)), 16)
        self.assertEqual(self.paged.read(1 << 40, 8), b"")

    def test_large_pages(self) -> None:
        self.assertEqual(self.paged.read(0x212345, 2), b"xy")


if __name__ == "__main__":
    unittest.main()
