#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The README's table of what of the standard library and of POSIX works, made from the tests beside this file.

A program says what it shows in comment lines at its top:
  // feature: what of the library it uses
  // status: works (or no such line), throws, panics, fails to link
  // detail: what is thrown, or what the panic says, or the symbols that do not link
A row exists only for a program that CMakeLists.txt makes a test of.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BEGIN = "<!-- stdlib table begin -->"
END = "<!-- stdlib table end -->"
STATUSES = ("works", "throws", "panics", "fails to link")


@dataclass(frozen=True)
class Row:
    feature: str
    status: str
    detail: str
    test: str

    def markdown(self) -> str:
        what = self.status
        if self.status == "fails to link":
            what += f" («{self.detail.split(', ')[0]}: there is no operating system under halvm»)"
        elif self.detail:
            what += f": {self.detail}" if self.status == "throws" else f", {self.detail}"
        return f"| {self.feature} | {what} | {self.test} |"


def annotation(text: str, name: str) -> str | None:
    found = re.search(rf"^// {name}: (.+)$", text, re.MULTILINE)
    return found.group(1) if found else None


def read_row(source: Path, tests: set[str]) -> Row:
    text = source.read_text()
    feature, status = annotation(text, "feature"), annotation(text, "status") or "works"
    name = source.relative_to(HERE)
    if not feature:
        sys.exit(f"{name}: there is no line '// feature: ...'")
    if status not in STATUSES:
        sys.exit(f"{name}: the status '{status}' is none of {', '.join(STATUSES)}")
    if source.stem not in tests:
        sys.exit(f"{name}: CMakeLists.txt makes no test of it")
    return Row(feature, status, annotation(text, "detail") or "", f"`{name}`")


def table() -> str:
    listing = re.sub(r"#.*", "", (HERE / "CMakeLists.txt").read_text())
    tests = set(re.findall(r"\w+", listing))
    rows = [read_row(source, tests) for source in (*HERE.glob("*.cpp"), *HERE.glob("refused/*.cpp"))]
    rows.sort(key=lambda row: (STATUSES.index(row.status), row.test))
    return "\n".join(["| of the library | what happens | shown by test/guest/stdlib/ |", "|---|---|---|",
                      *(row.markdown() for row in rows)]) + "\n"


def replaced(document: str, where: Path) -> str:
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{where}: there is no place for the table: the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", type=Path, metavar="README", help="fail when its table is another one")
    action.add_argument("--write", type=Path, metavar="README", help="put the table between its markers")
    options = parser.parse_args()

    document = options.check or options.write
    if document is None:
        print(table(), end="")
        return 0
    if not document.exists():
        sys.exit(f"{document}: there is no such file")
    old = document.read_text()
    new = replaced(old, document)
    if options.write:
        document.write_text(new)
    elif old != new:
        sys.exit(f"{document}: the table is not that of the tests: run {Path(__file__).name} --write {document}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
