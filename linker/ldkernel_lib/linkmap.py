# SPDX-License-Identifier: BSD-3-Clause
"""Reads the map that GNU ld writes: which section of which object became which bytes of the image."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from functools import cached_property

_MEMORY = "\nLinker script and memory map\n"
_MEMBERS = "Archive member included"
_DISCARDED = "\nDiscarded input sections\n"
# A name too long for its column puts the numbers on a line of their own. The first column is empty for input sections.
_PLACED = re.compile(r"^( ?)(\S+)(?:\n)? +0x([0-9a-f]+) +0x([0-9a-f]+)(?: (\S.*))?$", re.MULTILINE)
_LOADED = re.compile(r"^LOAD (.*)$", re.MULTILINE)
_MEMBER = re.compile(r"^(\S.*\([^()]+\))(?:\n)? +(?:.* )?\(.*\)$", re.MULTILINE)
# GNU ld makes these sections itself, but lists them under the first object of the link.
_MADE_BY_LINKER = frozenset((".eh_frame_hdr", ".note.gnu.build-id", ".note.gnu.property", ".got"))


@dataclass(frozen=True)
class Piece:
    """One input section as it lies in the image."""

    output: str
    name: str
    address: int
    size: int
    file: str  # "main.o", or "libc.a(fork.lo)"; empty for fill and for what the linker made itself


class LinkMap:
    def __init__(self, text: str) -> None:
        head, found, body = text.partition(_MEMORY)
        self._head = head if found else ""
        self._body = body

    @cached_property
    def pieces(self) -> list[Piece]:
        """Of the sections that are loaded, by address; empty ones are left out."""
        pieces: list[Piece] = []
        output = ""
        for indent, name, address, size, file in _PLACED.findall(self._body):
            if not indent:
                output = name
            elif int(size, 16) and int(address, 16) and not name.startswith("*("):
                made = name == "*fill*" or output in _MADE_BY_LINKER
                pieces.append(Piece(output, name, int(address, 16), int(size, 16), "" if made else file))
        return sorted(pieces, key=lambda piece: piece.address)

    @cached_property
    def _addresses(self) -> list[int]:
        return [piece.address for piece in self._unshadowed]

    @cached_property
    def _unshadowed(self) -> list[Piece]:
        # .tbss takes no addresses of its own: what follows it in the image begins at the same one.
        return [piece for piece in self.pieces if piece.output != ".tbss"]

    def at(self, address: int) -> Piece | None:
        index = bisect.bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        piece = self._unshadowed[index]
        return piece if address < piece.address + piece.size else None

    @cached_property
    def files(self) -> list[str]:
        """Every object that took part, as `pieces` names them; archives themselves among them."""
        members = [name for name in _MEMBER.findall(self._head.partition(_DISCARDED)[0]) if name != _MEMBERS]
        return list(dict.fromkeys(_LOADED.findall(self._body) + members))
