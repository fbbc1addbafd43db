# SPDX-License-Identifier: BSD-3-Clause
"""Is a file a kernel that Xen's domain builder takes? Read from the ELF itself, not by halvm's own linker."""

import struct
from pathlib import Path

EXECUTABLE = 2
X86_64 = 62
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
NOTE_ENTRY, NOTE_XEN_VERSION, NOTE_GUEST_OS, NOTE_LOADER = 1, 5, 6, 8  # [xen/elfnote.h]


def xen_notes(data: bytes, offset: int, size: int) -> dict[int, bytes]:
    """The notes of the owner "Xen" in a PT_NOTE segment, by type."""
    notes = {}
    end = offset + size
    while offset + 12 <= end:
        name_size, value_size, kind = struct.unpack_from("<III", data, offset)
        name = data[offset + 12:offset + 12 + name_size]
        value_at = offset + 12 + (name_size + 3) // 4 * 4
        if name == b"Xen\0":
            notes[kind] = data[value_at:value_at + value_size]
        offset = value_at + (value_size + 3) // 4 * 4
    return notes


def why_not_a_kernel(path: Path) -> str | None:
    """What is missing, or None when nothing is."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return "it is no 64-bit ELF"
    kind, machine, _, entry, headers_at = struct.unpack_from("<HHIQQ", data, 16)
    header_size, count = struct.unpack_from("<HH", data, 54)
    if (kind, machine) != (EXECUTABLE, X86_64):
        return f"it is of type {kind} for machine {machine}, not a fixed x86-64 executable"
    notes: dict[int, bytes] = {}
    code = []
    for index in range(count):
        segment, flags, offset, address, _, file_size, memory_size, _ = struct.unpack_from(
            "<IIQQQQQQ", data, headers_at + index * header_size)
        if segment in (PT_DYNAMIC, PT_INTERP):
            return "it wants a dynamic linker"
        if segment == PT_NOTE:
            notes |= xen_notes(data, offset, file_size)
        if segment == PT_LOAD and flags & 1:
            if flags & 2:
                return "a segment is writable and executable"
            code.append(range(address, address + memory_size))
    for kind in (NOTE_ENTRY, NOTE_XEN_VERSION, NOTE_GUEST_OS, NOTE_LOADER):
        if kind not in notes:
            return f"Xen's note {kind} is missing"
    xen_entry = int.from_bytes(notes[NOTE_ENTRY], "little")
    if not any(xen_entry in part for part in code) or not any(entry in part for part in code):
        return "an entry is not in its code"
    return None
