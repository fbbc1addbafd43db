# SPDX-License-Identifier: BSD-3-Clause
"""TCP on this machine, client and server on one core: echoes, a connection for each request, bulk in both directions;
beside lwIP over the same kind of TAP device, and the kernel's own server over veth, in turn. Before that, what segments
cost in a domain, counted, and what idle connections weigh in a process.

A figure is the best of several rounds, because others may have company on their core."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import host_network
from halvm_cli import setup, tree
from lab import dom0_boot, packages

PROGRAMS = tree.build_directory("linux") / "bench" / "programs"
SECONDS = os.environ.get("HALVM_BENCH_SECONDS", "0.5")
ROUNDS = int(os.environ.get("HALVM_BENCH_ROUNDS", "5"))
LWIP = "lwIP 2.1.3, as Debian builds it"
KERNEL = "Linux over veth"
BARE = "Linux over veth without offloads"


@dataclass
class Load:
    what: str
    connections: int

    def name(self) -> str:
        if self.what == "send":
            return "bulk to the server"
        if self.what == "receive":
            return "bulk from the server"
        many = f"{self.connections} connection{'s' if self.connections > 1 else ''}"
        return f"echo of 64 bytes, {many}" if self.what == "echo" else f"a connection for each request, {many} at once"

    def is_bulk(self) -> bool:
        return self.what in ("send", "receive")

    def unit(self) -> str:
        return "Mbit/s" if self.is_bulk() else "/s"


LOADS = [
    *(Load("echo", count) for count in (1, 4, 16, 64)),
    *(Load("request", count) for count in (1, 16)),
    Load("send", 1),
    Load("receive", 1),
]


def build() -> None:
    setup.ensure(packages.NET_RIVALS)
    tree.configure("linux", again=True)
    tree.build("linux", ["bench_tcp_server", "bench_tcp_linux", "bench_tcp_lwip", "bench_tcp_idle"])
    # Counted and weighed outside, where QEMU and the programs have all that the machine has.
    tree.build("xen", ["bench_programs"])
    counted = tree.build_directory("xen") / "bench" / "programs" / "tcp_counted"
    run = dom0_boot.run(counted, dom0_boot.Options(memory_mb=64, icount=True, timeout=240))
    for line in run.console.splitlines():
        if "\t" in line:
            metric, instructions = line.split("\t")
            print(f"domain: {metric}", instructions, "instructions", sep="\t", flush=True)
    print(subprocess.run([PROGRAMS / "tcp_idle"], capture_output=True, text=True, check=True).stdout, end="", flush=True)


@dataclass
class Figure:
    rate: float = 0.0
    server_ns: float = 0.0  # of processor time an operation, or a megabyte


def measure(load: Load, at: host_network.Tap | host_network.Kernel, server: list[str | Path]) -> Figure:
    with host_network.Server(server, at) as one:
        said = host_network.run([PROGRAMS / "tcp_linux", load.what, at.server, str(load.connections), SECONDS])
    count, took, _ = (int(word) for word in said.split())
    operations = count / 1e6 if load.is_bulk() else count
    rate = operations * 1e9 / took
    return Figure(rate * 8 if load.is_bulk() else rate, one.cpu_ns / operations if operations else 0)


def rivals(load: Load) -> Iterator[tuple[str, host_network.Tap | host_network.Kernel, list[str | Path]]]:
    tap = host_network.Tap(1)
    yield "", tap, [PROGRAMS / "tcp_server", f"ip={tap.server}/24"]
    other = host_network.Tap(2)
    yield LWIP, other, [PROGRAMS / "tcp_lwip", other.name, other.server, "255.255.255.0"]
    yield KERNEL, host_network.Kernel(3), [PROGRAMS / "tcp_linux", "serve"]
    if load.is_bulk():
        yield BARE, host_network.Kernel(4, offloads=False), [PROGRAMS / "tcp_linux", "serve"]


def main() -> None:
    host_network.enter(build)
    wanted = os.environ.get("HALVM_BENCH_LOADS", "").split()
    for load in LOADS:
        if wanted and load.what not in wanted:
            continue
        best: dict[str, Figure] = {}
        with ExitStack() as ends:
            all_of_them = [(name, ends.enter_context(at), server) for name, at, server in rivals(load)]
            for _ in range(ROUNDS):
                for name, at, server in all_of_them:
                    got = measure(load, at, server)
                    if name not in best or got.rate > best[name].rate:
                        best[name] = got
        ours = best.pop("")
        for name, theirs in best.items():
            print(load.name(), round(ours.rate), load.unit(), name, round(theirs.rate), sep="\t")
        for name, theirs in best.items():
            unit = "ns a megabyte" if load.is_bulk() else "ns"
            metric = f"{load.name()}: the server's processor time"
            print(metric, round(ours.server_ns), unit, name, round(theirs.server_ns), sep="\t", flush=True)


main()
