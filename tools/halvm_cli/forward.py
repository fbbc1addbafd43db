# SPDX-License-Identifier: BSD-3-Clause
"""--forward: a port of this machine that leads to the guest."""

from __future__ import annotations

import re
import socket

from lab.errors import LabError


def ports(text: str) -> tuple[int, int]:
    """HOSTPORT:GUESTPORT; the first is a port that nobody here has."""
    found = re.fullmatch(r"(\d+):(\d+)", text)
    if not found or not all(0 < int(port) < 65536 for port in found.groups()):
        raise LabError(f"bad --forward {text!r}", "write it as HOSTPORT:GUESTPORT, for example 8080:80.")
    here, there = map(int, found.groups())
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", here))
        except OSError as error:
            raise LabError(
                f"port {here} of this machine cannot be used: {error.strerror}",
                "choose another port, or end the program that has it (`ss -ltnp` shows which).",
            ) from error
    return here, there
