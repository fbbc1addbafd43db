# SPDX-License-Identifier: BSD-3-Clause
"""Installs the packages that are missing, and fetches the lab's parts.

Asks before it uses sudo. No kernel and no hypervisor is installed: the lab's
are unpacked into the cache only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from lab import dom0_image, hypervisor, packages
from lab.errors import LabError
from lab.progress import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def main(arguments: argparse.Namespace) -> int:
    ensure(packages.HOST, yes=arguments.yes)
    hypervisor.xen()
    dom0_image.dom0()
    say("everything is here; try `tools/halvm run hello`")
    return 0


def missing(names: Sequence[str]) -> list[str]:
    """Those that are not installed."""
    if shutil.which("dpkg-query") is None:
        raise LabError("this is not a Debian system", "use Debian 12, or a container of it.")
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
    )
    installed = {
        line.partition("\t")[0] for line in done.stdout.splitlines() if line.endswith("\tinstalled")
    }
    return [name for name in names if name not in installed]


def ensure(names: Sequence[str], yes: bool = False) -> None:
    """Install what is missing of these, once the user agrees."""
    absent = missing(names)
    if not absent:
        return
    root = os.geteuid() == 0
    command = ([] if root else ["sudo"]) + ["apt-get", "install", "--yes", "--no-install-recommends"]
    by_hand = " ".join([*command, *absent])
    say("these packages are missing: " + " ".join(absent))
    if not (root or yes or _agrees(by_hand)):
        raise LabError("packages are missing", f"install them with: {by_hand}")
    if not root and shutil.which("sudo") is None:
        raise LabError("there is no sudo here", f"as root, run: {by_hand.removeprefix('sudo ')}")
    _install(command, absent, by_hand)


def _agrees(command: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"halvm: run `{command}`? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _install(command: list[str], absent: list[str], by_hand: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}

    if _to_its_end([*command, *absent], environment) == 0:
        return
    # Package lists that are old, or not there yet, as in a fresh container.
    update = command[: command.index("install")] + ["update"]
    _to_its_end(update, environment)
    if _to_its_end([*command, *absent], environment) != 0:
        raise LabError(
            "apt-get could not install the packages (its own words are above)",
            f"check the network, then repeat: {by_hand}",
        )


def _to_its_end(command: list[str], environment: dict[str, str]) -> int:
    """Run it; interrupted, it ends in its own way: killed, dpkg would leave packages half installed."""
    process = subprocess.Popen(command, env=environment, stdout=sys.stderr)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
