# SPDX-License-Identifier: BSD-3-Clause
"""A crashed PV guest's memory, by the addresses that the guest used."""

from __future__ import annotations

from collections.abc import Callable

_PAGE = 4096
_FRAME = 0x000F_FFFF_FFFF_F000
_PRESENT = 1
_LARGE = 0x80


class Paged:
    """Reads through the page tables that a VCPU had in use. [sdm3 4.5]

    `machine` reads the machine's memory at an address; a PV guest's page
    tables hold machine addresses.
    """

    def __init__(self, machine: Callable[[int, int], bytes], cr3: int) -> None:
        self._machine = machine
        self._root = cr3 & _FRAME
        self._tables: dict[int, bytes] = {}

    def _entry(self, table: int, index: int) -> int:
        if table not in self._tables:
            self._tables[table] = self._machine(table, _PAGE)
        return int.from_bytes(self._tables[table][8 * index : 8 * index + 8], "little")

    def _translate(self, address: int) -> int | None:
        table = self._root
        for shift in (39, 30, 21, 12):
            entry = self._entry(table, address >> shift & 511)
            if not entry & _PRESENT:
                return None
            size = 1 << shift
            if shift == 12 or (entry & _LARGE and shift < 39):
                return (entry & _FRAME & ~(size - 1)) | address & (size - 1)
            table = entry & _FRAME
        return None

    def read(self, address: int, size: int) -> bytes:
        """Up to the first byte that is not mapped."""
        data = b""
        while len(data) < size:
            at = address + len(data)
            here = min(size - len(data), _PAGE - at % _PAGE)
            machine = self._translate(at)
            if machine is None:
                break
            data += self._machine(machine, here)
        return data
