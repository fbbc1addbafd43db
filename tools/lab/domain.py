# SPDX-License-Identifier: BSD-3-Clause
"""One guest in the lab, from `xl create` to `xl destroy`."""

from __future__ import annotations

import codecs
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import cache, crash, elf
from .domain_run import DomainRun
from .errors import LabError
from .lab import Lab
from .lane import Lane
from .network import Nic, xl_line

# [xen/sched.h: SHUTDOWN_*]
_REASONS = {0: "poweroff", 1: "reboot", 2: "suspend", 3: "crash", 4: "watchdog", 5: "soft_reset"}


@dataclass
class Disk:
    """A virtual disk of the guest, from a file on the host."""

    image: str
    device: str = "xvda"  # as xl names it
    writable: bool = True  # then it is a copy, so that the file stays as it is
    contents_to: str = ""  # where the copy is, when it is wanted afterwards; the file itself when it is to be changed
    sector_size: int = 512
    trusted: bool = True  # whether the guest is told that it may trust the back end [xen/io/blkif.h: trusted]

    @property
    def number(self) -> int:
        """By which the XenStore knows xvda to xvdp. [xen: docs/man/xen-vbd-interface.7]"""
        return 202 << 8 | (ord(self.device[3]) - ord("a")) << 4


@dataclass
class Guest:
    name: str
    kernel: Path
    config: str = ""  # xl configuration; what follows here overrides it
    memory_mb: int | None = None
    command_line: str | None = None
    ramdisk: Path | None = None
    xl_options: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()

    def overrides(self, kernel: str, name: str, ramdisk: str = "") -> list[str]:
        lines = [f'kernel="{kernel}"', f'name="{name}"']
        if ramdisk:
            lines.append(f'ramdisk="{ramdisk}"')
        if self.memory_mb is not None:
            lines.append(f"memory={self.memory_mb}")
            lines.append(f"maxmem={self.memory_mb}")
        if self.command_line is not None:
            quoted = self.command_line.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'extra="{quoted}"')
        return lines

    def megabytes(self) -> int:
        """What it will take of the machine's memory; xl's default is 128."""
        if self.memory_mb is not None:
            return self.memory_mb
        found = re.search(r"^\s*memory\s*=\s*(\d+)", self.config, re.M)
        return int(found.group(1)) if found else 128

    def wants_backends(self) -> bool:
        text = "\n".join([self.config, *self.xl_options])
        return bool(self.disks or self.nics) or re.search(r"^\s*(vif|disk)\s*=", text, re.M) is not None


class Domain:
    """A started guest. Use it in a `with`: leaving destroys the domain."""

    def __init__(self, lab: Lab, lane: Lane, guest: Guest) -> None:
        self._lab = lab
        self._lane = lane
        self._guest = guest
        self._name = lab.unique_name(guest.name)
        self._directory = f"/guests/{self._name}"
        self._resources = ExitStack()  # its disks
        self.drives: dict[str, str] = {}  # what lab.drives calls the disks, by their devices
        self._console_begin = len(lab.console)
        self._begin = time.monotonic()
        self._watching = False
        self._ahead = 0.0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.result = DomainRun()
        self.over = False

    def __enter__(self) -> Domain:
        try:
            self._create()
        except BaseException:
            self._remove()
            self._resources.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._lane.broken:
            self._finish_watching()
        if not self._lane.broken:
            self._remove()
        self._resources.close()

    def fileno(self) -> int:
        """Readable when there may be an event."""
        return self._lane.fileno()

    def _create(self) -> None:
        elf.require_xen_kernel(self._guest.kernel)
        run = self._lane.run
        kernel = f"{self._directory}/kernel"
        run(f"mkdir -p {self._directory} && cat >{kernel}", self._guest.kernel.read_bytes())
        ramdisk = f"{self._directory}/ramdisk" if self._guest.ramdisk else ""
        if self._guest.ramdisk:
            run(f"cat >{ramdisk}", self._guest.ramdisk.read_bytes())
        run(f"cat >{self._directory}/cfg", self._guest.config.encode())
        words = self._guest.overrides(kernel, self._name, ramdisk) + list(self._guest.xl_options)
        if self._guest.disks:
            words.append(self._attach_disks())
        if self._guest.nics:
            words.append(xl_line(self._guest.nics))
        command = "xl create -p -e -q " + shlex.join([f"{self._directory}/cfg", *words])
        if self._guest.wants_backends():
            command = f"lab-backends && {command}"
        if self._guest.nics:
            run("pidof lab-frames >/dev/null || setsid lab-frames </dev/null >/dev/null 2>&1 &")
        created = run(f"{command} && xl domid {self._name} && bash -c 'echo $EPOCHREALTIME'")
        self.result.toolstack = created.err.strip()
        if created.status != 0:
            raise LabError(
                f"xl could not start the guest {self._guest.name}:\n"
                + "\n".join("    " + line for line in created.text.splitlines()[-12:]),
                _advice(created.text),
            )
        self.result.domain, dom0_clock = int(created.out.split()[-2]), float(created.out.split()[-1])
        self._ahead = dom0_clock - time.time()
        for disk in self._guest.disks:
            if not disk.trusted:  # Debian's xl has no word for it.
                run(f"xenstore-write /local/domain/{self.result.domain}/device/vbd/{disk.number}/trusted 0")
        log = f"/var/log/xen/console/guest-{self._name}.log"
        self._lane.live(f"exec lab-watch {self.result.domain} {log} --asked")
        self._watching = True

    def _attach_disks(self) -> str:
        """Makes the disks in dom0; the line of xl's configuration that gives them to the guest."""
        for disk in self._guest.disks:
            self.drives[disk.device] = self._plug(disk)
        targets = self._lab.drives.find(self._lane, [*self.drives.values()])
        given = [
            f"'format=raw,vdev={disk.device},access={'w' if disk.writable else 'r'},target={target}'"
            for disk, target in zip(self._guest.disks, targets, strict=True)
        ]
        return f"disk=[{', '.join(given)}]"

    def _plug(self, disk: Disk) -> str:
        file = Path(disk.image)
        if disk.writable and disk.contents_to != disk.image:
            file = Path(disk.contents_to or self._resources.enter_context(cache.scratch()) / disk.device)
            done = subprocess.run(["cp", "--sparse=always", disk.image, file], capture_output=True, text=True)
            if done.returncode != 0:
                raise LabError(f"cannot copy the disk {disk.image}: {done.stderr.strip()}", "check its path.")
        return self._resources.enter_context(self._lab.drives.drive(file, disk.sector_size, disk.writable))

    def poll(self, timeout: float) -> str:
        """Take in what happened and return the new console output; sets `over` at the end."""
        if not self._watching:
            self.over = True
            return ""
        output = ""
        self._lane.fill(timeout)
        while (line := self._lane.line()) is not None:
            word, *numbers = line.split()
            if word == "o":
                data = self._lane.take(int(numbers[0]))
                if data is None:
                    self._lane.unread_line(line)
                    break
                output += self._decoder.decode(data).replace("\r", "")
            elif word == "c":
                # A panic has said all there is to say.
                if "halvm: panic:" not in self.result.console:
                    self.result.rip, self.result.rsp = int(numbers[0]), int(numbers[1])
                    crash.look_into(self.result, self._lane.ask_memory, self._guest.kernel)
                self._lane.send(b"r 0 0\n")
            elif word == "f":
                self.result.first_output_cpu_ns = int(numbers[1])
            elif word == "e":
                self.result.end = _REASONS.get(int(numbers[0]), numbers[0])
                self.result.cpu_ns = int(numbers[1])
            elif word == "g":
                self.result.end = "destroyed"
            elif word == "x":
                self._watching = False
                self.over = True
                break
        self.result.console += output
        return output

    def wall_clock(self) -> float:
        """The seconds since 1970 by dom0's clock."""
        return time.time() + self._ahead

    def type(self, text: bytes) -> None:
        """Type at the guest's console."""
        if self._watching and text:
            self._lane.send(f"i {len(text)}\n".encode() + text)

    def interrupt(self) -> None:
        """Raise a non-maskable interrupt."""
        if self._watching:
            self._lane.send(b"n\n")

    def _finish_watching(self) -> None:
        deadline = time.monotonic() + 20
        if self._watching:
            self._lane.send(b"q\n")
        while self._watching and time.monotonic() < deadline:
            self.poll(1.0)
        if self._watching:
            self._lane.broken = True
            return
        self.result.seconds = time.monotonic() - self._begin
        self._read_status()
        if self.result.end == "crash" and "halvm: panic:" not in self.result.console:
            # Xen's dump comes by the serial line and may be behind.
            self._lab.wait_console(
                rf"Domain {self.result.domain} \(vcpu#\d+\) crashed[^$]*Guest stack trace[^\n]*\n",
                self._console_begin,
                1.0,
            )
        self.result.xen = "".join(
            line
            for line in self._lab.console[self._console_begin :].splitlines(keepends=True)
            if line.startswith("(XEN)")
        )

    def _read_status(self) -> None:
        node = f"/local/domain/{self.result.domain}/data/halvm/status"
        answer = self._lane.run(f"xenstore-read {node} 2>/dev/null")
        text = answer.out.strip()
        self.result.panicked = text == "panic"
        if re.fullmatch(r"-?\d+", text):
            self.result.status = int(text)

    def _remove(self) -> None:
        log = f"/var/log/xen/console/guest-{self._name}.log"
        self._lane.run(f"xl destroy {self._name} 2>/dev/null", timeout=60)
        self._lane.run(f"rm -rf {self._directory} {log}")


def _advice(xl_output: str) -> str:
    if re.search(r"not enough (free )?memory|failed to free memory|count_pgtables", xl_output, re.I):
        return "give the guest another amount with --memory: a PV guest needs at least 4 MB."
    if "kernel" in xl_output and "image" in xl_output:
        return "the kernel was not accepted by Xen's domain builder: is it the ELF file that the build made?"
    return "check the guest's xl configuration; the lines above are xl's own."


@dataclass
class Limits:
    """When a scripted run is over, and what is typed in it."""

    timeout: float = 60.0
    stop_at: str = ""
    input: str = ""
    input_after: str = ""
    nmi_after: str = ""  # a non-maskable interrupt is raised when this came out


def run_domain(
    lab: Lab,
    guest: Guest,
    limits: Limits | None = None,
    on_output: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DomainRun:
    """Run a guest to its end, the limits' pattern, or the timeout."""
    limits = limits or Limits()
    to_type, interrupt_after = limits.input, limits.nmi_after
    with lab.memory(guest.megabytes()), lab.lane() as lane, Domain(lab, lane, guest) as domain:
        deadline = time.monotonic() + limits.timeout
        while not domain.over:
            if to_type and _seen(limits.input_after, domain.result.console):
                domain.type(with_time(to_type, domain.wall_clock()))
                to_type = ""
            if interrupt_after and _seen(interrupt_after, domain.result.console):
                domain.interrupt()
                interrupt_after = ""
            output = domain.poll(min(0.5, max(0.0, deadline - time.monotonic())))
            if output and on_output:
                on_output(output)
            if limits.stop_at and _seen(limits.stop_at, domain.result.console):
                domain.result.end = "stopped"
                break
            if time.monotonic() >= deadline or cancelled():
                break
    return domain.result


def with_time(text: str, now: float) -> bytes:
    """What is typed for the text: @time@ in it stands for the wall clock."""
    return text.replace("@time@", f"{now:.3f}").encode()


def _seen(pattern: str, text: str) -> bool:
    return not pattern or re.search(pattern, text, re.M) is not None
