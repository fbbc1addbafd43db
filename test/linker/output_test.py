# SPDX-License-Identifier: BSD-3-Clause
"""What ldkernel leaves: a kernel and its debug file, or nothing; --explain, maps, link-time optimisation."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import unittest

from support import LinkTest

from ldkernel_lib.elf import Elf

MAIN = "int halvm_main() { return 0; }\n"


class Output(LinkTest):
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def test_only_the_kernel_and_its_debug_file(self) -> None:
        self.linked(self.compile(MAIN))
        self.assertEqual(self.files(), {"main.o", "kernel", "kernel.debug"})

    def test_a_failed_link_removes_the_old_kernel(self) -> None:
        self.linked(self.compile(MAIN))
        self.refused(self.compile("int other;\n", "other.o"))
        self.assertEqual(self.files(), {"main.o", "other.o"})

    def test_the_same_link_gives_the_same_bytes(self) -> None:
        main = self.compile(MAIN)
        first = self.linked(main).read_bytes()
        self.assertEqual(self.linked(main).read_bytes(), first)

    def test_a_folder_that_is_not_there(self) -> None:
        self.assertIn("no/kernel: cannot be written", self.refused(self.compile(MAIN), output="no/kernel"))

    def test_the_null_device_stays_a_device(self) -> None:
        done = self.link(self.compile(MAIN), output="/dev/null")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.run_in_folder("test", "-c", "/dev/null").returncode, 0)
        self.assertEqual(self.files(), {"main.o"})

    def test_names_with_blanks(self) -> None:
        self.linked(self.compile(MAIN, "my main.o"), output="my kernel")
        self.assertEqual(self.files(), {"my main.o", "my kernel", "my kernel.debug"})

    def test_a_signal_in_the_middle_leaves_nothing(self) -> None:
        main = self.compile(MAIN)
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            child = subprocess.Popen([self.tool / "ldkernel", main, "-o", "kernel"], cwd=self.folder,
                                     stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 30
            while child.poll() is None and len(self.files()) == 1 and time.monotonic() < deadline:
                time.sleep(0.001)
            child.send_signal(number)
            self.assertEqual(child.wait(30), status)
            self.assertEqual(self.files(), {"main.o"})

    def test_map_and_print_map(self) -> None:
        done = self.link(self.compile(MAIN), "-Wl,-Map=the.map", "-Wl,--print-map")
        self.assertIn("Linker script and memory map", done.stdout)
        self.assertIn("main.o", (self.folder / "the.map").read_text())


    def test_dependencies_for_make(self) -> None:
        self.linked(self.compile(MAIN), "-Wl,--dependency-file=link.d")
        text = (self.folder / "link.d").read_text()
        self.assertTrue(text.startswith("kernel: main.o "), text)
        self.assertIn("/libhalvm.a", text.splitlines()[0])
        self.assertIn("\nmain.o:\n", text)
        self.assertNotIn(".ldkernel-", text)


class Explain(LinkTest):
    def test_tables_are_greppable_and_add_up(self) -> None:
        done = self.link(self.compile(MAIN), "-Wl,--explain")
        self.check(done.stdout, "kernel")

    def test_afterwards_from_another_folder(self) -> None:
        kernel = self.linked(self.compile(MAIN))
        done = subprocess.run([self.tool / "ldkernel", "--explain", kernel], cwd="/", capture_output=True, text=True,
                              check=True)
        self.check(done.stdout, str(kernel))

    def check(self, said: str, name: str) -> None:
        rows = [line.split(maxsplit=1) for line in said.splitlines()]
        kinds = dict.fromkeys(kind for kind, _ in rows)
        self.assertEqual(list(kinds), ["image", "section", "memory", "cost", "part", "object"])
        self.assertIn(name, rows[0][1])
        sizes = {kind: [int(re.search(r"  +(\d+)(?: |$)", rest)[1]) for row, rest in rows if row == kind]
                 for kind in kinds}
        self.assertEqual(sum(sizes["section"]), (self.folder / "kernel").stat().st_size)
        self.assertEqual(sum(sizes["part"]), sum(sizes["object"]))
        self.assertEqual(sizes["object"], sorted(sizes["object"], reverse=True))
        self.assertRegex(said, r"(?m)^object +libhalvm.a\(core.o\) +\d+")
        self.assertRegex(said, r"(?m)^part +the program +\d+")
        self.assertRegex(said, r"(?m)^cost +names of functions.* \d+")

    def test_what_cannot_be_explained(self) -> None:
        self.linked(self.compile(MAIN))
        (self.folder / "kernel.debug").unlink()
        for words, text in ((["kernel"], "kernel.debug: not found"), (["nothing"], "there is no such file"),
                            ([], "name the image")):
            done = self.run_in_folder(self.tool / "ldkernel", "--explain", *words)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)


class Optimised(LinkTest):
    """Link-time optimisation."""

    FIRST = "int other(int); extern \"C\" int fork(); int halvm_main() { return other(20); }\n"

    def test_functions_of_other_objects_are_inlined(self) -> None:
        objects = [self.compile(self.FIRST, "main.o", "-flto"),
                   self.compile("int other(int x) { return x + 22; }", "other.o", "-flto")]
        kernel = self.linked(*objects, "-flto", "-O2")
        self.assertNotIn("_Z5otheri", {symbol.name for symbol in Elf.open(f"{kernel}.debug").symbols})
        self.assertEqual({path.name for path in self.folder.iterdir()}, {*objects, "kernel", "kernel.debug"})

    def test_what_the_compiler_calls_by_itself_is_found(self) -> None:
        source = "volatile unsigned long long x; int halvm_main() { return __builtin_popcountll(x); }\n"
        kernel = self.linked(self.compile(source, "main.o", "-flto"), "-flto", "-O2")
        self.assertIn("__popcountdi2", {symbol.name for symbol in Elf.open(f"{kernel}.debug").symbols})

    def test_refusals_name_the_function(self) -> None:
        source = 'extern "C" int fork(); extern "C" [[gnu::weak]] void perhaps();\n' \
                 "int halvm_main() { perhaps(); return fork(); }\n"
        said = self.refused(self.compile(source, "main.o", "-flto"), "-flto", "-O2")
        self.assertIn("fork: there is no operating system under halvm", said)
        self.assertIn("perhaps: weak and undefined", said)
        self.assertIn("halvm_main", said)


if __name__ == "__main__":
    unittest.main()
