# SPDX-License-Identifier: BSD-3-Clause
"""expectation.py: no run passes that should not, least of all a silent one."""

import unittest
from pathlib import Path

from lab.domain_run import DomainRun
from lab.errors import LabError
from lab.expectation import check_syntax, judge

KERNEL = Path("/nowhere")


def verdict(expect: str, **run: object) -> str:
    return judge(expect, DomainRun(**run), KERNEL).verdict


class ExpectationTest(unittest.TestCase):
    def test_success_wants_a_verdict_and_a_good_end(self) -> None:
        line = "halvm test: x: SUCCESS\n"
        self.assertEqual(verdict("success", console=line, end="reboot", status=0), "pass")
        self.assertEqual(verdict("success", console="", end="poweroff", status=0), "fail")
        self.assertEqual(verdict("success", console=line, end="reboot", status=1), "fail")
        self.assertEqual(verdict("success", console=line, end="crash"), "fail")
        self.assertEqual(verdict("success", console=line, end="timeout"), "fail")
        self.assertEqual(verdict("success", console="not " + line, end="poweroff", status=0), "fail")

    def test_the_worst_verdict_counts(self) -> None:
        lines = "halvm test: a: SUCCESS\nhalvm test: b: FAILURE\nhalvm test: c: SUCCESS\n"
        self.assertEqual(verdict("success", console=lines, end="poweroff", status=0), "fail")

    def test_skip_is_neither(self) -> None:
        line = "halvm test: x: SKIP no hardware\n"
        self.assertEqual(verdict("success", console=line, end="poweroff", status=0), "skip")

    def test_panic_wants_the_words_and_the_death(self) -> None:
        text = "halvm: panic: page fault: reading 0x0\n  #0 0x1 read_null\n"
        self.assertEqual(verdict("panic:reading 0x0", console=text, end="crash"), "pass")
        self.assertEqual(verdict("panic:read_null", console=text, panicked=True, end="reboot"), "pass")
        self.assertEqual(verdict("panic:writing", console=text, end="crash"), "fail")
        self.assertEqual(verdict("panic:reading", console=text, end="poweroff", status=0), "fail")
        self.assertEqual(verdict("panic:reading", console="reading 0x0", end="crash"), "fail")

    def test_crash_is_xens_not_the_guests_own(self) -> None:
        self.assertEqual(verdict("crash", end="crash"), "pass")
        self.assertEqual(verdict("crash", end="crash", console="halvm: panic: x"), "fail")
        self.assertEqual(verdict("crash", end="poweroff"), "fail")

    def test_status_comes_from_xen_never_from_the_output(self) -> None:
        self.assertEqual(verdict("status:7", status=7, end="poweroff"), "pass")
        self.assertEqual(verdict("status:7", console="status 7", status=0, end="poweroff"), "fail")
        self.assertEqual(verdict("status:-3", status=-3, end="poweroff"), "pass")

    def test_a_stack_overflow_without_a_dump_fails(self) -> None:
        self.assertEqual(verdict("stack-overflow:main", end="crash"), "fail")

    def test_a_watchdog_wants_the_fiber(self) -> None:
        self.assertEqual(verdict("watchdog:main", end="watchdog"), "fail")
        self.assertEqual(verdict("watchdog:main", end="crash", rip=1), "fail")

    def test_bad_expectations_are_refused(self) -> None:
        for good in ("success", "crash", "stack-overflow:x", "watchdog:x", "panic:x", "status:-1", "output:a|b"):
            check_syntax(good)
        for bad in ("sucess", "status:x", "panic", "panic:(", "output"):
            with self.assertRaises(LabError, msg=bad):
                check_syntax(bad)


if __name__ == "__main__":
    unittest.main()
