# SPDX-License-Identifier: BSD-3-Clause
"""--forward HOSTPORT:GUESTPORT[/udp]: a port of this machine that leads to the guest."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Sequence

from lab.errors import LabError
from lab.network import Forward

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def parse(texts: Sequence[str]) -> tuple[Forward, ...]:
    """Each is a port that nobody here has."""
    made: list[Forward] = []
    for text in texts:
        one = _parse(text)
        if any((one.here, one.protocol) == (other.here, other.protocol) for other in made):
            raise LabError(f"--forward gives {one.protocol} port {one.here} twice", "choose another port.")
        _try(one)
        made.append(one)
    return tuple(made)


def usual(config: str) -> list[str]:
    """What an example's configuration asks for in a comment, when the user asks for none: # halvm run --forward 8080:80"""
    found: list[str] = []
    for line in re.findall(r"^# halvm run (.*)$", config, re.M):
        words = shlex.split(line)
        found += [after for option, after in zip(words, words[1:]) if option == "--forward"]
    return found


def _parse(text: str) -> Forward:
    found = re.fullmatch(r"(\d{1,5}):(\d{1,5})(?:/(tcp|udp))?", text, re.ASCII)
    if not found or not all(0 < int(port) < 65536 for port in found.groups()[:2]):
        raise LabError(
            f"bad --forward {text!r}", "write it as HOSTPORT:GUESTPORT, for example 8080:80, or 5353:53/udp."
        )
    return Forward(int(found[1]), int(found[2]), found[3] or "tcp")


def _try(one: Forward) -> None:
    with socket.socket(type=_KINDS[one.protocol]) as probe:
        if one.protocol == "tcp":
            # Else connections that have ended would keep it for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", one.here))
        except OSError as error:
            raise LabError(
                f"{one.protocol} port {one.here} of this machine cannot be used: {error.strerror}",
                f"choose another port, as in --forward {_another(one.here)}:{one.there}"
                f"{'/udp' if one.protocol == 'udp' else ''}, or end the program that has it (`ss -lntup` shows which).",
            ) from error


def _another(port: int) -> int:
    return port + 8000 if port < 1024 else port + 1 if port < 65535 else 8080
