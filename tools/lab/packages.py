# SPDX-License-Identifier: BSD-3-Clause
"""The Debian packages used: the one list of names, and how packages are fetched.

BUILD and HOST packages are installed on the user's machine (by `halvm setup`, which
asks). All others are only downloaded and unpacked into the cache: installing a
hypervisor or a kernel would change what the user's machine boots.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import cache
from .errors import LabError

# To build halvm.
BUILD = (
    "build-essential",
    "cmake",
    "ninja-build",
    "python3",
    "musl-dev",
    "libboost-context-dev",
    "libboost-dev",
    "libmsgsl-dev",
    "libexpected-dev",
    "liburing-dev",
    "libxen-dev",
    "doctest-dev",
    "zlib1g-dev",
)

# The network of a program that runs as a process.
NETWORK = ("slirp4netns",)

# To build halvm and run the lab.
HOST = (*BUILD, *NETWORK, "qemu-system-x86")

# What the tiers tools and twin try besides; without it those tests are skipped.
TESTS = ("gdb", "iproute2", "dnsmasq-base")

# The rivals of bench/fiber.py.
FIBER_RIVALS = ("libboost-fiber-dev",)

# The rival of bench/net.py, whose sources are not built here.
NET_RIVALS = ("liblwip-dev",)

# The rival of bench/web.py, and who asks both.
WEB_RIVALS = ("nginx-light", "wrk")

# Who asks them in bench/browser.py.
BROWSER = ("chromium",)

HYPERVISOR = ("xen-hypervisor-4.17-amd64",)

# A metapackage: what it depends on is the kernel of today.
DOM0_KERNEL_META = "linux-image-amd64"

DOM0 = (
    "xen-utils-4.17",
    "xen-utils-common",
    "xenstore-utils",
    "libxenmisc4.17",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxenstore4",
    "libxentoolcore1",
    "libxentoollog1",
    "libyajl2",
    "libext2fs2",
    "libcom-err2",
    "libcrypt1",
    "liblzma5",
    "libzstd1",
    "libuuid1",
    "libbz2-1.0",
    "zlib1g",
    "libc6",
    "libgcc-s1",
    "libtinfo6",
    "libncurses6",
    "busybox-static",
    "bash",
    "util-linux",
    "coreutils",
    "libselinux1",
    "libpcre2-8-0",
    "libacl1",
    "libattr1",
    "libgmp10",
    "libssl3",
    "iproute2",
    "libbpf1",
    "libelf1",
    "libmnl0",
    "libbsd0",
    "libmd0",
    "libcap2",
    "libdb5.3",
    "libxtables12",
)


def _run(command: list[str], what: str, cwd: Path | None = None) -> str:
    if shutil.which(command[0]) is None:
        raise LabError(
            f"{command[0]} is not here, so the lab cannot {what}",
            "the lab takes its parts from Debian packages: use Debian 12 (or a container of it).",
        )
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"could not {what}:\n{_last_lines(done.stderr)}", _advice(done.stderr))
    return done.stdout


def _last_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("W:")]
    return "\n".join("    " + line for line in lines[-3:])


def _advice(stderr: str) -> str:
    if "No space left" in stderr:
        return "the disk is full: free some space, or set XDG_CACHE_HOME to a place that has it."
    if re.search(r"resolve|connect|Network is unreachable|timed out|Failed to fetch", stderr, re.I):
        return (
            "check the network (or the proxy in /etc/apt/apt.conf.d); if that is well, "
            "`sudo apt-get update`. Then run the same command again."
        )
    return "run `sudo apt-get update`, then the same command again; Debian 12 has all of these packages."


# apt's complaints about package lists that are missing, or older than the mirror.
_STALE_LISTS = re.compile(r"404 +Not Found|No packages found|Unable to locate|Can't find a source", re.I)


def _apt(words: list[str], what: str, cwd: Path | None = None) -> str:
    """Run apt-get or apt-cache, the second time with fresh lists of our own if the system's do not do."""
    command, *rest = words
    # As root, apt would rather download as user _apt, who cannot write into root's cache.
    options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    try:
        return _run([command, *options, *rest], what, cwd)
    except LabError as error:
        if not _STALE_LISTS.search(str(error)):
            raise
    private = _private_lists()
    with cache.locked("apt"):
        _run(["apt-get", "-q", *options, *private, "update"], "fetch the package lists")
    return _run([command, *options, *private, *rest], what, cwd)


def _private_lists() -> list[str]:
    """Options that keep apt's state in the cache: updating the system's lists would need root."""
    base = cache.directory() / "apt"
    (base / "lists/partial").mkdir(parents=True, exist_ok=True)
    (base / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::Lists={base}/lists", "-o", f"Dir::Cache={base}/cache"]


def kernel_package() -> str:
    """The name of the kernel package that linux-image-amd64 stands for today."""
    text = _apt(["apt-cache", "show", DOM0_KERNEL_META], "look up the dom0 kernel's package")
    found = re.search(r"^Depends:.*?\b(linux-image-[0-9][^\s,(]*)", text, re.M)
    if not found:
        raise LabError(
            f"{DOM0_KERNEL_META} names no kernel package", "run `sudo apt-get update` and try again."
        )
    return found.group(1)


def fetch(names: tuple[str, ...], into: Path) -> list[Path]:
    """Download packages (without installing them) and return their files."""
    into.mkdir(parents=True, exist_ok=True)
    what = "download " + ", ".join(names[:3]) + (" ..." if names[3:] else "")
    _apt(["apt-get", "-q", "download", *names], what, into)
    return sorted(into.glob("*.deb"))


def unpack(packages: list[Path], into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for package in packages:
        _run(["dpkg", "-x", str(package), str(into)], f"unpack {package.name}")
