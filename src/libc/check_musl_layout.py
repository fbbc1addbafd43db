#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares the offsets in musl_layout.hpp with the code of a musl's libc.a.

The structures are private to musl. Where an offset shows in the code of a small function it is read from there; a libc.a
in which one differs, or in which the function no longer looks as expected, is refused. The patterns are for the way in
which GNU binutils write code, whatever the compiler is.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sight:
    """Where an offset can be seen: the first group of `pattern` in the code of `function`."""

    constant: str
    function: str
    pattern: str
    bias: int = 0  # what the number in the code is short of the offset


NUMBER = r"(-?0x[0-9a-f]+)"
# A reference to a symbol counts from the end of the instruction, four bytes on.
PC_RELATIVE = 4

SIGHTS = (
    Sight("thread_self", "pthread_self", rf"mov +%fs:{NUMBER},%rax"),
    Sight("thread_canary", "__overflow", rf"mov +%fs:{NUMBER},%rax"),
    Sight("thread_tid", "getc", rf"mov +%fs:0x0,%rdx\n.*cmp +{NUMBER}\(%rdx\),%eax"),
    Sight("thread_errno", "__errno_location", rf"add +\${NUMBER},%rax"),
    Sight("thread_locale", "strerror", rf"%fs:0x0,%rax\n.*mov +{NUMBER}\(%rax\),%rsi"),
    Sight("file_read_position", "getc", rf"mov +{NUMBER}\(%rbx\),%rax\n.*cmp +0x[0-9a-f]+\(%rbx\),%rax"),
    Sight("file_read_end", "getc", rf"mov +0x[0-9a-f]+\(%rbx\),%rax\n.*cmp +{NUMBER}\(%rbx\),%rax"),
    Sight("file_lock", "getc", rf"lock cmpxchg %edx,{NUMBER}\(%rdi\)"),
    Sight("file_write_position", "putc", rf"mov +{NUMBER}\(%rbx\),%rax\n.*cmp +0x[0-9a-f]+\(%rbx\),%rax"),
    Sight("file_write_end", "putc", rf"mov +0x[0-9a-f]+\(%rbx\),%rax\n.*cmp +{NUMBER}\(%rbx\),%rax"),
    Sight("file_line_end", "__overflow", rf"cmp +{NUMBER}\(%rbx\),%eax"),
    Sight("file_read", "__uflow", rf"call +\*{NUMBER}\(%rbx\)"),
    Sight("file_write", "__overflow", rf"call +\*{NUMBER}\(%rbx\)"),
    Sight("state_need_locks", "__lock", rf"__libc{NUMBER}", PC_RELATIVE),
    Sight("state_auxv", "getauxval", rf"mov .*\n.*__libc\+{NUMBER}", PC_RELATIVE),
)


def refuse(archive: Path, why: str) -> None:
    sys.exit(f"{archive}: {why}\nhalvm is made for musl 1.2.3, as Debian 12 has it in the package musl-dev. Another "
             f"release needs another src/libc/musl_layout.hpp.")


def constants(header: Path) -> dict[str, int]:
    found = re.findall(r"^inline constexpr std::size_t (\w+) = (\w+);", header.read_text(), re.MULTILINE)
    return {name: int(value, 0) for name, value in found}


def code_of(function: str, archive: Path, scratch: Path) -> str:
    member = f"{function}.lo"
    subprocess.run(["ar", "x", str(archive.resolve()), member], cwd=scratch, capture_output=True, check=False)
    if not (scratch / member).exists():
        refuse(archive, f"there is no member {member}")
    return subprocess.run(["objdump", "-dr", "--no-show-raw-insn", str(scratch / member)], check=True,
                          capture_output=True, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--musl", type=Path, required=True, help="the libc.a of musl-dev")
    parser.add_argument("--header", type=Path, default=Path(__file__).with_name("musl_layout.hpp"))
    parser.add_argument("--stamp", type=Path, help="a file to touch when everything agrees")
    options = parser.parse_args()

    expected = constants(options.header)
    with tempfile.TemporaryDirectory() as scratch:
        for sight in SIGHTS:
            code = code_of(sight.function, options.musl, Path(scratch))
            seen = re.search(sight.pattern, code)
            if not seen:
                refuse(options.musl, f"the code of {sight.function}() does not show {sight.constant} where it did")
            offset = int(seen.group(1), 16) + sight.bias
            if offset != expected[sight.constant]:
                refuse(options.musl, f"{sight.function}() has {sight.constant} at {offset:#x}, "
                                     f"not at {expected[sight.constant]:#x}")
    if options.stamp:
        options.stamp.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
