# SPDX-License-Identifier: BSD-3-Clause
"""A build or a test run as a child that ends with us.

Ctrl-C reaches a terminal's whole foreground, and a child that has ended by it
looks like one that failed. So the child gets a session of its own, and whoever
interrupts us has us end all of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

# Enough for ninja to remove what its compilers were about to write.
_PATIENCE_SECONDS = 10


@contextmanager
def whole(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start the command; an exception in the body ends it and all that it started."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **options)
    try:
        yield process
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    if process.stdout is not None:
        # Else one that still has something to say would wait for us to read it.
        process.stdout.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
