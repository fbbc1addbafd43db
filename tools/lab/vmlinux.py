# SPDX-License-Identifier: BSD-3-Clause
"""Takes the kernel proper out of a bzImage.

Xen can unpack one itself, but emulated that takes seconds of every boot.
"""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

from .errors import LabError


def extract(bzimage: Path) -> bytes:
    """The uncompressed ELF file. [linux: Documentation/x86/boot.rst, payload_offset]"""
    data = bzimage.read_bytes()
    if data[0x1FE:0x200] != b"\x55\xaa" or data[0x202:0x206] != b"HdrS":
        raise LabError(f"{bzimage.name} is no Linux bzImage", "report this as a bug.")
    setup_sectors = data[0x1F1] or 4
    offset, size = struct.unpack_from("<II", data, 0x248)
    begin = (setup_sectors + 1) * 512 + offset
    payload = data[begin : begin + size]
    if payload.startswith(b"\xfd7zXZ"):
        # The last four bytes are the unpacked size, not part of the stream.
        kernel = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x1f\x8b"):
        kernel = gzip.decompress(payload[:-4])
    else:
        raise LabError(
            f"{bzimage.name} is packed in a way the lab does not know ({payload[:4].hex()})",
            "report this with the version of the package linux-image-amd64.",
        )
    return kernel
