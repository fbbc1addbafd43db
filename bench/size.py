# SPDX-License-Identifier: BSD-3-Clause
"""How large kernels are: hello against its rivals, its parts, and what each part of the run time adds."""

import subprocess

import rivals
from halvm_cli import tree

PROGRAMS = ("empty", "console", "exception", "printf", "iostream", "regex")


def main() -> None:
    tree.build("xen", ["hello", "bench_programs"])
    hello = tree.program("xen", "hello")
    for rival, size in rivals.SIZE.items():
        print("hello", hello.stat().st_size, "bytes", rival, size, sep="\t")

    explained = subprocess.run(
        [tree.ROOT / "linker" / "ldkernel", "--explain", hello], capture_output=True, text=True, check=True
    ).stdout
    ours = 0
    for line in explained.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "part" or kind == "cost":
            name, _, figures = rest.strip().partition("  ")
            size = int(figures.split()[0])
            ours += size if name.startswith("src/") else 0
            print(f"hello: {name}", size, "bytes", sep="\t")
    print("hello: all of src/", ours, "bytes", sep="\t")

    for name in PROGRAMS:
        kernel = tree.build_directory("xen") / "bench" / "programs" / name
        print(f"program: {name}", kernel.stat().st_size, "bytes", sep="\t")


main()
