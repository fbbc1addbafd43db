# SPDX-License-Identifier: BSD-3-Clause
"""Builds a program and runs it, on this machine's Xen or on one in QEMU.

NAME is a folder of examples/; ELF is the path of a kernel that was built
elsewhere. Exits with the program's own status; 134 when it panicked or crashed,
125 when the tool failed, 130 after Ctrl-C. Ctrl-] leaves the console. However
it ends, the domain is destroyed.

What follows -- is given to `xl create`, for example -- 'vcpus=1'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lab import packages
from lab.domain import Guest
from lab.elf import require_xen_kernel
from lab.errors import LabError

from . import disks, run_lab, run_linux, run_xl, setup, tree

LEAST_MEMORY_MB = 4
DEFAULT_MEMORY_MB = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="NAME|ELF")
    parser.add_argument("--memory", type=_number, metavar="MB", help="the domain's memory")
    parser.add_argument("--on", choices=("lab", "xen", "linux"), help="instead of what fits this machine")
    parser.add_argument("--extra", metavar="TEXT", help="the program's command line")
    parser.add_argument(
        "--disk",
        action="append",
        default=[],
        metavar="FILE[,ro]",
        help="the program's next disk, xvda first: a file or a block device, which keeps what is written",
    )
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="end the run after this time")
    parser.add_argument("--cpu", default="default", help="the lab's CPU: default, plain, max, or QEMU's words")
    parser.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="HOSTPORT:GUESTPORT",
        help="lab and linux: connections to this machine's port go to the first guest on the network",
    )
    parser.add_argument("--tap", metavar="NAME", help="linux only: give the program this TAP device of the machine")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def main(arguments: argparse.Namespace) -> int:
    if arguments.memory is not None and arguments.memory < LEAST_MEMORY_MB:
        raise LabError(
            f"{arguments.memory} MB is too little memory",
            f"a PV domain takes at least {LEAST_MEMORY_MB} MB: that is the first mapping Xen makes.",
        )
    arguments.disks = disks.parse(arguments.disk)
    where = arguments.on or ("xen" if run_xl.is_xen_host() else "lab")
    if where == "xen":
        run_xl.require_host()
    path = Path(arguments.what)
    is_file = path.is_file() and ("/" in arguments.what or arguments.what not in tree.examples())
    if not is_file and "/" in arguments.what:
        raise LabError(f"there is no file {path}", "build it first, or check the name.")
    setup.ensure(packages.BUILD if where != "lab" else packages.HOST)
    if where == "linux":
        return run_linux.run(arguments, path if is_file else None)
    if is_file:
        guest = Guest(path.stem, path, config=_config_beside(path), memory_mb=arguments.memory)
    else:
        guest = _example(arguments)
    guest.command_line = arguments.extra
    guest.xl_options = tuple(arguments.rest)
    guest.disks = arguments.disks
    if guest.memory_mb is None and "memory" not in guest.config:
        guest.memory_mb = DEFAULT_MEMORY_MB
    require_xen_kernel(guest.kernel)
    if where == "xen":
        return run_xl.run(guest, arguments.timeout)
    return run_lab.run(guest, arguments)


def _config_beside(kernel: Path) -> str:
    config = kernel.with_name(kernel.name + ".cfg")
    return config.read_text() if config.is_file() else ""


def _example(arguments: argparse.Namespace) -> Guest:
    name = arguments.what
    tree.require_example(name)
    tree.build("xen", [name])
    kernel = tree.program("xen", name)
    if not kernel.is_file():
        raise LabError(f"the build left no {kernel}", f"examples/{name} must make a target called {name}.")
    config = tree.EXAMPLES / name / f"{name}.cfg"
    text = config.read_text() if config.is_file() else ""
    return Guest(name, kernel, config=text, memory_mb=arguments.memory)
