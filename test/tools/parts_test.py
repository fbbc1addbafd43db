# SPDX-License-Identifier: BSD-3-Clause
"""The small readers and writers: ELF, cpio, counted results, ctest's results, figures."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from halvm_cli.bench import figure_of
from halvm_cli.test import Tally
from lab import boot_lines, measure
from lab.cpio import Archive
from lab.domain import Guest
from lab.elf import Elf, require_xen_kernel, with_symbols
from lab.errors import LabError


class ElfTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls._temporary = tempfile.TemporaryDirectory()
        cls.kernel = Path(cls._temporary.name) / "kernel"
        source = Path(__file__).resolve().parent / "tiny_kernel.S"
        subprocess.run(
            ["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-e,tiny_entry", "-o", cls.kernel, source],
            check=True,
            stderr=subprocess.DEVNULL,
        )

    @classmethod
    def tearDownClass(cls) -> None:
        cls._temporary.cleanup()

    def test_symbols_and_functions(self) -> None:
        kernel = require_xen_kernel(self.kernel)
        crash = kernel.value_of("crash")
        assert crash is not None
        self.assertEqual(kernel.function_at(crash + 1).name, "crash")
        self.assertIsNone(kernel.function_at(0x10))
        self.assertIsNone(kernel.value_of("no such symbol"))

    def test_a_stripped_kernel_finds_its_debug_file(self) -> None:
        stripped = self.kernel.with_name("small")
        debug = self.kernel.with_name("elsewhere.debug")
        debug.write_bytes(self.kernel.read_bytes())
        subprocess.run(
            ["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", self.kernel, stripped], check=True
        )
        self.assertEqual(Elf(stripped).symbols, [])
        self.assertEqual(with_symbols(stripped).path, debug)

    def test_the_libraries_a_program_needs(self) -> None:
        self.assertIn("libc.so.6", Elf(Path("/bin/true").resolve()).needed())
        self.assertEqual(Elf(self.kernel).needed(), [])

    def test_a_truncated_file_is_an_error(self) -> None:
        short = self.kernel.with_name("short")
        for size in (0, 3, 20, 64, 100):
            short.write_bytes(self.kernel.read_bytes()[:size])
            with self.assertRaises(LabError):
                require_xen_kernel(short)


class CpioTest(unittest.TestCase):
    @unittest.skipIf(shutil.which("busybox") is None, "busybox is not installed here")
    def test_busybox_reads_it(self) -> None:
        archive = Archive()
        archive.file("a/b/file", b"hello")
        archive.link("a/link", "b/file")
        archive.directory("a/c")
        with tempfile.TemporaryDirectory() as directory:
            command = ["busybox", "cpio", "-i"]
            subprocess.run(
                command, input=archive.bytes(), cwd=directory, check=True, stderr=subprocess.DEVNULL
            )
            self.assertEqual((Path(directory) / "a/link").read_text(), "hello")
            self.assertTrue((Path(directory) / "a/c").is_dir())

    def test_archives_can_follow_one_another(self) -> None:
        self.assertEqual(len(Archive().bytes()) % 512, 0)


class ResultsTest(unittest.TestCase):
    def test_a_counted_guest(self) -> None:
        lines = ["s 1000", "f 1500 300", "e 0 900", "before 10", "after 40", "log hi", "list h 3 16 1 -b---- 0.0"]
        text = "@11 s 5\n" + "".join(f"@1 {line}\n" for line in lines)
        subject = measure.Subject("hello", Path("x"), memory_mb=4)
        found = measure._counted(1, subject, text)
        self.assertEqual((found.first_line_ns, found.delay_ns, found.total_ns), (300, 500, 900))
        self.assertEqual((found.idle_ns, found.state, found.end), (30, "-b----", "poweroff"))
        self.assertEqual(found.console, "hi\n")

    def test_a_figure_with_and_without_a_rival(self) -> None:
        self.assertEqual(figure_of("b", "m\t5\tns\n")["value"], 5)
        self.assertEqual(figure_of("b", "m\t5\tns\tother\t10.0\n")["ratio"], 0.5)
        with self.assertRaises(LabError):
            figure_of("b", "nonsense\n")
        with self.assertRaises(LabError):
            figure_of("b", "m\tfive\tns\n")

    def test_ctests_results_are_counted_by_kind(self) -> None:
        tally = Tally()
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(
                '<testsuite><testcase name="a" status="run"/><testcase name="b" status="fail"><failure/></testcase>'
                '<testcase name="c" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
                "<system-out>words\nskipped: no QEMU\n</system-out></testcase>"
                '<testcase name="d" status="notrun"><skipped message="Unable to find executable"/></testcase>'
                "</testsuite>"
            )
            file.flush()
            tally.add_junit(Path(file.name), "xen")
        self.assertEqual(tally.passed, 1)
        self.assertEqual(tally.failed, ["xen: b", "xen: d: Unable to find executable"])
        self.assertEqual(tally.skipped, ["xen: c: skipped: no QEMU"])

    def test_guests_memory_and_back_ends_are_read_from_the_configuration(self) -> None:
        self.assertEqual(Guest("g", Path("x"), "memory = 16\n").megabytes(), 16)
        self.assertEqual(Guest("g", Path("x"), "memory = 16\n", memory_mb=4).megabytes(), 4)
        self.assertTrue(Guest("g", Path("x"), "vif = ['bridge=xenbr0']\n").wants_backends())
        self.assertFalse(Guest("g", Path("x"), "# vif = []\n").wants_backends())

    def test_a_guests_command_line_is_quoted_for_xl(self) -> None:
        words = Guest("g", Path("x"), command_line='a "b" \\').overrides("/k", "n")
        self.assertIn('extra="a \\"b\\" \\\\"', words)

    def test_xen_is_told_the_guests_memory(self) -> None:
        self.assertIn("dom0_mem=4M", boot_lines.xen_for_guest_as_dom0(4))


if __name__ == "__main__":
    unittest.main()
