# SPDX-License-Identifier: BSD-3-Clause
"""A site whose files web_load.cpp knows, and a web server under its clients."""

from __future__ import annotations

import http.client
import re
import subprocess
from pathlib import Path

from halvm_cli import ramdisk

# And how often each is asked for.
SIZES = {1: 32, 100: 120, 1500: 80, 20_000: 7, 300_000: 1}
INDEX = b"<h1>a site</h1>" * 100
_HEALTHY = ("http_malformed_total", "http_no_memory_total", "http_timeouts_total", "http_evicted_total")


def pack(scratch: Path) -> Path:
    """The archive of it, in that directory."""
    site = scratch / "site"
    site.mkdir()
    (site / "index.html").write_bytes(INDEX)
    period = bytes(range(251))
    for size in SIZES:
        (site / f"{size}.bin").write_bytes((period * (size // 251 + 1))[:size])
    archive = scratch / "site.tar"
    ramdisk.pack(site, archive)
    return archive


class Load:
    """So many clients at once of the server at that address, and what they leave behind there."""

    def __init__(self, program: str | Path, address: str, port: int = 80, clients: int = 32) -> None:
        self.address, self.port = address, port
        self._program, self._clients = program, clients

    def metrics(self) -> dict[str, int]:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=300)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", text, re.M)}

    def settled(self) -> dict[str, int]:
        """Once the server knows of the clients' end."""
        while (now := self.metrics())["http_connections_open"] != 1:
            pass
        return now

    def run(self, requests: int, seed: int = 1) -> str:
        """What the clients say. Raises CalledProcessError when one is not answered as it should be."""
        targets = [f"/{size}.bin={size}" for size, often in SIZES.items() for _ in range(often)]
        numbers = (str(number) for number in (self.port, self._clients, requests, seed))
        command = [str(self._program), self.address, *numbers, *targets]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def growth(self, requests: int) -> int:
        """Bytes that the server has more after so many requests than after the first tenth of them."""
        self.run(requests // 10)
        before = self.settled()
        self.run(requests - requests // 10, seed=2)
        after = self.settled()
        for name in _HEALTHY:
            if after[name] != before[name]:
                raise AssertionError(f"{name} has become {after[name]}")
        return after["halvm_memory_used_bytes"] - before["halvm_memory_used_bytes"]
