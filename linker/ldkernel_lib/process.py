# SPDX-License-Identifier: BSD-3-Clause
"""Running the GNU tools, and leaving nothing behind whichever way ldkernel ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import Refusal

LD = "/usr/bin/ld"


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


def run(command: list[str], feed: str | None = None, environment: dict[str, str] | None = None) -> Outcome:
    """
    Waits for the command; both streams are collected. A signal to ldkernel ends the command too. `environment` is added
    to ldkernel's own.
    """
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE if feed is not None else subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                                 env=os.environ | {"LC_ALL": "C"} | (environment or {}))
    except OSError as error:
        raise Refusal(f"{command[0]}: cannot be run: {error.strerror}: install the package binutils") from error
    try:
        out, err = child.communicate(feed)
    except BaseException:
        child.kill()
        child.wait()
        raise
    return Outcome(child.returncode, out, err)


def must(command: list[str], feed: str | None = None) -> str:
    """What the command printed; a failure is a refusal in the tool's own words."""
    outcome = run(command, feed)
    if outcome.status != 0:
        raise Refusal(f"{os.path.basename(command[0])} failed: {outcome.err.strip() or f'status {outcome.status}'}")
    return outcome.out


def say(line: str) -> None:
    print(f"ldkernel: {line}", file=sys.stderr)


_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes meanwhile is acted on afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def scratch_folder(output: str) -> Iterator[str]:
    """A folder beside the output, on the same file system, so that the result is moved into place in one step."""
    parent = os.path.dirname(os.path.abspath(output))
    handlers = {number: signal.signal(number, _leave) for number in _STOPS}
    folder = None
    try:
        with uninterrupted():
            folder = _make_folder(parent, output)
        yield folder
    finally:
        with uninterrupted():
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _make_folder(parent: str, output: str) -> str:
    try:
        return tempfile.mkdtemp(prefix=f".{os.path.basename(output)}.ldkernel-", dir=parent)
    except OSError as error:
        raise Refusal(f"{output}: cannot be written: {error.strerror}") from error


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)
