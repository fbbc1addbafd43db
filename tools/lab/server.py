# SPDX-License-Identifier: BSD-3-Clause
"""Keeps one lab up for many test programs, so that it boots once.

Started by the first client that needs it (server_client.py). It ends itself
when nobody has asked for anything for a while, and at once when every process
that it was started for is gone: an interrupted test run leaves nothing behind.

A client connects, sends one JSON line that describes guest and limits, and
gets one JSON line back; hanging up destroys the guest.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from . import progress
from .domain import Disk, Guest, Limits, run_domain
from .errors import LabError
from .lab import Lab, Settings
from .network import Nic

_MOST_SECONDS = 3600
_FORGOTTEN_SECONDS = 24 * 3600


class Server:
    def __init__(self, lab: Lab, idle_seconds: float) -> None:
        self._lab = lab
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._active = 0
        self._last = time.monotonic()
        self._owners: set[int] = set()
        self._failed = threading.Event()

    def serve(self, listener: socket.socket) -> None:
        end = time.monotonic() + _MOST_SECONDS
        while time.monotonic() < end and not self._failed.is_set() and not self._unwanted():
            readable, _, _ = select.select([listener], [], [], 0.5)
            if readable:
                client, _ = listener.accept()
                with self._lock:
                    self._active += 1
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()
        # Answers that are on their way may still go out.
        patience = time.monotonic() + 3
        while self._active and time.monotonic() < patience:
            time.sleep(0.05)

    def _unwanted(self) -> bool:
        with self._lock:
            if self._active:
                return False
            quiet = time.monotonic() - self._last
            self._owners = {pid for pid in self._owners if Path(f"/proc/{pid}").exists()}
            return quiet > self._idle_seconds or (quiet > 2 and not self._owners)

    def _answer(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rw", encoding="utf-8") as stream:
                request = json.loads(stream.readline() or "{}")
                if request.get("stop"):
                    self._failed.set()
                elif request:
                    stream.write(self._run(request, client) + "\n")
                    stream.flush()
        except (OSError, ValueError):
            pass  # The client hung up, or was never one of ours.
        finally:
            with self._lock:
                self._active -= 1
                self._last = time.monotonic()

    def _run(self, request: dict, client: socket.socket) -> str:
        """Run the guest and return the answer's line."""
        with self._lock:
            self._owners.add(request["owner"])
        guest = request["guest"]
        guest["kernel"] = Path(guest["kernel"])
        guest["ramdisk"] = Path(guest["ramdisk"]) if guest.get("ramdisk") else None
        guest["disks"] = tuple(Disk(**disk) for disk in guest.get("disks", ()))
        guest["nics"] = tuple(Nic(**nic) for nic in guest.get("nics", ()))
        try:
            run = run_domain(
                self._lab,
                Guest(**guest),
                Limits(**request["limits"]),
                cancelled=lambda: _hung_up(client),
            )
            return run.to_json()
        except LabError as error:
            return json.dumps({"error": error.args[0], "hint": error.hint})
        finally:
            # The next client then starts another lab.
            if not self._lab.sound():
                self._failed.set()


def _hung_up(client: socket.socket) -> bool:
    readable, _, _ = select.select([client], [], [], 0)
    return bool(readable) and client.recv(1, socket.MSG_PEEK) == b""


def _refuse_everybody(listener: socket.socket, error: LabError) -> None:
    """Tell the clients that already wait why there will be no lab."""
    listener.settimeout(1)
    try:
        while True:
            client, _ = listener.accept()
            with client:
                client.sendall(json.dumps({"error": error.args[0], "hint": error.hint}).encode() + b"\n")
    except OSError:
        pass


def _sweep(directory: Path) -> None:
    """Remove what servers of other versions of these tools left more than a day ago."""
    for path in directory.iterdir():
        if time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS:
            path.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab-server", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--cpu", default="default")
    parser.add_argument("--memory", type=int, default=2048)
    parser.add_argument("--idle", type=float, default=60)
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    progress.be_quiet()

    lock = open(wanted.directory / f"{wanted.name}.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # Another server was faster; the client will find it.
    _sweep(wanted.directory)
    # A socket's path must be short; this one is, wherever the directory is.
    folder = os.open(wanted.directory, os.O_DIRECTORY)
    path = f"/proc/self/fd/{folder}/{wanted.name}.socket"
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    try:
        settings = Settings(
            cpu=wanted.cpu,
            guest_memory_mb=wanted.memory,
            log=wanted.directory / f"{wanted.name}.console",
        )
        with Lab(settings) as lab:
            Server(lab, wanted.idle).serve(listener)
    except LabError as error:
        # Who comes from now on starts another.
        Path(path).unlink(missing_ok=True)
        _refuse_everybody(listener, error)
        return 1
    finally:
        Path(path).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
