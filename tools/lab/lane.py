# SPDX-License-Identifier: BSD-3-Clause
"""A control line into dom0: a virtio serial port with dom0/agent at its other end.

One request at a time; several lines make several guests possible at once. The
protocol is described in dom0/agent. A line on which something timed out has
lost its place and is not used again.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass

from .errors import LabError


class LineLost(LabError):
    """QEMU closed the line: the whole machine is gone."""

    def __init__(self) -> None:
        super().__init__("the lab's machine went away")


@dataclass
class Answer:
    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return (self.out + self.err).strip()


class Lane:
    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._buffer = bytearray()
        self.broken = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            self.broken = True
            raise LineLost() from error

    def fill(self, timeout: float) -> bool:
        """Take in what has arrived, waiting for the first byte; False when none came."""
        readable, _, _ = select.select([self._socket], [], [], max(0.0, timeout))
        if not readable:
            return False
        try:
            data = self._socket.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self.broken = True
            raise LineLost()
        self._buffer += data
        return True

    def line(self) -> str | None:
        """The next whole line without its end, or None until it has arrived."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        text = self._buffer[:end].decode(errors="replace")
        del self._buffer[: end + 1]
        return text

    def unread_line(self, text: str) -> None:
        self._buffer[:0] = text.encode() + b"\n"

    def take(self, size: int) -> bytes | None:
        if len(self._buffer) < size:
            return None
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def run(self, command: str, data: bytes = b"", timeout: float = 120.0) -> Answer:
        """Run a shell command in dom0 with data as its standard input."""
        deadline = time.monotonic() + timeout
        text = command.encode()
        self.send(f"run {len(text)} {len(data)}\n".encode() + text + data)
        head = self._wait_line(deadline, command)
        status, out_size, err_size = (int(word) for word in head.split())
        out = self._wait_bytes(out_size, deadline, command).decode(errors="replace")
        err = self._wait_bytes(err_size, deadline, command).decode(errors="replace")
        return Answer(status, out, err)

    def live(self, command: str) -> None:
        """Run a command whose standard input and output are this line until it ends."""
        text = command.encode()
        self.send(f"live {len(text)}\n".encode() + text)

    def ask_memory(self, address: int, size: int) -> bytes:
        """A crashed guest's memory, from the dom0/watch.c that this line is given to."""
        deadline = time.monotonic() + 20
        self.send(f"r {address} {size}\n".encode())
        head = self._wait_line(deadline, "the guest's memory")
        return self._wait_bytes(int(head.split()[1]), deadline, "the guest's memory")

    def _wait_line(self, deadline: float, what: str) -> str:
        while (line := self.line()) is None:
            self._wait(deadline, what)
        return line

    def _wait_bytes(self, size: int, deadline: float, what: str) -> bytes:
        while (data := self.take(size)) is None:
            self._wait(deadline, what)
        return data

    def _wait(self, deadline: float, what: str) -> None:
        if not self.fill(deadline - time.monotonic()) and time.monotonic() >= deadline:
            self.broken = True
            raise LabError(f"dom0 did not answer in time to: {what.splitlines()[0][:80]}")
