# SPDX-License-Identifier: BSD-3-Clause
"""Figures of rivals that Debian does not package, measured once as bench/README.md says.

Mini-OS 48d3b31 with xenbus and console only; Unikraft 0.17 with musl's hello, -Os; XTF 453490d, its example test,
which sets up no memory, no protection and no C++.
"""

# Stripped ELF, bytes.
SIZE = {
    "Mini-OS (recorded)": 84_104,
    "Unikraft -Os (recorded)": 131_552,
    "Unikraft -Os LTO (recorded)": 107_752,
    "XTF (recorded)": 36_984,
}

# Domain CPU time to the first line, virtual ns, by MiB of memory.
FIRST_LINE = {
    4: ("Mini-OS (recorded)", 366_000),
    16: ("Mini-OS (recorded)", 2_970_000),
    32: ("Unikraft (recorded)", 10_501_000),
}
