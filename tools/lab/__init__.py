# SPDX-License-Identifier: BSD-3-Clause
"""A real Xen on any machine: QEMU, Debian's hypervisor and, when wanted, a Linux dom0."""
