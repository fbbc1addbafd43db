# SPDX-License-Identifier: BSD-3-Clause
"""Counts the CPU time of guests: the same figure on any machine, however busy.

QEMU runs with -icount, where one instruction is one virtual nanosecond, and
with nothing attached whose timing comes from the host. So the guests and a
script for dom0 go into the initramfs, and the results come out of the console.
A domain's CPU time is what was executed in it and in Xen on its behalf.

    for counted in count([Subject("hello", Path("hello"), memory_mb=16)]):
        print(counted.name, counted.first_line_ns)

Such a run takes half a minute or more: emulation is slower this way.
"""

from __future__ import annotations

import gzip
import re
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import boot_lines, cache, cpio, dom0_image, elf, hypervisor, network
from .errors import LabError
from .qemu import Qemu

_REASONS = {"0": "poweroff", "1": "reboot", "2": "suspend", "3": "crash", "4": "watchdog"}
_GUEST_MEMORY_MB = 1536
_LARGE = 16 << 20


@dataclass
class Subject:
    name: str
    kernel: Path
    memory_mb: int = 16
    command_line: str = ""
    config: str = ""  # more xl configuration
    ramdisk: bytes = b""
    seconds: float = 2.0  # virtual; a guest that has not ended by then is destroyed
    times: bool = False  # puts "t NANOSECONDS", its CPU time by then, into the console after each output
    disk_mib: int = 0  # of a disk xvda, in dom0's memory
    nic: str = ""  # the address of an interface on the isolated bridge, where lab-frames gives what is asked for
    idle_seconds: float = 0.0  # then its CPU time is read twice, this long apart


@dataclass
class Counted:
    name: str
    memory_mb: int
    first_line_ns: int = 0  # the domain's CPU time when its first output was seen
    delay_ns: int = 0  # from unpause to then, with dom0's own work in it
    total_ns: int = 0  # the domain's CPU time at its end, 0 when it did not end
    idle_ns: int = 0  # CPU time used during the idle seconds
    state: str = ""  # xl list's letters after the idle seconds
    end: str = ""
    console: str = ""
    errors: list[str] = field(default_factory=list)


def count(subjects: list[Subject], cpu: str = "default", timeout: float = 600.0) -> list[Counted]:
    """Run the subjects one after another in one counted boot."""
    archive = cpio.Archive()
    script = ["cd /etc/lab"]
    for index, subject in enumerate(subjects):
        elf.require_xen_kernel(subject.kernel)
        kernel = subject.kernel.read_bytes()
        # dom0's memory is small, and libxc unpacks what is compressed.
        archive.file(f"etc/lab/kernel.{index}", kernel if len(kernel) < _LARGE else gzip.compress(kernel, 6, mtime=0))
        archive.file(f"etc/lab/cfg.{index}", subject.config.encode())
        if subject.ramdisk:
            archive.file(f"etc/lab/ramdisk.{index}", subject.ramdisk)
        script += _commands(index, subject)
    archive.file("etc/lab/batch", "\n".join(script).encode())
    dom0 = dom0_image.dom0()
    dom0_memory_mb = boot_lines.DOM0_MEMORY_MB + 2 * max(subject.disk_mib for subject in subjects)
    with cache.scratch() as directory:
        # One archive behind the other; QEMU wants them in one file.
        (directory / "initramfs").write_bytes(dom0.initramfs.read_bytes() + archive.bytes())
        (directory / "vmlinux").symlink_to(dom0.kernel)
        arguments = [
            *boot_lines.qemu_machine(
                cpu,
                boot_lines.XEN_MEMORY_MB + dom0_memory_mb + _GUEST_MEMORY_MB,
                icount=True,
            ),
            *("-kernel", str(hypervisor.xen())),
            *("-append", boot_lines.xen_for_lab(dom0_memory_mb)),
            *("-initrd", f"vmlinux {boot_lines.dom0_linux()},initramfs"),
        ]
        with Qemu(arguments, cwd=directory) as machine:
            text = _console_until_done(machine, timeout)
    return [_counted(index, subject, text) for index, subject in enumerate(subjects)]


def _commands(index: int, subject: Subject) -> list[str]:
    """dom0's part for one subject; each result is a line that begins with its number."""
    name = f"subject{index}"
    log = f"/var/log/xen/console/guest-{name}.log"
    words = [
        f'kernel="/etc/lab/kernel.{index}"',
        f'name="{name}"',
        f"memory={subject.memory_mb}",
        f"maxmem={subject.memory_mb}",
        'extra="' + subject.command_line.replace("\\", "\\\\").replace('"', '\\"') + '"',
    ]
    if subject.ramdisk:
        words.append(f'ramdisk="/etc/lab/ramdisk.{index}"')
    lines = []
    if subject.disk_mib:
        # Of zeros, all there: nothing is allocated while somebody counts.
        lines += [
            "lab-backends",
            f"dd if=/dev/zero of=/run/disk bs=1M count={subject.disk_mib} 2>/dev/null",
            "losetup /dev/loop0 /run/disk",
        ]
        words.append('disk=["format=raw,vdev=xvda,access=w,target=/dev/loop0"]')
    if subject.nic:
        lines += ["lab-backends", "pidof lab-frames >/dev/null || setsid lab-frames source </dev/null >/dev/null 2>&1 &"]
        words.append(network.xl_line((network.Nic(network.ISOLATED, subject.nic),)))
    lines += [
        f"xl create -p -e -q cfg.{index} {shlex.join(words)} >xl.out 2>&1",
        f"sed 's/^/@{index} error /' xl.out",
        f"id=$(xl domid {name} 2>/dev/null)",
        # The pause is watch's standard input: it exits at its end.
        f"sleep {subject.seconds:g} | lab-watch $id {log}{' --times' if subject.times else ''} >out.{index} 2>&1",
        f"grep -a '^[sfe] ' out.{index} | sed 's/^/@{index} /'",
        f"grep -a '^watch: ' out.{index} | sed 's/^/@{index} error /'",
    ]
    if subject.idle_seconds:
        lines += [
            f"echo @{index} before $(lab-watch $id --cpu-time)",
            f"sleep {subject.idle_seconds:g}",
            f"echo @{index} after $(lab-watch $id --cpu-time)",
            f"xl list {name} | sed -n 's/^/@{index} list /;2p'",
        ]
    lines += [
        f"grep -av '^[sfokge] [0-9]' out.{index} | sed 's/^/@{index} log /'",
        f"xl destroy {name} 2>/dev/null",
    ]
    if subject.disk_mib:
        lines += ["losetup -d /dev/loop0", "rm /run/disk"]
    return lines


def _console_until_done(machine: Qemu, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    text = ""
    while "lab: batch done" not in text:
        data = machine.read(1.0)
        if data is None:
            raise LabError(f"QEMU ended unexpectedly ({machine.complaint()})", _last(text))
        text += data.decode(errors="replace").replace("\r", "")
        if "Kernel panic" in text or "Panic on CPU" in text:
            raise LabError("the counted machine panicked", _last(text))
        if time.monotonic() > deadline:
            raise LabError(f"counting was not done after {timeout:.0f} s", _last(text))
    return text


def _last(text: str) -> str:
    return "its console ended with:\n" + "\n".join("    " + line for line in text.splitlines()[-8:])


def _counted(index: int, subject: Subject, text: str) -> Counted:
    result = Counted(subject.name, subject.memory_mb)
    start = 0
    numbers: dict[str, int] = {}
    for line in re.findall(rf"^@{index} (.*)$", text, re.M):
        kind, _, rest = line.partition(" ")
        if kind == "s":
            start = int(rest)
        elif kind == "f":
            stamp, cpu_time = rest.split()
            result.delay_ns = int(stamp) - start
            result.first_line_ns = int(cpu_time)
        elif kind == "e":
            reason, cpu_time = rest.split()
            result.end = _REASONS.get(reason, reason)
            result.total_ns = int(cpu_time)
        elif kind in ("before", "after"):
            numbers[kind] = int(rest or 0)
        elif kind == "list":
            result.state = (rest.split() or [""])[-2]
        elif kind == "log":
            result.console += rest + "\n"
        elif kind == "error" and rest:
            result.errors.append(rest)
    if len(numbers) == 2:
        result.idle_ns = numbers["after"] - numbers["before"]
    return result
