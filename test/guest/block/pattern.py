#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes a disk of 4 MiB as sectors.cpp expects it to be before, or leaves it after."""

import sys
from pathlib import Path

SECTORS = 8192


def sector(number: int, seed: int) -> bytes:
    return bytes((number * 7 + (number >> 8) + at * 13 + seed) & 0xFF for at in range(512))


def main() -> None:
    which, path = sys.argv[1:]
    fresh = range(SECTORS // 2, SECTORS) if which == "after" else range(0)
    Path(path).write_bytes(b"".join(sector(number, 99 if number in fresh else 1) for number in range(SECTORS)))


if __name__ == "__main__":
    main()
