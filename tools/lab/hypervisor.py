# SPDX-License-Identifier: BSD-3-Clause
"""Debian's Xen, unpacked as QEMU's -kernel wants it."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from . import cache, packages
from .errors import LabError
from .progress import step

_RECIPE = "1"


def xen() -> Path:
    """The hypervisor's ELF file; downloads it the first time."""
    key = cache.key_of(_RECIPE, *packages.HYPERVISOR)
    return cache.artifact("hypervisor", key, _build) / "xen"


def _build(into: Path) -> None:
    with step("downloading Xen"):
        unpacked = into / "unpacked"
        packages.unpack(packages.fetch(packages.HYPERVISOR, into / "packages"), unpacked)
        images = sorted((unpacked / "boot").glob("xen-*.gz"))
        if len(images) != 1:
            raise LabError("the hypervisor package holds no /boot/xen-*.gz", "report this as a bug.")
        with gzip.open(images[0]) as packed, open(into / "xen", "wb") as plain:
            shutil.copyfileobj(packed, plain)
        (into / "version").write_text("\n".join(p.name for p in (into / "packages").iterdir()) + "\n")
        shutil.rmtree(unpacked)
        shutil.rmtree(into / "packages")
