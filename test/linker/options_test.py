# SPDX-License-Identifier: BSD-3-Clause
"""The command line: what compilers really give is understood, what is not known is refused; nothing goes silently."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import unittest
from pathlib import Path

from support import LinkTest

from ldkernel_lib.errors import UsageError
from ldkernel_lib.option_table import LONG, SHORT, Z_KEEP, Action, Value
from ldkernel_lib.options import parse
from ldkernel_lib.response import split

KEPT = (
    (["-u", "start"], ["--undefined=start"]),
    (["-ustart"], ["--undefined=start"]),
    (["--undefined=start"], ["--undefined=start"]),
    (["--wrap", "malloc"], ["--wrap=malloc"]),
    (["-wrap=malloc"], ["--wrap=malloc"]),
    (["--defsym", "a=b"], ["--defsym=a=b"]),
    (["--defsym=a=b"], ["--defsym=a=b"]),
    (["-L", "dir"], ["-Ldir"]),
    (["-Ldir"], ["-Ldir"]),
    (["-lz"], ["-lz"]),
    (["-l", "z"], ["-lz"]),
    (["--library=z"], ["-lz"]),
    (["-O1"], ["-O1"]),
    (["--build-id"], ["--build-id"]),
    (["--build-id=md5"], ["--build-id=md5"]),
    (["-(", "a.o", "-)"], ["-(", "a.o", "-)"]),
    (["--start-group", "a.o", "--end-group"], ["--start-group", "a.o", "--end-group"]),
    (["--whole-archive", "liba.a", "--no-whole-archive"], ["--whole-archive", "liba.a", "--no-whole-archive"]),
    (["-plugin", "/p.so", "-plugin-opt=/w", "-plugin-opt=-fresolution=r"],
     ["-plugin", "/p.so", "-plugin-opt=/w", "-plugin-opt=-fresolution=r"]),
    (["-z", "muldefs"], ["-z", "muldefs"]),
    (["-zmuldefs"], ["-z", "muldefs"]),
    (["--fatal-warnings", "--trace-symbol=main", "-y", "main"], ["--fatal-warnings", "--trace-symbol=main", "-ymain"]),
)

OURS = """
    -static | -pie | -no-pie | -dynamic-linker /lib64/ld-linux-x86-64.so.2 | --hash-style=gnu | --hash-style gnu
    -m elf_x86_64 | -melf_x86_64 | --eh-frame-hdr | --as-needed | --no-as-needed | -z now | -z relro | -znow
    -z noexecstack
    -lc | -lm | -lgcc_s | -lgcc | -lgcc_eh | -lstdc++ | -lpthread | -ldl | -lrt | -Bstatic | -Bdynamic
    /x/crt1.o | /x/Scrt1.o | /x/crti.o | /x/crtn.o | /x/crtbegin.o | /x/crtbeginS.o | /x/crtbeginT.o | /x/crtend.o
    /x/crtendS.o | -plugin-opt=-pass-through=-lc | --gc-sections | -s | --strip-all | -flto | -fuse-ld=bfd
    -flto=auto | --no-undefined | -export-dynamic | -E
    /usr/lib/x86_64-linux-gnu/libm.so | /usr/lib/x86_64-linux-gnu/libpthread.a | /usr/lib/x86_64-linux-gnu/libc.so.6
"""

REFUSED = (
    (["--frobnicate"], "--frobnicate: ldkernel does not know this option"),
    (["-Q"], "-Q: ldkernel does not know this option"),
    (["-z", "frobnicate"], "-z frobnicate: ldkernel does not know this option"),
    (["-shared"], "not a shared library"),
    (["-T", "my.lds"], "fixed by halvm's own linker script"),
    (["--script=my.lds"], "fixed by halvm's own linker script"),
    (["-Ttext=0x1000"], "fixed by halvm's own linker script"),
    (["-e", "start"], "the entry point is halvm's"),
    (["-q"], "loaded where it was linked"),
    (["-rpath", "/x"], "no dynamic linker"),
    (["--unresolved-symbols=ignore-all"], "nothing can supply it later"),
    (["-z", "execstack"], "both writable and executable"),
    (["-m", "elf_i386"], "halvm kernels are elf_x86_64"),
    (["-lasan"], "sanitizers need an operating system; build the program with HALVM_MACHINE=linux"),
    (["-lgcov"], "HALVM_MACHINE=linux"),
    (["/x/gcrt1.o"], "profiling"),
    (["/usr/lib/libfoo.so.1"], "give its static form, libfoo.a"),
    (["-z", "stack-size=x"], "a number of bytes"),
    (["-z", "stack-size=12345"], "whole pages"),
    (["-z", "stack-size=4096"], "at least 16384"),
    (["--gc-sections=yes"], "takes no value"),
    (["-L"], "a value is missing"),
)


class Parsing(unittest.TestCase):
    def test_kept_options_reach_the_linker(self) -> None:
        for words, kept in KEPT:
            with self.subTest(words):
                self.assertEqual(parse(words).kept, kept)

    def test_what_halvm_decides_is_accepted_and_not_passed_on(self) -> None:
        for line in OURS.split("\n"):
            for words in filter(None, map(shlex.split, line.split("|"))):
                with self.subTest(words):
                    self.assertEqual(parse(words).kept, [])

    def test_refusals(self) -> None:
        for words, text in REFUSED:
            with self.subTest(words), self.assertRaises(UsageError) as raised:
                parse(words)
            self.assertIn(text, str(raised.exception))

    def test_all_problems_are_said_at_once(self) -> None:
        with self.assertRaises(UsageError) as raised:
            parse(["--one", "main.o", "--two"])
        self.assertEqual(len(raised.exception.messages), 2)

    def test_halvms_own_options(self) -> None:
        options = parse(["--explain", "--no-halvm-symbols", "--halvm-core=x.a", "-z", "stack-size=0x10000", "-Map=m",
                         "-M", "-o", "out"])
        self.assertEqual((options.explain, options.symbols, options.core, options.stack_size, options.map_file,
                          options.print_map, options.output), ("", False, "x.a", 0x10000, "m", True, "out"))

    def test_what_cannot_be_done_is_noted(self) -> None:
        self.assertEqual(parse(["--icf=all"]).notes, ["--icf=all: left out: GNU ld has no such option"])

    def test_words_of_response_files(self) -> None:
        for text, words in (("a b\n c\t", ["a", "b", "c"]), ("'a b' \"c d\"", ["a b", "c d"]), ("a\\ b", ["a b"]),
                            ("a\"b c\"d", ["ab cd"]), ("'' x", ["", "x"]), ("\"a\\\"b\"", ['a"b']), ("", [])):
            with self.subTest(text):
                self.assertEqual(split(text), words)


class KnownToGnuLd(unittest.TestCase):
    def test_every_option_that_is_kept(self) -> None:
        values = {"plugin": "/dev/null", "sort-section": "name", "compress-debug-sections": "none", "build-id": None}
        commands = [["-z", f"{word}=none" if word == "cet-report" else word] for word in sorted(Z_KEEP)]
        for name, rule in (*LONG.items(), *SHORT.items()):
            if rule.action is Action.KEEP and name not in ("plugin", "plugin-opt", "(", ")"):
                dashes = "-" if len(name) == 1 else "--"
                value = values.get(name, "1") if rule.value is Value.ONE else None
                commands.append([f"{dashes}{name}" + (f"={value}" if value and len(dashes) == 2 else value or "")])
        for words in commands:
            with self.subTest(words):
                said = subprocess.run(["ld", *words, "--version"], capture_output=True, text=True, check=False).stderr
                self.assertNotRegex(said, "unrecognized|unknown|ignored|warning")


class FromCompilers(LinkTest):
    """Command lines as compilers make them: each is captured, parsed, and leaves only what a kernel is linked from."""

    COMMANDS = """
        g++ main.o | g++ -static main.o | g++ -no-pie main.o | g++ -static-pie main.o | g++ -flto -O2 main.o
        g++ -fuse-ld=bfd main.o | g++ -rdynamic main.o | g++ -pthread main.o | g++ -O2 -s main.o
        g++ -nostartfiles main.o
        g++ -static-libgcc -static-libstdc++ main.o | g++ -Wl,--as-needed,-O1,-z,relro,-z,now main.o | gcc main.o -lm
        clang++ main.o | clang++ -static main.o | clang++ -fuse-ld=bfd -pthread main.o
    """

    def test_each(self) -> None:
        for words in (shlex.split(command) for line in self.COMMANDS.split("\n") for command in line.split("|")):
            if not words or not shutil.which(words[0]):
                continue
            with self.subTest(words):
                options = parse(self.captured(words))
                self.assertEqual(options.inputs, ["main.o"])
                self.assertEqual([word for word in options.kept if word.startswith("-l")], [])

    def captured(self, words: list[str]) -> list[str]:
        (self.folder / "main.o").touch()
        said = self.run_in_folder(words[0], f"-B{self.tool}", "-###", *words[1:]).stderr
        link = [line for line in said.splitlines() if re.match(r'^ "?\S*/(collect2|ld(\.\w+)?)"? ', line)]
        return shlex.split(link[-1])[1:]

    def test_ffast_math_keeps_its_start_file(self) -> None:
        options = parse(self.captured(["g++", "-ffast-math", "main.o"]))
        self.assertEqual([Path(file).name for file in options.inputs], ["main.o", "crtfastmath.o"])


class ByHand(LinkTest):
    def ldkernel(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run_in_folder(self.tool / "ldkernel", *words)

    def test_link_without_a_compiler(self) -> None:
        self.compile("int halvm_main() { return 0; }")
        done = self.ldkernel("main.o", "-o", "kernel")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_response_file(self) -> None:
        self.compile("int halvm_main() { return 0; }")
        (self.folder / "words").write_text('-o "a kernel"\nmain.o\n')
        self.assertEqual(self.ldkernel("@words").returncode, 0)
        self.assertTrue((self.folder / "a kernel").exists())

    def test_response_file_that_names_itself(self) -> None:
        (self.folder / "words").write_text("@words")
        done = self.ldkernel("@words")
        self.assertEqual(done.returncode, 2)
        self.assertIn("one of them names itself", done.stderr)

    def test_version_is_the_linkers_and_help_lists_the_options(self) -> None:
        self.assertIn("GNU ld", self.ldkernel("--version").stdout)
        self.assertIn("--no-halvm-symbols", self.ldkernel("--help").stdout)

    def test_partial_links_are_the_linkers(self) -> None:
        self.compile("int halvm_main() { return 0; }")
        done = self.ldkernel("-r", "main.o", "-o", "part.o")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_exit_codes(self) -> None:
        self.assertEqual(self.ldkernel("--frobnicate").returncode, 2)
        self.assertEqual(self.ldkernel("nothing.o").returncode, 1)

    def test_no_core_library(self) -> None:
        (self.tool.parent / "bare").mkdir()
        (self.tool.parent / "bare" / "ldkernel").symlink_to(self.tool / "ldkernel")
        done = self.run_in_folder(self.tool.parent / "bare" / "ldkernel", "main.o")
        self.assertIn("--halvm-core=PATH", done.stderr)


if __name__ == "__main__":
    unittest.main()
