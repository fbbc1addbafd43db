# SPDX-License-Identifier: BSD-3-Clause
"""What hello costs while it sleeps between two lines: one line a second."""

from halvm_cli import tree
from lab import measure

SECONDS = 5


def main() -> None:
    tree.build("xen", ["hello"])
    subject = measure.Subject("hello", tree.program("xen", "hello"), seconds=1.5, idle_seconds=SECONDS)
    (counted,) = measure.count([subject])
    if counted.errors or counted.state != "-b----":
        raise SystemExit(f"hello: {counted.errors}, state {counted.state!r}")
    print("hello: CPU time a second", counted.idle_ns // SECONDS, "ns", sep="\t")


main()
