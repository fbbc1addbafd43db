# SPDX-License-Identifier: BSD-3-Clause
"""Every command line that boots something: QEMU's machine, Xen's, dom0's."""

from __future__ import annotations

# SVM and nested paging let Xen run PVH guests; FSGSBASE and RDRAND are what any
# machine of the last ten years has. Plain `qemu64` has neither.
DEFAULT_CPU = "qemu64,+svm,+npt,+fsgsbase,+rdrand"

# Named choices for --cpu; any other word goes to QEMU as it is. `max` needs
# SMAP off, or a Linux dom0 dies early.
CPUS = {
    "default": DEFAULT_CPU,
    "plain": "qemu64",
    "max": "max,-smap",
}

# What Xen needs beside the domains' memory; less and it cannot relocate itself.
XEN_MEMORY_MB = 128

DOM0_MEMORY_MB = 256

# One instruction is one virtual nanosecond, and nothing depends on the host's clock.
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]


def qemu_machine(cpu: str, memory_mb: int, icount: bool) -> list[str]:
    """QEMU without KVM (Xen does not run there), display, network or reboot."""
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        *("-machine", "pc,usb=off,graphics=off"),
        *("-accel", "tcg"),
        *("-cpu", CPUS.get(cpu, cpu)),
        *("-m", str(memory_mb)),
        *("-smp", "1"),
        *("-display", "none"),
        "-no-reboot",
        *(ICOUNT if icount else []),
    ]


def xen_for_guest_as_dom0(memory_mb: int) -> str:
    """Xen's command line when the guest is the only domain there is.

    Without the scrubbing of free memory QEMU's process stays small. Without
    `noreboot` a guest that ends makes QEMU exit. `sync_console` would slow every
    line down; the serial line loses nothing without it.
    """
    return f"console=com1 com1=115200,8n1 vga=none bootscrub=0 loglvl=info dom0_mem={memory_mb}M"


def xen_for_lab(dom0_memory_mb: int) -> str:
    """Xen's command line under a Linux dom0.

    `guest_loglvl=all` puts the register dump of every crashing guest on the
    console without a rate limit.
    """
    return (
        "console=com1 com1=115200,8n1 vga=none bootscrub=0 loglvl=info guest_loglvl=all/all "
        f"dom0_mem={dom0_memory_mb}M,max:{dom0_memory_mb}M dom0_max_vcpus=1"
    )


def dom0_linux() -> str:
    """Linux's command line as dom0."""
    return "console=hvc0 quiet loglevel=3 panic=-1"


# The address that QEMU's DHCP server gives to the first who asks.
FIRST_LEASE = "10.0.2.15"


# By which QEMU knows its own network.
USER_NETWORK = "user"


def user_network() -> list[str]:
    """A network card of dom0's on QEMU's own network, with DHCP and DNS."""
    return ["-nic", f"user,id={USER_NETWORK},model=virtio-net-pci"]
