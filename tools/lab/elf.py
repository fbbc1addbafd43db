# SPDX-License-Identifier: BSD-3-Clause
"""As much of ELF64 as the tools need: Xen's notes, symbols, the link to a debug file."""

from __future__ import annotations

import bisect
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import LabError

_SHT_SYMTAB = 2
_SHT_DYNAMIC = 6
_DT_NEEDED = 1
_PT_LOAD = 1
_PT_NOTE = 4
_STT_FUNC = 2

# [xen/elfnote.h]
XEN_ELFNOTE_ENTRY = 1


@dataclass(frozen=True)
class Section:
    name: str
    kind: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True)
class Symbol:
    name: str
    value: int
    size: int
    function: bool


class Elf:
    """An ELF64 little-endian x86-64 file, read whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise LabError(f"cannot read {path}: {error.strerror}") from error
        if self._data[:6] != b"\x7fELF\x02\x01" or self._data[18:20] != b"\x3e\x00":
            raise LabError(
                f"{path} is not an x86-64 ELF file",
                "give the kernel that the build made, for example build/xen/examples/hello/hello.",
            )
        try:
            self.segments, self.sections, self.notes()
        except (struct.error, ValueError, IndexError) as error:
            raise LabError(f"{path} is damaged: its ELF headers point outside of it", "build it again.") from error

    @cached_property
    def _header(self) -> tuple[int, ...]:
        return struct.unpack_from("<HHIQQQIHHHHHH", self._data, 16)

    @cached_property
    def segments(self) -> list[tuple[int, int, int, int, int]]:
        """Each as (type, file offset, virtual address, file size, memory size)."""
        offset, size, count = self._header[4], self._header[8], self._header[9]
        found = []
        for index in range(count):
            kind, _, at, vaddr, _, in_file, in_memory, _ = struct.unpack_from(
                "<IIQQQQQQ", self._data, offset + index * size
            )
            found.append((kind, at, vaddr, in_file, in_memory))
        return found

    @cached_property
    def sections(self) -> list[Section]:
        offset, size, count, names = self._header[5], *self._header[10:13]
        raw = [
            struct.unpack_from("<IIQQQQIIQQ", self._data, offset + index * size)
            for index in range(count)
        ]
        if not raw:
            return []
        table = raw[names][4]
        return [Section(self._text(table + s[0]), s[1], s[4], s[5], s[6]) for s in raw]

    def _text(self, offset: int) -> str:
        return self._data[offset : self._data.index(b"\0", offset)].decode(errors="replace")

    def section_bytes(self, name: str) -> bytes | None:
        for section in self.sections:
            if section.name == name:
                return self._data[section.offset : section.offset + section.size]
        return None

    def read(self, address: int, size: int) -> bytes:
        """What the file holds for these addresses; b"" where it holds nothing."""
        for kind, offset, vaddr, in_file, _ in self.segments:
            if kind == _PT_LOAD and vaddr <= address and address + size <= vaddr + in_file:
                at = offset + address - vaddr
                return self._data[at : at + size]
        return b""

    def notes(self) -> dict[tuple[str, int], bytes]:
        found = {}
        for kind, offset, _, size, _ in self.segments:
            if kind != _PT_NOTE:
                continue
            at, end = offset, offset + size
            while at + 12 <= end:
                name_size, text_size, note = struct.unpack_from("<III", self._data, at)
                name = self._data[at + 12 : at + 12 + name_size].rstrip(b"\0").decode()
                text_at = at + 12 + (name_size + 3 & ~3)
                found[(name, note)] = self._data[text_at : text_at + text_size]
                at = text_at + (text_size + 3 & ~3)
        return found

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The symbol table, by address; empty in a stripped file."""
        found = []
        for section in self.sections:
            if section.kind != _SHT_SYMTAB:
                continue
            strings = self.sections[section.link].offset
            for at in range(section.offset, section.offset + section.size, 24):
                name, info, _, index, value, size = struct.unpack_from("<IBBHQQ", self._data, at)
                if name and index:
                    found.append(
                        Symbol(self._text(strings + name), value, size, info & 15 == _STT_FUNC)
                    )
        return sorted(found, key=lambda symbol: symbol.value)

    def needed(self) -> list[str]:
        """The shared libraries it asks for."""
        found = []
        for section in self.sections:
            if section.kind == _SHT_DYNAMIC:
                strings = self.sections[section.link].offset
                for at in range(section.offset, section.offset + section.size, 16):
                    tag, value = struct.unpack_from("<QQ", self._data, at)
                    if tag == _DT_NEEDED:
                        found.append(self._text(strings + value))
        return found

    @cached_property
    def _functions(self) -> tuple[list[int], list[Symbol]]:
        functions = [symbol for symbol in self.symbols if symbol.function]
        return [symbol.value for symbol in functions], functions

    def value_of(self, name: str) -> int | None:
        return next((symbol.value for symbol in self.symbols if symbol.name == name), None)

    def function_at(self, address: int) -> Symbol | None:
        """The function that holds the address; hand-written asm may have size 0."""
        values, functions = self._functions
        index = bisect.bisect_right(values, address) - 1
        if index < 0:
            return None
        found = functions[index]
        return found if found.size == 0 or address < found.value + found.size else None


def require_xen_kernel(path: Path) -> Elf:
    """The file, once it is sure that Xen can boot it."""
    if not path.exists():
        raise LabError(f"there is no file {path}", "build it first, or check the name.")
    file = Elf(path)
    if ("Xen", XEN_ELFNOTE_ENTRY) not in file.notes():
        raise LabError(
            f"{path} is not a halvm kernel: it has no Xen ELF notes",
            "link the program with halvm::core, in a build directory made for HALVM_MACHINE=xen "
            "(a program built for linux is run with --on linux).",
        )
    return file


def with_symbols(path: Path) -> Elf:
    """The kernel itself or, when it is stripped, its debug file if that is beside it."""
    kernel = Elf(path)
    if kernel.symbols:
        return kernel
    link = kernel.section_bytes(".gnu_debuglink")
    names = [path.name + ".debug"]
    if link:
        names.insert(0, link.split(b"\0", 1)[0].decode(errors="replace"))
    for name in names:
        candidate = path.parent / name
        if candidate.is_file():
            return Elf(candidate)
    return kernel
