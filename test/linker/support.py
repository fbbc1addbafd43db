# SPDX-License-Identifier: BSD-3-Clause
"""
What the tests of ldkernel share: a folder of their own, a compiler, and a core library to link against.

Most tests link against a stand-in for libhalvm.a that has only what every kernel needs, so that they say something
about ldkernel alone. Those that want the C++ run time take the real one: HALVM_LDKERNEL_DIR names the folder of a build
where ldkernel and its ldkernel.conf are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINKER = ROOT / "linker"
REAL = os.environ.get("HALVM_LDKERNEL_DIR")
MUSL = "/usr/lib/x86_64-linux-musl/libc.a"
CXX_FLAGS = ["-std=c++20", "-O2", "-ffunction-sections", "-fdata-sections", "-D__NO_INLINE__", "-U_FORTIFY_SOURCE",
             "-mneeded"]
sys.path.insert(0, str(LINKER))

STAND_IN = """
    .section .text.boot, "ax"
    .globl halvm_pv_entry
    .type halvm_pv_entry, @function
halvm_pv_entry:
    lea __stack_top(%rip), %rsp
    call _Z10halvm_mainv
    call halvm_hypercall
    hlt
    .size halvm_pv_entry, . - halvm_pv_entry

    .section .text.hypercall, "ax"
    .globl halvm_hypercall
    .type halvm_hypercall, @function
halvm_hypercall:
    syscall
    ret
    .size halvm_hypercall, . - halvm_hypercall

    .section .text.names, "ax"
    .globl __pthread_key_create, pthread_once, pthread_mutex_lock, pthread_mutex_unlock, __cxa_pure_virtual
__pthread_key_create:
pthread_once:
pthread_mutex_lock:
pthread_mutex_unlock:
__cxa_pure_virtual:
    ud2

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 1
    .asciz "Xen"
    .quad halvm_pv_entry
    .section .note.GNU-stack, "", @progbits
"""


class LinkTest(unittest.TestCase):
    """Each test has an empty folder, `self.folder`, which is also where its commands run."""

    real = False  # whether to link against the real core

    @classmethod
    def setUpClass(cls) -> None:
        if cls.real and not REAL:
            raise unittest.SkipTest("needs the real libhalvm.a: HALVM_LDKERNEL_DIR is not set")
        cls.shared = Path(tempfile.mkdtemp(prefix="ldkernel-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.tool = Path(REAL) if cls.real and REAL else cls._stand_in(cls.shared)

    @staticmethod
    def _stand_in(folder: Path, assembly: str = STAND_IN) -> Path:
        (folder / "core.S").write_text(assembly)
        subprocess.run(["gcc", "-c", "core.S", "-o", "core.o"], cwd=folder, check=True)
        subprocess.run(["ar", "rcs", "libhalvm.a", "core.o"], cwd=folder, check=True)
        tool = folder / "tool"
        tool.mkdir()
        (tool / "ldkernel").symlink_to(LINKER / "ldkernel")
        for name in ("ld", "ld.bfd"):
            (tool / name).symlink_to("ldkernel")
        (tool / "ldkernel.conf").write_text(f"core = ../libhalvm.a\nmusl = {MUSL}\n")
        return tool

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ldkernel-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_in_folder(self, *command: str | Path, **more) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(word) for word in command], cwd=self.folder, capture_output=True, text=True,
                              errors="replace", timeout=120, **more)

    def compile(self, source: str, name: str = "main.o", *flags: str) -> str:
        """An object in the folder; `source` is C++, or assembly if the name's stem ends in _asm."""
        kind = "assembler" if name.endswith("_asm.o") else "c++"
        options = [] if kind == "assembler" else CXX_FLAGS
        done = self.run_in_folder("g++", *options, *flags, "-x", kind, "-c", "-", "-o", name, input=source)
        self.assertEqual(done.returncode, 0, done.stderr)
        return name

    def link(self, *words: str, output: str = "kernel") -> subprocess.CompletedProcess[str]:
        return self.run_in_folder("g++", f"-B{self.tool}", "-static", *words, "-o", output)

    def linked(self, *words: str, output: str = "kernel") -> Path:
        done = self.link(*words, output=output)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / output

    def refused(self, *words: str, output: str = "kernel") -> str:
        """What ldkernel said; nothing of an output may be left."""
        done = self.link(*words, output=output)
        self.assertNotEqual(done.returncode, 0, "this link should have been refused")
        self.assertFalse((self.folder / output).exists(), "a refused kernel was left behind")
        self.assertEqual(list(self.folder.glob(".*")), [], "a temporary file was left behind")
        return done.stderr
