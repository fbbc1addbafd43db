# SPDX-License-Identifier: BSD-3-Clause
"""Code in a README must be code that is compiled: its lines stand, in this order, in one file of the tree."""

import re
from typing import Iterator, Mapping

BLOCK = re.compile(r"^```(cpp|cmake)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"cpp": (".cpp", ".hpp"), "cmake": ("CMakeLists.txt", ".cmake")}


def stands_in(block: list[str], text: str) -> bool:
    lines = iter([line.strip() for line in text.splitlines()])
    return all(line in lines for line in block)  # `in` moves the iterator on, so this looks for them in order


def check_quotes(path: str, text: str, tree: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    if not path.endswith(".md"):
        return
    for match in BLOCK.finditer(text):
        block = [line.strip() for line in match.group(2).splitlines() if line.strip()]
        files = [other for name, other in tree.items() if name.endswith(FILES[match.group(1)])]
        if not any(stands_in(block, other) for other in files):
            yield text.count("\n", 0, match.start()) + 1, "no file of the tree has this code"
