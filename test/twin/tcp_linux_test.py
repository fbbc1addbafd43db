# SPDX-License-Identifier: BSD-3-Clause
"""TCP against Linux's own, over a bridge in a namespace: tcp_station.cpp does what it is told, and serves."""

import errno
import os
import select
import socket
import struct
import sys
import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import linux_network
from linux_network import Station

STATION = os.environ.get("STATION", "")
ECHO = os.environ.get("ECHO", "")
LAN, US = "10.9.0.1", "10.9.0.11"
PERIOD = bytes((i * 2654435761 >> 13) & 0xFF for i in range(65521))
SIZES = [1, 2, 100, 1447, 1448, 1449, 1460, 1461, 2896, 2897, 10_000, 65_535, 65_536, 100_000]
MUCH = 20_000_000


def pattern(size: int, at: int = 0) -> bytes:
    at %= len(PERIOD)
    return (PERIOD * ((at + size) // len(PERIOD) + 1))[at : at + size]


def read_all(link: socket.socket, most: int = 1 << 40) -> bytes:
    parts = []
    while most > 0 and (part := link.recv(min(most, 1 << 20))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def to(port: int, **options: int) -> socket.socket:
    link = socket.socket()
    for name, value in options.items():
        link.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    try:
        link.connect((US, port))
    except OSError:
        link.close()
        raise
    return link


@contextmanager
def listening(**options: int) -> Iterator[tuple[socket.socket, int]]:
    with socket.socket() as at:
        for name, value in options.items():
            at.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        at.bind((LAN, 0))
        at.listen()
        yield at, at.getsockname()[1]


@contextmanager
def meanwhile(what: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=what)
    thread.start()
    yield
    thread.join()


class TcpTest(unittest.TestCase):
    def setUp(self) -> None:
        lan = self.enterContext(linux_network.bridge(f"{LAN}/24"))
        self.one: Station = self.enterContext(linux_network.station([STATION, f"ip={US}/24"], 1, lan))
        self.assertEqual(self.one.answer(), "ready")

    def ask(self, *words: object) -> str:
        return self.one.ask(*words)

    def cut(self) -> None:
        """The cable; both ends still have a link."""
        linux_network.ip("link", "set", "tap1", "nomaster")

    def mend(self) -> None:
        linux_network.ip("link", "set", "tap1", "master", "lan")

    def counted(self) -> dict[str, int]:
        words = self.ask("counted").split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def tearDown(self) -> None:
        self.assertEqual(self.counted()["bad"], 0)

    def test_linux_sends_and_gets_it_back(self) -> None:
        with to(7) as link:
            for size in SIZES:
                with meanwhile(lambda size=size: link.sendall(pattern(size))):
                    self.assertEqual(read_all(link, size), pattern(size))
            link.shutdown(socket.SHUT_WR)
            self.assertEqual(link.recv(1), b"")

    def test_a_few_thousand_requests_need_no_timeouts(self) -> None:
        with to(7) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for turn in range(3000):
                link.sendall(pattern(100, turn))
                self.assertEqual(read_all(link, 100), pattern(100, turn))
        for _ in range(300):
            with to(19) as link:
                link.sendall(b"500\n")
                self.assertEqual(read_all(link), pattern(500))
        with listening() as (at, port):
            self.assertEqual(self.ask("connect", LAN, port, "no-delay"), "connected")
            with at.accept()[0] as link, meanwhile(lambda: link.sendall(read_all(link, 100)) or echo_all(link)):
                self.assertEqual(self.ask("turns", 3000, 100), "all came back")
                self.assertEqual(self.ask("close"), "closed")
        # A machine that stands still for a while may bring one about.
        self.assertLess(self.counted()["timeouts"], 10)

    def test_much_goes_either_way_and_both_ways(self) -> None:
        with to(9) as link:
            link.sendall(pattern(MUCH))
            link.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(link), f"{MUCH} right, the end\n".encode())
        with to(19) as link:
            link.sendall(f"{MUCH}\n".encode())
            self.assertEqual(read_all(link), pattern(MUCH))
        with to(7) as link:
            with meanwhile(lambda: link.sendall(pattern(MUCH)) or link.shutdown(socket.SHUT_WR)):
                self.assertEqual(read_all(link), pattern(MUCH))
        with listening() as (at, port):
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                self.one.tell("both", MUCH)
                with meanwhile(lambda: link.sendall(pattern(MUCH)) or link.shutdown(socket.SHUT_WR)):
                    self.assertEqual(read_all(link), pattern(MUCH))
                self.assertEqual(self.one.answer(), f"{MUCH} right, the end")

    def test_windows_small_and_large(self) -> None:
        for size in (2048, 20_000, 4_000_000):
            with to(7, SO_RCVBUF=size, SO_SNDBUF=size) as link:
                with meanwhile(lambda: link.sendall(pattern(500_000)) or link.shutdown(socket.SHUT_WR)):
                    self.assertEqual(read_all(link), pattern(500_000))

    def test_either_end_closes_its_half_first(self) -> None:
        with listening() as (at, port):
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                self.assertEqual(self.ask("write", 5000), "written")
                self.assertEqual(self.ask("shutdown"), "ended")
                self.assertEqual(read_all(link), pattern(5000))
                link.sendall(pattern(7000))
                link.shutdown(socket.SHUT_WR)
                self.assertEqual(self.ask("read"), "7000 right, the end")
                self.assertEqual(self.ask("write", 1), "Broken pipe")
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                link.sendall(pattern(7000))
                link.shutdown(socket.SHUT_WR)
                self.assertEqual(self.ask("read"), "7000 right, the end")
                self.assertEqual(self.ask("write", 5000), "written")
                self.assertEqual(self.ask("close"), "closed")
                self.assertEqual(read_all(link), pattern(5000))

    def test_both_close_at_once(self) -> None:
        with listening() as (at, port):
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                self.cut()
                self.assertEqual(self.ask("write", 10), "written")
                self.assertEqual(self.ask("shutdown"), "ended")
                link.sendall(pattern(10))
                link.shutdown(socket.SHUT_WR)
                self.mend()
                self.assertEqual(self.ask("read"), "10 right, the end")
                self.assertEqual(read_all(link), pattern(10))
                self.assertEqual(self.ask("close"), "closed")

    def test_both_open_at_once(self) -> None:
        with socket.socket() as link:
            link.bind((LAN, 4000))
            self.cut()
            self.one.tell("connect", LAN, 4000, "from=5000")
            link.setblocking(False)
            with self.assertRaises(BlockingIOError):
                link.connect((US, 5000))
            self.mend()
            self.assertEqual(self.one.answer(), "connected")
            select.select([], [link], [])
            link.setblocking(True)
            link.sendall(pattern(3000))
            self.assertEqual(self.ask("read", 3000), "3000 right")
            self.assertEqual(self.ask("write", 3000), "written")
            self.assertEqual(read_all(link, 3000), pattern(3000))

    def test_refused_reset_and_unreachable(self) -> None:
        with self.assertRaises(ConnectionRefusedError):
            to(8)
        self.assertEqual(self.ask("connect", LAN, 8), "Connection refused")
        self.assertEqual(self.ask("connect", "10.8.0.1", 8), "Network is unreachable")
        self.assertEqual(self.ask("connect", "10.9.0.99", 8, "within=100"), "Connection timed out")
        with listening() as (at, port):
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            link, _ = at.accept()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
            self.assertEqual(self.ask("read"), "0 right, Connection reset by peer")
            self.assertEqual(self.ask("write", 1), "Connection reset by peer")
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                self.assertEqual(self.ask("abort"), "aborted")
                with self.assertRaises(ConnectionResetError):
                    link.recv(1)
            # What nobody has read is answered by a reset.
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                link.sendall(b"x")
                self.assertEqual(self.ask("read", 1).split()[0], "1")
                link.sendall(pattern(100))
                self.assertEqual(self.ask("drained"), "yes")
                self.assertEqual(self.ask("drop"), "gone")
                with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                    while True:
                        link.sendall(pattern(100))

    def test_a_closed_window_opens_again(self) -> None:
        with to(21) as link:
            link.setblocking(False)
            sent = 0
            while select.select([], [link], [], 0.5)[1]:
                sent += link.send(pattern(65521))
            link.setblocking(True)
            self.assertEqual(self.ask("drain"), "it is read")
            link.shutdown(socket.SHUT_WR)
            self.assertRegex(read_all(link).decode(), r"^\d+ ")
        with listening(SO_RCVBUF=4096) as (at, port):
            self.assertEqual(self.ask("connect", LAN, port), "connected")
            with at.accept()[0] as link:
                self.one.tell("write", MUCH // 10)
                # It is asked for room before anything is read.
                select.select([link], [], [])
                threading.Event().wait(0.7)
                self.assertEqual(read_all(link, MUCH // 10), pattern(MUCH // 10))
                self.assertEqual(self.one.answer(), "written")
        self.assertGreater(self.counted()["probes"], 0)

    def test_a_cut_cable_is_survived_when_it_is_mended_and_noticed_when_not(self) -> None:
        with listening() as (at, port):
            self.assertEqual(self.ask("connect", LAN, port, "patience=2"), "connected")
            with at.accept()[0] as link:
                self.cut()
                self.assertEqual(self.ask("write", 3000), "written")
                link.sendall(pattern(3000))
                self.mend()
                self.assertEqual(self.ask("read", 3000), "3000 right")
                self.assertEqual(read_all(link, 3000), pattern(3000))
                self.cut()
                self.assertEqual(self.ask("write", 1), "written")
                self.assertRegex(self.ask("read"), "^0 right, (Connection timed out|No route to host)$")
            self.mend()
            self.assertEqual(self.ask("connect", LAN, port, "keep-alive"), "connected")
            with at.accept()[0] as link:
                while self.counted()["keep-alives"] < 2:  # they are answered
                    threading.Event().wait(0.2)
                self.cut()
                self.assertRegex(self.ask("read"), "^0 right, (Connection timed out|No route to host)$")
            self.mend()

    def test_urgent_data_is_data(self) -> None:
        with to(7) as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            link.send(b"ab")
            link.send(b"!", socket.MSG_OOB)
            link.send(b"cd")
            self.assertEqual(read_all(link, 5), b"ab!cd")

    def test_many_connections_come_and_go(self) -> None:
        links = [to(7) for _ in range(200)]
        for number, link in enumerate(links):
            link.sendall(pattern(1000, number))
        for number, link in enumerate(links):
            self.assertEqual(read_all(link, 1000), pattern(1000, number))
            link.close()
        # From the same port, when the one before waits out its time at our end.
        for _ in range(3):
            with socket.socket() as link:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                link.bind((LAN, 4100))
                # As soon as Linux has heard that its own end is over.
                while link.connect_ex((US, 19)) == errno.EADDRNOTAVAIL:
                    pass
                link.sendall(b"10\n")
                self.assertEqual(read_all(link), pattern(10))

    @unittest.skipUnless(ECHO, "the examples are not built")
    def test_the_example_echoes(self) -> None:
        with linux_network.tap("10.8.0.1/24") as nic:
            with linux_network.Program([ECHO, "ip=10.8.0.50/24"], nic) as echo:
                echo.until("ready")
                with socket.create_connection(("10.8.0.50", 7)) as link:
                    with meanwhile(lambda: link.sendall(pattern(300_000)) or link.shutdown(socket.SHUT_WR)):
                        self.assertEqual(read_all(link), pattern(300_000))
                self.assertEqual(echo.end(), 0)


def echo_all(link: socket.socket) -> None:
    while data := link.recv(65536):
        link.sendall(data)


if __name__ == "__main__":
    if not STATION:
        print("skipped: the program is built for HALVM_MACHINE=linux only")
        sys.exit(77)
    linux_network.main()
