# SPDX-License-Identifier: BSD-3-Clause
"""Says on stderr what a long step is doing; one line a step, rewritten in place on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_quiet = False


def be_quiet() -> None:
    """Show nothing but errors from now on."""
    global _quiet
    _quiet = True


def _fancy() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def say(text: str) -> None:
    if not _quiet:
        print(f"halvm: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step; on a terminal, replace the announcement by its duration at the end."""
    if _quiet:
        yield
        return
    begin = time.monotonic()
    fancy = _fancy()
    print(f"halvm: {text} ...", end="" if fancy else "\n", file=sys.stderr, flush=True)
    failed = True
    try:
        yield
        failed = False
    finally:
        if fancy:
            end = "failed" if failed else f"{time.monotonic() - begin:.1f} s"
            print(f"\r\033[Khalvm: {text}: {end}", file=sys.stderr, flush=True)
