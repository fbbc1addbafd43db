# SPDX-License-Identifier: BSD-3-Clause
"""examples/webserver in a domain, through QEMU's user network and its DHCP server, until `xl shutdown`.

webserver_test.py PROGRAM [CONNECTIONS [OPEN]]

So many connections one after another, and so many open at once, leave no memory behind.
"""

import http.client
import re
import socket
import sys
import tempfile
import time
from pathlib import Path

from halvm_cli import ramdisk
from lab.domain import Domain, Guest
from lab.lab import Lab, Settings
from lab.network import USER, Forward, Nic

PATIENCE = 300.0
GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Client:
    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, target: str, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        connection.request(method, target)
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer

    def metric(self, name: str) -> int:
        _, text = self.get("/metrics")
        found = re.search(rf"^{name} (\d+)$", text.decode(), re.M)
        return int(found[1]) if found else sys.exit(f"there is no {name} in:\n{text.decode()}")

    def open(self) -> socket.socket:
        """A connection that has been used once."""
        client = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        client.sendall(GET)
        must(b"halvm says hello!" in client.recv(4096), "a connection is answered")
        return client


def must(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"it does not hold that {what}")


def use(web: Client, connections: int, at_once: int) -> None:
    """So many connections one after another, and so many at once."""
    for _ in range(connections):
        web.open().close()
    used, fibers = web.metric("halvm_memory_used_bytes"), web.metric("halvm_fibers")
    clients = [web.open() for _ in range(at_once)]
    opened = web.metric("http_connections_open")
    must(opened == at_once + 1, f"{opened} of {at_once + 1} are open")
    must(web.metric("halvm_fibers") <= fibers, "an open connection holds no fiber")
    print(f"{at_once} open: {(web.metric('halvm_memory_used_bytes') - used) / at_once:.0f} bytes each")
    for client in clients[:: max(at_once // 10, 1)]:
        client.sendall(GET)
        must(b"halvm says hello!" in client.recv(4096), "one that has been idle is answered")
    for client in clients:
        client.close()
    while web.metric("http_connections_open") != 1:
        pass


def check(web: Client, connections: int, at_once: int) -> None:
    must(web.get("/") == (200, b"<h1>in a domain</h1>"), "the ramdisk's page comes")
    must(web.get("/large.bin") == (200, bytes(range(256)) * 2000), "half a megabyte comes whole")
    must(web.get("/nothing")[0] == 404 and web.get("/", "DELETE")[0] == 405, "what is not there is refused")
    must(b"halvm says hello! You are request 0" in web.get("/hello")[1], "the first is greeted")
    use(web, 10, at_once)  # what is kept for the next has its size then
    used = web.metric("halvm_memory_used_bytes")
    use(web, connections, at_once)
    left = web.metric("halvm_memory_used_bytes") - used
    print(f"after {connections} connections, {at_once} at once: {left} bytes more")
    must(left <= 64 << 10, "connections leave no memory behind")
    must(web.metric("http_no_memory_total") == 0, "there is memory")


def main() -> None:
    connections, at_once = (int(word) for word in [*sys.argv[2:], "100", "20"][:2])
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch) / "site"
        site.mkdir()
        (site / "index.html").write_bytes(b"<h1>in a domain</h1>")
        (site / "large.bin").write_bytes(bytes(range(256)) * 2000)
        archive = Path(scratch) / "site.tar"
        ramdisk.pack(site, archive)
        guest = Guest("webserver", Path(sys.argv[1]), memory_mb=32, nics=(Nic(USER),), ramdisk=archive)
        guest.command_line = "idle=3600"  # the machine may be slow
        with Lab(Settings(forwards=(Forward(port, 80),), lanes=2)) as lab, lab.lane() as lane, lab.lane() as other:
            with Domain(lab, lane, guest) as domain:
                until(domain, r"^Serving on http://10\.0\.2\.15:80/$")
                check(Client(port), connections, at_once)
                stopped = other.run(f"xl shutdown {domain.result.domain}")
                must(stopped.status == 0, f"xl shuts it down: {stopped.text}")
                until(domain, r"^Served \d+ requests$")
                while not domain.over:
                    domain.poll(1.0)
    print(domain.result.console)
    must((domain.result.end, domain.result.status) == ("poweroff", 0), "it ends well when it is asked to")


def until(domain: Domain, pattern: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not re.search(pattern, domain.result.console, re.M):
        if domain.over or time.monotonic() > deadline:
            sys.exit(f"it never said {pattern!r}, but:\n{domain.result.console}")
        domain.poll(0.1)


if __name__ == "__main__":
    main()
