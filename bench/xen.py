# SPDX-License-Identifier: BSD-3-Clause
"""Xen's mechanisms in a domain, counted, beside the bare hypercall and a Linux PV guest's; a batch beside the same
calls one by one."""

import re
from pathlib import Path

import linux_guest
from counted import lines
from lab import measure


def linux() -> dict[str, str]:
    """What a Linux guest's process pays for the same, by metric."""
    program = Path(__file__).parent / "programs" / "linux_mechanisms.c"
    (counted,) = measure.count([linux_guest.subject("mechanisms", program, modules=True)])
    if counted.errors or not counted.total_ns:
        raise SystemExit(f"{counted.name}: {counted.errors}, its console:\n{counted.console}")
    return dict(re.findall(r"^(.+) = (\d+) instructions", counted.console, re.MULTILINE))


def main() -> None:
    figures = dict(lines("hypercall_counted"))
    for metric, instructions in figures.items():
        count = metric.removeprefix("multicall of ")
        rival = f"{count} one by one" if count != metric and count != "1" else "bare hypercall"
        print(metric, instructions, "instructions", rival, figures[rival], sep="\t")

    theirs_by_metric = linux()
    for metric, instructions, rival, theirs in lines("xen_counted") + lines("grant_counted"):
        print(metric, instructions, "instructions", rival, theirs, sep="\t")
        if metric in theirs_by_metric:
            print(metric, instructions, "instructions", f"{linux_guest.VERSION}, by system calls",
                  theirs_by_metric.pop(metric), sep="\t")
    if theirs_by_metric:
        raise SystemExit(f"nothing of ours stands beside {theirs_by_metric}")


main()
