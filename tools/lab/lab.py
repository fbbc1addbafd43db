# SPDX-License-Identifier: BSD-3-Clause
"""The full lab: one QEMU with Xen and a Linux dom0, in which many guests can run.

    with Lab() as lab:
        run = run_domain(lab, Guest("hello", Path("hello")))

Everything is in this process and its one child: leaving the `with`, or dying,
ends the machine.
"""

from __future__ import annotations

import queue
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import boot_lines, cache, dom0_image, hypervisor
from .drives import Drives
from .errors import LabError
from .lane import Lane, LineLost
from .network import Forward, forwarded
from .qemu import Qemu

_XEN_PANIC = re.compile(r"\(XEN\) Panic on CPU \d+:\n\(XEN\) (.*)")
_LINUX_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")


@dataclass
class Settings:
    cpu: str = "default"
    guest_memory_mb: int = 2048  # for all guests together
    dom0_memory_mb: int = boot_lines.DOM0_MEMORY_MB
    lanes: int = 4
    boot_timeout: float = 120.0
    forwards: tuple[Forward, ...] = ()
    log: Path | None = None  # everything that came out of the machine's console


class Lab:
    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._cleanup = ExitStack()
        self._console = ""
        self._console_grew = threading.Condition()
        self._lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._all_lanes: list[Lane] = []
        self._next_guest = 0
        self._names = threading.Lock()
        self._memory_left = self.settings.guest_memory_mb
        self._memory_freed = threading.Condition()

    def __enter__(self) -> Lab:
        try:
            self._boot()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def _boot(self) -> None:
        settings = self.settings
        xen, dom0 = hypervisor.xen(), dom0_image.dom0()
        directory = self._cleanup.enter_context(cache.scratch())
        # QEMU splits -initrd at spaces and commas, so the files get plain names.
        for name, source in (("vmlinux", dom0.kernel), ("initramfs", dom0.initramfs)):
            try:
                (directory / name).hardlink_to(source)
            except OSError:
                shutil.copyfile(source, directory / name)
        arguments = [
            *boot_lines.qemu_machine(
                settings.cpu,
                boot_lines.XEN_MEMORY_MB + settings.dom0_memory_mb + settings.guest_memory_mb,
                icount=False,
            ),
            *("-kernel", str(xen)),
            *("-append", boot_lines.xen_for_lab(settings.dom0_memory_mb)),
            *("-initrd", f"vmlinux {boot_lines.dom0_linux()},initramfs"),
            *boot_lines.user_network(),
            *("-device", f"virtio-serial-pci,max_ports={settings.lanes + 1}"),
        ]
        far_ends = []
        for number in range(1, settings.lanes + 1):
            near, far = socket.socketpair()
            self._all_lanes.append(Lane(near))
            self._cleanup.callback(near.close)
            far_ends.append(far)
            arguments += ["-chardev", f"socket,id=lane{number},fd={far.fileno()}"]
            arguments += ["-device", f"virtserialport,chardev=lane{number},nr={number}"]
        keep = [far.fileno() for far in far_ends]
        self._qemu = self._cleanup.enter_context(Qemu(arguments, keep_fds=keep, cwd=directory))
        self.drives = Drives(self._qemu)
        for forward in settings.forwards:
            self._cleanup.enter_context(self.forwarded(forward))
        for far in far_ends:
            far.close()
        reader = threading.Thread(target=self._read_console, daemon=True)
        self._stopping = False
        self._cleanup.callback(self._stop, reader)
        reader.start()
        self._wait_for_dom0(time.monotonic() + settings.boot_timeout)

    def _stop(self, reader: threading.Thread) -> None:
        self._stopping = True
        reader.join()

    def _read_console(self) -> None:
        log = open(self.settings.log, "w") if self.settings.log else None
        while not self._stopping:
            data = self._qemu.read(0.2)
            if data is None:
                break
            text = data.decode(errors="replace").replace("\r", "")
            with self._console_grew:
                self._console += text
                self._console_grew.notify_all()
            if log:
                log.write(text)
                log.flush()
        if log:
            log.close()

    def _wait_for_dom0(self, deadline: float) -> None:
        """Every lane answers once its agent runs."""
        for lane in self._all_lanes:
            lane.send(b"run 4 0\ntrue")
        for lane in self._all_lanes:
            while lane.line() is None:
                self._check_boot(deadline)
                try:
                    lane.fill(0.2)
                except LineLost:
                    complaint = self._qemu.complaint()
                    raise LabError(f"QEMU ended while it booted ({complaint})", _cure(complaint)) from None
            self._lanes.put(lane)

    def _check_boot(self, deadline: float) -> None:
        for pattern, who in ((_XEN_PANIC, "Xen"), (_LINUX_PANIC, "dom0's kernel")):
            if found := pattern.search(self._console):
                raise LabError(f"{who} panicked while it booted: {found.group(1)}", self._advice())
        if time.monotonic() > deadline:
            raise LabError(
                f"dom0 did not come up within {self.settings.boot_timeout:.0f} s", self._advice()
            )

    def _advice(self) -> str:
        last = "\n".join("    " + line for line in self._console.splitlines()[-8:])
        return f"the last lines of the machine's console were:\n{last}"

    @property
    def console(self) -> str:
        """What Xen and dom0 have printed so far."""
        return self._console

    def wait_console(self, pattern: str, begin: int, timeout: float) -> bool:
        """Wait until the pattern is in the console's text from begin on."""
        with self._console_grew:
            return self._console_grew.wait_for(
                lambda: re.search(pattern, self._console[begin:]) is not None, timeout
            )

    def sound(self) -> bool:
        """Whether it can take more guests: a lost line leaves a guest that nobody can destroy."""
        return self._qemu.running() and not any(lane.broken for lane in self._all_lanes)

    def explain_loss(self) -> LabError:
        """What to tell the user when a lane was lost."""
        return LabError(
            f"the lab's QEMU ended unexpectedly ({self._qemu.complaint()})", self._advice()
        )

    def forwarded(self, what: Forward) -> AbstractContextManager[None]:
        """A port of this machine leads to who has the first lease of QEMU's network, until the `with` ends."""
        return forwarded(self._qemu, what)

    @contextmanager
    def lane(self) -> Iterator[Lane]:
        """A control line for the caller's own use; waits until one is free."""
        lane = self._lanes.get()
        try:
            yield lane
        except LineLost:
            raise self.explain_loss() from None
        finally:
            if not lane.broken:
                self._lanes.put(lane)

    @contextmanager
    def memory(self, megabytes: int) -> Iterator[None]:
        """A share of the guests' memory; waits until other guests have given back enough."""
        if megabytes > self.settings.guest_memory_mb:
            raise LabError(
                f"a guest of {megabytes} MB is too large for this lab "
                f"(it has {self.settings.guest_memory_mb} MB for guests)",
                "give the guest less memory.",
            )
        with self._memory_freed:
            self._memory_freed.wait_for(lambda: self._memory_left >= megabytes)
            self._memory_left -= megabytes
        try:
            yield
        finally:
            with self._memory_freed:
                self._memory_left += megabytes
                self._memory_freed.notify_all()

    def unique_name(self, name: str) -> str:
        """A domain name that no other guest of this lab has had."""
        with self._names:
            self._next_guest += 1
            plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:48] or "guest"
            return plain if self._next_guest == 1 else f"{plain}.{self._next_guest}"


def _cure(complaint: str) -> str:
    """What to do about what QEMU said."""
    if "allocate memory" in complaint:
        return "this machine has not that much memory: give the guest less with --memory."
    if "CPU model" in complaint:
        return "--cpu takes default, plain, max, or a name that `qemu-system-x86_64 -cpu help` lists."
    return "run `tools/halvm doctor`; with too little free memory the kernel may have killed it."
