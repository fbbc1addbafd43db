# SPDX-License-Identifier: BSD-3-Clause
"""`--nic` and `--forward`: what is refused, with what to do, and what each machine is told of them."""

import argparse
import os
import socket
import subprocess
import unittest
from pathlib import Path

from halvm_cli import forward, nics
from lab import network
from lab.errors import LabError
from lab.network import Forward, Nic

HALVM = Path(__file__).resolve().parent.parent.parent / "tools/halvm"


class NicTest(unittest.TestCase):
    def assertRefused(self, text: str, word: str) -> None:
        with self.assertRaisesRegex(argparse.ArgumentTypeError, word):
            nics.parse(text)

    def test_the_same_words_fit_each_machine(self) -> None:
        wanted = [nics.parse(text) for text in ("user", "bridge,mac=00:16:3E:00:00:01", "mac=00:16:3e:00:00:02")]
        nics.check(wanted)
        self.assertEqual(
            nics.in_lab(wanted),
            (
                Nic(network.USER),
                Nic(network.ISOLATED, "00:16:3e:00:00:01"),
                Nic(network.USER, "00:16:3e:00:00:02"),
            ),
        )
        self.assertEqual(
            network.xl_line(nics.on_xen([*wanted[1:], nics.parse("bridge=br0"), nics.Wanted()])),
            "vif=['mac=00:16:3e:00:00:01', 'mac=00:16:3e:00:00:02', 'bridge=br0', '']",
        )
        nics.check_on_linux(wanted[:1])

    def test_what_is_no_interface_is_refused(self) -> None:
        self.assertRefused("webserver", "'webserver' is no network interface")
        self.assertRefused("user,bridge", "'bridge'")
        self.assertRefused("bridge=", "'bridge='")
        self.assertRefused("mac=00:16:3e:00:00", "no MAC address")
        self.assertRefused("mac=", "no MAC address")
        self.assertRefused("mac=01:16:3e:00:00:01", "no address of one interface")
        self.assertRefused("mac=00:00:00:00:00:00", "no address of one interface")
        with self.assertRaisesRegex(LabError, "two interfaces would have the address 00:16:3e:00:00:01"):
            nics.check([nics.parse("mac=00:16:3e:00:00:01")] * 2)

    def test_what_a_machine_does_not_have_is_refused_with_what_it_has(self) -> None:
        for machine, texts, words in (
            (nics.in_lab, ["bridge=br0"], "no bridge called br0"),
            (nics.on_xen, ["user"], "no user network"),
            (nics.check_on_linux, ["bridge"], "--tap NAME"),
            (nics.check_on_linux, ["user", "user"], "--tap several times"),
            (nics.check_on_linux, ["mac=00:16:3e:00:00:01"], "--tap NAME/MAC"),
        ):
            with self.assertRaisesRegex(LabError, words):
                machine([nics.parse(text) for text in texts])

    def test_a_configuration_says_whether_there_are_interfaces(self) -> None:
        for config, there in (('vif = [""]', True), ("vif=['bridge=xenbr0']", True), ("vif = []", False), ("", False)):
            self.assertEqual(nics.in_config(config), there, config)
            self.assertEqual(nics.has_user_network([], config), there, config)
        self.assertFalse(nics.has_user_network([nics.parse("bridge")], 'vif = [""]'))
        self.assertTrue(nics.has_user_network([nics.parse("bridge"), nics.Wanted()], ""))


class ForwardTest(unittest.TestCase):
    def assertRefused(self, texts: list[str], word: str) -> None:
        with self.assertRaises(LabError) as refused:
            forward.parse(texts)
        self.assertIn(word, str(refused.exception))

    def taken(self, kind: socket.SocketKind) -> int:
        held = socket.socket(type=kind)
        self.addCleanup(held.close)
        held.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            held.listen()
        return held.getsockname()[1]

    def test_ports_are_of_tcp_unless_they_are_of_udp(self) -> None:
        # One that only the other protocol has is free.
        tcp, udp = self.taken(socket.SOCK_STREAM), self.taken(socket.SOCK_DGRAM)
        self.assertEqual(
            forward.parse([f"{udp}:80", f"{tcp}:53/udp"]), (Forward(udp, 80), Forward(tcp, 53, "udp"))
        )

    def test_what_is_no_forward_is_refused(self) -> None:
        for text in ("8080", "8080:", "0:80", "8080:65536", "8080:80/sctp", "1.2.3.4:80:80", "٣:80", "999999:1"):
            self.assertRefused([text], "HOSTPORT:GUESTPORT, for example 8080:80")

    def test_a_port_that_is_taken_is_refused_with_another(self) -> None:
        port = self.taken(socket.SOCK_STREAM)
        self.assertRefused([f"{port}:80"], f"tcp port {port} of this machine cannot be used: Address already in use")
        port = self.taken(socket.SOCK_DGRAM)
        self.assertRefused([f"{port}:7/udp"], ":7/udp, or end the program")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.assertRefused([f"{port}:80", f"{port}:81"], "twice")

    def test_an_example_may_say_what_is_usual(self) -> None:
        self.assertEqual(forward.usual("# halvm run --forward 8080:80 --forward 5353:53/udp\n"), ["8080:80", "5353:53/udp"])
        self.assertEqual(forward.usual("# see halvm run --forward\nvif = ['']\n"), [])


class CommandTest(unittest.TestCase):
    """It says it before it builds or starts anything."""

    def assertSays(self, words: list[str], said: str, **environment: str) -> None:
        done = subprocess.run(
            [str(HALVM), "run", *words], capture_output=True, text=True, env={**os.environ, **environment}
        )
        self.assertEqual(done.returncode, 125)
        self.assertIn(said, done.stderr)
        self.assertNotIn("building", done.stderr)

    def test_a_wrong_command_line(self) -> None:
        self.assertSays(["--nic", "hello"], "'hello' is no network interface")
        self.assertSays(["hello", "--forward", "1"], "--forward leads to no interface")
        self.assertSays(["hello", "--nic", "--forward", "1"], "bad --forward '1'")
        self.assertSays(["hello", "--nic", "bridge", "--forward", "8080:80"], "--nic user")
        self.assertSays(["hello", "--tap", "tap0"], "--tap is for a process")
        self.assertSays(["hello", "--on", "linux", "--tap", "tap0", "--nic"], "exclude each other")
        self.assertSays(["hello", "--on", "linux", "--nic", "bridge"], "--tap NAME")
        # What the environment names is none of the user network's.
        words = ["packet-counter", "--on", "linux", "--forward", "8080:80"]
        self.assertSays(words, "leads to no interface", HALVM_NICS="tap:tap0")


if __name__ == "__main__":
    unittest.main()
