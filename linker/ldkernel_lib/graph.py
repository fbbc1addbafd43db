# SPDX-License-Identifier: BSD-3-Clause
"""
Who asked for it: the references between the sections that are in an image.

Only sections that the link kept count. The list of archive members in the map says which object was fetched first for
which symbol, but that first reference may since have been dropped as unused; the relocations of what is left say why a
thing is really there.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from .elf import SHN_ABS, SHN_COMMON, SHN_UNDEF, SHT_RELA, STB_LOCAL, STB_WEAK, STT_FILE, STT_SECTION, Elf, Symbol
from .linkmap import LinkMap
from .objects import Objects

# Unwind tables name every function and call none.
_NOT_A_REASON = (".eh_frame", ".debug", ".gcc_except_table", ".note")


@dataclass(frozen=True)
class Node:
    """One input section of the image."""

    file: str
    section: str


@dataclass(frozen=True)
class Reference:
    """`source` uses `symbol`; `function` is the symbol of the source that the use lies in, as the object names it."""

    source: Node
    function: str
    symbol: str
    weak: bool


class Graph:
    def __init__(self, image: Elf, linked: LinkMap, objects: Objects) -> None:
        self._image = image
        self._map = linked
        self._objects = objects

    def unresolved(self) -> dict[str, list[Reference]]:
        """References to symbols that nothing defines, by symbol."""
        return self._edges[1]

    def users(self, node: Node) -> list[Reference]:
        """The references to a section."""
        return self._edges[0].get(node, [])

    def node_at(self, address: int) -> Node | None:
        piece = self._map.at(address)
        return Node(piece.file, piece.name) if piece and piece.file else None

    def address_of(self, symbol: str) -> int | None:
        return self._defined.get(symbol)

    def path(self, start: Node, wanted: Callable[[Node], bool]) -> list[Reference]:
        """The shortest chain of references from a wanted section down to `start`; empty when there is none."""
        came: dict[Node, tuple[Reference, Node] | None] = {start: None}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            if wanted(node) and node != start:
                return list(self._unwind(node, came))
            for reference in self.users(node):
                if reference.source not in came:
                    came[reference.source] = (reference, node)
                    queue.append(reference.source)
        return []

    @staticmethod
    def _unwind(node: Node, came: dict[Node, tuple[Reference, Node] | None]) -> Iterator[Reference]:
        step = came[node]
        while step:
            yield step[0]
            step = came[step[1]]

    @cached_property
    def _defined(self) -> dict[str, int]:
        return {symbol.name: symbol.value for symbol in self._image.symbols
                if symbol.section != SHN_UNDEF and symbol.binding != STB_LOCAL}

    @cached_property
    def kept(self) -> dict[str, set[str]]:
        """By file, the sections that are in the image and can be reasons for others to be there."""
        kept: dict[str, set[str]] = defaultdict(set)
        for piece in self._map.pieces:
            if not piece.name.startswith(_NOT_A_REASON):
                kept[piece.file].add(piece.name)
        return kept

    @cached_property
    def _edges(self) -> tuple[dict[Node, list[Reference]], dict[str, list[Reference]]]:
        users: dict[Node, list[Reference]] = defaultdict(list)
        unresolved: dict[str, list[Reference]] = defaultdict(list)
        for file, kept in self.kept.items():
            for elf in self._objects.open_all(file) if file else ():
                for reference, target in self._references(elf, file, kept):
                    if target is not None:
                        users[target].append(reference)
                    elif reference.symbol not in self._defined and reference.symbol != "_GLOBAL_OFFSET_TABLE_":
                        unresolved[reference.symbol].append(reference)
        return users, unresolved

    def _references(self, elf: Elf, file: str, kept: set[str]) -> Iterator[tuple[Reference, Node | None]]:
        owners = _Owners(elf)
        for table in elf.sections:
            if table.kind != SHT_RELA:
                continue
            section = elf.sections[table.info]
            if section.name not in kept:
                continue
            source = Node(file, section.name)
            for relocation in elf.relocations(table):
                symbol = elf.symbols[relocation.symbol]
                function = owners.of(section.index, relocation.offset)
                target = self._target(elf, file, symbol)
                if target != source:
                    yield Reference(source, function, symbol.name, symbol.binding == STB_WEAK), target

    def _target(self, elf: Elf, file: str, symbol: Symbol) -> Node | None:
        if symbol.binding == STB_LOCAL:
            if symbol.section in (SHN_UNDEF, SHN_ABS, SHN_COMMON) or symbol.section >= len(elf.sections):
                return None
            return Node(file, elf.sections[symbol.section].name)
        address = self._defined.get(symbol.name)
        return self.node_at(address) if address else None


class _Owners:
    """Which symbol of an object an offset of a section lies in."""

    def __init__(self, elf: Elf) -> None:
        self._by_section: dict[int, list[Symbol]] = defaultdict(list)
        for symbol in elf.symbols:
            if symbol.name and symbol.kind not in (STT_SECTION, STT_FILE):
                self._by_section[symbol.section].append(symbol)

    def of(self, section: int, offset: int) -> str:
        best = None
        for symbol in self._by_section.get(section, ()):
            if symbol.value <= offset and (best is None or symbol.value > best.value or symbol.size > best.size):
                best = symbol
        return best.name if best else ""
