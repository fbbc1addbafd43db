# SPDX-License-Identifier: BSD-3-Clause
"""The image: its segments, its sections, and the symbols that boot code and C library read."""

from __future__ import annotations

import unittest
from pathlib import Path

from support import LinkTest

from ldkernel_lib.elf import PF_W, PF_X, PT_LOAD, PT_NOTE, SHF_ALLOC, Elf

PAGE = 0x1000
PT_TLS, PT_GNU_STACK, PT_GNU_PROPERTY = 7, 0x6474E551, 0x6474E553
PROGRAM = """
extern "C" int printf(const char*, ...);
struct alignas(4096) page { char bytes[4096]; };
page initialised{{1}};
page zero;
thread_local int counted = 5;
alignas(64) thread_local char wide[100];
struct hello { hello() { counted = 6; } ~hello() { counted = 7; } } here;
const char* volatile text = "text";
int halvm_main() { return wide[3] + counted + initialised.bytes[0] + zero.bytes[7] + text[0]; }
extern "C" { void* __dso_handle; int __cxa_atexit(void (*)(void*), void*, void*) { return 0; } }
"""


class Layout(LinkTest):
    def image(self, *words: str, source: str = PROGRAM) -> tuple[Elf, dict[str, int]]:
        kernel = self.linked(self.compile(source), *words)
        symbols = {symbol.name: symbol.value for symbol in Elf.open(f"{kernel}.debug").symbols}
        return Elf.open(str(kernel)), symbols

    def test_segments_are_whole_pages_and_never_writable_and_executable(self) -> None:
        image, symbols = self.image()
        loaded = [segment for segment in image.segments if segment.kind == PT_LOAD]
        self.assertEqual([segment.flags for segment in loaded], [5, 4, 6, 6])
        for segment in loaded:
            self.assertEqual(segment.address % PAGE, 0)
            self.assertNotEqual(segment.flags & (PF_W | PF_X), PF_W | PF_X)
        self.assertEqual(loaded[0].address, 0x100000)
        self.assertEqual([segment.address for segment in loaded],
                         [symbols[f"__{name}_begin"] for name in ("text", "rodata", "data", "bss")])

    def test_borders(self) -> None:
        _, at = self.image()
        self.assertLessEqual(at["__image_begin"], at["__text_begin"])
        order = [at[name] for name in ("__text_begin", "__text_end", "__rodata_begin", "__rodata_end", "__data_begin",
                                       "__data_end", "__bss_begin", "__bss_end", "__image_end")]
        self.assertEqual(order, sorted(order))
        for name in ("__text_end", "__rodata_end", "__bss_begin", "__image_end"):
            self.assertEqual(at[name] % PAGE, 0, name)
        self.assertEqual(at["__text_end"], at["__rodata_begin"])
        self.assertEqual(at["__hypercall_begin"], at["__text_begin"])
        self.assertLess(at["__hypercall_begin"], at["__hypercall_end"])

    def test_every_section_lies_between_its_segments_borders(self) -> None:
        image, at = self.image()
        for section in image.sections:
            if section.flags & SHF_ALLOC and section.name != ".tbss":
                inside = [name for name in ("text", "rodata", "data", "bss")
                          if at[f"__{name}_begin"] <= section.address and
                          section.address + section.size <= at[f"__{name}_end"]]
                self.assertEqual(len(inside), 1, section)

    def test_the_main_stack_and_its_guard(self) -> None:
        for words, size in (([], 0x20000), (["-Wl,-z,stack-size=0x40000"], 0x40000)):
            _, at = self.image(*words)
            self.assertEqual(at["__stack_size"], size)
            self.assertEqual(at["__stack_top"] - at["__stack_bottom"], size)
            self.assertEqual(at["__stack_bottom"] - at["__stack_guard"], PAGE)
            self.assertEqual(at["__stack_guard"] % PAGE, 0)

    def test_thread_local_storage(self) -> None:
        image, at = self.image()
        self.assertEqual(at["__tls_align"], 64)
        self.assertEqual(at["__tls_size"] % 64, 0)
        self.assertEqual(at["__tdata_end"] - at["__tdata_begin"], 4)
        segment = next(segment for segment in image.segments if segment.kind == PT_TLS)
        self.assertEqual((segment.address, segment.file_size), (at["__tdata_begin"], 4))
        self.assertGreaterEqual(at["__tls_size"], segment.memory_size)

    def test_no_thread_local_storage(self) -> None:
        _, at = self.image(source="int halvm_main() { return 0; }")
        self.assertEqual((at["__tls_size"], at["__tdata_begin"] - at["__tdata_end"]), (0, 0))
        self.assertGreaterEqual(at["__tls_align"], 1)

    def test_constructors_are_in_the_arrays(self) -> None:
        _, at = self.image()
        self.assertEqual(at["__init_array_end"] - at["__init_array_start"], 8)

    def test_notes(self) -> None:
        image, at = self.image()
        kinds = {segment.kind for segment in image.segments}
        self.assertLessEqual({PT_NOTE, PT_GNU_STACK, PT_GNU_PROPERTY}, kinds)
        self.assertIsNotNone(image.section(".note.gnu.build-id"))
        self.assertGreater(at["__isa_note_end"], at["__isa_note_begin"])

    def test_the_instruction_set_of_all_objects_is_in_the_note(self) -> None:
        other = self.compile("int other() { return 0; }", "other.o", "-march=x86-64-v3")
        self.linked(self.compile(PROGRAM), other)
        said = self.run_in_folder("readelf", "-n", "kernel").stdout
        self.assertRegex(said, r"x86 ISA needed:.*x86-64-v3")

    def test_sections_that_a_program_collects_things_in(self) -> None:
        source = """
            struct entry { int number; };
            [[gnu::section("my_set"), gnu::used]] const entry first{1};
            [[gnu::section("my_set"), gnu::used]] const entry second{2};
            [[gnu::section("my_data"), gnu::used]] int counted = 3;
            [[gnu::section("my_code"), gnu::noinline]] int work() { return counted; }
            extern "C" const entry __start_my_set[], __stop_my_set[];
            int halvm_main() { return int(__stop_my_set - __start_my_set) + work(); }
        """
        _, at = self.image(source=source)
        self.assertEqual(at["__stop_my_set"] - at["__start_my_set"], 8)
        for symbol, segment in (("__start_my_set", "rodata"), ("counted", "data"), ("_Z4workv", "text")):
            self.assertTrue(at[f"__{segment}_begin"] <= at[symbol] < at[f"__{segment}_end"], symbol)

    def test_objects_of_many_kinds(self) -> None:
        for flags in ("-ggdb3", "-g -gdwarf-4", "-g -gsplit-dwarf", "-g -fdebug-types-section", "-g -gz",
                      "-mcmodel=large", "-fcf-protection", "-fpatchable-function-entry=4", "-march=x86-64-v3", "-fPIC",
                      "-fno-pie", "-fno-plt", "-Wa,-mrelax-relocations=no", "-fno-function-sections",
                      "-fno-exceptions", "-O0"):
            with self.subTest(flags):
                self.linked(self.compile(PROGRAM, "main.o", *flags.split()), "-Wl,--package-metadata={}")

    def test_unused_functions_are_left_out(self) -> None:
        _, at = self.image(source="int unused() { return 1; } int halvm_main() { return 0; }")
        self.assertNotIn("_Z6unusedv", at)

    def test_the_kernel_is_stripped_and_gdb_finds_the_debug_file(self) -> None:
        kernel = self.linked(self.compile("int halvm_main() { return 0; }", "main.o", "-g"))
        self.assertEqual(Elf.open(str(kernel)).symbols, [])
        image = Elf.open(str(kernel))
        self.assertTrue(image.content(image.section(".gnu_debuglink")).startswith(b"kernel.debug\0"))
        self.assertIsNotNone(Elf.open(f"{kernel}.debug").section(".debug_info"))

    def test_a_kernel_of_little_code_is_small(self) -> None:
        self.assertLess(Path(self.linked(self.compile("int halvm_main() { return 0; }"))).stat().st_size, 4000)


if __name__ == "__main__":
    unittest.main()
