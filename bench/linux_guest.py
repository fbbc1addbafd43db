# SPDX-License-Identifier: BSD-3-Clause
"""Linux as a rival: Debian's own kernel, as a PV guest whose only process is a C program."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lab import cpio, dom0_image, measure

VERSION = "Linux 6.1"


def subject(
    name: str, program: Path, words: str = "", modules: bool = False, beside: tuple[str, ...] = (), **more: Any
) -> measure.Subject:
    """With `modules` the program finds dom0's files beside it, and the modules for Xen's devices among them; they are
    large, and fit into the counted machine once. `beside` are single modules, as /NAME.ko; what is `more` is the
    subject's.
    """
    with tempfile.TemporaryDirectory() as scratch:
        init = Path(scratch) / "init"
        subprocess.run(["gcc", "-O2", "-static", "-s", "-Wall", "-Wextra", program, "-o", init], check=True)
        archive = cpio.Archive()
        archive.copy("init", init)
        archive.character_device("dev/console", 5, 1)
        for module in beside:
            archive.file(f"{module}.ko", dom0_image.module(module))
    dom0 = dom0_image.dom0()
    return measure.Subject(
        f"{VERSION}, {name}",
        dom0.kernel,
        memory_mb=128,
        command_line=f"console=hvc0 quiet loglevel=0 {words}".strip(),
        # What comes later in an archive replaces what came before.
        ramdisk=(dom0.initramfs.read_bytes() if modules else b"") + archive.bytes(),
        **{"seconds": 8, **more},
    )
