# SPDX-License-Identifier: BSD-3-Clause
"""Opens the objects of a link by the names that the map gives them, archive members included."""

from __future__ import annotations

import os

from .elf import Elf, is_elf
from .errors import Refusal

_HEADER = 60


class Objects:
    def __init__(self) -> None:
        self._archives: dict[str, dict[str, bytes]] = {}
        self._objects: dict[str, Elf | None] = {}

    def open(self, file: str) -> Elf | None:
        """None for what is no ELF object: an archive as a whole, or an object that the compiler made and removed."""
        if file not in self._objects:
            data = self._data(file)
            self._objects[file] = Elf(data, file) if data is not None and is_elf(data) else None
        return self._objects[file]

    def _data(self, file: str) -> bytes | None:
        archive, bracket, member = file.rpartition("(")
        try:
            if bracket and file.endswith(")") and not os.path.exists(file):
                if archive not in self._archives:
                    self._archives[archive] = members(archive)
                return self._archives[archive].get(member[:-1])
            with open(file, "rb") as source:
                magic = source.read(6)
                return magic + source.read() if is_elf(magic) else None
        except OSError:
            return None


def members(path: str) -> dict[str, bytes]:
    """The members of an archive by name. Thin archives only name them; their files are read."""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    thin = bytes(data[:8]) == b"!<thin>\n"
    if not thin and bytes(data[:8]) != b"!<arch>\n":
        raise Refusal(f"{path}: not an archive")
    found: dict[str, bytes] = {}
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
                    found.setdefault(os.path.basename(text), file.read())
            else:
                found.setdefault(text, bytes(data[body:body + size]))
        at = body + (0 if thin and not special else size + (size & 1))
    return found
