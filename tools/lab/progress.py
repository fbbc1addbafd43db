# SPDX-License-Identifier: BSD-3-Clause
"""Says on stderr what a long step is doing; one line a step, rewritten in place on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_quiet = False
_current = ""


def be_quiet() -> None:
    """Show nothing but errors from now on."""
    global _quiet
    _quiet = True


def _fancy() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def say(text: str) -> None:
    if not _quiet:
        print(f"halvm: {text}", file=sys.stderr, flush=True)


def show(text: str) -> None:
    """A line of a program's own output, on stdout, also in the middle of a step."""
    if _current and _fancy():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(text, flush=True)


def detail(text: str) -> None:
    """How far the current step is; shown on a terminal only."""
    if not _quiet and _current and _fancy():
        print(f"\r\033[Khalvm: {_current} ... {text}", end="", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step; on a terminal, replace the announcement by its duration at the end."""
    global _current
    if _quiet:
        yield
        return
    _current = text
    begin = time.monotonic()
    fancy = _fancy()
    print(f"halvm: {text} ...", end="" if fancy else "\n", file=sys.stderr, flush=True)
    failed = True
    try:
        yield
        failed = False
    finally:
        _current = ""
        if fancy:
            end = "failed" if failed else f"{time.monotonic() - begin:.1f} s"
            print(f"\r\033[Khalvm: {text}: {end}", file=sys.stderr, flush=True)
