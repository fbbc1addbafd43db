# SPDX-License-Identifier: BSD-3-Clause
"""What an image must be before anybody boots it. Each check gives the messages of what it found wrong, or none."""

from __future__ import annotations

import re

from . import calls
from .blame import Blame
from .elf import (PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_DYNAMIC,
                  SHN_UNDEF, SHT_REL, SHT_RELA, STT_IFUNC, Elf, Section)

ENTRY = "halvm_pv_entry"
_PAGE = 0x1000
_NOTE_ENTRY = 1  # XEN_ELFNOTE_ENTRY
_REBUILD = "is libhalvm.a whole, and of this version?"
# Symbols that may stay undefined: their users test for them first, and without them do nothing.
_MAY_BE_MISSING = re.compile(r"_ITM_\w+|_ZGTt\w+|__gmon_start__|__(?:de)?register_frame_info")


def audit(image: Elf, blame: Blame, folder: str) -> list[str]:
    """Every check, in the order in which a reader wants to know."""
    return [*undefined(blame), *kernel_calls(image, blame, folder), *weak_undefined(blame), *entry(image),
            *notes(image), *protection(image, blame), *relocations(image), *dynamic(image)]


def undefined(blame: Blame) -> list[str]:
    return [blame.undefined(symbol, uses) for symbol, uses in sorted(blame.graph.unresolved().items())
            if any(not use.weak for use in uses)]


def weak_undefined(blame: Blame) -> list[str]:
    return [blame.weak(symbol, uses) for symbol, uses in sorted(blame.graph.unresolved().items())
            if all(use.weak for use in uses) and not _MAY_BE_MISSING.fullmatch(symbol)]


def kernel_calls(image: Elf, blame: Blame, folder: str) -> list[str]:
    stubs = image.section(calls.STUBS)
    missing = [] if stubs and stubs.size else [f"no hypercall stubs in the image: {_REBUILD}"]
    return missing + blame.kernel_calls(calls.find_kernel_calls(image, folder))


def entry(image: Elf) -> list[str]:
    begins = next((symbol.value for symbol in image.symbols
                   if symbol.name == ENTRY and symbol.section != SHN_UNDEF), None)
    if begins is None:
        return [f"{ENTRY}: the entry point is missing: {_REBUILD}"]
    if image.entry != begins or not any(_is_code(section) and section.holds(begins) for section in image.sections):
        return [f"{ENTRY}: the image does not begin there, or it is not code: {_REBUILD}"]
    return []


def notes(image: Elf) -> list[str]:
    contents = [image.data[segment.offset:segment.offset + segment.file_size]
                for segment in image.segments if segment.kind == PT_NOTE]
    found = [note for content in contents for note in image.notes(content) if note.owner == "Xen"]
    if not found:
        return [f"no Xen notes in the image: Xen's domain builder would not know how to start it: {_REBUILD}"]
    starts = [int.from_bytes(note.value, "little") for note in found if note.kind == _NOTE_ENTRY]
    if starts != [image.entry]:
        return [f"the Xen note ENTRY is missing or does not name the entry point: {_REBUILD}"]
    return []


def protection(image: Elf, blame: Blame) -> list[str]:
    """W^X: of segments, of sections, and no page that two segments share."""
    both = SHF_WRITE | SHF_EXECINSTR
    guilty = set(blame.sections_with(both))
    for section in image.sections:
        if section.flags & SHF_ALLOC and section.flags & both == both:
            guilty.update(blame.odd_sections(section.name, both) if not guilty else [])
    messages = [f"{place}: writable and executable: no memory of a kernel may be both; "
                "put code in .text.NAME and data in .data.NAME" for place in sorted(guilty)]
    loaded = sorted((segment for segment in image.segments if segment.kind == PT_LOAD and segment.memory_size),
                    key=lambda segment: segment.address)
    for segment in loaded:
        if segment.flags & PF_W and segment.flags & PF_X and not messages:
            messages.append(f"the segment at {segment.address:#x} is writable and executable")
        if segment.address % _PAGE:
            messages.append(f"the segment at {segment.address:#x} does not begin on a page")
    for before, after in zip(loaded, loaded[1:]):
        if (before.address + before.memory_size - 1) // _PAGE >= after.address // _PAGE:
            messages.append(f"the segments at {before.address:#x} and {after.address:#x} share a page")
    if not any(segment.flags & PF_X for segment in loaded):
        messages.append("no segment of the image is executable")
    return messages


def relocations(image: Elf) -> list[str]:
    indirect = sorted({symbol.name for symbol in image.symbols if symbol.kind == STT_IFUNC})
    if indirect:
        return [f"{name}: chosen when the program starts (ifunc or target_clones), which needs a dynamic linker: "
                "compile for one machine with -march=, or choose with __builtin_cpu_supports" for name in indirect]
    return [f"{section.name}: {section.size} bytes of relocations are left: a kernel is loaded where it was linked"
            for section in image.sections
            if section.kind in (SHT_RELA, SHT_REL) and section.flags & SHF_ALLOC and section.size]


def dynamic(image: Elf) -> list[str]:
    names = {PT_INTERP: "asks for an interpreter", PT_DYNAMIC: "asks for a dynamic linker"}
    found = [names[segment.kind] for segment in image.segments if segment.kind in names]
    if not found and any(section.kind == SHT_DYNAMIC for section in image.sections):
        found = ["has a dynamic section"]
    return [f"the image {what}: there is none in a domain" for what in found]


def _is_code(section: Section) -> bool:
    return bool(section.flags & SHF_EXECINSTR and section.flags & SHF_ALLOC)
