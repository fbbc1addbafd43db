# SPDX-License-Identifier: BSD-3-Clause
"""Writes a file of that many bytes: 64-bit numbers from 1 on, the lowest byte first."""

import sys
from array import array
from pathlib import Path

path, size = Path(sys.argv[1]), int(sys.argv[2])
path.write_bytes(array("Q", range(1, size // 8 + 2)).tobytes()[:size])
