# SPDX-License-Identifier: BSD-3-Clause
"""The network stack against Linux's own and dnsmasq, on TAP devices in a namespace: net_station.cpp does what it is told."""

import os
import socket
import struct
import sys
import unittest
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import linux_network
from linux_network import Log, Machine, Nic, Station, dnsmasq

STATION = os.environ.get("STATION", "")
ECHO = os.environ.get("ECHO", "")
DATA = bytes(at * 7 & 0xFF for at in range(65536))
SIZES = [*range(0, 70), 511, 512, 513, 1471, 1472, 1473, 1479, 1480, 1481, 2952, 2953, 8000, 65506, 65507]
LAN = "10.9.0.1"
RANGE, OTHER_RANGE = "10.9.0.60,10.9.0.69", "10.9.0.80,10.9.0.89"
SERVER = (
    "--domain=lan.test", "--dhcp-option=option:dns-server,10.9.0.1", "--dhcp-option-force=option:mtu,1400",
    "--local=/test/", "--host-record=one.lan.test,192.0.2.1,2001:db8::1", "--host-record=one.lan.test,192.0.2.2",
    "--cname=other.lan.test,one.lan.test",
)  # fmt: skip
# Seconds. Less than 2 dnsmasq passes over, and the lease itself cannot be shorter than two minutes.
TIMES = ("--dhcp-option=option:T1,2", "--dhcp-option=option:T2,3")


@contextmanager
def station(number: int, lan: Nic) -> Iterator[Station]:
    with linux_network.station([STATION], number, lan) as one:
        yield one


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(link: socket.socket, to: str, number: int, data: bytes) -> bytes:
    """Linux asks, in fragments if need be."""
    header = struct.pack("!BBHHH", 8, 0, 0, 77, number)
    link.sendto(struct.pack("!BBHHH", 8, 0, checksum(header + data), 77, number) + data, (to, 0))
    while True:
        packet = link.recv(65536)
        message = packet[(packet[0] & 15) * 4 :]
        if message[0] == 0 and struct.unpack("!HH", message[4:8]) == (77, number):
            return message[8:]


class StationTest(unittest.TestCase):
    def setUp(self) -> None:
        self.lan = self.enterContext(linux_network.bridge(f"{LAN}/24"))

    def test_linux_pings_and_is_pinged_with_all_sizes(self) -> None:
        with station(1, self.lan) as one:
            self.assertEqual(one.ask("configure", "10.9.0.11/24"), "configured")
            self.assertEqual(one.ask("ping", LAN, *SIZES), f"{len(SIZES)} answers")
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
                for number, size in enumerate(SIZES):
                    self.assertEqual(ping(link, "10.9.0.11", number, DATA[:size]), DATA[:size])

    def test_datagrams_come_back_from_either_side(self) -> None:
        with station(1, self.lan) as one:
            self.assertEqual(one.ask("configure", "10.9.0.11/24"), "configured")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.connect(("10.9.0.11", 7))
                for size in SIZES:
                    client.send(DATA[:size])
                    self.assertEqual(client.recv(65536), DATA[:size])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
                server.bind((LAN, 0))
                one.tell("echo", LAN, server.getsockname()[1], *SIZES)
                for size in SIZES:
                    data, where = server.recvfrom(65536)
                    self.assertEqual(data, DATA[:size])
                    server.sendto(data, where)
                self.assertEqual(one.answer(), f"{len(SIZES)} came back")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.connect(("10.9.0.11", 8))
                client.send(b"x")
                with self.assertRaises(ConnectionRefusedError):
                    client.recv(1)
            self.assertEqual(one.ask("echo", LAN, 9, 1), "1: Connection refused")

    def test_stations_reach_each_other(self) -> None:
        with station(1, self.lan) as one, station(2, self.lan) as two:
            self.assertEqual(one.ask("configure", "10.9.0.11/24"), "configured")
            self.assertEqual(two.ask("configure", "10.9.0.12/24"), "configured")
            self.assertEqual(one.ask("echo", "10.9.0.12", 7, *SIZES), f"{len(SIZES)} came back")
            self.assertEqual(two.ask("ping", "10.9.0.11", *SIZES), f"{len(SIZES)} answers")
            self.assertEqual(one.ask("ping", "10.9.0.99", 1), "1: No route to host")

    def test_who_has_is_asked_and_answered(self) -> None:
        """As arping does it; and an address that Linux, or another station, has is not taken."""
        with station(1, self.lan) as one, station(2, self.lan) as two:
            self.assertEqual(one.ask("configure", "10.9.0.11/24"), "configured")
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as link:
                link.bind(("lan", 0))
                own = link.getsockname()[4]
                arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + socket.inet_aton(LAN)
                link.send(b"\xff" * 6 + own + b"\x08\x06" + arp + b"\0" * 6 + socket.inet_aton("10.9.0.11"))
                while (frame := link.recv(64))[20:22] != b"\0\2":
                    pass
                self.assertEqual(frame[:12], own + bytes.fromhex(one.mac.replace(":", "")))
                self.assertEqual(frame[22:42], frame[6:12] + socket.inet_aton("10.9.0.11") + own + socket.inet_aton(LAN))
            self.assertEqual(two.ask("configure", "10.9.0.11/24"), "Address already in use")
            self.assertEqual(two.ask("configure", "10.9.0.1/24"), "Address already in use")

    def test_dnsmasq_gives_an_address_renews_it_and_takes_it_back(self) -> None:
        with station(1, self.lan) as one:
            with dnsmasq(self.lan, RANGE, *SERVER, *TIMES) as server:
                lease = one.ask("dhcp")
                self.assertRegex(
                    lease,
                    r"^10\.9\.0\.6\d/24 from 10\.9\.0\.1 for 3600 s, 0\.0\.0\.0/0 by 10\.9\.0\.1, "
                    r"names by 10\.9\.0\.1, mtu 1400, lan\.test$",
                )
                self.assertEqual(one.ask("ping", LAN, 0, 1372, 1373, 4000), "4 answers")
                self.assertEqual(one.ask("renewed", 2), lease)
                server.until(r"DHCPACK.* station")
                self.assertEqual(one.ask("release"), "0 addresses")
                server.until(r"DHCPRELEASE")

    def test_a_lease_whose_server_has_gone_ends_when_another_refuses_it(self) -> None:
        with station(1, self.lan) as one, Machine(self.lan, "10.9.0.2/24") as other:
            with ExitStack() as first, ExitStack() as second:
                first.enter_context(dnsmasq(self.lan, RANGE, *TIMES))
                self.assertRegex(one.ask("dhcp"), r"^10\.9\.0\.6\d/24 from 10\.9\.0\.1 ")
                # It asks its own server only, as long as that answers.
                server = second.enter_context(dnsmasq(other.nic, OTHER_RANGE, on=other))
                first.close()
                one.tell("refused", 1)
                server.until("DHCPNAK")
                self.assertRegex(one.answer(), r"^10\.9\.0\.8\d/24 from 10\.9\.0\.2 ")

    def test_an_address_that_somebody_has_is_declined(self) -> None:
        with station(1, self.lan) as one, station(2, self.lan) as two:
            self.assertEqual(two.ask("configure", "10.9.0.50/24"), "configured")
            with dnsmasq(self.lan, RANGE, *SERVER, f"--dhcp-host={one.mac},10.9.0.50") as server:
                one.tell("dhcp")
                server.until("DHCPACK.*10.9.0.50 ")
                server.until("DHCPDECLINE.*10.9.0.50 ")
                self.assertRegex(one.answer(), r"^10\.9\.0\.6\d/24 ")

    def test_of_two_servers_one_is_chosen(self) -> None:
        with station(1, self.lan) as one, Machine(self.lan, "10.9.0.2/24") as other:
            with dnsmasq(self.lan, RANGE) as here, dnsmasq(other.nic, OTHER_RANGE, on=other) as there:
                said = one.ask("dhcp")
                servers: dict[str, Log] = {"10.9.0.1": here, "10.9.0.2": there}
                chosen = servers.pop(said.split()[2])
                (passed_over,) = servers.values()
                chosen.until("DHCPACK")
                passed_over.until("DHCPOFFER")
                self.assertEqual(one.ask("release"), "0 addresses")
                chosen.until("DHCPRELEASE")
            self.assertNotIn("DHCPACK", "".join(passed_over))

    def test_dnsmasq_answers_for_names(self) -> None:
        with station(1, self.lan) as one, dnsmasq(self.lan, RANGE, *SERVER) as server:
            self.assertRegex(one.ask("dhcp"), "^10.9.0.6")
            self.assertEqual(set(one.ask("resolve", "one.lan.test").split()), {"192.0.2.1", "192.0.2.2"})
            self.assertEqual(one.ask("resolve6", "one.lan.test"), "2001:db8::1")
            self.assertEqual(set(one.ask("resolve", "other.lan.test").split()), {"192.0.2.1", "192.0.2.2"})
            self.assertEqual(one.ask("reverse", "192.0.2.1"), "one.lan.test")
            self.assertEqual(one.ask("reverse", "2001:db8::1"), "one.lan.test")
            self.assertEqual(one.ask("resolve", "nobody.lan.test"), "there is no such name")
            self.assertEqual(one.ask("resolve6", "two.lan.test"), "there is no such name")
            server.until("query.* two.lan.test")
            # The lease's domain is tried behind a short name; and its own name is known to the server.
            self.assertEqual(set(one.ask("resolve", "one").split()), {"192.0.2.1", "192.0.2.2"})
            self.assertRegex(one.ask("resolve", "station"), r"^10\.9\.0\.6\d$")

    def test_a_narrow_way_is_found_out(self) -> None:
        with station(1, self.lan) as one, Machine(self.lan, "10.9.0.2/24") as router:
            router.run("ip", "link", "add", "narrow", "mtu", "1000", "type", "bridge")
            router.run("ip", "address", "add", "10.10.0.1/24", "dev", "narrow")
            router.run("ip", "link", "set", "narrow", "up")
            router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self.assertEqual(one.ask("configure", "10.9.0.11/24", "10.9.0.2"), "configured")
            self.assertEqual(one.ask("narrow", "10.10.0.7", 9, 1400), "Message too long, mtu 1000")

    @unittest.skipUnless(ECHO, "the examples are not built")
    def test_the_example_takes_an_address_and_echoes(self) -> None:
        with linux_network.tap("10.8.0.1/24") as nic, dnsmasq(nic, "10.8.0.50,10.8.0.59"):
            with linux_network.Program([ECHO, nic.address], nic) as echo:
                address = echo.until(r"^Assigned IP: (10\.8\.0\.5\d)$")[1]
                echo.until("10.8.0.1: 10.8.0.1, answers")
                echo.until("ready")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.connect((address, 7))
                    client.send(DATA[:3000])
                    self.assertEqual(client.recv(65536), DATA[:3000])
                self.assertEqual(echo.end(), 0)


if __name__ == "__main__":
    if not STATION:
        print("skipped: the program is built for HALVM_MACHINE=linux only")
        sys.exit(77)
    linux_network.main("dnsmasq")
