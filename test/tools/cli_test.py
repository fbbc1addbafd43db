# SPDX-License-Identifier: BSD-3-Clause
"""tools/halvm itself: what it says and exits with when something is not as it should be."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HALVM = ROOT / "tools/halvm"


class CliTest(unittest.TestCase):
    def halvm(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(HALVM), *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    def assertSays(self, done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_an_unknown_example_lists_those_there_are(self) -> None:
        self.assertSays(self.halvm("run", "helo"), 125, "no example called helo", "Did you mean hello?")

    def test_a_missing_file(self) -> None:
        self.assertSays(self.halvm("run", "./nothing"), 125, "there is no file")

    def test_a_file_that_is_no_kernel(self) -> None:
        self.assertSays(self.halvm("run", "/bin/true"), 125, "not a halvm kernel", "halvm::core")
        self.assertSays(self.halvm("run", str(HALVM)), 125, "not an x86-64 ELF file")

    def test_too_little_memory(self) -> None:
        self.assertSays(self.halvm("run", "hello", "--memory", "3"), 125, "at least 4 MB")

    def test_a_wrong_command_line_is_no_status_of_a_program(self) -> None:
        self.assertSays(self.halvm("run", "hello", "--memory", "abc"), 125, "no number of megabytes")
        self.assertSays(self.halvm("run", "hello", "--timeout", "-3"), 125, "no number of seconds")
        self.assertSays(self.halvm("run", "hello", "--wibble"), 125, "--wibble")
        self.assertSays(self.halvm("run", "hello", "--on", "mars"), 125, "mars")

    def test_without_xl_nothing_is_built_for_it(self) -> None:
        self.assertSays(self.halvm("run", "hello", "--on", "xen", PATH="/usr/bin:/bin"), 125, "no xl", "--on lab")

    def test_a_cache_that_cannot_be_written(self) -> None:
        done = self.halvm("console", XDG_CACHE_HOME="/proc")
        self.assertSays(done, 125, "XDG_CACHE_HOME")

    def test_console_without_a_guest(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            done = self.halvm("console", XDG_CACHE_HOME=directory)
            self.assertSays(done, 125, "no guest is running", "halvm run")

    def test_bench_and_test_list_what_there_is(self) -> None:
        self.assertSays(self.halvm("bench", "nonsense"), 125, "no bench called nonsense")

    def test_it_works_through_a_link_and_from_anywhere(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            link = Path(directory) / "h"
            link.symlink_to(HALVM)
            done = subprocess.run([str(link), "--help"], cwd="/", capture_output=True, text=True)
            self.assertEqual(done.returncode, 0)
            self.assertIn("doctor", done.stdout)

    def test_without_python_it_says_what_to_install(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for name in ("sh", "readlink", "dirname", "env"):
                (Path(directory) / name).symlink_to(f"/usr/bin/{name}")
            # An id that is not root's: root would have it installed.
            (Path(directory) / "id").write_text("#!/bin/sh\necho 1000\n")
            (Path(directory) / "id").chmod(0o755)
            done = self.halvm("run", "hello", PATH=directory)
            self.assertSays(done, 125, "Python", "apt-get install --yes python3")


if __name__ == "__main__":
    unittest.main()
