# SPDX-License-Identifier: BSD-3-Clause
"""`halvm run` on a machine that is a Xen host itself: its own xl does the work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import crash, network
from lab.domain import Guest
from lab.elf import Elf, with_symbols
from lab.errors import LabError
from lab.progress import say, step
from lab.qemu import die_with_parent

from . import disks
from .exit_codes import CRASHED, TIMED_OUT

_CAPABILITIES = Path("/proc/xen/capabilities")


def is_xen_host() -> bool:
    try:
        return "control_d" in _CAPABILITIES.read_text()
    except OSError:
        return False


def _xl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["xl", *words], capture_output=True, text=True)


def require_host() -> None:
    """Said before anything is built."""
    if shutil.which("xl") is None:
        raise LabError("this machine has no xl", "install xen-utils, or use the lab: --on lab.")
    if os.geteuid() != 0:
        raise LabError("xl needs root", "run it with sudo, or use the lab: --on lab.")


def run(guest: Guest, timeout: float | None) -> int:
    name = f"{guest.name}-{os.getpid()}"
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(guest.config)
        config.flush()
        # The domain stays after its end, so that its status can be read.
        words = guest.overrides(
            str(guest.kernel.resolve()), name, str(guest.ramdisk.resolve()) if guest.ramdisk else ""
        )
        if guest.disks:
            words.append(disks.xl_line(guest.disks))
        if guest.nics:
            words.append(network.xl_line(guest.nics))
        words += [f'on_{event}="preserve"' for event in ("poweroff", "reboot", "crash", "watchdog")]
        with step(f"starting {name}"):
            created = _xl("create", "-p", "-q", config.name, *words, *guest.xl_options)
        if created.returncode != 0:
            _xl("destroy", name)
            raise LabError(
                f"xl could not start {name}:\n{created.stderr.rstrip()}",
                "the lines above are xl's own.",
            )
    try:
        return _follow(guest, name, timeout)
    finally:
        _xl("destroy", name)


def _follow(guest: Guest, name: str, timeout: float | None) -> int:
    domain = int(_xl("domid", name).stdout)
    console = subprocess.Popen(["xl", "console", name], preexec_fn=die_with_parent)
    deadline = time.monotonic() + timeout if timeout else None
    timed_out = False
    try:
        unpaused = _xl("unpause", name)
        if unpaused.returncode != 0:
            raise LabError(f"xl could not unpause {name}: {unpaused.stderr.strip()}")
        state = ""
        while console.poll() is None and not state:
            time.sleep(0.2)
            state = _end(name)
            if deadline and time.monotonic() > deadline:
                timed_out = True
                break
        # The console's last bytes may still be on their way.
        time.sleep(0.2)
    finally:
        console.terminate()
        console.wait()
    if timed_out:
        say(f"the guest was still running after {timeout:.0f} s; it is destroyed")
        return TIMED_OUT
    return _conclude(guest, domain, state)


def _end(name: str) -> str:
    """The letters of xl list for a domain that has ended: s shut down, c crashed."""
    lines = _xl("list", name).stdout.splitlines()
    found = re.search(r"\s([r-][b-][p-][s-][c-][d-])\s", lines[-1]) if lines else None
    if not found:
        return "gone"
    return "".join(letter for letter in found.group(1) if letter in "sc")


def _conclude(guest: Guest, domain: int, state: str) -> int:
    if not state:
        say("left the console; the domain is destroyed")
        return 0
    node = f"/local/domain/{domain}/data/halvm/status"
    read = subprocess.run(["xenstore-read", node], capture_output=True, text=True)
    status = read.stdout.strip()
    found = crash.parse(_xl("dmesg").stdout, domain) if "c" in state else None
    if found:
        report = crash.report(found, Elf(guest.kernel), with_symbols(guest.kernel))
        print(f"halvm: {report}", file=sys.stderr)
        return CRASHED
    if status == "panic" or "c" in state:
        say("the guest crashed")
        return CRASHED
    return int(status) & 0xFF if re.fullmatch(r"-?\d+", status) else 0
