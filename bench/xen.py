# SPDX-License-Identifier: BSD-3-Clause
"""Xen's mechanisms in a domain, counted, beside the bare hypercall; a batch beside the same calls one by one."""

from halvm_cli import tree
from lab import dom0_boot


def lines(program: str) -> list[list[str]]:
    """The fields of the lines with figures that the program prints."""
    kernel = tree.build_directory("xen") / "bench" / "programs" / program
    run = dom0_boot.run(kernel, dom0_boot.Options(memory_mb=64, icount=True, timeout=120))
    return [line.split("\t") for line in run.console.splitlines() if "\t" in line]


def main() -> None:
    tree.build("xen", ["bench_programs"])
    figures = dict(lines("hypercall_counted"))
    for metric, instructions in figures.items():
        count = metric.removeprefix("multicall of ")
        rival = f"{count} one by one" if count != metric and count != "1" else "bare hypercall"
        print(metric, instructions, "instructions", rival, figures[rival], sep="\t")

    for metric, instructions, rival, theirs in lines("xen_counted") + lines("grant_counted"):
        print(metric, instructions, "instructions", rival, theirs, sep="\t")


main()
