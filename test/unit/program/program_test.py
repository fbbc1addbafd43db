#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the program given as the argument and compares what it says about its command line and its status."""

import subprocess
import sys

WORDS = ["one", "two words", "", "HALVM_A=x=y", "HALVM_B=", "1HALVM=no", "=no"]
EXPECTED = ["line=" + " ".join(WORDS), *("word=" + word for word in WORDS), "HALVM_A=x=y", "HALVM_B="]

for words, expected in ((WORDS, EXPECTED), ([], ["line="])):
    done = subprocess.run([sys.argv[1], *words], capture_output=True, text=True, timeout=60, check=False)
    if done.stdout.splitlines() != expected or done.stderr or done.returncode != 7:
        sys.exit(f"{words}: status {done.returncode}, output:\n{done.stdout}{done.stderr}expected:\n"
                 + "\n".join(expected))
