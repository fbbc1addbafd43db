# SPDX-License-Identifier: BSD-3-Clause
"""A network for a process without root: namespaces of its own, and slirp4netns, which speaks to the world for it.

The program is the only station on the interface that slirp4netns makes:
10.0.2.2 is the router and the DHCP server, 10.0.2.3 the DNS server, and the
first lease is that of the lab, FIRST_LEASE, where forwarded ports lead.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lab.boot_lines import FIRST_LEASE
from lab.errors import LabError
from lab.network import Forward

INTERFACE = "halvm0"

# Runs in the namespaces: says that it is there, waits until the interface is too, sets it up, and becomes the program.
# The kernel is to be silent on the interface.
_ENTRY = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
arrived, go = int(sys.argv[1]), int(sys.argv[2])
try:
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as ipv6:
        ipv6.write("1")
except OSError:
    pass
os.write(arrived, b"x")
if os.read(go, 1) == b"x":
    with socket.socket() as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", sys.argv[3].encode(), IFF_UP))
    os.close(arrived)
    os.close(go)
    os.execv(sys.argv[4], sys.argv[4:])
"""


_NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--"]


def possible() -> bool:
    """Whether this machine gives its users such namespaces."""
    return subprocess.run([*_NAMESPACES, "true"], capture_output=True).returncode == 0


@contextmanager
def inside(
    command: Sequence[str], forwards: Sequence[Forward], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command there. When the body ends, so does the network; the command must have ended by then."""
    with ExitStack() as stack:
        there, arrived = _pipe(stack)
        go, release = _pipe(stack)
        entry = [sys.executable, "-c", _ENTRY, str(arrived.fileno()), str(go.fileno()), INTERFACE]
        process = subprocess.Popen(
            [*_NAMESPACES, *entry, *command], pass_fds=(arrived.fileno(), go.fileno()), **options
        )
        try:
            arrived.close()
            go.close()
            if there.read(1) != b"x":
                raise LabError(
                    "this machine gives its users no network namespaces",
                    "allow them (`sysctl -w kernel.unprivileged_userns_clone=1`), or use --tap.",
                )
            _attach(stack, process.pid, forwards)
            release.write(b"x")
            release.close()
            yield process
        except BaseException:
            process.kill()
            process.wait()
            raise


def _pipe(stack: ExitStack) -> tuple[Any, Any]:
    reader, writer = os.pipe()
    return (
        stack.enter_context(os.fdopen(reader, "rb", buffering=0)),
        stack.enter_context(os.fdopen(writer, "wb", buffering=0)),
    )


def _attach(stack: ExitStack, pid: int, forwards: Sequence[Forward]) -> None:
    """slirp4netns, until the stack ends."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="halvm-net-")))
    ready, tell_ready = _pipe(stack)
    # It ends when nobody holds the other end of this, however we end.
    ending, _held = _pipe(stack)
    log = stack.enter_context(open(folder / "log", "w+"))
    # The program reaches nothing of this machine's loopback. But answers to datagrams that came from there do not pass
    # slirp4netns either, unless it may.
    datagrams = any(forward.protocol == "udp" for forward in forwards)
    options = () if datagrams else ("--disable-host-loopback",)
    process = subprocess.Popen(
        [
            "slirp4netns",
            f"--ready-fd={tell_ready.fileno()}",
            f"--exit-fd={ending.fileno()}",
            f"--api-socket={folder / 'api'}",
            *options,
            str(pid),
            INTERFACE,
        ],
        pass_fds=(tell_ready.fileno(), ending.fileno()),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    stack.callback(_end, process)
    tell_ready.close()
    if not ready.read(1):
        log.seek(0)
        raise LabError("slirp4netns gave the program no network", log.read().strip())
    for forward in forwards:
        _ask(
            folder / "api",
            {
                "execute": "add_hostfwd",
                "arguments": {
                    "proto": forward.protocol,
                    "host_addr": "127.0.0.1",
                    "host_port": forward.here,
                    "guest_addr": FIRST_LEASE,
                    "guest_port": forward.there,
                },
            },
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _ask(api: Path, request: dict[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(api))
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(4096):
            answer += more
    if "error" in json.loads(answer):
        raise LabError(f"slirp4netns forwards no port: {answer.decode().strip()}", "choose another port.")
