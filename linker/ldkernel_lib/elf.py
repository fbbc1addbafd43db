# SPDX-License-Identifier: BSD-3-Clause
"""Reads 64-bit little-endian ELF files and archives: as much as the audits and the symbol table need."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .errors import Refusal

SHT_SYMTAB, SHT_RELA, SHT_DYNAMIC, SHT_NOTE, SHT_NOBITS, SHT_REL = 2, 4, 6, 7, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
PF_X, PF_W = 1, 2
SHN_UNDEF, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFFF1, 0xFFF2, 0xFFFF
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_IFUNC = 0, 1, 2, 3, 4, 10
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
ET_REL, ET_EXEC = 1, 2


@dataclass(frozen=True)
class Section:
    index: int
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + self.size


@dataclass(frozen=True)
class Segment:
    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


@dataclass(frozen=True)
class Symbol:
    name: str
    value: int
    size: int
    kind: int
    binding: int
    section: int


@dataclass(frozen=True)
class Relocation:
    offset: int
    kind: int
    symbol: int
    addend: int


@dataclass(frozen=True)
class Note:
    owner: str
    kind: int
    value: bytes


class Elf:
    """One file, or one archive member; `data` is all of it."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
            raise Refusal(f"{name}: not a 64-bit ELF file")
        (self.type, self.machine, _, self.entry, self._phoff, self._shoff, _, _, self._phentsize, self._phnum,
         self._shentsize, self._shnum, self._shstrndx) = struct.unpack_from("<HHIQQQIHHHHHH", data, 16)

    @classmethod
    def open(cls, path: str) -> Elf:
        try:
            with open(path, "rb") as file:
                return cls(file.read(), path)
        except OSError as error:
            raise Refusal(f"{path}: cannot be read: {error.strerror}") from error

    @cached_property
    def sections(self) -> list[Section]:
        rows = [struct.unpack_from("<IIQQQQIIQQ", self.data, self._shoff + i * self._shentsize)
                for i in range(self._shnum)]
        if self._shnum == 0 and self._shoff:  # More than 65,279 sections: the count is in the first one.
            count = struct.unpack_from("<Q", self.data, self._shoff + 32)[0]
            rows = [struct.unpack_from("<IIQQQQIIQQ", self.data, self._shoff + i * self._shentsize)
                    for i in range(count)]
        if not rows:
            return []
        names = rows[rows[0][6] if self._shstrndx == SHN_XINDEX else self._shstrndx][4]
        return [Section(i, self._string(names + row[0]), row[1], row[2], row[3], row[4], row[5], row[6], row[7])
                for i, row in enumerate(rows)]

    @cached_property
    def segments(self) -> list[Segment]:
        rows = (struct.unpack_from("<IIQQQQQQ", self.data, self._phoff + i * self._phentsize)
                for i in range(self._phnum))
        return [Segment(row[0], row[1], row[2], row[3], row[5], row[6]) for row in rows]

    @cached_property
    def symbols(self) -> list[Symbol]:
        for section in self.sections:
            if section.kind == SHT_SYMTAB:
                strings = self.sections[section.link]
                return list(self._symbols(section, self.content(strings)))
        return []

    def _symbols(self, section: Section, strings: bytes) -> Iterator[Symbol]:
        for name, info, _, index, value, size in struct.iter_unpack("<IBBHQQ", self.content(section)):
            text = strings[name:strings.index(0, name)].decode("utf-8", "replace") if name else ""
            yield Symbol(text, value, size, info & 15, info >> 4, index)

    def relocations(self, section: Section) -> list[Relocation]:
        """Of a SHT_RELA section of an object file."""
        return [Relocation(offset, info & 0xFFFFFFFF, info >> 32, addend)
                for offset, info, addend in struct.iter_unpack("<QQq", self.content(section))]

    def content(self, section: Section) -> bytes:
        return b"" if section.kind == SHT_NOBITS else self.data[section.offset:section.offset + section.size]

    def section(self, name: str) -> Section | None:
        return next((section for section in self.sections if section.name == name), None)

    def notes(self, data: bytes) -> Iterator[Note]:
        """The notes in `data`, aligned to four bytes as Xen's are; ends at the first malformed one."""
        at = 0
        while at + 12 <= len(data):
            owner_size, size, kind = struct.unpack_from("<III", data, at)
            begin = at + 12 + (owner_size + 3 & ~3)
            if begin + size > len(data):
                return
            yield Note(data[at + 12:at + 12 + owner_size].rstrip(b"\0").decode("ascii", "replace"), kind,
                       data[begin:begin + size])
            at = begin + (size + 3 & ~3)

    def _string(self, offset: int) -> str:
        return self.data[offset:self.data.index(0, offset)].decode("utf-8", "replace")


def is_elf(data: bytes) -> bool:
    return data[:6] == b"\x7fELF\x02\x01"
