# SPDX-License-Identifier: BSD-3-Clause
"""The lab's dom0: Debian's kernel and an initramfs that holds the toolstack."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import cache, packages, vmlinux
from .cpio import Archive
from .elf import Elf
from .errors import LabError
from .progress import step

_HERE = Path(__file__).resolve().parent / "dom0"
_RECIPE = "1"

# Loaded at once: the hypervisor's devices, and the host's control lines.
_CONTROL_MODULES = (
    "xen-privcmd",
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xenfs",
    "virtio_pci",
    "virtio_console",
)
# Loaded when the first guest with a disk or a network card comes. One VCPU would be offered one ring.
_BACKEND_MODULES = ("virtio_blk", "loop", "xen-blkback", "xen-netback", "virtio_net", "bridge")
# For the Linux guests that the bench measures.
_GUEST_MODULES = ("xen-blkfront", "xen-netfront", "pktgen")
_MODULE_OPTIONS = {"xen_blkback": "max_queues=4", "xen_netback": "max_queues=4"}

_XEN = "usr/lib/xen-4.17/bin"
_PROGRAMS = (
    f"{_XEN}/xl",
    f"{_XEN}/xenstored",
    f"{_XEN}/xenconsoled",
    f"{_XEN}/xenconsole",
    f"{_XEN}/xen-init-dom0",
    f"{_XEN}/libxl-save-helper",
    "usr/bin/xenstore-exists",
    "usr/bin/xenstore-list",
    "usr/bin/xenstore-ls",
    "usr/bin/xenstore-read",
    "usr/bin/xenstore-rm",
    "usr/bin/xenstore-watch",
    "usr/bin/xenstore-write",
    # The hotplug scripts are written for these, not for busybox's.
    "bin/bash",
    "usr/bin/flock",
    "usr/bin/stat",
)
# Hotplug scripts of our own, that spare the seconds which Xen's take here.
_OWN_SCRIPTS = ("block", "vif-bridge")

# Loaded by the C library when a thread is cancelled: no file names it.
_EXTRA_LIBRARIES = ("libgcc_s.so.1",)

_STATIC_XEN_LIBRARIES = (
    "xenctrl xencall xenforeignmemory xendevicemodel xenevtchn xengnttab xenstore "
    "xentoollog xentoolcore pthread dl"
).split()


@dataclass(frozen=True)
class Dom0:
    kernel: Path
    initramfs: Path


def module(name: str) -> bytes:
    """A module of dom0's kernel for guests that run it."""
    return (_directory() / f"{name}.ko").read_bytes()


def dom0() -> Dom0:
    """Kernel and initramfs; downloads and builds them the first time."""
    directory = _directory()
    return Dom0(directory / "vmlinux", directory / "initramfs")


def _directory() -> Path:
    recipe = b"".join(path.read_bytes() for path in sorted(_HERE.iterdir()))
    names = (*packages.DOM0, packages.DOM0_KERNEL_META)
    key = cache.key_of(_RECIPE, *names, recipe, *_PROGRAMS, *_CONTROL_MODULES, *_BACKEND_MODULES, *_MODULE_OPTIONS.values(), *_GUEST_MODULES)
    return cache.artifact("dom0", key, _build)


def _build(into: Path) -> None:
    root = into / "unpacked"
    with step("downloading dom0's kernel and tools (about 90 MB, once)"):
        kernel_package = packages.kernel_package()
        files = packages.fetch((*packages.DOM0, kernel_package), into / "packages")
    with step("unpacking them"):
        packages.unpack(files, root)
        (into / "versions").write_text("".join(f"{path.name}\n" for path in files))
    with step("building dom0's image"):
        (into / "vmlinux").write_bytes(vmlinux.extract(_the_one(root / "boot", "vmlinuz-*")))
        (into / "initramfs").write_bytes(_initramfs(root, into))
        for name in _GUEST_MODULES:
            shutil.copy(_the_one(root / "lib/modules", f"**/{name}.ko"), into)
    shutil.rmtree(root)
    shutil.rmtree(into / "packages")


def _the_one(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise LabError(f"expected one {pattern} in the packages, found {len(found)}")
    return found[0]


def _initramfs(root: Path, work: Path) -> bytes:
    archive = Archive()
    for name in ("bin", "sbin", "lib", "lib64"):
        archive.directory(f"usr/{name}")
        archive.link(name, f"usr/{name}")
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "var/log", "var/lib/xen", "var/lib/xenstored"):
        archive.directory(name)
    archive.link("var/run", "/run")
    archive.link("var/lock", "/run/lock")
    archive.link("etc/mtab", "/proc/mounts")
    archive.character_device("dev/console", 5, 1)
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    archive.file("etc/xen/xl.conf", b'autoballoon="off"\n')

    _add_programs(archive, root)
    _add_modules(archive, root)
    for script in sorted((root / "etc/xen/scripts").iterdir()):
        if script.name not in _OWN_SCRIPTS:
            archive.copy(f"etc/xen/scripts/{script.name}", script)
    for name in _OWN_SCRIPTS:
        archive.file(f"etc/xen/scripts/{name}", (_HERE / name).read_bytes(), executable=True)
    archive.file("init", (_HERE / "init").read_bytes(), executable=True)
    archive.file("usr/bin/lab-agent", (_HERE / "agent").read_bytes(), executable=True)
    archive.file("usr/bin/lab-backends", (_HERE / "backends").read_bytes(), executable=True)
    archive.copy("usr/bin/lab-watch", _compile("watch", _STATIC_XEN_LIBRARIES, work))
    archive.copy("usr/bin/lab-frames", _compile("frames", (), work))
    return archive.bytes()


def _add_programs(archive: Archive, root: Path) -> None:
    taken = {"usr/sbin/xl"}
    archive.link("usr/sbin/xl", f"/{_XEN}/xl")
    wanted = []
    for name in _PROGRAMS:
        target = name if name.startswith("usr/") else f"usr/{name}"
        archive.copy(target, _found(root, name))
        taken.add(target)
        wanted += Elf(_found(root, name)).needed()

    busybox = _found(root, "bin/busybox")
    archive.copy("usr/bin/busybox", busybox)
    applets = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox" and f"usr/bin/{applet}" not in taken:
            archive.link(f"usr/bin/{applet}", "busybox")

    libraries = [root / "lib/x86_64-linux-gnu", root / "usr/lib/x86_64-linux-gnu"]
    loader = "ld-linux-x86-64.so.2"
    archive.link(f"usr/lib64/{loader}", f"/usr/lib/x86_64-linux-gnu/{loader}")
    done: set[str] = set()
    wanted += [*_EXTRA_LIBRARIES, loader]
    while wanted:
        name = wanted.pop()
        if name in done:
            continue
        done.add(name)
        source = next((d / name for d in libraries if (d / name).exists()), None)
        if source is None:
            raise LabError(f"no package of the lab holds the library {name}", "report this as a bug.")
        archive.file(f"usr/lib/x86_64-linux-gnu/{name}", source.read_bytes(), executable=True)
        wanted += Elf(source).needed()


def _found(root: Path, name: str) -> Path:
    path = root / name
    if not path.exists():
        raise LabError(f"no package of the lab holds /{name}", "report this as a bug.")
    return path


def _add_modules(archive: Archive, root: Path) -> None:
    """The modules in the order in which they can be loaded one by one."""
    by_name = {path.stem.replace("-", "_"): path for path in (root / "lib/modules").rglob("*.ko")}
    loaded: list[str] = []

    def add(name: str, order: list[str]) -> None:
        name = name.replace("-", "_")
        if name in loaded or name not in by_name:
            return
        data = by_name[name].read_bytes()
        found = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in (found.group(1).decode() if found else "").split(","):
            if other:
                add(other, order)
        loaded.append(name)
        archive.file(f"usr/lib/modules/{name}.ko", data)
        order.append(f"/usr/lib/modules/{name}.ko {_MODULE_OPTIONS.get(name, '')}".rstrip())

    for list_name, modules in (("control", _CONTROL_MODULES), ("backends", _BACKEND_MODULES)):
        order: list[str] = []
        for module in modules:
            add(module, order)
        archive.file(f"etc/lab/modules.{list_name}", "".join(f"{m}\n" for m in order).encode())


def _compile(name: str, libraries: Iterable[str], work: Path) -> Path:
    program = work / f"lab-{name}"
    command = ["gcc", "-O2", "-static", "-s", "-o", str(program), str(_HERE / f"{name}.c")]
    command += [f"-l{library}" for library in libraries]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise LabError("gcc is not installed", "run `tools/halvm setup`.") from error
    if done.returncode != 0:
        last = "\n".join("    " + line for line in done.stderr.splitlines()[-4:])
        raise LabError(
            f"could not compile the lab's helper {name} for dom0:\n{last}",
            "run `tools/halvm setup`: the package libxen-dev may be missing.",
        )
    return program
