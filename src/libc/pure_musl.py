#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the pure half of musl: its libc.a without what halvm replaces and without what needs an operating system.

The objects are copied unmodified. Left out are
  - the members listed as replaced: src/libc defines what they define (an archive is searched for what its own members
    ask for before the linker comes back to ours, so ours must be the only ones);
  - the members that hold a `syscall` instruction, which in a PV guest would be a hypercall;
  - the members that call one of those, over any number of steps.
Every symbol that is gone in this way is written to a second file. Where src/libc does not define it, a program that asks
for it fails to link, and ldkernel knows by this list what to say.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Member:
    defined: set[str] = field(default_factory=set)
    needed: set[str] = field(default_factory=set)
    has_syscall: bool = False


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_members(archive: Path) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for line in output_of("nm", "-A", "-P", str(archive)).splitlines():
        match = re.match(r".*\[(.+?)\]: (\S+) (\S)", line)
        if not match:
            continue
        name, symbol, kind = match.groups()
        member = members.setdefault(name, Member())
        if kind == "U":
            member.needed.add(symbol)
        elif kind.isupper():
            member.defined.add(symbol)
    current = None
    for line in output_of("objdump", "-d", "--no-show-raw-insn", str(archive)).splitlines():
        if line.endswith("file format elf64-x86-64"):
            current = members.setdefault(line.split(":")[0], Member())
        elif current and re.search(r"\t(syscall|sysenter|int +\$0x80)\b", line):
            current.has_syscall = True
    return members


def read_list(path: Path) -> tuple[set[str], set[str]]:
    """The members of one list file, by the word in front of each: replaced, refused."""
    replaced: set[str] = set()
    refused: set[str] = set()
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            {"replaced": replaced, "refused": refused}[words[0]].update(f"{word}.lo" for word in words[1:])
    return replaced, refused


def symbols(members: dict[str, Member], names: Iterable[str]) -> set[str]:
    return {symbol for name in names for symbol in members[name].defined}


def impure(members: dict[str, Member], replaced: set[str], refused: set[str]) -> set[str]:
    gone = {name for name, member in members.items() if member.has_syscall and name not in replaced} | refused
    while True:
        lost = symbols(members, gone) - symbols(members, members.keys() - gone)
        more = {name for name, member in members.items()
                if name not in gone and name not in replaced and member.needed & lost}
        if not more:
            return gone
        gone |= more


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--musl", type=Path, required=True, help="the libc.a of musl-dev")
    parser.add_argument("--members", type=Path, required=True, help="the list of replaced and refused members")
    parser.add_argument("--out", type=Path, required=True, help="the archive to write")
    parser.add_argument("--refused", type=Path, required=True, help="the list of symbols to write")
    options = parser.parse_args()

    members = read_members(options.musl)
    replaced, refused = read_list(options.members)
    if unknown := sorted((replaced | refused) - members.keys()):
        sys.exit(f"{options.members}: {options.musl} has no member {', '.join(unknown)}: another musl?")
    gone = impure(members, replaced, refused)

    with tempfile.TemporaryDirectory(dir=options.out.parent) as scratch:
        copy = Path(scratch) / options.out.name
        shutil.copyfile(options.musl, copy)
        # Some names occur more than once in the archive, and ar deletes one member a name.
        while unwanted := set(output_of("ar", "t", str(copy)).split()) & (gone | replaced):
            subprocess.run(["ar", "d", str(copy), *sorted(unwanted)], check=True)
        copy.replace(options.out)
    lost = symbols(members, gone | replaced) - symbols(members, members.keys() - gone - replaced)
    options.refused.write_text("".join(f"{symbol}\n" for symbol in sorted(lost)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
