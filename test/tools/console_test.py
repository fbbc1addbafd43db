# SPDX-License-Identifier: BSD-3-Clause
"""dom0_boot.py: one serial line carries Xen's words, the program's, and the status."""

import unittest

from lab.dom0_boot import _Output

START = b"(XEN) Xen version 4.17.7\r\n(XEN) Freed 656kB init memory\r\n"


class OutputTest(unittest.TestCase):
    def output(self, *pieces: bytes) -> tuple[_Output, str]:
        shown: list[str] = []
        output = _Output("abc", shown.append)
        for piece in pieces:
            output.add(piece)
        output.finish()
        return output, "".join(shown)

    def test_the_programs_lines_are_apart_from_xens(self) -> None:
        output, shown = self.output(START, b"hello\r\n(XEN) Hardware Dom0 shutdown: rebooting\r\n")
        self.assertEqual(output.console, "hello\n")
        self.assertEqual(shown.strip(), "hello")
        self.assertEqual(output.end(), "reboot")

    def test_it_does_not_matter_where_the_line_is_cut(self) -> None:
        whole = START + b"one (two) three\r\nhalvm[abc]: status 3\r\n(XEN) Hardware Dom0 halted: x\r\n"
        for cut in range(len(whole)):
            output, shown = self.output(whole[:cut], whole[cut:])
            self.assertEqual(output.console, "one (two) three\n", cut)
            self.assertEqual(shown.strip(), "one (two) three", cut)
            self.assertEqual(output.status(), "3")
            self.assertEqual(output.end(), "poweroff")

    def test_a_status_with_another_word_is_output(self) -> None:
        output, _ = self.output(START, b"halvm[xyz]: status 0\r\nhalvm[]: status 0\r\n")
        self.assertIsNone(output.status())
        self.assertIn("halvm[xyz]: status 0", output.console)

    def test_a_prompt_without_a_newline_is_shown_at_once(self) -> None:
        shown: list[str] = []
        output = _Output("abc", shown.append)
        output.add(START + b"name? ")
        self.assertEqual("".join(shown), "name? ")

    def test_xens_refusal_is_found(self) -> None:
        output, _ = self.output(b"(XEN) Panic on CPU 0:\r\n(XEN) Could not construct domain 0\r\n")
        self.assertEqual(output.xen_failure(), "Could not construct domain 0")


if __name__ == "__main__":
    unittest.main()
