# SPDX-License-Identifier: BSD-3-Clause
"""The one-second boot: the guest runs as Xen's first and only domain.

No toolstack, no xenconsoled, no XenStore: the guest's output comes out of
Xen's serial line. Its exit status comes as the line `halvm[WORD]: status N`,
where WORD is random and given on the guest's command line; the guest's core
takes it out before the program can see it, so output cannot forge a status.
"""

from __future__ import annotations

import codecs
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import boot_lines, cache, crash, elf, hypervisor
from .domain import with_time
from .domain_run import DomainRun
from .errors import LabError
from .guest_memory import Paged
from .qemu import Qemu

# Below this Xen's builder cannot map the first 4 MiB for a PV guest.
LEAST_MEMORY_MB = 4

_GUEST_STARTS = re.compile(r"^\(XEN\) Freed \d+kB init memory.*\n", re.M)
_GUEST_ENDS = re.compile(r"\(XEN\) Hardware Dom0 (halted|crashed|shutdown|watchdog|suspend)")
_XEN_FAILS = re.compile(r"\(XEN\) Panic on CPU 0:\r?\n\(XEN\) (.*)")
_XEN_LINE = re.compile(r"\(XEN\) [^\n]*\n?")
_WORD_FOR_END = {"halted": "poweroff", "shutdown": "reboot", "crashed": "crash"}


@dataclass
class Options:
    command_line: str = ""
    memory_mb: int = 32
    ramdisk: Path | None = None
    cpu: str = "default"
    icount: bool = False
    timeout: float = 60.0
    stop_at: str = ""  # a pattern in the program's output after which nothing more is wanted
    input: str = ""  # typed at the guest's console
    input_after: str = ""  # when this pattern has come out; else as soon as the guest starts
    nmi_after: str = ""  # a non-maskable interrupt is raised when this pattern has come out


class _Output:
    """Splits the serial line into Xen's messages and the program's output as it arrives."""

    def __init__(self, token: str, on_output: Callable[[str], None] | None) -> None:
        self._status = re.compile(rf"^halvm\[{token}\]: status (-?\d+|panic)\n", re.M)
        self._status_begins = f"halvm[{token}]"
        self._on_output = on_output
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._raw = ""
        self._shown = 0
        self.started = False
        self.console = ""

    def add(self, data: bytes) -> None:
        self._raw += self._decoder.decode(data).replace("\r", "")
        start = _GUEST_STARTS.search(self._raw)
        if start is None:
            return
        self.started = True
        guest = self._raw[start.end() :]
        guest = guest[: len(guest) - self._held_back(guest)]
        self.console = self._status.sub("", _XEN_LINE.sub("", guest))
        if self._on_output and len(self.console) > self._shown:
            self._on_output(self.console[self._shown :])
            self._shown = len(self.console)

    def _held_back(self, text: str) -> int:
        """How much of the end may be the beginning of what is not the program's output."""
        tail = text[text.rfind("\n") + 1 :]
        if tail and (self._status_begins.startswith(tail) or tail.startswith(self._status_begins)):
            return len(tail)
        at = tail.find("(XEN)")
        if at >= 0:
            return len(tail) - at
        return next((n for n in range(5, 0, -1) if tail.endswith("(XEN) "[:n])), 0)

    def finish(self) -> None:
        """Nothing more will come: give out the tail that add() held back."""
        self.add(b"\n")
        if self.console.endswith("\n"):
            self.console = self.console[:-1]

    def status(self) -> str | None:
        found = self._status.search(self._raw)
        return found.group(1) if found else None

    def end(self) -> str | None:
        found = _GUEST_ENDS.search(self._raw)
        return _WORD_FOR_END.get(found.group(1), found.group(1)) if found else None

    def xen_failure(self) -> str | None:
        found = _XEN_FAILS.search(self._raw)
        return found.group(1) if found and not self.started else None

    def xen_lines(self) -> str:
        return "".join(_XEN_LINE.findall(self._raw))


def run(
    kernel: Path, options: Options, on_output: Callable[[str], None] | None = None
) -> DomainRun:
    """Boot Xen with the kernel as dom0 and return when it ended, or at the timeout."""
    elf.require_xen_kernel(kernel)
    if options.memory_mb < LEAST_MEMORY_MB:
        raise LabError(
            f"{options.memory_mb} MB is too little memory for a PV guest",
            f"give it at least {LEAST_MEMORY_MB} MB: Xen itself maps the first 4 MiB.",
        )
    token = secrets.token_hex(8)
    with cache.scratch() as directory:
        # QEMU splits -initrd at spaces and commas, so the file gets a plain name.
        shutil.copyfile(kernel, directory / "guest")
        if options.ramdisk:
            shutil.copyfile(options.ramdisk, directory / "ramdisk")
        behind = f",{directory}/ramdisk" if options.ramdisk else ""
        guest_line = f"halvm.token={token} {options.command_line}".strip().replace(",", ",,")
        arguments = [
            *boot_lines.qemu_machine(
                options.cpu, options.memory_mb + boot_lines.XEN_MEMORY_MB, options.icount
            ),
            *("-kernel", str(hypervisor.xen())),
            *("-append", boot_lines.xen_for_guest_as_dom0(options.memory_mb)),
            *("-initrd", f"{directory}/guest {guest_line}{behind}"),
        ]
        with Qemu(arguments) as machine:
            result = _watch(machine, options, _Output(token, on_output))
            found = crash.parse(result.xen, 0) if result.end == "crash" else None
            if found:
                memory = Paged(machine.memory, found.registers.get("cr3", 0))
                result.rip, result.rsp = found.rip, found.rsp
                crash.look_into(result, memory.read, kernel)
            return result


def _watch(machine: Qemu, options: Options, output: _Output) -> DomainRun:
    begin = time.monotonic()
    deadline = begin + options.timeout
    to_type, interrupt_after = options.input, options.nmi_after
    result = DomainRun()
    while True:
        data = machine.read(min(0.5, max(0.0, deadline - time.monotonic())))
        if data is None:
            # The guest asked for a reboot and QEMU, told not to, ended.
            if output.end() is None and (machine.failed() or not output.started):
                raise LabError(
                    f"QEMU ended unexpectedly ({machine.complaint()})",
                    "run `tools/halvm doctor`; with too little free memory the kernel may have killed it.",
                )
            result.end = output.end() or "reboot"
            break
        output.add(data)
        if to_type and output.started and _seen(options.input_after, output.console):
            machine.write(with_time(to_type, time.time()))
            to_type = ""
        if interrupt_after and _seen(interrupt_after, output.console):
            machine.interrupt()
            interrupt_after = ""
        if output.end():
            result.end = output.end() or ""
            break
        if output.xen_failure():
            raise LabError(
                f"Xen refused to start the guest: {output.xen_failure()}\n"
                + _tail(output.xen_lines()),
                "try more memory; a kernel must carry Xen's ELF notes and fit into what it is given.",
            )
        if options.stop_at and _seen(options.stop_at, output.console):
            result.end = "stopped"
            break
        if time.monotonic() >= deadline:
            result.end = "timeout"
            break
    # What Xen says right after the guest's end belongs to it.
    if data is not None:
        output.add(machine.read(0.05) or b"")
    output.finish()
    status = output.status()
    result.panicked = status == "panic"
    result.status = int(status) if status not in (None, "panic") else None
    result.console = output.console
    result.xen = output.xen_lines()
    result.seconds = time.monotonic() - begin
    return result


def _seen(pattern: str, text: str) -> bool:
    return not pattern or re.search(pattern, text, re.M) is not None


def _tail(text: str) -> str:
    return os.linesep.join("    " + line for line in text.splitlines()[-8:])
