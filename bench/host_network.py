# SPDX-License-Identifier: BSD-3-Clause
"""Servers on this machine and clients on Linux's sockets, both on one core: a server over a TAP device, and the
kernel's own in another network namespace at the end of a veth pair, with the offloads of that or without.

    host_network.enter(build)                       # runs the bench again in namespaces; there it returns
    with host_network.Tap() as tap:
        with host_network.Server([SERVER, f"ip={tap.server}/24"], tap) as server:
            host_network.run([CLIENT, tap.server])

All are pinned because two processes that wake each other on two cores measure how long cores sleep.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from halvm_cli import tree
from lab.errors import LabError

sys.path.insert(0, str(tree.ROOT / "test" / "support"))
import linux_network  # noqa: E402

CORE = max(os.sched_getaffinity(0))


def enter(build: Callable[[], None], *needs: str) -> None:
    """Builds outside, and returns inside."""
    if linux_network.is_inside():
        return
    if reason := linux_network.missing("ip", *needs):
        raise LabError(f"this bench cannot run here: {reason}")
    build()
    sys.exit(linux_network.again_inside())


def _pinned() -> None:
    os.sched_setaffinity(0, {CORE})


class Tap:
    """A TAP device; the kernel at this end, a server over it at the other."""

    def __init__(self, subnet: int = 1) -> None:
        self.name = f"bench{subnet}"
        self.server = f"10.9.{subnet}.2"
        self.enter: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        self._address = f"10.9.{subnet}.1/24"

    def __enter__(self) -> Tap:
        self._ends = ExitStack()
        nic = self._ends.enter_context(linux_network.tap(self._address, self.name))
        self.environment = {"HALVM_NICS": nic.entry}
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


class Kernel:
    """Another network namespace at the end of a veth pair."""

    def __init__(self, subnet: int, offloads: bool = True) -> None:
        self.server = f"10.9.{subnet}.2"
        self.environment: dict[str, str] = {}
        self._subnet, self._offloads = subnet, offloads

    def __enter__(self) -> Kernel:
        name = f"bench{self._subnet}"
        self._machine = linux_network.Machine(None, f"{self.server}/24", name)
        self.enter = self._machine.enter
        linux_network.ip("address", "add", f"10.9.{self._subnet}.1/24", "dev", name)
        if not self._offloads:
            without_offloads(name)
            self._machine.run(sys.executable, "-B", __file__, self._machine.nic.interface)
        return self

    def __exit__(self, *_: object) -> None:
        self._machine.__exit__()


def without_offloads(interface: str) -> None:
    """As `ethtool -K INTERFACE gro off gso off tso off tx off rx off` does. [linux/ethtool.h]"""
    siocethtool = 0x8946
    srxcsum, stxcsum, stso, sgso, sgro = 0x15, 0x17, 0x1F, 0x24, 0x2C
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in (sgro, stso, sgso, stxcsum, srxcsum):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(any_socket, siocethtool, request)


class Server:
    """A process that says a line, with `says` in it, once it serves; it is killed at the end, and known then is the
    processor time that it has used since that line."""

    def __init__(self, command: Sequence[str | Path], at: Tap | Kernel, says: str = "") -> None:
        self._says = says
        self.process = subprocess.Popen(
            [*at.enter, *command],
            env={**os.environ, **at.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_pinned,
        )
        self.cpu_ns = 0

    def __enter__(self) -> Server:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self._says in line:
                self.said = line.strip()
                self._begun_ns = self._processor_time()
                return self
        raise LabError("a server ended before it served")

    def _processor_time(self) -> int:
        # What clock_getcpuclockid(3) makes of a process's number.
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)

    def __exit__(self, *_: object) -> None:
        self.cpu_ns = self._processor_time() - self._begun_ns
        self.process.kill()
        self.process.communicate()


def run(command: Sequence[str | Path]) -> str:
    """What a client says, on the same core."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=_pinned).stdout


if __name__ == "__main__":
    without_offloads(sys.argv[1])
