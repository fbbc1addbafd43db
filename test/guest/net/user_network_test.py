# SPDX-License-Identifier: BSD-3-Clause
"""`halvm run --nic user --forward` in the lab: an address from QEMU's DHCP server, and datagrams from this machine.

user_network_test.py PROGRAM
"""

import socket
import subprocess
import sys
from pathlib import Path

HALVM = Path(__file__).resolve().parent.parent.parent.parent / "tools/halvm"


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def echoed(client: socket.socket, data: bytes) -> bytes:
    """Sent again until an answer comes: datagrams may be lost."""
    while True:
        client.send(data)
        try:
            return client.recv(65536)
        except TimeoutError:
            pass


def main() -> None:
    port = free_port()
    command = [str(HALVM), "run", sys.argv[1], "--memory", "16", "--nic", "user", "--forward", f"{port}:7/udp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        said = ""
        while not said.endswith("ready\n"):
            line = run.stdout.readline()
            if not line:
                sys.exit(f"it ended early, with {run.wait()}:\n{said}")
            said += line
        if said != "Assigned IP: 10.0.2.15, 1 name server\nping 10.0.2.2: answered\nready\n":
            sys.exit(f"it said:\n{said}")
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect(("127.0.0.1", port))
            for size in (1, 100, 1400):
                data = bytes(at & 0xFF for at in range(size))
                while (got := echoed(client, data)) != data:
                    if len(got) >= size:
                        sys.exit(f"{size} bytes came back as {got!r}")
            # Its answer may be lost with the machine.
            while run.poll() is None:
                client.send(b"end")
                try:
                    run.wait(2)
                except subprocess.TimeoutExpired:
                    pass
        if run.returncode != 7:
            sys.exit(f"it ended with {run.returncode}, not with its own status")


if __name__ == "__main__":
    main()
