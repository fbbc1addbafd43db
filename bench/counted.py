# SPDX-License-Identifier: BSD-3-Clause
"""Programs of programs/ that count themselves, each alone in the lab's machine under -icount."""

from halvm_cli import tree
from lab import dom0_boot


def lines(program: str) -> list[list[str]]:
    """The fields of the lines with figures that the program prints: a metric, instructions, perhaps a rival."""
    tree.build("xen", [f"bench_{program}"])
    kernel = tree.build_directory("xen") / "bench" / "programs" / program
    run = dom0_boot.run(kernel, dom0_boot.Options(memory_mb=64, icount=True, timeout=120))
    return [line.split("\t") for line in run.console.splitlines() if "\t" in line]


def print_lines(program: str) -> None:
    """Them as figures without a rival."""
    for metric, instructions in lines(program):
        print(f"domain: {metric}", instructions, "instructions", sep="\t")
