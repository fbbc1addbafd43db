# SPDX-License-Identifier: BSD-3-Clause
"""HTTP without a network, counted in a domain: heads parsed, requests answered over a stream in memory."""

from halvm_cli import tree
from lab import dom0_boot


def main() -> None:
    tree.build("xen", ["bench_programs"])
    kernel = tree.build_directory("xen") / "bench" / "programs" / "http_counted"
    run = dom0_boot.run(kernel, dom0_boot.Options(memory_mb=64, icount=True, timeout=120))
    for line in run.console.splitlines():
        if "\t" in line:
            metric, instructions = line.split("\t")
            print(f"domain: {metric}", instructions, "instructions", sep="\t")


main()
