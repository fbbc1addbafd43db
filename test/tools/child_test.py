# SPDX-License-Identifier: BSD-3-Clause
"""child.py: an interrupted build or test run leaves nothing running."""

import subprocess
import time
import unittest
from pathlib import Path

from halvm_cli import child


class ChildTest(unittest.TestCase):
    def test_its_output_and_exit_code(self) -> None:
        with child.whole(["sh", "-c", "echo word; exit 3"], stdout=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.read(), "word\n")
            self.assertEqual(process.wait(), 3)

    def test_an_interrupt_ends_its_children_too(self) -> None:
        with self.assertRaises(KeyboardInterrupt):
            with child.whole(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE) as process:
                grandchild = process.stdout.readline().strip()
                raise KeyboardInterrupt
        self.assertTrue(self.ended(grandchild))

    def test_one_that_does_not_heed_it_is_killed(self) -> None:
        patience = child._PATIENCE_SECONDS
        child._PATIENCE_SECONDS = 0.2
        self.addCleanup(setattr, child, "_PATIENCE_SECONDS", patience)
        with self.assertRaises(SystemExit):
            with child.whole(["sh", "-c", "trap '' TERM; echo on; sleep 60; sleep 60"], stdout=subprocess.PIPE) as process:
                process.stdout.readline()
                raise SystemExit
        self.assertIsNotNone(process.returncode)

    def ended(self, pid: str) -> bool:
        """Gone, or a zombie that only its new parent has not yet looked at."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    return True
            except OSError:
                return True
            time.sleep(0.05)
        return False


if __name__ == "__main__":
    unittest.main()
