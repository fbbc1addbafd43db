# SPDX-License-Identifier: BSD-3-Clause
"""Lets `halvm console` join a guest that another `halvm run` has in its lab.

Each run listens on a socket called NAME.PID; whoever connects gets the output
from then on, and what they send is typed at the guest.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from lab import cache
from lab.errors import LabError


def _directory() -> Path:
    path = cache.directory() / "consoles"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _address(folder: int, name: str) -> str:
    # A socket's path must be short; this one is, wherever the cache is.
    return f"/proc/self/fd/{folder}/{name}"


class Listener:
    def __init__(self, guest: str) -> None:
        self._name = f"{guest}.{os.getpid()}"
        self._clients: list[socket.socket] = []
        self._folder = os.open(_directory(), os.O_DIRECTORY)
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Listener:
        running()  # Removes what killed runs left.
        (_directory() / self._name).unlink(missing_ok=True)
        self._socket.bind(_address(self._folder, self._name))
        self._socket.listen(4)
        return self

    def __exit__(self, *_: object) -> None:
        (_directory() / self._name).unlink(missing_ok=True)
        for end in (self._socket, *self._clients):
            end.close()
        os.close(self._folder)

    def sources(self) -> list[socket.socket]:
        return [self._socket, *self._clients]

    def take(self, ready: list) -> bytes:
        """Let new clients in, and return what those that are ready have typed."""
        typed = b""
        if self._socket in ready:
            self._clients.append(self._socket.accept()[0])
        for client in [client for client in self._clients if client in ready]:
            try:
                data = client.recv(4096)
            except OSError:
                data = b""
            if not data:
                self._drop(client)
            typed += data
        return typed

    def give(self, output: str) -> None:
        for client in list(self._clients):
            try:
                client.send(output.encode(), socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass  # It reads too slowly: it misses output, the guest does not wait.
            except OSError:
                self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._clients.remove(client)
        client.close()


def running() -> list[str]:
    """The guests that can be joined, as NAME.PID."""
    found = []
    for path in _directory().iterdir():
        if Path(f"/proc/{path.name.rpartition('.')[2]}").exists():
            found.append(path.name)
        else:
            path.unlink(missing_ok=True)
    return sorted(found)


def join(name: str) -> socket.socket:
    folder = os.open(_directory(), os.O_DIRECTORY)
    try:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(_address(folder, name))
        except OSError as error:
            client.close()
            # Its run was killed, and its process number is another's now.
            (_directory() / name).unlink(missing_ok=True)
            raise LabError(f"the guest {name} has ended", "start it again with `tools/halvm run`.") from error
        return client
    finally:
        os.close(folder)
