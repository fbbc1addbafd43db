# SPDX-License-Identifier: BSD-3-Clause
"""examples/packet-counter as a process: on a TAP in a namespace of its own, and by `halvm run` on slirp4netns."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"
PROGRAM = os.environ.get("PACKET_COUNTER", "")
IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net", "--"]
HALVM = [sys.executable, "-B", "-m", "halvm_cli"]


def ethernet(kind: int, payload: bytes) -> bytes:
    return b"\xff" * 6 + b"\x02\0\0\0\0\x09" + kind.to_bytes(2, "big") + payload.ljust(46, b"\0")


def ipv4(protocol: int) -> bytes:
    return ethernet(0x0800, b"\x45\0\0\x14" + b"\0" * 4 + b"\x40" + bytes([protocol]) + b"\0" * 10)


def count_on_tap() -> None:
    """Runs in a namespace."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    program = subprocess.Popen(
        [PROGRAM, "8"],
        env={**os.environ, "HALVM_NICS": "tap:counted/02:00:00:00:00:07"},
        stdout=subprocess.PIPE,
        text=True,
    )
    first = program.stdout.readline()
    while "link up" not in first:
        first = program.stdout.readline()
    print(first, end="")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind(("counted", 0))
        for frame in (ethernet(0x0806, b""), ipv4(17), ipv4(6), ipv4(17), ipv4(1), ipv4(99), ethernet(0x86DD, b"")):
            link.send(frame)
        link.send(ethernet(0x88B5, b"x" * 1000))
    # What it says once a second on the way is said again at the end.
    print("".join(program.stdout.readlines()[-7:]), end="")
    sys.exit(program.wait())


class UserNetworkTest(unittest.TestCase):
    def test_frames_are_counted_by_protocol(self) -> None:
        done = subprocess.run(
            [*IN_NAMESPACE, sys.executable, "-B", __file__, "inside"], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            done.stdout,
            "02:00:00:00:00:07, mtu 1500, link up\n"
            "ARP: 1 frames, 60 bytes\n"
            "IPv4 ICMP: 1 frames, 60 bytes\n"
            "IPv4 TCP: 1 frames, 60 bytes\n"
            "IPv4 UDP: 2 frames, 120 bytes\n"
            "IPv4 protocol 99: 1 frames, 60 bytes\n"
            "IPv6: 1 frames, 60 bytes\n"
            "ethertype 0x88b5: 1 frames, 1014 bytes\n",
        )

    def test_a_forwarded_port_leads_to_the_program(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [*HALVM, "run", PROGRAM, "--on", "linux", "--forward", f"{port}:80", "--extra", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run, socket.socket() as client:
            said = run.stdout.readline()
            while "link up" not in said:
                self.assertNotEqual(said, "", "it ended before it had a link")
                said = run.stdout.readline()
            # slirp4netns asks who has the program's address: nobody answers, but it is a frame.
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            self.assertEqual(run.stdout.readlines()[-1], "ARP: 1 frames, 42 bytes\n")
            self.assertEqual(run.wait(), 0)

    def test_what_it_started_ends_with_it(self) -> None:
        command = [*HALVM, "run", PROGRAM, "--on", "linux"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            while "link up" not in run.stdout.readline():
                self.assertIsNone(run.poll())
            children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
            self.assertEqual(len(children), 2)
            names = {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in children}
            os.kill(names["packet-counter"], signal.SIGTERM)
            self.assertEqual(run.wait(), 0)
        for pid in children:
            self.assertFalse(Path(f"/proc/{pid}").exists())


def missing() -> str:
    if not PROGRAM:
        return "the program is built for HALVM_MACHINE=linux only"
    if subprocess.run([*IN_NAMESPACE, "true"], capture_output=True).returncode != 0:
        return "no user and network namespaces here"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun here"
    if shutil.which("slirp4netns") is None:
        return "no slirp4netns; `tools/halvm setup` installs it"
    return ""


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        count_on_tap()
    os.environ["PYTHONPATH"] = str(TOOLS)
    if missing():
        print("skipped: " + missing())
        sys.exit(77)
    unittest.main()
