#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the house rules over the whole tree, or with --format how the C++ is laid out.

Prints one line a violation and exits 1 when there is any, 77 when a tool that it needs is not there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import layers
import quotes
import texts

SKIPPED = 77
NOT_OURS = {".git", "build", "__pycache__"}


def files_of(root: Path) -> Iterator[str]:
    """The paths of the tree's text files, from its root."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - NOT_OURS)
        for name in sorted(set(names) - NOT_OURS):
            yield (Path(folder) / name).relative_to(root).as_posix()


def check_tree(root: Path) -> list[str]:
    found = []
    tree: dict[str, str] = {}
    for path in files_of(root):
        try:
            tree[path] = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            found.append(f"{path}:1: not UTF-8 text")
    names = frozenset(tree)
    for path, text in tree.items():
        violations = [violation for check in texts.CHECKS for violation in check(path, text)]
        if path.endswith((".hpp", ".cpp", ".S")):
            violations += layers.check_includes(path, text, names)
        violations += quotes.check_quotes(path, text, tree)
        found += [f"{path}:{line}: {message}" for line, message in violations]
    return found


def formatter() -> str | None:
    """clang-format 14, the version that .clang-format is written for: others lay out differently."""
    for name in ("clang-format-14", "clang-format"):
        path = shutil.which(name)
        if path and re.search(r"\bversion 14\.", subprocess.run(
                [path, "--version"], capture_output=True, text=True, check=True).stdout):
            return path
    return None


def check_format(root: Path) -> int:
    tool = formatter()
    if tool is None:
        print("SKIP: clang-format 14 is not installed; apt-get install clang-format-14")
        return SKIPPED
    # Many files a process: starting it takes longer than laying out a file.
    done = subprocess.run([tool, "--dry-run", "-Werror", *(path for path in files_of(root) if path.endswith(texts.CPP))],
                          cwd=root, capture_output=True, text=True)
    changed = sorted({path for path in re.findall(r"^(.+?):\d+:\d+: error: ", done.stderr, re.MULTILINE)})
    if done.returncode != 0 and not changed:
        print(f"{tool} failed: {done.stderr}")
        return 1
    for path in changed:
        print(f"{path}: {Path(tool).name} -i would change it")
    return 1 if changed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", action="store_true", help="check the layout of the C++ instead")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    arguments = parser.parse_args()
    if arguments.format:
        return check_format(arguments.root)
    found = check_tree(arguments.root)
    print("\n".join(found) if found else "No violations.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
