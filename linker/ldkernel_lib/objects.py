# SPDX-License-Identifier: BSD-3-Clause
"""Opens the objects of a link by the names that the map gives them, archive members included."""

from __future__ import annotations

import os
from collections import defaultdict

from .elf import Elf, is_elf
from .errors import Refusal

_HEADER = 60


class Objects:
    def __init__(self, folder: str = "") -> None:
        """`folder` is where relative names are relative to: where the link ran."""
        self._folder = folder
        self._archives: dict[str, dict[str, list[bytes]]] = {}
        self._objects: dict[str, list[Elf]] = {}

    def open_all(self, file: str) -> list[Elf]:
        """
        More than one where an archive has several members of this name. None for what is no ELF object: an archive as a
        whole, or an object that the compiler made and removed.
        """
        if file not in self._objects:
            self._objects[file] = [Elf(data, file) for data in self._data(file) if is_elf(data)]
        return self._objects[file]

    def _data(self, name: str) -> list[bytes]:
        file = os.path.join(self._folder, name)
        archive, bracket, member = file.rpartition("(")
        try:
            if bracket and file.endswith(")") and not os.path.exists(file):
                if archive not in self._archives:
                    self._archives[archive] = members(archive)
                return self._archives[archive].get(member[:-1], [])
            with open(file, "rb") as source:
                magic = source.read(6)
                return [magic + source.read()] if is_elf(magic) else []
        except OSError:
            return []


def members(path: str) -> dict[str, list[bytes]]:
    """The members of an archive by name. Thin archives only name them; their files are read."""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    thin = bytes(data[:8]) == b"!<thin>\n"
    if not thin and bytes(data[:8]) != b"!<arch>\n":
        raise Refusal(f"{path}: not an archive")
    found: dict[str, list[bytes]] = defaultdict(list)
    long_names = b""
    at = 8
    while at + _HEADER <= len(data):
        name = bytes(data[at:at + 16]).rstrip()
        size = int(bytes(data[at + 48:at + 58]))
        body = at + _HEADER
        special = name in (b"/", b"//", b"/SYM64/")
        if name == b"//":
            long_names = bytes(data[body:body + size])
        elif not special:
            if name.startswith(b"/"):
                begin = int(name[1:])
                name = long_names[begin:long_names.index(b"\n", begin)]
            text = name.removesuffix(b"/").decode("utf-8", "surrogateescape")
            if thin:
                with open(os.path.join(os.path.dirname(path), text), "rb") as file:
                    found[os.path.basename(text)].append(file.read())
            else:
                found[text].append(bytes(data[body:body + size]))
        at = body + (0 if thin and not special else size + (size & 1))
    return found
