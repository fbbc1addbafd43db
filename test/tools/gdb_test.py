# SPDX-License-Identifier: BSD-3-Clause
"""tools/gdb/halvm.py: the fibers of a process that runs, and of its core."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent.parent / "tools/gdb/halvm.py"
PROGRAM = os.environ.get("WAITING_FIBERS", "")


def gdb(*commands: str, files: tuple[str, ...] = (PROGRAM,)) -> str:
    words = ["gdb", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", f"source {SCRIPT}"]
    for command in commands:
        words += ["-ex", command]
    done = subprocess.run([*words, *files], capture_output=True, text=True, timeout=100)
    return done.stdout + done.stderr


class GdbTest(unittest.TestCase):
    def check(self, listing: str) -> None:
        self.assertRegex(listing, r"\* 1 +main +running, in ")
        self.assertRegex(listing, r"  2 +patient +waiting for event, in .*waits_for_an_event")
        self.assertRegex(listing, r"  3 +locker +waiting for mutex, in .*waits_for_a_mutex")
        self.assertRegex(listing, r"  4 +fresh +runnable, in ")

    def test_a_process_and_its_core(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            core = f"{directory}/core"
            said = gdb("run", "info fibers", "fiber apply all bt", "fiber 3", "fiber", "fiber 0", "bt", f"gcore {core}")
            self.check(said)
            _, main, patient, locker, rest = said.split("\nfiber ", 4)
            self.assertIn("stops", main)
            self.assertEqual(patient.count("waits_for_an_event"), 4, patient)
            self.assertIn("trampoline", patient)
            self.assertNotIn("raise", patient)
            self.assertIn("waits_for_a_mutex", locker)
            self.assertIn("fiber 3 (locker)\n", rest)
            last = rest[rest.rindex("fiber 3 (locker)\n") :]
            self.assertIn("stops", last)
            self.assertNotIn("waits_for_a_mutex", last)

            said = gdb("info fibers", "fiber 2", "up 3", "bt", "fiber apply 3 bt 9", files=(PROGRAM, core))
            self.check(said)
            selected = said[said.index("fiber 2 (patient), waiting\n") : said.index("fiber 3 (locker)")]
            self.assertEqual(selected.count("waits_for_an_event"), 4, selected)
            self.assertIn("waits_for_a_mutex", said[said.index("fiber 3 (locker)") :])

    def test_what_cannot_be_is_said(self) -> None:
        self.assertIn("no fibers: the program has not started", gdb("info fibers"))
        self.assertIn("no halvm program", gdb("info fibers", files=(sys.executable,)))
        said = gdb("run", "fiber 9", "fiber x", "fiber apply bt", "fiber apply all")
        self.assertIn("there is no fiber 9", said)
        self.assertIn("fiber takes a number", said)
        self.assertEqual(said.count("fiber apply takes"), 2)


if __name__ == "__main__":
    if shutil.which("gdb") is None:
        print("skipped: no gdb; `tools/halvm test` installs it, or: apt-get install gdb")
        sys.exit(77)
    if not PROGRAM:
        print("skipped: the program under gdb is built for HALVM_MACHINE=linux only")
        sys.exit(77)
    unittest.main()
