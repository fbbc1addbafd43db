# SPDX-License-Identifier: BSD-3-Clause
"""The table of names: what ldkernel writes, src/core/symbols.cpp reads back; a damaged one does no harm."""

from __future__ import annotations

import random
import subprocess
import unittest
from pathlib import Path

from support import ROOT, LinkTest

from ldkernel_lib import symbols
from ldkernel_lib.elf import Elf
from ldkernel_lib.names import LONGEST, readable, shorten

READER = r"""
// Reads a table from a file, and for each line of hexadecimal address and buffer size says: begin and name, or -.
#include "core/symbols.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

asm(".globl __symbols_begin, __symbols_end\n__symbols_begin:\n__symbols_end:");

int main(int, char** arguments) {
    std::ifstream file(arguments[1], std::ios::binary);
    const std::vector<unsigned char> bytes((std::istreambuf_iterator<char>(file)), {});
    const halvm::core::symbol_table table(bytes);
    unsigned long address;
    std::size_t size;
    while (std::cin >> std::hex >> address >> std::dec >> size) {
        std::vector<char> buffer(size);
        if (const auto found = table.find(address, buffer))
            std::cout << std::hex << found->begin << ' ' << found->name << '\n';
        else
            std::cout << "-\n";
    }
    char nothing[1];
    return halvm::core::symbols_bytes() != 0 || halvm::core::find_symbol(1, nothing);
}
"""
BASE = 0x100000


class TableTest(LinkTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        (cls.shared / "reader.cpp").write_text(READER)
        subprocess.run(["g++", "-std=c++20", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
                        "-fno-sanitize-recover=all", f"-I{ROOT}/src", "reader.cpp", f"{ROOT}/src/core/symbols.cpp",
                        "-o", "reader"], cwd=cls.shared, check=True)

    def read(self, table: bytes, asked: list[int], size: int = 200) -> list[str]:
        (self.folder / "table").write_bytes(table)
        lines = "".join(f"{address:x} {size}\n" for address in asked)
        done = self.run_in_folder(self.shared / "reader", "table", input=lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def assert_names(self, table: bytes, expected: dict[int, tuple[int, str] | None]) -> None:
        said = self.read(table, list(expected))
        self.assertEqual(said, [f"{found[0]:x} {found[1]}" if found else "-" for found in expected.values()])


class RoundTrip(TableTest):
    def test_addresses_inside_functions_get_the_functions_name(self) -> None:
        functions = [(BASE + 0x10, "one"), (BASE + 0x20, "two"), (BASE + 0x4000, "three")]
        table = symbols.encode(BASE, 0x5000, functions, [])
        self.assert_names(table, {
            BASE - 1: None, BASE: None, BASE + 0xF: None,
            BASE + 0x10: (BASE + 0x10, "one"), BASE + 0x1F: (BASE + 0x10, "one"), BASE + 0x20: (BASE + 0x20, "two"),
            BASE + 0x3FFF: (BASE + 0x20, "two"), BASE + 0x4FFF: (BASE + 0x4000, "three"), BASE + 0x5000: None, 0: None,
            1 << 40: None})

    def test_types_are_found_only_at_their_exact_address(self) -> None:
        types = [(BASE + 0x7000, "std::bad_alloc"), (BASE + 0x7018, "app::failure")]
        table = symbols.encode(BASE, 0x5000, [(BASE, "main")], types)
        self.assert_names(table, {BASE + 0x7000: (BASE + 0x7000, "std::bad_alloc"), BASE + 0x7001: None,
                                  BASE + 0x7018: (BASE + 0x7018, "app::failure"), BASE + 0x6FFF: None})

    def test_blocks_have_edges_where_names_repeat(self) -> None:
        for count in (0, 1, 63, 64, 65, 127, 128, 129, 200):
            functions = [(BASE + 16 * i, f"function_{i // 2}") for i in range(count)]
            with self.subTest(count):
                self.assert_names(symbols.encode(BASE, 16 * count, functions, []),
                                  {address + 3: (address, name) for address, name in functions})

    def test_random_tables(self) -> None:
        for seed in range(8):
            rng = random.Random(seed)
            words = ["std", "string", "halvm", "core", "~", "operator<", "(", "x", "_", "detail", "<int>"]
            address, functions = BASE, []
            for _ in range(rng.randrange(1, 700)):
                address += rng.choice((1, 5, 16, 127, 128, 16383, 16384, 70000))
                functions.append((address, "::".join(rng.choices(words, k=rng.randrange(1, 9)))[:LONGEST]))
            table = symbols.encode(BASE, address + 9 - BASE, functions, [])
            asked = rng.sample(functions, min(60, len(functions)))
            with self.subTest(seed):
                self.assert_names(table, {at: (at, name) for at, name in asked})

    def test_a_short_buffer_cuts_the_name(self) -> None:
        table = symbols.encode(BASE, 16, [(BASE, "halvm::core::panic")], [])
        self.assertEqual(self.read(table, [BASE], 5), ["100000 halvm"])
        self.assertEqual(self.read(table, [BASE], 0), ["100000 "])

    def test_no_table(self) -> None:
        self.assertEqual(self.read(b"", [BASE, 0]), ["-", "-"])

    def test_damaged_tables_do_no_harm(self) -> None:
        functions = [(BASE + 16 * i, f"halvm::core::function_{i}") for i in range(100)]
        table = symbols.encode(BASE, 1600, functions, [(BASE + 4096, "std::exception")])
        rng = random.Random(1)
        asked = [BASE + 16 * i for i in range(0, 100, 7)] + [BASE + 4096]
        for _ in range(150):
            damaged = bytearray(table)
            for _ in range(rng.randrange(1, 4)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            self.read(bytes(damaged[:rng.randrange(len(damaged) + 1)] if rng.random() < 0.5 else damaged), asked)


class InTheImage(TableTest):
    SOURCE = """
        namespace app {
        struct base { virtual ~base(); virtual int work(int); };
        base::~base() {}
        int base::work(int x) { return x; }
        template <class T> [[gnu::noinline]] T twice(T x) { asm(""); return x + x; }
        }
        extern "C" { void _ZdlPvm() {} void* __dso_handle;
        int __cxa_atexit(void (*)(void*), void*, void*) { return 0; } void* _ZTVN10__cxxabiv117__class_type_infoE[4]; }
        app::base here;
        app::base* volatile there = &here;
        int halvm_main() { return app::twice(there->work(1)); }
    """

    def linked_names(self, *words: str) -> tuple[Elf, Elf]:
        kernel = self.linked(self.compile(self.SOURCE), *words)
        return Elf.open(str(kernel)), Elf.open(f"{kernel}.debug")

    def test_each_function_and_type_of_the_image_is_named(self) -> None:
        image, debug = self.linked_names()
        table = image.content(image.section(symbols.SECTION))
        at = {symbol.name: symbol.value for symbol in debug.symbols}
        wanted = {"_Z10halvm_mainv": "halvm_main", "_ZN3app5twiceIiEET_S1_": "app::twice<int>",
                  "_ZN3app4base4workEi": "app::base::work", "_ZN3app4baseD1Ev": "app::base::~base",
                  "halvm_hypercall": "halvm_hypercall", "_ZTIN3app4baseE": "app::base"}
        self.assert_names(table, {at[symbol]: (at[symbol], name) for symbol, name in wanted.items()})

    def test_the_table_can_be_left_out(self) -> None:
        image, debug = self.linked_names("-Wl,--no-halvm-symbols")
        at = {symbol.name: symbol.value for symbol in debug.symbols}
        self.assertIsNone(image.section(symbols.SECTION))
        self.assertEqual(at["__symbols_begin"], at["__symbols_end"])


class InARealImage(TableTest):
    real = True

    def test_every_function_of_the_debug_file_is_named_and_the_table_is_small(self) -> None:
        source = ("#include <iostream>\n#include <stdexcept>\nint halvm_main() {"
                  "try { throw std::runtime_error(\"x\"); } catch (std::exception& e) { std::cout << e.what(); }"
                  "return 0; }")
        kernel = self.linked(self.compile(source))
        image, debug = Elf.open(str(kernel)), Elf.open(f"{kernel}.debug")
        section = image.section(symbols.SECTION)
        names = symbols.collect(debug)
        said = self.read(image.content(section), [address for address, _ in names.functions + names.types])
        expected = readable([symbol for _, symbol in names.functions + names.types])
        self.assertEqual([line.split(" ", 1)[1] for line in said], expected)
        self.assertLess(section.size, 0.08 * Path(kernel).stat().st_size)


class Names(unittest.TestCase):
    def test_what_a_backtrace_shows(self) -> None:
        for symbol, name in (
            ("main", "main"),
            ("_ZN5halvm4core5panicEPKcz", "halvm::core::panic"),
            ("_ZN5halvm4core5panicEPKcz.cold", "halvm::core::panic"),
            ("_ZN5halvm4core4work.constprop.0.isra.3", "_ZN5halvm4core4work"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int>::push_back"),
            ("_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE4findEPKcm", "std::string::find"),
            ("_ZNSt3mapINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiSt4lessIS5_ESaISt4pairIKS5_iEEEixERS9_",
             "std::map<...>::operator[]"),
            ("_ZN12_GLOBAL__N_13fooEv", "foo"),
            ("_ZZ4mainENKUliE_clEi", "main::{lambda#1}::operator()"),
            ("_ZlsRSoRK3foo", "operator<<"),
            ("_ZN1AltERKS_", "A::operator<"),
            ("_ZN1AptEv", "A::operator->"),
            ("_ZThn16_NSdD1Ev", "std::iostream::~basic_iostream"),
            ("_ZTISt9bad_alloc", "std::bad_alloc"),
        ):
            with self.subTest(symbol):
                self.assertEqual(readable([symbol]), [name])

    def test_no_name_is_longer_than_the_limit(self) -> None:
        self.assertEqual(len(shorten("a::" * 100)), LONGEST)
        self.assertEqual(len(readable(["x" * 300])[0]), LONGEST)


if __name__ == "__main__":
    unittest.main()
