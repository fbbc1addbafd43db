# SPDX-License-Identifier: BSD-3-Clause
"""Writes cpio archives in the `newc` format, which Linux unpacks as its initramfs.

Archives may be put one behind another; no tool and no privilege is needed,
not even for device nodes.
"""

from __future__ import annotations

import stat
from pathlib import Path


class Archive:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0
        self._directories: set[str] = set()

    def _add(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        path = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._parts.append(_padded(header + path))
        self._parts.append(_padded(data))

    def directory(self, name: str) -> None:
        """With its parents, once each."""
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path and path not in self._directories:
                self._directories.add(path)
                self._add(path, stat.S_IFDIR | 0o755)

    def _parent_of(self, name: str) -> None:
        if "/" in name:
            self.directory(name.rpartition("/")[0])

    def file(self, name: str, data: bytes, executable: bool = False) -> None:
        self._parent_of(name)
        self._add(name, stat.S_IFREG | (0o755 if executable else 0o644), data)

    def copy(self, name: str, source: Path) -> None:
        self.file(name, source.read_bytes(), executable=bool(source.stat().st_mode & 0o111))

    def link(self, name: str, target: str) -> None:
        self._parent_of(name)
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int) -> None:
        self._parent_of(name)
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self) -> bytes:
        self._add("TRAILER!!!", 0)
        # The next archive, or the end of the image, starts at a multiple of 512.
        whole = b"".join(self._parts)
        return whole + b"\0" * (-len(whole) % 512)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
