# SPDX-License-Identifier: BSD-3-Clause
"""The user's terminal, while a guest's console is on it."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

ESCAPE = b"\x1d"  # Ctrl-], as in xl console and telnet


class Input:
    """Standard input: a terminal, a pipe, or nothing more."""

    def __init__(self) -> None:
        self.open = not sys.stdin.closed
        self.left = False  # the user typed Ctrl-]

    def fileno(self) -> int:
        return sys.stdin.fileno()

    def read(self) -> bytes:
        data = os.read(self.fileno(), 4096)
        if not data:
            self.open = False
        before, escape, _ = data.partition(ESCAPE)
        self.left = bool(escape)
        return before


@contextmanager
def direct() -> Iterator[None]:
    """Keys go to the guest one by one and unechoed; Ctrl-C still interrupts.

    The guest echoes, as under xl console; Return arrives as a carriage return.
    """
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[0] &= ~(termios.ICRNL | termios.INLCR | termios.IXON)
    changed[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    # A stopped tool would leave the terminal in this state: no Ctrl-Z, no Ctrl-\.
    changed[6][termios.VSUSP] = b"\x00"
    changed[6][termios.VQUIT] = b"\x00"
    try:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
