# SPDX-License-Identifier: BSD-3-Clause
"""Joins the console of a running guest.

Without a NAME, the only one there is. Ctrl-] leaves; the guest goes on.
"""

from __future__ import annotations

import argparse
import select
import subprocess

from lab.errors import LabError
from lab.progress import say

from . import attach, run_xl, terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the guest, as given to `halvm run`")


def main(arguments: argparse.Namespace) -> int:
    wanted = arguments.name
    guests = [
        guest for guest in attach.running() if wanted in (None, guest, guest.rpartition(".")[0])
    ]
    if not guests and run_xl.is_xen_host() and wanted:
        return subprocess.run(["xl", "console", wanted]).returncode
    if not guests:
        raise LabError(
            f"no guest {wanted} is running" if wanted else "no guest is running",
            "start one with `tools/halvm run NAME` in another terminal.",
        )
    if len(guests) > 1:
        raise LabError("several guests are running: " + ", ".join(guests), "name one of them.")
    with attach.join(guests[0]) as line:
        say(f"the console of {guests[0]}; Ctrl-] leaves it")
        return _bridge(line)


def _bridge(line) -> int:
    keys = terminal.Input()
    with terminal.direct():
        while True:
            ready, _, _ = select.select([line] + ([keys] if keys.open else []), [], [])
            if keys in ready:
                line.sendall(keys.read())
                if keys.left:
                    terminal.show("\n")
                    return 0
            if line in ready:
                data = line.recv(65536)
                if not data:
                    say("the guest has ended")
                    return 0
                terminal.show(data.decode(errors="replace"))
