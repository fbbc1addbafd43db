# SPDX-License-Identifier: BSD-3-Clause
"""Says what is here, what is missing, and what to do about it. Changes nothing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab import cache, packages
from lab.errors import LabError

from . import attach, run_xl, setup, tree, user_network

_LEAST_DISK_MB = 1000
_LEAST_MEMORY_MB = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def main(arguments: argparse.Namespace) -> int:
    del arguments
    said = set()
    good = True
    checks: tuple[Callable[[], tuple[bool, str]], ...] = (
        _system,
        _packages,
        _compiler,
        _cache,
        _lab_parts,
        _disk,
        _memory,
        _xen,
        _network,
        _guests,
    )
    for check in checks:
        try:
            fine, text = check()
        except LabError as error:
            fine, text = False, str(error)
        if text in said:
            continue  # Several checks need the cache; one complaint of it will do.
        said.add(text)
        print(f"{'ok     ' if fine else 'PROBLEM'}  {text}")
        good = good and fine
    return 0 if good else 1


def _system() -> tuple[bool, str]:
    try:
        name = platform.freedesktop_os_release()
    except OSError:
        name = {}
    fits = name.get("ID") == "debian" and name.get("VERSION_ID") == "12"
    text = f"system: {name.get('PRETTY_NAME', 'unknown')}, {platform.machine()}"
    if platform.machine() != "x86_64":
        return False, text + "; halvm needs x86-64"
    return True, text if fits else text + "; halvm is made for Debian 12, others may lack packages"


def _packages() -> tuple[bool, str]:
    absent = setup.missing(packages.HOST)
    if not absent:
        return True, f"packages: all {len(packages.HOST)} are installed"
    return False, "packages: missing " + " ".join(absent) + "; run `tools/halvm setup`"


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    return done.stdout.partition("\n")[0].strip()


def _compiler() -> tuple[bool, str]:
    absent = [name for name in ("g++", "cmake", "ninja", "qemu-system-x86_64") if not shutil.which(name)]
    if absent:
        return False, f"programs: {', '.join(absent)} not found in PATH; run `tools/halvm setup`"
    return True, f"programs: {_version('g++')}; {_version('qemu-system-x86_64')}"


def _cache() -> tuple[bool, str]:
    path = cache.directory()
    if not os.access(path, os.W_OK):
        return False, f"cache: {path} cannot be written; fix its owner or set XDG_CACHE_HOME"
    return True, f"cache: {path}"


def _lab_parts() -> tuple[bool, str]:
    found = [p.name for p in cache.directory().iterdir() if p.name.startswith(("hypervisor-", "dom0-")) and p.is_dir()]
    if len({name.partition("-")[0] for name in found}) < 2:
        return True, "lab: not fetched yet; the first run downloads about 90 MB"
    return True, "lab: " + ", ".join(sorted(found))


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage(cache.directory()).free >> 20
    fine = free >= _LEAST_DISK_MB
    return fine, f"disk: {free} MB free" + ("" if fine else f"; the lab wants {_LEAST_DISK_MB} MB")


def _memory() -> tuple[bool, str]:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) >> 10
            fine = free >= _LEAST_MEMORY_MB
            return fine, f"memory: {free} MB available" + (
                "" if fine else f"; the lab's QEMU wants about {_LEAST_MEMORY_MB} MB"
            )
    return True, "memory: unknown"


def _xen() -> tuple[bool, str]:
    if run_xl.is_xen_host():
        return True, "xen: this is a Xen host; `run` uses its xl"
    return True, "xen: this is no Xen host; `run` boots Xen in QEMU"


def _network() -> tuple[bool, str]:
    """Of processes; the lab's is QEMU's own and always there."""
    if shutil.which("slirp4netns") is None:
        return True, "network: no slirp4netns, so no network for --on linux but --tap; run `tools/halvm setup`"
    if not user_network.possible():
        return True, "network: no network namespaces for users here, so no network for --on linux but --tap"
    if not os.access("/dev/net/tun", os.W_OK):
        return True, "network: /dev/net/tun cannot be opened, so no network for --on linux"
    return True, "network: processes get one without root (--on linux)"


def _guests() -> tuple[bool, str]:
    built = [preset for preset in ("xen", "linux") if tree.build_directory(preset).is_dir()]
    return True, f"built: {', '.join(built) or 'nothing'}; running: {', '.join(attach.running()) or 'nothing'}"
