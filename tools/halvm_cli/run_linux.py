# SPDX-License-Identifier: BSD-3-Clause
"""`halvm run --on linux`: the program as a process of this machine.

One whose configuration gives it a network interface gets one: the TAP device
that --tap names, what the user has put into HALVM_NICS, or a network of its own,
for which nobody has to be root.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from lab import packages
from lab.errors import LabError
from lab.network import Forward
from lab.progress import say

from . import disks, ramdisk, setup, tree, user_network
from .exit_codes import CRASHED, TIMED_OUT

NICS = "HALVM_NICS"


def run(arguments: argparse.Namespace, path: Path | None) -> int:
    if path is None:
        tree.build("linux", [arguments.what])
        path = tree.program("linux", arguments.what)
    environment = {**os.environ, **disks.environment(arguments.disks)}
    if arguments.ramdisk:
        environment[ramdisk.VARIABLE] = str(arguments.ramdisk.resolve())
    if arguments.tap:
        environment[NICS] = ",".join(f"tap:{name}" for name in arguments.tap)
    command = [str(path.resolve()), *(arguments.extra or "").split()]
    # Ctrl-C is the program's: wait for what it makes of it.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return _run(command, environment, arguments.forwards if arguments.user_network else None, arguments.timeout)
    except OSError as error:
        raise LabError(f"cannot run {path}: {error.strerror}", "is it a program built for linux?") from error
    finally:
        signal.signal(signal.SIGINT, previous)


def _run(
    command: list[str], environment: dict[str, str], forwards: tuple[Forward, ...] | None, timeout: float | None
) -> int:
    with ExitStack() as stack:
        def ready() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        if forwards is None:
            process = subprocess.Popen(command, env=environment, preexec_fn=ready)
        else:
            setup.ensure(packages.NETWORK)
            environment[NICS] = f"interface:{user_network.INTERFACE}"
            for forward in forwards:
                say(str(forward))
            process = stack.enter_context(
                user_network.inside(command, forwards, env=environment, preexec_fn=ready)
            )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            say(f"the program was still running after {timeout:g} s; it is ended")
            return TIMED_OUT
    if code < 0:
        return CRASHED if -code in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS) else 128 - code
    return code
