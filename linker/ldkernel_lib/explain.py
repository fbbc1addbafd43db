# SPDX-License-Identifier: BSD-3-Clause
"""
The map of an image for people: what is in it, from where, and what it costs. Every line begins with the kind of thing
that it counts, so that `ldkernel --explain IMAGE | grep ^object` is a table of its own; each table is largest first.
"""

from __future__ import annotations

import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from .elf import SHF_ALLOC, SHT_NOBITS, Elf
from .errors import Refusal
from .linkmap import LinkMap, Piece
from .objects import Objects
from .symbols import SECTION

MAP_SECTION = ".halvm.map"
_COSTS = (
    ("names of functions, for backtraces; --no-halvm-symbols leaves them out", (SECTION,)),
    ("unwind tables, for exceptions and backtraces", (".eh_frame", ".eh_frame_hdr", ".gcc_except_table")),
)
_SOURCE = re.compile(rb"(?:^|[/\0])(src(?:/[\w.+-]+)*)/([\w.+-]+)\0")
_LIBRARIES = {"libc.a": "musl", "libhalvm_musl.a": "musl", "libgcc.a": "libgcc", "libgcc_eh.a": "libgcc",
              "libstdc++.a": "libstdc++", "libboost_context.a": "Boost.Context"}
_CORE = "libhalvm.a"


def saved_map(image: str) -> tuple[str, str]:
    """What was kept in the debug file when the image was linked: the map, and the folder in which that was done."""
    debug_file = image + ".debug"
    if not os.path.exists(image):
        raise Refusal(f"{image}: there is no such file")
    if not os.path.exists(debug_file):
        raise Refusal(f"{debug_file}: not found: the map is kept there; link again, or keep both files together")
    debug = Elf.open(debug_file)
    section = debug.section(MAP_SECTION)
    if section is None:
        raise Refusal(f"{debug_file}: has no map in it: it was not made by ldkernel")
    folder, _, text = zlib.decompress(debug.content(section)).decode("utf-8", "surrogateescape").partition("\n")
    return text, folder


def pack_map(text: str) -> bytes:
    """For the debug file: what saved_map() gives back."""
    return zlib.compress(f"{os.getcwd()}\n{text}".encode("utf-8", "surrogateescape"), 1)


def explain(image_path: str, name: str, map_text: str, folder: str = "") -> str:
    """All tables; `name` is what to call the image."""
    image = Elf.open(image_path)
    pieces = [piece for piece in LinkMap(map_text).pieces if piece.output != ".tbss"]
    in_file = {section.name for section in image.sections if section.flags & SHF_ALLOC and section.kind != SHT_NOBITS}
    sections = Counter({section.name: section.size for section in image.sections
                        if section.flags & SHF_ALLOC and section.name != ".tbss"})
    filed = Counter({section: size for section, size in sections.items() if section in in_file})
    loaded = [piece for piece in pieces if piece.output in in_file]
    total = len(image.data)
    lines = [f"image\t{name}\t{total}\t\t{sum(sections.values())} bytes in memory, of which "
             f"{sum(sections.values()) - sum(filed.values())} are not in the file"]
    lines += _table("section", filed, total)
    lines += _table("section", Counter({"(headers)": total - sum(filed.values())}), total)
    lines += _table("memory", sections - filed, 0)
    lines += _table("cost", Counter({what: sum(sections[part] for part in parts) for what, parts in _COSTS}), total)
    lines += _table("part", _count(loaded, _Parts(folder).of), total)
    lines += _table("object", _count(loaded, _object), total)
    return "\n".join(_aligned(lines)) + "\n"


def _count(pieces: Iterable[Piece], key: Callable[[Piece], str]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for piece in pieces:
        counted[key(piece)] += piece.size
    return counted


def _table(kind: str, counted: Counter[str], total: int) -> Iterator[str]:
    for what, size in counted.most_common():
        yield f"{kind}\t{what}\t{size}\t{f'{100 * size / total:.1f} %' if total else ''}\t"


def _aligned(lines: list[str]) -> Iterator[str]:
    rows = [line.split("\t") for line in lines]
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    for kind, what, size, share, rest in rows:
        yield f"{kind:{wide[0]}}  {what:{wide[1]}}  {size:>{wide[2]}}  {share:>{wide[3]}}  {rest}".rstrip()


class _Parts:
    """Which part of the system a piece belongs to. Our own objects' debug information says where they come from."""

    def __init__(self, folder: str) -> None:
        self._objects = Objects(folder)
        self._known: dict[tuple[str, str], str] = {}

    def of(self, piece: Piece) -> str:
        if not piece.file or piece.output == SECTION:
            return "(padding)" if piece.name == "*fill*" else "(made by the linker)"
        archive, bracket, member = piece.file.rpartition("(")
        library = os.path.basename(archive) if bracket and piece.file.endswith(")") else ""
        if not library:
            return "the program"
        if library != _CORE:
            return _LIBRARIES.get(library, library)
        key = (piece.file, piece.name)
        if key not in self._known:
            self._known[key] = self._folder(piece, member[:-1])
        return self._known[key]

    def _folder(self, piece: Piece, member: str) -> str:
        """src/core, src/boot, ...: the two uppermost folders of the source that the member was compiled from."""
        source = member.removesuffix(".o").removesuffix(".obj").encode()
        for elf in self._objects.open_all(piece.file):
            if elf.section(piece.name):
                for folder, name in _SOURCE.findall(elf.data):
                    if name == source:
                        return "/".join(folder.decode().split("/")[:2])
        return _CORE


def _object(piece: Piece) -> str:
    if piece.output == SECTION:
        return "(names of functions)"
    if ".ltrans" in os.path.basename(piece.file):
        return "(the program, optimised when linking)"
    if not piece.file:
        return "(padding)" if piece.name == "*fill*" else f"({piece.output})"
    return os.path.basename(piece.file) if piece.file.endswith(")") else piece.file
