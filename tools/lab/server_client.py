# SPDX-License-Identifier: BSD-3-Clause
"""Runs a guest in the shared lab, starting that lab when it is not up."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from . import cache
from .domain import Guest, Limits
from .domain_run import DomainRun
from .errors import LabError

_TOOLS = Path(__file__).resolve().parent.parent

# A cold start downloads some 90 MB and boots.
_PATIENCE = 600.0


def run_in_shared_lab(guest: Guest, limits: Limits, cpu: str = "default") -> DomainRun:
    request = {
        "owner": os.getppid(),
        "guest": {
            **asdict(guest),
            "kernel": str(guest.kernel.resolve()),
            "ramdisk": str(guest.ramdisk.resolve()) if guest.ramdisk else None,
        },
        "limits": asdict(limits),
    }
    directory, name = _place(cpu)
    for attempt in (1, 2):
        with _connect(directory, name, cpu) as connection:
            connection.settimeout(_PATIENCE + limits.timeout)
            with connection.makefile("rw", encoding="utf-8") as stream:
                try:
                    stream.write(json.dumps(request) + "\n")
                    stream.flush()
                    answer = stream.readline()
                except ConnectionError:
                    answer = ""
        # Nothing at all: the server ended just as the connection was made.
        if answer:
            break
    else:
        raise LabError(
            "the shared lab ended before it answered",
            f"what its machine printed last is in {directory}/{name}.console.",
        )
    found = json.loads(answer)
    if "error" in found:
        raise LabError(found["error"], found["hint"])
    return DomainRun.from_json(answer)


def stop_shared_labs() -> int:
    """Ask every shared lab of this user to end; returns how many there were."""
    directory = cache.directory() / "servers"
    count = 0
    for path in directory.glob("*.socket"):
        connection = _try_connect(directory, path.stem)
        if connection:
            with connection:
                connection.sendall(b'{"stop": true}\n')
                connection.settimeout(10)
                connection.recv(1)
            count += 1
    return count


def _place(cpu: str) -> tuple[Path, str]:
    """Directory and name of the lab for these tools; another version has another lab."""
    directory = cache.directory() / "servers"
    directory.mkdir(mode=0o700, exist_ok=True)
    sources = [p for p in sorted(Path(__file__).parent.rglob("*")) if p.suffix in (".py", ".c", "")]
    contents = [p.read_bytes() for p in sources if p.is_file()]
    return directory, "lab-" + cache.key_of(cpu, *contents)


def _try_connect(directory: Path, name: str) -> socket.socket | None:
    folder = os.open(directory, os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{name}.socket")
        return connection
    except OSError:
        connection.close()
        return None
    finally:
        os.close(folder)


def _connect(directory: Path, name: str, cpu: str) -> socket.socket:
    deadline = time.monotonic() + 20
    server = None
    while (connection := _try_connect(directory, name)) is None:
        # One that ended at once met another that was about to end: try again.
        if server is None or server.poll() is not None:
            server = _start(directory, name, cpu)
        if time.monotonic() > deadline:
            raise LabError("the shared lab did not start", f"see {directory}/{name}.errors.")
        time.sleep(0.2)
    return connection


def _start(directory: Path, name: str, cpu: str) -> subprocess.Popen[bytes]:
    """In a session of its own and without our output: ctest waits for whoever holds that."""
    with open(directory / f"{name}.errors", "w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.server"]
            + ["--directory", str(directory), "--name", name, "--cpu", cpu],
            cwd=_TOOLS,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
