# SPDX-License-Identifier: BSD-3-Clause
"""`halvm run --on linux --tap`: examples/packet-counter on a TAP device whose other end is Linux's."""

import os
import signal
import socket
import sys
import unittest
from pathlib import Path

import linux_network

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"
PROGRAM = os.environ.get("PACKET_COUNTER", "")
RUN = [sys.executable, "-B", "-m", "halvm_cli", "run", PROGRAM, "--on", "linux"]


def ethernet(kind: int, payload: bytes) -> bytes:
    return b"\xff" * 6 + b"\x02\0\0\0\0\x09" + kind.to_bytes(2, "big") + payload.ljust(46, b"\0")


def ipv4(protocol: int) -> bytes:
    return ethernet(0x0800, b"\x45\0\0\x14" + b"\0" * 4 + b"\x40" + bytes([protocol]) + b"\0" * 10)


class TapTest(unittest.TestCase):
    def test_frames_are_counted_by_protocol(self) -> None:
        with linux_network.tap("10.9.0.1/24", "counted") as nic:
            command = [*RUN, "--tap", "counted/02:00:00:00:00:07", "--extra", "8"]
            with linux_network.Program(command) as program, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
                program.until("^02:00:00:00:00:07, mtu 1500, link up$")
                link.bind((nic.interface, 0))
                for frame in (ethernet(0x0806, b""), ipv4(17), ipv4(6), ipv4(17), ipv4(1), ipv4(99)):
                    link.send(frame)
                link.send(ethernet(0x86DD, b""))
                link.send(ethernet(0x88B5, b"x" * 1000))
                self.assertEqual(program.process.wait(), 0)
            # What it says once a second on the way is said again at the end.
            self.assertEqual(
                program.said.splitlines()[-7:],
                [
                    "ARP: 1 frames, 60 bytes",
                    "IPv4 ICMP: 1 frames, 60 bytes",
                    "IPv4 TCP: 1 frames, 60 bytes",
                    "IPv4 UDP: 2 frames, 120 bytes",
                    "IPv4 protocol 99: 1 frames, 60 bytes",
                    "IPv6: 1 frames, 60 bytes",
                    "ethertype 0x88b5: 1 frames, 1014 bytes",
                ],
            )

    def test_a_program_that_is_asked_to_end_ends_well(self) -> None:
        with linux_network.tap("10.9.0.1/24") as nic, linux_network.Program([PROGRAM], nic) as program:
            program.until("link up")
            self.assertEqual(program.end(signal.SIGINT), 0)


class HelperTest(unittest.TestCase):
    """What the tests of the network stand on."""

    def test_dnsmasq_answers_at_once_and_leaves_nothing(self) -> None:
        with linux_network.tap("10.9.0.1/24") as nic:
            # A TAP has a link only when a program has it.
            with linux_network.Program([PROGRAM], nic) as program:
                program.until("link up")
                with linux_network.dnsmasq(nic, "", "--host-record=name.test,10.9.0.7") as log:
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                        client.connect((nic.address, 53))
                        client.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\4name\4test\0\0\1\0\1")
                        self.assertTrue(client.recv(512).endswith(b"\0\4" + bytes([10, 9, 0, 7])))
                self.assertIn("query[A] name.test", "".join(log))
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, 0)
        self.assertNotIn("halvm0", [name for _, name in socket.if_nameindex()])

    def test_a_program_that_ends_early_is_told_with_what_it_said(self) -> None:
        with linux_network.Program(["echo", "one\ntwo"]) as program:
            with self.assertRaisesRegex(AssertionError, "never said 'three', but:\none\ntwo"):
                program.until("three")


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = f"{TOOLS}:{os.environ.get('PYTHONPATH', '')}"
    if not PROGRAM:
        print("skipped: the program is built for HALVM_MACHINE=linux only")
        sys.exit(77)
    linux_network.main("dnsmasq")
