# SPDX-License-Identifier: BSD-3-Clause
"""The lab's two networks, the guests' interfaces on them, and ports of this machine that lead into one.

dom0 has a bridge for each. On USER is QEMU's user network: 10.0.2.2 is the router and the DHCP server, 10.0.2.3 the
DNS server, and dom0 itself is 10.0.2.10. On ISOLATED nobody is but dom0, as 10.0.1.1, and guests; no DHCP server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .boot_lines import FIRST_LEASE, USER_NETWORK
from .errors import LabError
from .qemu import Qemu

USER = "xenbr0"  # also xl's choice when a configuration names no bridge
ISOLATED = "xenbr1"


@dataclass
class Nic:
    """A network interface of a guest, under the lab's dom0 or another."""

    bridge: str = ""  # of dom0's; the toolstack's choice when empty
    mac: str = ""  # the toolstack's choice when empty

    def words(self) -> str:
        """As xl reads them. [xen: docs/man/xl-network-configuration.5]"""
        named = {"mac": self.mac, "bridge": self.bridge}
        return ",".join(f"{name}={value}" for name, value in named.items() if value)


def xl_line(nics: tuple[Nic, ...]) -> str:
    """The line of an xl configuration."""
    return f"vif=[{', '.join(repr(nic.words()) for nic in nics)}]"


@dataclass(frozen=True)
class Forward:
    """A port of this machine, on 127.0.0.1, and the port that it leads to of who has the first lease."""

    here: int
    there: int
    protocol: str = "tcp"  # or udp

    def __str__(self) -> str:
        return f"{self.protocol} port {self.here} of 127.0.0.1 leads to port {self.there} of the guest"


@contextmanager
def forwarded(machine: Qemu, what: Forward) -> Iterator[None]:
    """Connections and datagrams are taken at once, whoever there is in the machine. [qemu: HMP, hostfwd_add]"""
    here = f"{what.protocol}:127.0.0.1:{what.here}"
    if refused := machine.tell(f"hostfwd_add {USER_NETWORK} {here}-{FIRST_LEASE}:{what.there}"):
        raise LabError(
            f"QEMU does not forward {what.protocol} port {what.here}: {refused}",
            "another program may have taken that port: choose another one.",
        )
    try:
        yield
    finally:
        machine.tell(f"hostfwd_remove {USER_NETWORK} {here}")
