# SPDX-License-Identifier: BSD-3-Clause
"""Files of the host as dom0's disks, plugged in and out while the machine runs.

dom0 sees a virtio disk with a write cache, flushes, discards and sectors of either size, so its blkback offers guests
all of that; and a disk may be larger than dom0's memory.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError
from .lane import Lane
from .qemu import Qemu

# Answers when the disks are there, with a name for each serial number.
_FIND = """
lab-backends
for serial in {serials}; do
    tries=0
    until disk=$(grep -lx $serial /sys/block/vd*/serial); do
        [ $((tries += 1)) -lt 3000 ] || exit 1
        usleep 10000
    done
    disk=${{disk%/serial}}
    echo /dev/${{disk##*/}}
done 2>/dev/null
"""


class Drives:
    def __init__(self, machine: Qemu) -> None:
        self._machine = machine
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._leaving: set[str] = set()

    @contextmanager
    def drive(self, file: Path, sector_size: int = 512, writable: bool = True) -> Iterator[str]:
        """A disk of dom0's that is the file: what is written to it is in the file. Its name here, which is its serial
        number there."""
        name = f"drive{next(self._numbers)}"
        self._plug(name, file, sector_size, writable)
        try:
            yield name
        finally:
            self._unplug(name)

    def find(self, lane: Lane, names: list[str]) -> list[str]:
        """Waits for dom0 to see these; what it calls them, as in /dev/vda."""
        found = lane.run(_FIND.format(serials=" ".join(names)))
        if found.status != 0:
            raise LabError("dom0 did not find a disk that was plugged in", "the lab's console may say why.")
        return found.out.split()

    def resize(self, name: str, size: int) -> None:
        """Makes it so many bytes long, while it is in use."""
        with self._lock:
            if refused := self._machine.ask("block_resize", {"node-name": name, "size": size}):
                raise LabError(f"QEMU did not resize a disk: {refused}", "check the size.")

    def _plug(self, name: str, file: Path, sector_size: int, writable: bool) -> None:
        # One that dom0 is about to let go of may still have the file. [qemu: QMP, blockdev-add, device_add]
        source = {
            "driver": "host_device" if file.is_block_device() else "file",
            "filename": str(file),
            "discard": "unmap",
            "read-only": not writable,
            "locking": "off",
        }
        node = {
            "node-name": name,
            "driver": "raw",
            "discard": "unmap",
            "read-only": not writable,
            "file": source,
        }
        device = {
            "driver": "virtio-blk-pci",
            "id": name,
            "drive": name,
            "serial": name,
            "logical_block_size": sector_size,
            "physical_block_size": sector_size,
        }
        with self._lock:
            self._forget_unplugged()
            for command, arguments in (("blockdev-add", node), ("device_add", device)):
                if refused := self._machine.ask(command, arguments):
                    raise LabError(f"QEMU did not make a disk of {file}: {refused}", "check the file.")

    def _unplug(self, name: str) -> None:
        """dom0 lets go of it in its own time."""
        with self._lock:
            if not self._machine.ask("device_del", {"id": name}):
                self._leaving.add(name)
            self._forget_unplugged()

    def _forget_unplugged(self) -> None:
        for name in self._leaving & self._machine.unplugged:
            self._machine.ask("blockdev-del", {"node-name": name})
            self._leaving.remove(name)
