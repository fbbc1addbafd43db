# SPDX-License-Identifier: BSD-3-Clause
"""
Changes to the text of kernel.lds for one link.

A program may collect things in sections of its own, whose borders the linker names __start_NAME and __stop_NAME. Each
such section becomes one of the image, in the segment that its flags ask for, where kernel.lds marks a place for them.
"""

from __future__ import annotations

import re

from .elf import SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS
from .objects import Objects

_ORPHAN = re.compile(r"unplaced orphan section `([A-Za-z_]\w*)' from `([^']*)'")
_PLACE = "/* ldkernel: the program's own {} */"
_RULE = re.compile(r'^ASSERT\([^"]*"[^"]*"\)\n', re.MULTILINE)


def without_rules(script: str) -> str:
    """The linker script with its assertions taken out."""
    return _RULE.sub("", script)


def own_sections(said: str) -> dict[str, str]:
    """The sections that GNU ld could not place and that are named as C identifiers: name, and the segment for each."""
    objects = Objects()
    found: dict[str, str] = {}
    for name, file in _ORPHAN.findall(said):
        for elf in objects.open_all(file):
            section = elf.section(name)
            if section:
                found[name] = max(found.get(name, ""), _segment(section.flags, section.kind), key=_ORDER.index)
    return {name: segment for name, segment in found.items() if segment}


def with_sections(script: str, sections: dict[str, str]) -> str:
    for segment in ("text", "rodata", "data"):
        lines = [f"{name} : {{ *({name}) }} :{segment}" for name in sorted(sections) if sections[name] == segment]
        script = script.replace(_PLACE.format(segment), "\n  ".join(lines))
    return script


# Of several inputs with one name, the section is what its most demanding input needs.
_ORDER = ("", "rodata", "text", "data")


def _segment(flags: int, kind: int) -> str:
    if flags & SHF_WRITE:
        return "" if flags & SHF_EXECINSTR else "data"
    return "text" if flags & SHF_EXECINSTR else "" if kind == SHT_NOBITS else "rodata"
