# SPDX-License-Identifier: BSD-3-Clause
"""--ramdisk FILE and --site DIRECTORY: a file that a program has in memory from its start.

A domain's is loaded beside its kernel; a process finds it by HALVM_RAMDISK. A
directory becomes a tar archive of its files.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.progress import say

VARIABLE = "HALVM_RAMDISK"
# What compresses well, and is worth a second copy.
_PACKED = (".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt", ".xml", ".md", ".wasm")
_LEAST_PACKED = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--ramdisk", type=Path, metavar="FILE", help="a file that the program has in memory")
    choice.add_argument("--site", type=Path, metavar="DIRECTORY", help="a directory as its ramdisk: a tar archive")


def check(arguments: argparse.Namespace) -> None:
    """Said before anything is built."""
    if arguments.ramdisk and not (arguments.ramdisk.is_file() and os.access(arguments.ramdisk, os.R_OK)):
        raise LabError(f"there is no file {arguments.ramdisk} that can be read", "check its path.")
    if arguments.ramdisk and arguments.ramdisk.stat().st_size == 0:
        raise LabError(f"{arguments.ramdisk} is empty", "a ramdisk has at least one byte: xl refuses an empty one.")
    if arguments.site and not arguments.site.is_dir():
        raise LabError(f"there is no directory {arguments.site}", "check its path.")


@contextmanager
def given(arguments: argparse.Namespace) -> Iterator[Path | None]:
    """The file, as long as the program runs."""
    if not arguments.site:
        yield arguments.ramdisk
        return
    with tempfile.TemporaryDirectory(prefix="halvm-site-") as directory:
        archive = Path(directory) / "site.tar"
        count = pack(arguments.site, archive)
        say(f"the site has {count} files, {archive.stat().st_size >> 10} KiB")
        yield archive


def pack(directory: Path, archive: Path) -> int:
    """Its regular files in the order of their names, and gzipped copies where there are none; how many of its own.

    The same files make the same archive.
    """
    count = 0
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as out, tempfile.TemporaryDirectory() as scratch:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            name = path.relative_to(directory).as_posix()
            _add(out, path, name, path)
            count += 1
            copy = path.with_name(path.name + ".gz")
            if path.suffix in _PACKED and path.stat().st_size >= _LEAST_PACKED and not copy.exists():
                packed = Path(scratch) / "packed.gz"
                packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
                if packed.stat().st_size < path.stat().st_size * 9 // 10:
                    _add(out, packed, name + ".gz", path)
    if count == 0:
        raise LabError(f"{directory} has no files", "a site has at least an index.html.")
    return count


def _add(out: tarfile.TarFile, content: Path, name: str, dated: Path) -> None:
    member = tarfile.TarInfo(name)
    member.size = content.stat().st_size
    member.mtime = int(dated.stat().st_mtime)
    with open(content, "rb") as file:
        out.addfile(member, file)
