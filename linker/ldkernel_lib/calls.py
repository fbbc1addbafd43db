# SPDX-License-Identifier: BSD-3-Clause
"""
Instructions that enter a kernel which is not there. In a PV guest `syscall` is a hypercall: Linux's write (1) would be
Xen's mmu_update.

The two bytes of each such instruction also occur inside others, as displacements and constants. So the functions that
hold the bytes are disassembled, each from its first byte.
"""

from __future__ import annotations

import bisect
import os
import re
from dataclasses import dataclass

from . import process
from .elf import SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHN_ABS, SHN_UNDEF, STT_FUNC, Elf, Section

STUBS = ".text.hypercall"
_BYTES = {b"\x0f\x05": "syscall", b"\x0f\x34": "sysenter", b"\xcd\x80": "int 0x80"}
_CALL = re.compile(r"^ *([0-9a-f]+):\t(?:[a-z]\S* )*(syscall|sysenter|int +\$0x80)", re.MULTILINE)
_PADDING = b"\x90" * 16  # Longer than any instruction: decoding falls into step again before the next function.


@dataclass(frozen=True)
class KernelCall:
    address: int
    instruction: str
    function: str  # as the linker names it; "" where there is no symbol
    function_begin: int


def find_kernel_calls(image: Elf, folder: str) -> list[KernelCall]:
    """Every such instruction outside the hypercall stubs. `folder` is for a temporary file."""
    suspects: dict[int, tuple[str, int]] = {}
    for section in image.sections:
        if section.flags & SHF_EXECINSTR and section.flags & SHF_ALLOC and section.kind != SHT_NOBITS:
            if section.name != STUBS:
                suspects |= _suspects(image, section)
    if not suspects:
        return []
    blob = bytearray()
    places: list[tuple[int, int]] = []  # where in the blob a function begins, and its address
    for begin, (_, end) in sorted(suspects.items()):
        places.append((len(blob), begin))
        blob += _code(image, begin, end) + _PADDING
    path = os.path.join(folder, "suspects")
    with open(path, "wb") as file:
        file.write(blob)
    listing = process.must(["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn", path])
    found = []
    for offset, instruction in _CALL.findall(listing):
        at, begin = places[bisect.bisect_right(places, (int(offset, 16), 1 << 64)) - 1]
        address = begin + int(offset, 16) - at
        found.append(KernelCall(address, re.sub(r" +\$", " ", instruction), suspects[begin][0], begin))
    return found


def _suspects(image: Elf, section: Section) -> dict[int, tuple[str, int]]:
    """Functions of the section that hold the bytes: begin, with name and end."""
    content = image.content(section)
    starts = {section.address: ""}
    for symbol in image.symbols:
        if symbol.section == section.index and symbol.section not in (SHN_UNDEF, SHN_ABS) and symbol.name:
            if section.holds(symbol.value) and (symbol.kind == STT_FUNC or not starts.get(symbol.value)):
                starts[symbol.value] = symbol.name
    ordered = sorted(starts)
    found: dict[int, tuple[str, int]] = {}
    for pattern in _BYTES:
        at = content.find(pattern)
        while at >= 0:
            index = bisect.bisect_right(ordered, section.address + at) - 1
            end = ordered[index + 1] if index + 1 < len(ordered) else section.address + section.size
            found[ordered[index]] = (starts[ordered[index]], end)
            at = content.find(pattern, at + 1)
    return found


def _code(image: Elf, begin: int, end: int) -> bytes:
    for section in image.sections:
        if section.flags & SHF_EXECINSTR and section.holds(begin):
            return image.content(section)[begin - section.address:end - section.address]
    return b""
