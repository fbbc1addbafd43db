# SPDX-License-Identifier: BSD-3-Clause
"""Fibers: in a process beside Boost.Fiber, in one run on one core; in a domain counted, beside the bare jump."""

import subprocess

import counted
from halvm_cli import setup, tree
from lab import packages


def main() -> None:
    setup.ensure(packages.FIBER_RIVALS)
    tree.build("linux", ["bench_programs"])
    program = tree.build_directory("linux") / "bench" / "programs" / "fiber_rivals"
    said = subprocess.run(["taskset", "-c", "0", program], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        print(line)

    figures = dict(counted.lines("fiber_counted"))
    bare = figures.pop("bare jump of Boost.Context")
    for metric, instructions in figures.items():
        print(f"domain: {metric}", instructions, "instructions", "bare jump of Boost.Context", bare, sep="\t")


main()
