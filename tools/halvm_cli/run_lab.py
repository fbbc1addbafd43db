# SPDX-License-Identifier: BSD-3-Clause
"""`halvm run` in the lab: a machine of its own, for as long as the guest runs."""

from __future__ import annotations

import argparse
import select
import sys
import time
from contextlib import ExitStack

from lab import crash, dom0_image, hypervisor
from lab.domain import Domain, Guest
from lab.domain_run import DomainRun
from lab.elf import Elf, with_symbols
from lab.errors import LabError
from lab.lab import Lab, Settings
from lab.progress import say, step

from . import attach, disks, terminal
from .exit_codes import CRASHED, TIMED_OUT

# Beside the guest itself: what xl and Xen need to build it.
_SPARE_MEMORY_MB = 64


def run(guest: Guest, arguments: argparse.Namespace) -> int:
    settings = Settings(
        cpu=arguments.cpu,
        guest_memory_mb=guest.megabytes() + _SPARE_MEMORY_MB,
        lanes=2,
        forwards=arguments.forwards,
    )
    # Downloads have steps of their own, which would break into the boot's.
    hypervisor.xen()
    dom0_image.dom0()
    with ExitStack() as stack:
        stack.enter_context(disks.locked(guest.disks))
        with step("booting Xen and dom0 in QEMU (about 5 s)"):
            lab = stack.enter_context(Lab(settings))
        lane = stack.enter_context(lab.lane())
        with step(f"starting {guest.name} ({guest.megabytes()} MB)"):
            domain = stack.enter_context(Domain(lab, lane, guest))
        listener = stack.enter_context(attach.Listener(guest.name))
        for forward in arguments.forwards:
            say(str(forward))
        if sys.stdin.isatty():
            say("the guest's console; Ctrl-] leaves it and destroys the domain")
        left = bridge(domain, listener, arguments.timeout)
    return conclude(guest, domain.result, left, arguments.timeout)


def bridge(domain: Domain, listener: attach.Listener, timeout: float | None) -> bool:
    """Carry the console until the guest ends; True when the user left it."""
    keys = terminal.Input()
    deadline = time.monotonic() + timeout if timeout else None
    with terminal.direct():
        while not domain.over:
            sources: list = [domain, *listener.sources()]
            if keys.open:
                sources.append(keys)
            wait = max(0.0, deadline - time.monotonic()) if deadline else None
            ready, _, _ = select.select(sources, [], [], wait)
            if not ready:
                return False
            if keys in ready:
                domain.type(keys.read())
                if keys.left:
                    return True
            domain.type(listener.take(ready))
            if domain in ready:
                output = domain.poll(0)
                terminal.show(output)
                listener.give(output)
    return False


def conclude(guest: Guest, result: DomainRun, left: bool, timeout: float | None) -> int:
    """Say how it ended when that is not obvious, and choose the exit code."""
    if left:
        terminal.show("\n")
        say("left the console; the domain is destroyed")
        return 0
    found = crash.of_run(result)
    if found:
        report = crash.report(found, Elf(guest.kernel), with_symbols(guest.kernel))
        print(f"halvm: {report}", file=sys.stderr)
        return CRASHED
    if result.panicked:
        say("the guest panicked; it says why above")
        return CRASHED
    if result.end in ("crash", "watchdog"):
        say(f"the guest ended by {result.end}")
        return CRASHED
    if result.end == "timeout":
        say(f"the guest was still running after {timeout:g} s; it is destroyed")
        return TIMED_OUT
    if result.status is not None:
        return result.status & 0xFF
    if result.end != "poweroff":
        say(f"the guest ended by {result.end} and gave no exit status")
        return CRASHED
    return 0
