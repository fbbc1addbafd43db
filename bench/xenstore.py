# SPDX-License-Identifier: BSD-3-Clause
"""What a XenStore read costs a domain, with one and with sixteen in flight, beside a Linux PV guest's."""

import re
from pathlib import Path

import linux_guest
from halvm_cli import tree
from lab import measure

READS = 1600
LINUX_NAME = f"{linux_guest.VERSION} (1 in flight)"

LINUX = Path(__file__).parent / "programs" / "linux_store.c"


def linux(reads: int) -> measure.Subject:
    return linux_guest.subject(f"{reads} reads", LINUX, f"READS={reads}")


def elapsed(counted: measure.Counted) -> int:
    found = re.search(r"(\d+) ns", counted.console)
    if counted.errors or not found or not counted.total_ns:
        raise SystemExit(f"{counted.name}: {counted.errors}, its console:\n{counted.console}")
    return int(found.group(1))


def main() -> None:
    tree.build("xen", ["bench_store"])
    kernel = tree.build_directory("xen") / "bench" / "programs" / "store"
    subjects = [
        measure.Subject(f"{READS} reads, {fibers} in flight", kernel, command_line=f"{READS} {fibers}", seconds=4)
        for fibers in (1, 16)
    ]
    *ours, idle_linux, busy_linux = measure.count([*subjects, linux(0), linux(READS)])
    elapsed(idle_linux)
    linux_ns = (busy_linux.total_ns - idle_linux.total_ns) // READS
    linux_rate = READS * 1_000_000_000 // elapsed(busy_linux)
    for fibers, busy in zip((1, 16), ours):
        # The domain reads its own CPU time: at its end it polls, for as long as dom0 happens to need.
        cost = int(re.search(r"(\d+) run", busy.console).group(1)) // READS
        rate = READS * 1_000_000_000 // elapsed(busy)
        notifications = int(re.search(r"(\d+) notifications", busy.console).group(1))
        print(f"read, {fibers} in flight: CPU time", cost, "ns", LINUX_NAME, linux_ns, sep="\t")
        print(f"read, {fibers} in flight: rate", rate, "reads/s", LINUX_NAME, linux_rate, sep="\t")
        print(f"read, {fibers} in flight: notifications", f"{notifications / READS:.4f}", "a read", sep="\t")


main()
