# SPDX-License-Identifier: BSD-3-Clause
"""`--nic [user|bridge][,...]`: the network interfaces that a user gives a program, and what they are on each machine.

| word        | in the lab                         | on a Xen host            | as a process             |
|---|---|---|---|
| user        | QEMU's user network                | refused                  | a network of its own     |
| bridge      | a bridge with only dom0, 10.0.1.1  | xl's default bridge      | refused: --tap           |
| bridge=NAME | refused                            | that bridge              | refused                  |
| mac=MAC     | the address                        | the address              | refused: --tap NAME/MAC  |

Without any of the first three it is `user`, on a Xen host `bridge`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lab import network
from lab.errors import LabError

USER, BRIDGE = "user", "bridge"
_WRITE = "write --nic user, --nic bridge or --nic bridge=NAME, each also with ,mac=MAC behind it."
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.I)


@dataclass(frozen=True)
class Wanted:
    network: str = ""  # USER, BRIDGE, or what the machine has
    bridge: str = ""  # the name of a Xen host's
    mac: str = ""


def parse(text: str) -> Wanted:
    """What argparse calls, so that it says of which option the value is wrong."""
    kind = bridge = mac = ""
    for word in filter(None, text.split(",")):
        name, equals, value = word.partition("=")
        if word in (USER, BRIDGE) and not kind:
            kind = word
        elif name == BRIDGE and value and not kind:
            kind, bridge = BRIDGE, value
        elif name == "mac" and equals and not mac:
            mac = _checked(value)
        else:
            raise argparse.ArgumentTypeError(f"{word!r} is no network interface here: {_WRITE}")
    return Wanted(kind, bridge, mac)


def _checked(mac: str) -> str:
    if not _MAC.fullmatch(mac):
        raise argparse.ArgumentTypeError(f"{mac!r} is no MAC address; one is 00:16:3e:00:00:01")
    if int(mac[:2], 16) & 1 or not mac.strip("0:"):
        raise argparse.ArgumentTypeError(f"{mac} is no address of one interface; one is 00:16:3e:00:00:01")
    return mac.lower()


def check(wanted: Sequence[Wanted]) -> None:
    """Of all together."""
    macs = [one.mac for one in wanted if one.mac]
    for mac in macs:
        if macs.count(mac) > 1:
            raise LabError(f"two interfaces would have the address {mac}", "give each an address of its own.")


def in_lab(wanted: Sequence[Wanted]) -> tuple[network.Nic, ...]:
    for one in wanted:
        if one.bridge:
            raise LabError(
                f"the lab's dom0 has no bridge called {one.bridge}",
                "its networks are --nic user, with DHCP, and --nic bridge, where dom0 is 10.0.1.1.",
            )
    return tuple(network.Nic(network.ISOLATED if one.network == BRIDGE else network.USER, one.mac) for one in wanted)


def on_xen(wanted: Sequence[Wanted]) -> tuple[network.Nic, ...]:
    for one in wanted:
        if one.network == USER:
            raise LabError(
                "a Xen host has no user network: that is QEMU's, in the lab",
                "write --nic bridge or --nic bridge=NAME, or use the lab: --on lab.",
            )
    return tuple(network.Nic(one.bridge, one.mac) for one in wanted)


def check_on_linux(wanted: Sequence[Wanted]) -> None:
    if len(wanted) > 1:
        raise LabError("a process gets one network", "for more interfaces, give --tap several times.")
    for one in wanted:
        if one.network == BRIDGE:
            raise LabError(
                "a process joins no bridge of this machine",
                "make a TAP device, join it to the bridge (both as root), and write --tap NAME.",
            )
        if one.mac:
            raise LabError("a process cannot choose its address there", "with a TAP it can: --tap NAME/MAC.")


def in_config(config: str) -> bool:
    """Whether an xl configuration has interfaces: in the lab and as a process, those of the user network."""
    return re.search(r"^\s*vif\s*=\s*\[\s*[^\s\]]", config, re.M) is not None


def has_user_network(wanted: Sequence[Wanted], config: str) -> bool:
    return any(one.network != BRIDGE for one in wanted) if wanted else in_config(config)
