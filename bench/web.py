# SPDX-License-Identifier: BSD-3-Clause
"""examples/webserver as a process beside Debian's nginx, both with the same static site and asked by wrk: ours over a
TAP device, nginx on the kernel's stack over veth, all on one core, in turn.

A figure is the best of several rounds, because others may have company on their core."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import host_network
import web_rival
from halvm_cli import ramdisk, setup, tree
from lab import packages
from lab.errors import LabError

SECONDS = os.environ.get("HALVM_BENCH_SECONDS", "1")
ROUNDS = int(os.environ.get("HALVM_BENCH_ROUNDS", "5"))
PAGE = b"<!doctype html><title>halvm</title>" + b"<p>The same page for both.</p>\n" * 20
SITE = {"index.html": PAGE, "large": bytes(65536)}


@dataclass
class Load:
    connections: int
    target: str = "/"
    keeps: bool = True

    def name(self) -> str:
        many = f"{self.connections} connection{'s' if self.connections > 1 else ''}"
        what = "64 KiB, " if self.target == "/large" else ""
        return f"{what}{many}, kept" if self.keeps else f"{what}a connection for each request, {self.connections} at once"


LOADS = [
    *(Load(count) for count in (1, 16, 64, 1000)),
    *(Load(count, keeps=False) for count in (1, 16)),
    Load(16, "/large"),
]


@dataclass
class Figure:
    rate: float = 0.0
    server_ns: float = 0.0  # of processor time a request


def ask(server: str, load: Load) -> tuple[float, int]:
    """Requests a second, and how many there were."""
    fields = [] if load.keeps else ["-H", "Connection: close"]
    wrk = ["wrk", "-t1", f"-c{load.connections}", f"-d{SECONDS}", "--timeout", "60", *fields]
    said = host_network.run([*wrk, f"http://{server}{load.target}"])
    rate = re.search(r"^Requests/sec: +([0-9.]+)$", said, re.M)
    count = re.search(r"^ *(\d+) requests in", said, re.M)
    if rate is None or count is None or "Non-2xx" in said or int(count[1]) == 0:
        raise LabError(f"wrk is not answered as it should be: {said}")
    return float(rate[1]), int(count[1])


def measure(load: Load, at: host_network.Tap | host_network.Kernel, command: list[str | Path], says: str) -> Figure:
    with host_network.Server(command, at, says) as one:
        rate, count = ask(at.server, load)
    return Figure(rate, one.cpu_ns / count)


def build() -> None:
    setup.ensure(packages.WEB_RIVALS)
    tree.build("linux", ["webserver"])


def main() -> None:
    host_network.enter(build, "nginx", "wrk")
    program = tree.program("linux", "webserver")
    wanted = os.environ.get("HALVM_BENCH_LOADS", "").split()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as ends:
        directory = Path(scratch)
        (directory / "site").mkdir()
        for name, content in SITE.items():
            (directory / "site" / name).write_bytes(content)
        ramdisk.pack(directory / "site", directory / "site.tar")
        tap = ends.enter_context(host_network.Tap(1))
        tap.environment["HALVM_RAMDISK"] = str(directory / "site.tar")
        kernel = ends.enter_context(host_network.Kernel(2))
        both = (
            (tap, [program, f"ip={tap.server}/24"], "Serving on"),
            (kernel, web_rival.nginx(directory), ""),
        )
        for load in LOADS:
            if wanted and str(load.connections) not in wanted:
                continue
            best = [Figure(), Figure()]
            for _ in range(ROUNDS):
                for number, (at, command, says) in enumerate(both):
                    got = measure(load, at, command, says)
                    if got.rate > best[number].rate:
                        best[number] = got
            ours, theirs = best
            print(load.name(), round(ours.rate), "/s", web_rival.NAME, round(theirs.rate), sep="\t")
            metric = f"{load.name()}: the server's processor time"
            print(metric, round(ours.server_ns), "ns", web_rival.NAME, round(theirs.server_ns), sep="\t", flush=True)


main()
