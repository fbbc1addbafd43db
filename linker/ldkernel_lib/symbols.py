# SPDX-License-Identifier: BSD-3-Clause
"""
The table inside the image that names functions and exception types: section .halvm.symbols, read by
src/core/symbols.cpp. All numbers are little-endian.

    u32  magic       "HSY1"
    u32  base        address of the first byte of text; other addresses are relative to it
    u32  text_size   bytes of text
    u32  functions   entries in the first list
    u32  types       entries in the second list
    u16  literals    characters that one code stands for; code 0 is the end of a name
    u16  pairs       the codes above those, each standing for two lower codes
    u8   literal[literals]
    u8   pair[pairs][2]
         zero bytes up to a multiple of 4
    {u32 address, u32 offset} functions_index[(functions + 63) / 64]
    {u32 address, u32 offset} types_index[(types + 63) / 64]
    u8   entry[...]

An entry is the distance of its address from the one before it (LEB128; 0 for the first of a block of 64, whose address
is in the index), then the codes of its name. A name without characters repeats the one before it in the block:
constructors and destructors come in such pairs. `offset` counts from the first byte of entry[].
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .elf import (SHF_EXECINSTR, SHN_ABS, SHN_UNDEF, STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_IFUNC, STT_NOTYPE,
                  STT_OBJECT, Elf, Symbol)
from .names import readable

SECTION = ".halvm.symbols"
BLOCK = 64
_CODES = 256
_MERGES_A_ROUND = 8
_LEAST_USES = 4
_PRIVATE = 0xE000  # Unicode's private characters stand for codes while the text is being compressed.

Entry = tuple[int, str]


@dataclass(frozen=True)
class Names:
    """What the table of one image says."""

    begin: int
    end: int
    functions: list[Entry]
    types: list[Entry]


def collect(image: Elf) -> Names:
    """The functions of the text, one name an address, and the typeinfo objects."""
    executable = {section.index for section in image.sections if section.flags & SHF_EXECINSTR}
    bounds = {symbol.name: symbol.value for symbol in image.symbols if symbol.name in ("__text_begin", "__text_end")}
    functions: dict[int, Symbol] = {}
    types: dict[int, str] = {}
    for symbol in image.symbols:
        if symbol.section in (SHN_UNDEF, SHN_ABS) or not symbol.name:
            continue
        if symbol.section in executable and _is_function(symbol):
            other = functions.get(symbol.value)
            if other is None or _rank(symbol) < _rank(other):
                functions[symbol.value] = symbol
        elif symbol.kind == STT_OBJECT and symbol.name.startswith("_ZTI"):
            types[symbol.value] = symbol.name
    named = sorted((address, symbol.name) for address, symbol in functions.items())
    return Names(bounds["__text_begin"], bounds["__text_end"], named, sorted(types.items()))


def _is_function(symbol: Symbol) -> bool:
    if symbol.kind in (STT_FUNC, STT_IFUNC):
        return True
    # Assembly without .type; the linker script's own marks are no functions.
    return symbol.kind == STT_NOTYPE and not symbol.name.startswith((".", "__text_", "__hypercall_", "__image_"))


def _rank(symbol: Symbol) -> tuple[int, int, int, str]:
    """Of several names for one address, the one that a programmer would have called it by comes first."""
    underscores = len(symbol.name) - len(symbol.name.lstrip("_")) if not symbol.name.startswith("_Z") else 0
    scope = {STB_GLOBAL: 0, STB_LOCAL: 2}.get(symbol.binding, 1)
    return (symbol.kind == STT_NOTYPE, underscores, scope, symbol.name)


def build(names: Names) -> bytes:
    """The section's bytes."""
    count = len(names.functions)
    texts = readable([name for _, name in names.functions + names.types])
    functions = [(address, text) for (address, _), text in zip(names.functions, texts)]
    types = [(address, text) for (address, _), text in zip(names.types, texts[count:])]
    return encode(names.begin, names.end - names.begin, functions, types)


def encode(base: int, text_size: int, functions: list[Entry], types: list[Entry]) -> bytes:
    text = "".join(_once(functions) + _once(types))
    literals, pairs, codes = _compress(text)
    split = _names_of(codes, literals, pairs)
    stream = bytearray()
    index = bytearray()
    for entries in (functions, types):
        for at, (address, _) in enumerate(entries):
            if at % BLOCK == 0:
                index += struct.pack("<II", (address - base) & 0xFFFFFFFF, len(stream))
                stream += b"\0"
            else:
                stream += _leb128(address - entries[at - 1][0])
            stream += next(split)
    head = struct.pack("<4sIIIIHH", b"HSY1", base, text_size, len(functions), len(types), len(literals), len(pairs))
    head += bytes(literals) + bytes(code for pair in pairs for code in pair)
    return bytes(head + b"\0" * (-len(head) % 4) + index + stream)


def _once(entries: list[Entry]) -> list[str]:
    """Names with their ends, those that repeat the one before them left empty."""
    return ["\0" if at % BLOCK and text == entries[at - 1][1] else text + "\0" for at, (_, text) in enumerate(entries)]


def _compress(text: str) -> tuple[list[int], list[tuple[int, int]], str]:
    """
    Byte-pair encoding: the commonest pairs of codes become codes of their own, a few of them a round. A pair may end in
    the end of a name, but none reaches over it.
    """
    data = text.encode("latin-1", "replace").decode("latin-1")
    characters = ["\0", *sorted(set(data) - {"\0"})][:_CODES]
    known = {ord(character): chr(_PRIVATE + code) for code, character in enumerate(characters)}
    codes = data.translate(known)
    ends = {chr(_PRIVATE)}
    pairs: list[tuple[int, int]] = []
    while len(characters) + len(pairs) < _CODES:
        counted = Counter(map(str.__add__, codes, codes[1:])).most_common(_MERGES_A_ROUND * 8)
        common = [(pair, uses) for pair, uses in counted if pair[0] not in ends and uses >= _LEAST_USES]
        if not common:
            break
        touched: set[str] = set()
        for pair, uses in common[:_CODES - len(characters) - len(pairs)]:
            # A pair that shares a code with one just merged has lost some of its uses: its turn is the next round.
            if uses * 5 < common[0][1] * 3 or touched & set(pair):
                continue
            touched |= set(pair)
            code = chr(_PRIVATE + len(characters) + len(pairs))
            pairs.append((ord(pair[0]) - _PRIVATE, ord(pair[1]) - _PRIVATE))
            if pair[1] in ends:
                ends.add(code)
            codes = codes.replace(pair, code)
            if len(touched) >= 2 * _MERGES_A_ROUND:
                break
    return [ord(character) for character in characters], pairs, codes


def _names_of(codes: str, literals: list[int], pairs: list[tuple[int, int]]) -> Iterator[bytes]:
    """The codes of one name after another: a name's last code is one that ends in code 0."""
    ends = {0}
    for code, (_, second) in enumerate(pairs, len(literals)):
        if second in ends:
            ends.add(code)
    name = bytearray()
    for character in codes:
        name.append(ord(character) - _PRIVATE)
        if name[-1] in ends:
            yield bytes(name)
            name.clear()


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
