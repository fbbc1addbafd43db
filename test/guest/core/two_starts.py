# SPDX-License-Identifier: BSD-3-Clause
"""Two starts of the program differ in their canaries, with the CPU's random numbers and without."""

import re
import sys
from pathlib import Path

from lab import dom0_boot


def canary(kernel: Path, cpu: str) -> str:
    run = dom0_boot.run(kernel, dom0_boot.Options(cpu=cpu))
    found = re.search(r"^canary: 1 ([0-9a-f]{16})$", run.console, re.M)
    if not found:
        sys.exit(f"no canary with the CPU {cpu}:\n{run.console}")
    return found.group(1)


def main() -> None:
    kernel = Path(sys.argv[1])
    for cpu in ("default", "plain"):
        one, other = canary(kernel, cpu), canary(kernel, cpu)
        print(f"{cpu}: {one} {other}")
        if one == other:
            sys.exit(f"two starts with the CPU {cpu} have the same canary")


if __name__ == "__main__":
    main()
