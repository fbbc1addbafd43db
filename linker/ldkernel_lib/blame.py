# SPDX-License-Identifier: BSD-3-Clause
"""Turns a finding into a message: what was asked for, by which of the programmer's functions, and what to do."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from .advice import instead_of
from .calls import KernelCall
from .elf import SHN_UNDEF, STT_FILE, Elf
from .graph import Graph, Node, Reference
from .linkmap import LinkMap
from .names import readable
from .objects import Objects
from .parts import Parts

MAIN = "_Z10halvm_mainv"
_NO_SYSTEM = "there is no operating system under halvm"
_SHOWN = 4
_PASSING = re.compile(r"cc\w{6}\.o|.*-[0-9a-f]{6}\.o")  # of gcc, of clang


class Blame:
    def __init__(self, image: Elf, linked: LinkMap, parts: Parts) -> None:
        self._objects = Objects()
        self._map = linked
        self._parts = parts
        self._ours = frozenset(os.path.realpath(library) for library in parts.libraries)
        self._c_library = os.path.realpath(parts.libraries[1])
        self.graph = Graph(image, linked, self._objects)

    def undefined(self, symbol: str, uses: list[Reference]) -> str:
        if symbol == MAIN:
            return self._no_main()
        if instead_of(symbol) or symbol in self._parts.refused:
            return _lines(f"{_public(symbol)}: {_NO_SYSTEM}", self._used_by(symbol, uses), instead_of(symbol))
        return _lines(f"{_plain(symbol)}: undefined: nothing in the link defines it", self._used_by(symbol, uses),
                      "link the object or static library that has it")

    def weak(self, symbol: str, uses: list[Reference]) -> str:
        return _lines(f"{_plain(symbol)}: weak and undefined: a call of it would jump to address 0",
                      self._used_by(symbol, uses), "define it, or link the object that does")

    def kernel_calls(self, found: list[KernelCall]) -> list[str]:
        """One message for each call that leads the program to such instructions, however many there are behind it."""
        own: list[str] = []
        asked: dict[str, list[list[Reference]]] = defaultdict(list)
        for call in found:
            node = self.graph.node_at(call.address)
            path = self.graph.path(node, self._is_users) if node and not self._is_users(node) else []
            entered = next((step.symbol for step in path if step.symbol and self._enters_c_library(step)), "")
            if entered:
                asked[entered].append(path)
            else:
                own.append(self._own_call(call, node))
        return own + [_lines(f"{_public(symbol)}: {_NO_SYSTEM}", self._chains(symbol, paths),
                             instead_of(_public(symbol))) for symbol, paths in sorted(asked.items())]

    def sections_with(self, flags: int) -> list[str]:
        """The input sections that have all these flags and are in the image."""
        return [f"{self._name(file)}: section {section.name}" for file, kept in self.graph.kept.items() if file
                for elf in self._objects.open_all(file) for section in elf.sections
                if section.flags & flags == flags and section.name in kept]

    def odd_sections(self, output: str, flags: int) -> list[str]:
        """Those input sections of an output section of which these flags are not what its others have."""
        rows = [(section.flags & flags, f"{self._name(piece.file)}: section {piece.name}")
                for piece in self._map.pieces if piece.output == output and piece.file
                for elf in self._objects.open_all(piece.file) if (section := elf.section(piece.name))]
        usual = Counter(found for found, _ in rows).most_common(1)
        return [text for found, text in rows if found != usual[0][0]] or [output]

    def _no_main(self) -> str:
        seen = {symbol.name for file in self._map.files if not self._is_ours(file)
                for elf in self._objects.open_all(file) for symbol in elf.symbols if symbol.section != SHN_UNDEF}
        if "main" in seen:
            return ("halvm_main: missing, but there is a main(): rename it to `int halvm_main()`, without parameters "
                    "(the domain's command line is in halvm/program.hpp)")
        near = sorted(name for name in seen if "halvm_main" in name and not name.startswith("_ZZ"))
        if near:
            return (f"halvm_main: missing; found {', '.join(readable_with_parameters(near))}: it must be "
                    "`int halvm_main()`, in no namespace, without parameters and without extern \"C\"")
        return "halvm_main: missing: a program begins in `int halvm_main()`; define it in one of your sources"

    def _own_call(self, call: KernelCall, node: Node | None) -> str:
        place = f"{_plain(call.function) or 'code without a name'}+{call.address - call.function_begin:#x}"
        path = self.graph.path(node, self._is_users) if node else []
        what = (f"{self._name(node.file) if node else 'the image'}: {place} is a `{call.instruction}` instruction: "
                f"{_NO_SYSTEM}, and in a PV guest this is a hypercall")
        if node and self._is_users(node):
            return _lines(what, [], "call a function of halvm or of the standard library instead")
        return _lines(what, self._chains(call.function, [path] if path else []),
                      "this library cannot be used in a kernel as it is")

    def _used_by(self, symbol: str, uses: Iterable[Reference]) -> list[str]:
        """The program's own uses where there are any; else the libraries' uses, and what in the program led there."""
        direct = [[use] for use in uses if self._is_users(use.source)]
        return self._chains(symbol, direct or [[*self.graph.path(use.source, self._is_users), use] for use in uses])

    def _chains(self, symbol: str, chains: list[list[Reference]]) -> list[str]:
        """A line for each place in the program from which a chain of references leads to `symbol`."""
        lines: dict[str, None] = {}
        for chain in chains:
            through: list[str] = []
            for step in chain:
                if step.symbol == symbol:
                    break
                if step.symbol:  # A reference to a section, as within one object, has no name of its own.
                    through.append(_plain(step.symbol))
            by = f", through {', '.join(dict.fromkeys(through))}" if through else ""
            lines[f"asked for by {self._name(chain[0].source.file)}: {_plain(chain[0].function)}{by}"] = None
        return [*list(lines)[:_SHOWN], *([f"and in {len(lines) - _SHOWN} more places"] if len(lines) > _SHOWN else [])]

    def _name(self, file: str) -> str:
        """What the programmer calls an object: compilers that also link give theirs passing names."""
        if ".ltrans" in os.path.basename(file):
            return "the program (optimised when linking)"
        if _PASSING.fullmatch(os.path.basename(file)):
            sources = [symbol.name for elf in self._objects.open_all(file) for symbol in elf.symbols
                       if symbol.kind == STT_FILE and symbol.name]
            return sources[0] if sources else file
        return _short(file)

    def _enters_c_library(self, step: Reference) -> bool:
        address = self.graph.address_of(step.symbol)
        target = self.graph.node_at(address) if address else None
        return target is not None and os.path.realpath(_archive(target.file)) == self._c_library

    def _is_users(self, node: Node) -> bool:
        return not self._is_ours(node.file)

    def _is_ours(self, file: str) -> bool:
        return os.path.realpath(_archive(file)) in self._ours


def readable_with_parameters(symbols: list[str]) -> list[str]:
    return [f"{name}(...)" if symbol.startswith("_Z") else f'extern "C" {name}'
            for symbol, name in zip(symbols, readable(symbols))]


def _archive(file: str) -> str:
    return file.rpartition("(")[0] if file.endswith(")") else file


def _short(file: str) -> str:
    return os.path.basename(file) if _archive(file) != file else file


def _plain(symbol: str) -> str:
    return readable([symbol])[0] if symbol else ""


def _public(symbol: str) -> str:
    """musl's __open is its open: say the name that the programmer knows."""
    return symbol.lstrip("_") if not instead_of(symbol) and instead_of(symbol.lstrip("_")) else symbol


def _lines(what: str, who: list[str], cure: str) -> str:
    return "\n".join([what, *(f"    {line}" for line in who), *([f"    what to do: {cure}"] if cure else [])])
