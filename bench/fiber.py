# SPDX-License-Identifier: BSD-3-Clause
"""Fibers: in a process beside Boost.Fiber, in one run on one core; in a domain counted, beside the bare jump."""

import subprocess

from halvm_cli import setup, tree
from lab import dom0_boot, packages


def main() -> None:
    setup.ensure(packages.FIBER_RIVALS)
    tree.build("linux", ["bench_programs"])
    program = tree.build_directory("linux") / "bench" / "programs" / "fiber_rivals"
    said = subprocess.run(["taskset", "-c", "0", program], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        print(line)

    tree.build("xen", ["bench_programs"])
    kernel = tree.build_directory("xen") / "bench" / "programs" / "fiber_counted"
    run = dom0_boot.run(kernel, dom0_boot.Options(memory_mb=64, icount=True, timeout=120))
    figures = dict(line.split("\t") for line in run.console.splitlines() if "\t" in line)
    bare = figures.pop("bare jump of Boost.Context")
    for metric, instructions in figures.items():
        print(f"domain: {metric}", instructions, "instructions", "bare jump of Boost.Context", bare, sep="\t")


main()
