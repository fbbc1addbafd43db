# SPDX-License-Identifier: BSD-3-Clause
"""How large kernels are: hello against its rivals, its parts, and what each part of the run time adds."""

import subprocess
from pathlib import Path

import rivals
from halvm_cli import tree

PROGRAMS = ("empty", "console", "exception", "printf", "iostream", "regex")


def parts(kernel: Path) -> dict[str, int]:
    """What each part of the system, and each thing that can be left out, costs in an image."""
    command = [tree.ROOT / "linker" / "ldkernel", "--explain", kernel]
    explained = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in explained.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("part", "cost"):
            name, _, figures = rest.strip().partition("  ")
            found[name] = int(figures.split()[0])
    return found


def main() -> None:
    tree.build("xen", ["hello", "webserver", "bench_programs"])
    hello = tree.program("xen", "hello")
    for rival, size in rivals.SIZE.items():
        print("hello", hello.stat().st_size, "bytes", rival, size, sep="\t")

    ours = 0
    for name, size in parts(hello).items():
        ours += size if name.startswith("src/") else 0
        print(f"hello: {name}", size, "bytes", sep="\t")
    print("hello: all of src/", ours, "bytes", sep="\t")
    # The one that uses most of the fibers' primitives.
    print("scheduler", parts(tree.build_directory("xen") / "bench/programs/fiber_counted")["src/fiber"], "bytes", sep="\t")

    for name in PROGRAMS:
        kernel = tree.build_directory("xen") / "bench" / "programs" / name
        print(f"program: {name}", kernel.stat().st_size, "bytes", sep="\t")
    print("webserver", tree.program("xen", "webserver").stat().st_size, "bytes", sep="\t")


main()
