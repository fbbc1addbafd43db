# SPDX-License-Identifier: BSD-3-Clause
"""`--disk FILE[,ro]`: the files that a user gives a program as its disks, and how each machine is told of them."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
import string
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.domain import Disk
from lab.errors import LabError

_SECTOR = 512
_READ_ONLY = ",ro"


def parse(texts: Sequence[str]) -> tuple[Disk, ...]:
    """The first is xvda, the next xvdb. Says what is wrong with one before anything is started."""
    if len(texts) > len(string.ascii_lowercase):
        raise LabError(f"{len(texts)} disks are too many", f"xvda to xvdz are {len(string.ascii_lowercase)}.")
    made: list[Disk] = []
    known: dict[tuple[int, ...], Path] = {}
    for letter, text in zip(string.ascii_lowercase, texts):
        writable = not text.endswith(_READ_ONLY)
        if not (name := text.removesuffix(_READ_ONLY)):
            raise LabError("--disk wants a file", "write --disk FILE, or --disk FILE,ro to have it only read.")
        path = Path(name)
        identity = _check(path, writable)
        if identity in known:
            raise LabError(
                f"--disk {text} is the same disk as --disk {known[identity]}",
                "what two disks write to one file destroys both: give each a file of its own.",
            )
        known[identity] = path
        file = str(path.resolve())
        made.append(Disk(file, f"xvd{letter}", writable, contents_to=file if writable else ""))
    return tuple(made)


def _check(path: Path, writable: bool) -> tuple[int, ...]:
    """What the file is known by, under whatever name."""
    quoted = shlex.quote(str(path))
    try:
        found = path.stat()
    except OSError as error:
        raise LabError(
            f"there is no disk {path}: {error.strerror}", f"check the name, or make one: truncate -s 64M {quoted}"
        ) from None
    if stat.S_ISDIR(found.st_mode):
        raise LabError(f"{path} is a directory, no disk", "give the path of a file or of a block device.")
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISBLK(found.st_mode):
        raise LabError(f"{path} can be no disk", "give the path of a file or of a block device.")
    size = _size(path)
    if size == 0:
        raise LabError(f"the disk {path} is empty", f"make it as large as it is to be: truncate -s 64M {quoted}")
    if size % _SECTOR:
        raise LabError(
            f"the disk {path} has {size} bytes, which is no whole number of sectors",
            f"a sector has {_SECTOR} bytes; to fill the last one: truncate -s %{_SECTOR} {quoted}",
        )
    if writable and not os.access(path, os.W_OK):
        raise LabError(f"you may not write to the disk {path}", f"to have it only read: --disk {quoted}{_READ_ONLY}")
    return (found.st_rdev,) if stat.S_ISBLK(found.st_mode) else (found.st_dev, found.st_ino)


def _size(path: Path) -> int:
    try:
        with open(path, "rb") as file:
            return file.seek(0, os.SEEK_END)
    except OSError as error:
        raise LabError(f"cannot read the disk {path}: {error.strerror}", "check who may read it: ls -l.") from None


@contextmanager
def locked(disks: Sequence[Disk]) -> Iterator[None]:
    """Meanwhile no other run has the files, and no process that halvm made; the lock ends with us, however we end."""
    with ExitStack() as files:
        for disk in disks:
            file = files.enter_context(open(disk.image, "rb"))
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if disk.writable else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(
                    f"another program has the disk {disk.image}", "end it first, or give one of them a copy."
                ) from None
        yield


def xl_line(disks: Sequence[Disk]) -> str:
    """The line of an xl configuration. [docs: xl-disk-configuration.5]"""
    lines = []
    for disk in disks:
        # The target comes last: it is all that follows, commas too.
        target = disk.image.replace("\\", "\\\\").replace('"', '\\"')
        access = "rw" if disk.writable else "ro"
        lines.append(f'"format=raw,vdev={disk.device},access={access},target={target}"')
    return f"disk=[{', '.join(lines)}]"


def environment(disks: Sequence[Disk]) -> dict[str, str]:
    """What a process is told by. [include/halvm/linux/disks.hpp]"""
    if not disks:
        return {}
    entries = []
    for disk in disks:
        path = disk.image
        for special in "\\:,":
            path = path.replace(special, "\\" + special)
        entries.append(f"{disk.device}={path}" + ("" if disk.writable else _READ_ONLY))
    return {"HALVM_DISKS": ":".join(entries)}
