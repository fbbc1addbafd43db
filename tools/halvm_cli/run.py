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
import os
from pathlib import Path

from lab import network, packages
from lab.domain import Guest
from lab.elf import require_xen_kernel
from lab.errors import LabError

from . import disks, forward, nics, ramdisk, run_lab, run_linux, run_xl, setup, tree

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
    parser.add_argument(
        "--nic",
        action="append",
        nargs="?",
        const=nics.Wanted(),
        type=nics.parse,
        default=[],
        metavar="user|bridge[=NAME][,mac=MAC]",
        help="the program's next network interface: user has DHCP, DNS and --forward, bridge has none of them",
    )
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="end the run after this time")
    parser.add_argument("--cpu", default="default", help="the lab's CPU: default, plain, max, or QEMU's words")
    parser.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="HOSTPORT:GUESTPORT[/udp]",
        help="lab and linux: what comes to this port of 127.0.0.1 goes to that of the program, in the user network",
    )
    parser.add_argument(
        "--tap",
        action="append",
        default=[],
        metavar="NAME[/MAC]",
        help="linux only: the program's next network interface is this TAP device of the machine",
    )
    ramdisk.add_arguments(parser)


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
    ramdisk.check(arguments)
    nics.check(arguments.nic)
    where = arguments.on or ("xen" if run_xl.is_xen_host() else "lab")
    if where == "xen":
        run_xl.require_host()
    path = Path(arguments.what)
    is_file = path.is_file() and ("/" in arguments.what or arguments.what not in tree.examples())
    if not is_file and "/" in arguments.what:
        raise LabError(f"there is no file {path}", "build it first, or check the name.")
    if not is_file:
        tree.require_example(arguments.what)
    config = _config(path if is_file else tree.EXAMPLES / arguments.what / arguments.what)
    given = _network(arguments, where, config)
    setup.ensure(packages.BUILD if where != "lab" else packages.HOST)
    with ramdisk.given(arguments) as arguments.ramdisk:
        if where == "linux":
            return run_linux.run(arguments, path if is_file else None)
        return _run_guest(arguments, path, is_file, where, config, given)


def _run_guest(
    arguments: argparse.Namespace,
    path: Path,
    is_file: bool,
    where: str,
    config: str,
    given: tuple[network.Nic, ...],
) -> int:
    guest = Guest(path.stem if is_file else arguments.what, path, config=config, memory_mb=arguments.memory)
    if not is_file:
        guest.kernel = _build(arguments.what)
    guest.nics = given
    guest.ramdisk = arguments.ramdisk
    guest.command_line = arguments.extra
    guest.xl_options = tuple(arguments.rest)
    guest.disks = arguments.disks
    if guest.memory_mb is None and "memory" not in guest.config:
        guest.memory_mb = DEFAULT_MEMORY_MB
    require_xen_kernel(guest.kernel)
    if where == "xen":
        return run_xl.run(guest, arguments.timeout)
    return run_lab.run(guest, arguments)


def _config(program: Path) -> str:
    config = program.with_name(program.name + ".cfg")
    return config.read_text() if config.is_file() else ""


def _network(arguments: argparse.Namespace, where: str, config: str) -> tuple[network.Nic, ...]:
    """A domain's interfaces; sets arguments.user_network and forwards. Says what does not fit before any building."""
    if arguments.tap and where != "linux":
        raise LabError("--tap is for a process", "write --on linux, or --nic bridge for a domain.")
    if arguments.tap and arguments.nic:
        raise LabError("--tap and --nic exclude each other", "a TAP's other end is the machine's own network.")
    if where == "xen":
        if arguments.forward:
            raise LabError(
                "--forward is for the lab and for --on linux",
                "on a Xen host the guest has an address of its own on the bridge: use that.",
            )
        arguments.user_network, arguments.forwards = False, ()
        return nics.on_xen(arguments.nic)
    if where == "linux":
        nics.check_on_linux(arguments.nic)
    given = nics.in_lab(arguments.nic) if where == "lab" else ()
    # What the user asks for here goes before what the environment says, and that before the configuration.
    elsewhere = arguments.tap or (where == "linux" and run_linux.NICS in os.environ and not arguments.nic)
    user_network = not elsewhere and nics.has_user_network(arguments.nic, config)
    if arguments.forward and not user_network:
        raise LabError(
            "--forward leads to no interface of the program", "give it one on the user network: --nic user."
        )
    arguments.user_network = user_network
    arguments.forwards = forward.parse((arguments.forward or forward.usual(config)) if user_network else ())
    return given


def _build(name: str) -> Path:
    """The example's kernel."""
    tree.build("xen", [name])
    kernel = tree.program("xen", name)
    if not kernel.is_file():
        raise LabError(f"the build left no {kernel}", f"examples/{name} must make a target called {name}.")
    return kernel
