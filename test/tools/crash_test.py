# SPDX-License-Identifier: BSD-3-Clause
"""crash.py: Xen's register dumps, and telling a stack overflow from other crashes."""

import unittest

from lab import crash
from lab.elf import Elf, Symbol

DUMP = """\
(XEN) d5v0 Unhandled: vec 14, #PF[0002]
(XEN) Domain {domain} (vcpu#0) crashed on cpu#0:
(XEN) ----[ Xen-4.17.7  x86_64  debug=n  Not tainted ]----
(XEN) CPU:    0
(XEN) RIP:    e033:[<000000000010016c>]
(XEN) RFLAGS: 0000000000000202   EM: 1   CONTEXT: pv guest (d{domain}v0)
(XEN) rax: 0000000000118088   rbx: 0000000000118000   rcx: 000000000000006f
(XEN) rbp: 0000000000000002   rsp: {rsp:016x}   r8:  0000000000000000
(XEN) cr3: 0000000095d1b000   cr2: 0000000000103fd0
(XEN) Guest stack trace from rsp={rsp:016x}:
(XEN)    0000000000100178 0000000000100258 0000000000100178 0000000000100249
(XEN)    ffffffffffffffff
"""

SYMBOLS = [
    Symbol("recurse", 0x100165, 0x20, True),
    Symbol("main", 0x100200, 0x60, True),
    Symbol("__stack_guard", 0x103000, 0, False),
    Symbol("__stack_bottom", 0x104000, 0, False),
    Symbol("__stack_top", 0x106000, 0, False),
]


# What is called just before these addresses; elsewhere there is no call.
CALLS = {0x100178: 0x100165, 0x100249: 0x100165, 0x100258: 0x100100}


def code_before(address: int, size: int) -> bytes:
    after = address + size
    if after not in CALLS:
        return bytes(size)
    return b"\0\0\xe8" + (CALLS[after] - after).to_bytes(4, "little", signed=True)


def fake_kernel() -> Elf:
    kernel = Elf.__new__(Elf)
    kernel.__dict__["symbols"] = SYMBOLS
    kernel.read = code_before
    return kernel


class CrashTest(unittest.TestCase):
    def test_registers_and_stack_are_read_from_the_dump(self) -> None:
        found = crash.parse(DUMP.format(domain=5, rsp=0x105000), 5)
        assert found is not None
        self.assertEqual(found.rip, 0x10016C)
        self.assertEqual(found.rsp, 0x105000)
        self.assertEqual(found.registers["cr2"], 0x103FD0)
        self.assertEqual(found.stack[0], (0x105000, 0x100178))
        self.assertEqual(len(found.stack), 5)

    def test_another_domains_dump_is_not_taken(self) -> None:
        both = DUMP.format(domain=5, rsp=0x105000) + DUMP.format(domain=6, rsp=0x106000)
        self.assertIsNone(crash.parse(both, 4))
        self.assertEqual(crash.parse(both, 5).rsp, 0x105000)
        self.assertEqual(crash.parse(both, 6).rsp, 0x106000)

    def test_a_message_without_registers_is_no_dump(self) -> None:
        self.assertIsNone(crash.parse("(XEN) Domain 5 (vcpu#0) crashed on cpu#0:\n", 5))

    def test_rsp_in_the_guard_page_is_an_overflow(self) -> None:
        for rsp, overflow in (
            (0x103FD0, True),
            (0x103000, True),
            (0x104010, True),  # Xen's frame below it reaches the guard page
            (0x104100, False),
            (0x102FF0, False),
        ):
            found = crash.parse(DUMP.format(domain=0, rsp=rsp), 0)
            self.assertEqual(crash.overflowed(found, fake_kernel()) is not None, overflow, hex(rsp))

    def test_the_report_names_functions_and_folds_recursion(self) -> None:
        found = crash.parse(DUMP.format(domain=0, rsp=0x103FD0), 0)
        text = crash.report(found, fake_kernel(), fake_kernel())
        self.assertIn('stack overflow in fiber "main" (stack 8 KiB), in recurse, rsp 0x103fd0', text)
        self.assertIn("#0 0x000000000010016c recurse+0x7", text)
        self.assertIn("recurse+0x13  (2 times)", text)
        self.assertIn("#3 0x0000000000100249 main+0x49", text)

    def test_what_earlier_calls_left_on_the_stack_is_no_frame(self) -> None:
        found = crash.parse(DUMP.format(domain=0, rsp=0x105000), 0)
        text = crash.report(found, fake_kernel(), fake_kernel())
        self.assertNotIn("main+0x58", text)

    def test_nothing_above_the_stack_is_taken_for_a_frame(self) -> None:
        found = crash.parse(DUMP.format(domain=0, rsp=0x105FF8), 0)
        text = crash.report(found, fake_kernel(), fake_kernel())
        self.assertIn("recurse+0x13", text)
        self.assertNotIn("main+0x49", text)

    def test_a_stripped_kernel_says_so(self) -> None:
        kernel = fake_kernel()
        kernel.__dict__["symbols"] = []
        found = crash.parse(DUMP.format(domain=0, rsp=0x103FD0), 0)
        self.assertIn("stripped", crash.report(found, kernel, kernel))


if __name__ == "__main__":
    unittest.main()
