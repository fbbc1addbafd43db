# SPDX-License-Identifier: BSD-3-Clause
"""examples/webserver as a process, at the other end of a TAP of Linux's: with dnsmasq, Linux's TCP and Python's HTTP."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import linux_network
import web_site
from halvm_cli import ramdisk

PROGRAM = os.environ.get("WEBSERVER", "")
OURS, LINUX = "10.9.0.2", "10.9.0.1"
GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


@contextmanager
def serving(*words: str, program: str = PROGRAM, **environment: str) -> Iterator[linux_network.Program]:
    with linux_network.tap(f"{LINUX}/24") as nic:
        with linux_network.Program([program, f"ip={OURS}/24", *words], nic, **environment) as web:
            web.until("Serving on")
            yield web


def connected(port: int = 80) -> socket.socket:
    return socket.create_connection((OURS, port), timeout=60)


def everything(client: socket.socket) -> bytes:
    """All that comes until the server ends."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


class WebServerTest(unittest.TestCase):
    def _get(self, target: str, method: str = "GET", **fields: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(OURS, timeout=60)
        self.addCleanup(connection.close)
        connection.request(method, target, headers=fields)
        response = connection.getresponse()
        return response, response.read()

    def test_the_lease_is_used_and_given_back(self) -> None:
        with linux_network.tap(f"{LINUX}/24") as nic, linux_network.dnsmasq(nic, f"{OURS},{OURS}") as log:
            with linux_network.Program([PROGRAM], nic) as web:
                web.until(f"Assigned IP: {OURS}")
                web.until(f"Serving on http://{OURS}:80/")
                self.assertIn(b"halvm says hello! You are request 0", self._get("/")[1])
                self.assertIn(b"You are request 1<", self._get("/")[1])
                self.assertEqual(web.end(), 0)
                self.assertIn("Served 2 requests", web.said)
        self.assertIn("DHCPRELEASE", "".join(log))

    def test_pages_about_itself_and_the_access_log(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as syslog:
            with serving("log", f"syslog={LINUX}:5140", "port=80") as web:
                syslog.bind((LINUX, 5140))
                syslog.settimeout(60)
                for target, words in (
                    ("/status", b"connections</td><td>1 open, 1 in all"),
                    ("/metrics", b'\nhttp_responses_total{code="2xx"} 1\n'),
                    ("/metrics", b'\nnic_up{nic="0"} 1\n'),
                ):
                    response, body = self._get(target)
                    self.assertEqual(response.status, 200)
                    self.assertIn(words, body)
                    self.assertRegex(web.line(), rf"^{LINUX} GET {target} 200 \d+ \d+$")
                    message = syslog.recv(2000).decode()
                    self.assertRegex(message, rf"^<134>1 \S+Z {OURS} webserver - access - {LINUX} GET {target} 200 ")
                self.assertEqual(self._get("/nowhere")[0].status, 404)
                self.assertEqual(self._get("/hello", "DELETE")[0].status, 405)

    def test_a_site_of_a_hundred_files(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            site = Path(scratch) / "site"
            site.mkdir()
            files = {f"file{number}.txt": os.urandom(number * 500) for number in range(100)}
            files["index.html"] = b"<h1>site</h1>" * 1000
            for name, content in files.items():
                (site / name).write_bytes(content)
            archive = Path(scratch) / "site.tar"
            ramdisk.pack(site, archive)
            with serving(HALVM_RAMDISK=str(archive)):
                connection = http.client.HTTPConnection(OURS, timeout=60)
                for name, content in files.items():
                    connection.request("GET", f"/{name}")
                    response = connection.getresponse()
                    self.assertEqual((response.status, response.read()), (200, content), name)
                connection.close()
                self.assertEqual(self._get("/")[1], files["index.html"])
                packed, body = self._get("/", **{"Accept-Encoding": "gzip"})
                self.assertEqual(packed.getheader("Content-Encoding"), "gzip")
                self.assertLess(len(body), 1000)
                part, body = self._get("/file99.txt", Range="bytes=40000-40009")
                self.assertEqual((part.status, body), (206, files["file99.txt"][40000:40010]))
                same, _ = self._get("/", **{"If-None-Match": self._get("/")[0].getheader("ETag")})
                self.assertEqual(same.status, 304)
                self.assertEqual(self._get("/../../etc/passwd")[0].status, 400)
                self.assertIn(b"You are request 0", self._get("/hello")[1])

    def test_a_hundred_thousand_requests_leave_no_memory_behind(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            with serving(HALVM_RAMDISK=str(web_site.pack(Path(scratch)))):
                # A worker more or less makes some of it.
                self.assertLess(web_site.Load(os.environ["WEB_LOAD"], OURS).growth(100_000), 1 << 20)

    def test_a_site_in_the_image(self) -> None:
        with serving(program=os.environ["WEBSERVER_WITH_SITE"]):
            self.assertEqual(self._get("/webserver_test.py")[1], Path(__file__).read_bytes())
            self.assertIn(b"You are request 0", self._get("/")[1])

    def test_without_a_dhcp_server_it_has_the_other_address_or_says_why_it_ends(self) -> None:
        with linux_network.tap("10.8.0.1/24", "alone") as nowhere, linux_network.tap(f"{LINUX}/24") as nic:
            with linux_network.Program([PROGRAM, "patience=1"], nowhere) as alone:
                with linux_network.Program([PROGRAM, f"ip=dhcp,{OURS}/24"], nic) as web:
                    alone.until("DHCP.*timed out")
                    self.assertEqual(alone.process.wait(), 2)
                    web.until(f"Assigned IP: {OURS}$")
                    web.until("Serving on")
                    self.assertIn(b"halvm says hello!", self._get("/")[1])

    def test_other_clients(self) -> None:
        url = f"http://{OURS}/1500.bin"
        with tempfile.TemporaryDirectory() as scratch, serving(HALVM_RAMDISK=str(web_site.pack(Path(scratch)))):
            for command, says in (
                (["curl", "-sSI", url], r"^HTTP/1.1 200 OK\r?\n(.*\n)*Content-Length: 1500\r?\n"),
                (["curl", "-sSf", "--compressed", f"http://{OURS}/", "--next", "-sSf", "-r", "0-1", url], "<h1>a site</h1>"),
                (["curl", "-sS", "-H", "Expect: 100-continue", "-d", "a=b", url], "405 Method Not Allowed"),
                (["ab", "-q", "-k", "-n", "500", "-c", "20", url], r"Failed requests: +0\n(.*\n)*Keep-Alive requests: +500\n"),
                (["ab", "-q", "-n", "500", "-c", "20", url], r"Complete requests: +500\nFailed requests: +0\n"),
                (["wrk", "-t1", "-c20", "-d1s", url], r"(?s)^((?!Socket errors|Non-2xx).)*Requests/sec"),
            ):
                if shutil.which(command[0]):
                    with self.subTest(command=command):
                        said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode("latin-1")
                        self.assertRegex(said, says)

    def test_hostile_clients_do_not_keep_a_good_one_from_being_served(self) -> None:
        with serving():
            hostile = [connected() for _ in range(300)]
            for number, client in enumerate(hostile):
                # Slow heads, nothing at all, a body that does not come, garbage behind a request.
                client.sendall((b"GET / HTTP/1.1\r\nHo", b"", b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
                                GET + b"\x00\xff" * 500)[number % 4])
            self.assertIn(b"halvm says hello!", self._get("/hello")[1])
            self.assertRegex(everything(hostile[3]), rb"(?s)^HTTP/1.1 200 OK.*HTTP/1.1 400 Bad Request")
            with connected() as huge:
                huge.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000)
                self.assertTrue(everything(huge).startswith(b"HTTP/1.1 431 "))
            self.assertIn(b"halvm says hello!", self._get("/hello")[1])
            for client in hostile:
                client.close()

    def test_requests_in_one_piece_are_answered_in_order(self) -> None:
        with serving(), connected() as client:
            client.sendall(GET * 100)
            client.shutdown(socket.SHUT_WR)
            numbers = re.findall(rb"You are request (\d+)", everything(client))
            self.assertEqual([int(number) for number in numbers], list(range(100)))

    def test_a_link_that_goes_and_returns(self) -> None:
        with serving():
            with connected() as client:
                client.sendall(GET)
                self.assertIn(b"request 0", client.recv(4096))
                linux_network.ip("link", "set", "halvm0", "down")
                linux_network.ip("link", "set", "halvm0", "up")
                client.sendall(GET)
                self.assertIn(b"request 1", client.recv(4096))

    def test_what_is_under_way_is_answered_when_it_is_asked_to_end(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            large = Path(scratch) / "large"
            large.mkdir()
            (large / "file").write_bytes(bytes(range(256)) * 40_000)
            ramdisk.pack(large, Path(scratch) / "tar")
            with serving(HALVM_RAMDISK=f"{scratch}/tar") as web, connected() as idle, connected() as busy:
                idle.sendall(GET)
                idle.recv(4096)
                busy.sendall(GET.replace(b"/hello", b"/file"))
                begun = busy.recv(1000)
                web.process.send_signal(signal.SIGTERM)
                self.assertEqual(everything(idle), b"")
                with self.assertRaises(OSError):
                    connected().close()
                self.assertTrue((begun + everything(busy)).endswith(bytes(range(256)) * 40_000))
                self.assertEqual(web.process.wait(), 0)

    def test_what_it_cannot_do_it_says(self) -> None:
        with tempfile.NamedTemporaryFile() as file, linux_network.tap(f"{LINUX}/24") as nic:
            file.write(b"no tar" * 200)
            file.flush()
            for words, environment, said in (
                (["port=http"], {}, "read port=http: Invalid argument"),
                (["port=80", "syslog=nobody"], {}, "read syslog=nobody"),
                ([f"ip={OURS}/99"], {}, f"read ip={OURS}/99"),
                ([], {"HALVM_RAMDISK": file.name}, "read a tar archive, at byte 0: Invalid argument"),
                (["patience=soon"], {}, "read patience=soon: Invalid argument"),
                ([], {"HALVM_RAMDISK": "/nowhere"}, "open the ramdisk /nowhere: No such file or directory"),
            ):
                with linux_network.Program([PROGRAM, *words], nic, **environment) as web:
                    web.until(re.escape(said))
                    self.assertEqual(web.process.wait(), 2)
            with linux_network.Program([PROGRAM]) as web:
                web.until("HALVM_NICS gives this process none")
                self.assertEqual(web.process.wait(), 2)


if __name__ == "__main__":
    if not PROGRAM:
        print("skipped: the program is built for HALVM_MACHINE=linux only")
        raise SystemExit(77)
    linux_network.main("dnsmasq")
