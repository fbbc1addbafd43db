# SPDX-License-Identifier: BSD-3-Clause
"""How many fibers a process can have, and what one that waits costs."""

import subprocess

from halvm_cli import tree


def main() -> None:
    tree.build("linux", ["bench_programs"])
    program = tree.build_directory("linux") / "bench" / "programs" / "fiber_many"
    print(subprocess.run([program], capture_output=True, text=True, check=True).stdout, end="")


main()
