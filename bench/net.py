# SPDX-License-Identifier: BSD-3-Clause
"""Packets: the checksum in a process beside lwIP's and a plain loop, in one run on one core; in a domain counted, what
it takes to parse and to write the headers of a frame."""

import subprocess

import counted
from halvm_cli import setup, tree
from lab import packages


def main() -> None:
    setup.ensure(packages.NET_RIVALS)
    tree.configure("linux", again=True)
    tree.build("linux", ["bench_programs"])
    program = tree.build_directory("linux") / "bench" / "programs" / "checksum_rivals"
    said = subprocess.run(["taskset", "-c", "0", program], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        metric, ours, rival, theirs = line.split("\t")
        print(metric, ours, "GB/s", rival, theirs, sep="\t")

    counted.print_lines("wire_counted")


main()
