# SPDX-License-Identifier: BSD-3-Clause
"""Rules about the text of single files."""

import re
import subprocess
from typing import Iterator

LICENCE = "SPDX-License-Identifier: BSD-3-Clause"
UNLICENSED = (".md", ".json", ".txt", ".gitignore", "LICENSE")  # prose, data, and files without comments
LONGEST_LINE = 120  # ColumnLimit in .clang-format, which leaves comments alone
CPP = (".hpp", ".cpp")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
ASM = re.compile(r'\b(?:asm|__asm__|__asm)\b\s*(?:(?:volatile|__volatile__|goto|inline)\b\s*)*\(\s*("")?')
SYMBOL_NAME = re.compile(r'[\w)\]]\s*(?:asm|__asm__)\s*\("[A-Za-z_]\w*"\)')  # stands behind a declarator
CASE_OF_TWO = re.compile(r'\bTEST_CASE(?:_TEMPLATE)?\("[^"\n]*;')
ASM_HOMES = ("src/arch/", "src/boot/", "test/")  # tests attack the machine with instructions of their own


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def check_licence(path: str, text: str) -> Iterator[tuple[int, str]]:
    if path.endswith(UNLICENSED) and not path.endswith("CMakeLists.txt"):
        return
    lines = text.splitlines()[:2]
    first = lines[1:] if lines and lines[0].startswith("#!") else lines[:1]
    if not first or LICENCE not in first[0]:
        yield 1, f"the first line (after #!) must be '{LICENCE}'"


def check_unfinished(path: str, text: str) -> Iterator[tuple[int, str]]:
    for match in UNFINISHED.finditer(text):
        yield _line(text, match.start()), f"{match.group()}: finish it or say in a README what is missing"


def check_whitespace(path: str, text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        if path.endswith(CPP) and len(line) > LONGEST_LINE:
            yield number, f"{len(line)} columns; at most {LONGEST_LINE}"
        if path.endswith(CPP + (".py",)) and "\t" in line:
            yield number, "a tab"
    if text and not text.endswith("\n"):
        yield _line(text, len(text)), "no line end at the end of the file"


def check_asm(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Instructions outside the folders that may hold them. Naming a symbol and an empty barrier are neither."""
    if path.startswith(ASM_HOMES):
        return
    if path.endswith(".S"):
        yield 1, "assembly belongs in src/arch or src/boot"
    if not path.endswith(CPP):
        return
    for match in ASM.finditer(SYMBOL_NAME.sub("", text)):
        if match.group(1) is None:
            yield _line(text, match.start()), "assembly belongs in src/arch or src/boot"


def check_once(path: str, text: str) -> Iterator[tuple[int, str]]:
    """A public header must bear being included again."""
    if path.startswith("include/") and path.endswith(".hpp") and "\n#pragma once\n" not in text:
        yield 1, "no #pragma once"


def check_case_names(path: str, text: str) -> Iterator[tuple[int, str]]:
    """CTest gets the names as a list of CMake's, in which a semicolon parts two."""
    if path.endswith(CPP):
        for match in CASE_OF_TWO.finditer(text):
            yield _line(text, match.start()), "a semicolon in a test's name: CTest takes it for two tests"


def check_python(path: str, text: str) -> Iterator[tuple[int, str]]:
    first = text.split("\n", 1)[0]
    if path.endswith(".py") or (first.startswith("#!") and "python" in first):
        try:
            compile(text, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            yield error.lineno or 1, f"Python: {error.msg}"


def check_shell(path: str, text: str) -> Iterator[tuple[int, str]]:
    first = text.split("\n", 1)[0]
    if not (first.startswith("#!") and re.search(r"\b(ba)?sh\b", first)):
        return
    shell = "bash" if "bash" in first else "sh"
    done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield 1, f"{shell} -n: {done.stderr.strip()}"


CHECKS = (check_licence, check_unfinished, check_whitespace, check_asm, check_once, check_case_names, check_python,
          check_shell)
