# SPDX-License-Identifier: BSD-3-Clause
"""
Why GNU ld could not link, in words that name the cause and the cure.

Undefined symbols and broken rules of the layout are found by linking once more without those rules, into a file that
nobody gets, and auditing it: the audits know who asked for what. What else GNU ld says is passed on in its own words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

_OF_LD = re.compile(r"^(?:\S*/)?ld(?:\.bfd)?: ", re.MULTILINE)
_ORPHAN = re.compile(r"unplaced orphan section `([^']*)' from `([^']*)'")
_NO_LIBRARY = re.compile(r"cannot find -l(\S+?)(?:: .*)?$")
_INCOMPLETE = re.compile(r"undefined symbol `([^']*)' referenced in expression")
_PLACE = re.compile(r"(\S+): in function `.*':")
_SHARED = re.compile(r"attempted static link of dynamic object `([^']*)'")
# Lines that the audit of the second link says better.
_SAID_BETTER = re.compile(r"undefined reference to|more undefined references|^halvm: |"
                          r"cannot find entry symbol|symbol `halvm_pv_entry' referenced in expression|"
                          r"^note: the message above|hidden symbol .* isn't defined")


def reasons(said: str, audits: Callable[[], list[str]]) -> list[str]:
    """`said` is what GNU ld wrote; `audits` links and audits without the rules."""
    lines = [_OF_LD.sub("", line) for line in said.splitlines() if line]
    own = list(dict.fromkeys(_translate(line) for line in _with_places(lines) if not _SAID_BETTER.search(line)))
    found = audits()
    # An assertion that no audit explains is passed on: it must not vanish.
    return [*own, *found] or lines


def _with_places(lines: list[str]) -> Iterator[str]:
    """A line that only says in which function of which object goes in front of the line that says what."""
    place = ""
    for line in lines:
        if match := _PLACE.fullmatch(line):
            place = f"{match[1]}: "
        else:
            yield place + line
            place = ""


def _translate(line: str) -> str:
    if match := _ORPHAN.search(line):
        section, file = match.groups()
        return (f"{os.path.basename(file)}: section {section}: the layout of a kernel has no place for it: "
                "name it .text.NAME, .rodata.NAME, .data.NAME or .bss.NAME, as its content is, or with a C identifier")
    if match := _NO_LIBRARY.search(line):
        return (f"-l{match[1]}: there is no static library lib{match[1]}.a in the library folders: install the package "
                "that has it (its -dev package), or name its folder with -L; shared libraries cannot be linked")
    if match := _INCOMPLETE.search(line):
        return f"{match[1]}: every kernel needs it and no library has it: is libhalvm.a whole, and of this version?"
    if match := _SHARED.search(line):
        return f"{match[1]}: a shared library cannot be part of a kernel: give its static form, .a"
    return line
