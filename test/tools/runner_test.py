# SPDX-License-Identifier: BSD-3-Clause
"""run-guest with a real Xen and a kernel of our own: it must see green, and it must see red."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN_GUEST = HERE.parent.parent / "tools/lab/run-guest"


class RunnerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls._directory = tempfile.TemporaryDirectory()
        cls.kernel = Path(cls._directory.name) / "tiny kernel, with a difficult name"
        subprocess.run(
            ["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext-segment=0x100000"]
            + ["-Wl,-z,noexecstack", "-Wl,--build-id=none", "-Wl,-e,tiny_entry"]
            + ["-o", str(cls.kernel), str(HERE / "tiny_kernel.S")],
            check=True,
        )

    @classmethod
    def tearDownClass(cls) -> None:
        cls._directory.cleanup()

    def run_guest(self, expect: str, extra: str = "", *more: str) -> subprocess.CompletedProcess[str]:
        command = [str(RUN_GUEST), "--name", "tiny", "--elf", str(self.kernel), "--expect", expect]
        return subprocess.run([*command, "--extra", extra, *more], capture_output=True, text=True)

    def assertExit(self, done: subprocess.CompletedProcess[str], code: int) -> None:
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)

    def test_success_and_what_is_not(self) -> None:
        self.assertExit(self.run_guest("success", "a,b c"), 0)
        self.assertExit(self.run_guest("status:0"), 1)
        self.assertExit(self.run_guest("crash"), 1)
        self.assertExit(self.run_guest("panic:x"), 1)

    def test_a_crash_is_seen_and_named(self) -> None:
        done = self.run_guest("crash", "crash", "--verbose")
        self.assertExit(done, 0)
        self.assertIn("about to crash", done.stdout)
        self.assertRegex(done.stdout, r"#0 0x[0-9a-f]+ crash\+0x")
        self.assertExit(self.run_guest("success", "crash"), 1)
        self.assertExit(self.run_guest("stack-overflow:main", "crash"), 1)

    def test_a_stack_overflow_is_seen_and_named(self) -> None:
        done = self.run_guest("stack-overflow:main", "overflow", "--verbose")
        self.assertExit(done, 0)
        self.assertIn('stack overflow in fiber "main" (stack 8 KiB), in overflow, ', done.stdout)
        self.assertExit(self.run_guest("stack-overflow:other", "overflow"), 1)

    def test_a_guest_that_does_not_end_is_ended(self) -> None:
        done = self.run_guest("success", "spin", "--timeout", "3")
        self.assertExit(done, 1)
        self.assertIn("still running", done.stdout)

    def test_what_is_no_kernel_is_refused(self) -> None:
        command = [str(RUN_GUEST), "--name", "x", "--elf", sys.executable]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertExit(done, 2)
        self.assertIn("not a halvm kernel", done.stderr)


if __name__ == "__main__":
    if shutil.which("qemu-system-x86_64") is None:
        print("skipped: no QEMU; tools/halvm setup installs it")
        sys.exit(77)
    unittest.main()
