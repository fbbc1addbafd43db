# SPDX-License-Identifier: BSD-3-Clause
"""examples/webserver in a domain, through QEMU's user network and its DHCP server, until `xl shutdown`.

webserver_test.py PROGRAM WEB_LOAD [MEMORY CONNECTIONS OPEN REQUESTS]

With so many MiB of memory so many connections one after another, so many open at once, and so many requests of clients
of whom some break off, leave no memory behind.
"""

import http.client
import re
import socket
import sys
import tempfile
import time
from pathlib import Path

import web_site
from hot_plug_test import Host
from lab.domain import Domain, Guest
from lab.lab import Lab, Settings
from lab.lane import Lane
from lab.network import USER, Forward, Nic

PATIENCE = 300.0
GET = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Client(web_site.Load):
    def get(self, target: str, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=PATIENCE)
        connection.request(method, target)
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer

    def open(self) -> socket.socket:
        """A connection that has been used once."""
        client = socket.create_connection((self.address, self.port), timeout=PATIENCE)
        greeted(client)
        return client


def greeted(client: socket.socket) -> None:
    client.sendall(GET)
    must(b"halvm says hello!" in client.recv(4096), "a connection is answered")


def must(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"it does not hold that {what}")


def use(web: Client, connections: int, at_once: int) -> None:
    """So many connections one after another, and so many at once."""
    for _ in range(connections):
        web.open().close()
    before = web.settled()
    clients = [web.open() for _ in range(at_once)]
    now = web.metrics()
    must(now["http_connections_open"] == at_once + 1, f"{now['http_connections_open']} of {at_once + 1} are open")
    must(now["halvm_fibers"] <= before["halvm_fibers"], "an open connection holds no fiber")
    used = now["halvm_memory_used_bytes"] - before["halvm_memory_used_bytes"]
    print(f"{at_once} open: {used / at_once:.0f} bytes each", flush=True)
    for client in clients[:: max(at_once // 10, 1)]:
        greeted(client)
    for client in clients:
        client.close()
    web.settled()


def check(web: Client, connections: int, at_once: int, requests: int) -> None:
    must(web.get("/") == (200, web_site.INDEX), "the ramdisk's page comes")
    must(web.get("/nothing")[0] == 404 and web.get("/", "DELETE")[0] == 405, "what is not there is refused")
    must(b"halvm says hello! You are request 0" in web.get("/hello")[1], "the first is greeted")
    use(web, 10, at_once)  # what is kept for the next has its size then
    before = web.settled()
    use(web, connections, at_once)
    left = web.settled()["halvm_memory_used_bytes"] - before["halvm_memory_used_bytes"]
    print(f"after {connections} connections, {at_once} at once: {left} bytes more", flush=True)
    must(left <= 64 << 10, "connections leave no memory behind")
    left = web.growth(requests)
    print(f"after {requests} requests: {left} bytes more", flush=True)
    must(left <= 1 << 20, "requests leave no memory behind")


def must_say_why(lab: Lab, lane: Lane, guest: Guest, why: str) -> None:
    with Domain(lab, lane, guest) as domain:
        while not domain.over:
            domain.poll(1.0)
    must(why in domain.result.console and domain.result.status == 2, f"it says {why}, but {domain.result.console}")


def main() -> None:
    memory, connections, at_once, requests = (int(word) for word in sys.argv[3:] or "8 100 20 1000".split())
    must(Path(sys.argv[1]).stat().st_size <= 900 << 10, "its image has 900 KiB at most")
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        archive = web_site.pack(Path(scratch))
        guest = Guest("webserver", Path(sys.argv[1]), memory_mb=memory, nics=(Nic(USER),), ramdisk=archive)
        guest.command_line = "idle=3600"  # the machine may be slow
        with Lab(Settings(forwards=(Forward(port, 80),), lanes=2)) as lab, lab.lane() as lane, lab.lane() as other:
            with Domain(lab, lane, guest) as domain:
                until(domain, r"^Serving on http://10\.0\.2\.15:80/$")
                web = Client(sys.argv[2], "127.0.0.1", port, clients=4)
                check(web, connections, at_once, requests)
                with web.open() as kept:
                    Host(other, domain).restart_back_end()
                    greeted(kept)
                stopped = other.run(f"xl shutdown {domain.result.domain}")
                must(stopped.status == 0, f"xl shuts it down: {stopped.text}")
                until(domain, r"^Served \d+ requests$")
                while not domain.over:
                    domain.poll(1.0)
            # xl loads that, and leaves too little for a network interface.
            archive.write_bytes(archive.read_bytes() + bytes((5 << 20) - archive.stat().st_size))
            guest.memory_mb = 8
            must_say_why(lab, lane, guest, "Out of memory")
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
