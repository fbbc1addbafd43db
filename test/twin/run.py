# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program of the Linux twin and compares how it ends with what is expected of the same program in a domain.

run.py EXPECTED PROGRAM [ARGUMENT...], where EXPECTED is
  success    it prints the verdict SUCCESS and exits with 0, and halvm reports nothing
  panic:RE   it is aborted, and what it printed matches
  crash:RE   it ends by a signal or with a status other than 0, and what it printed matches
  output:RE  what it prints matches; then it need not end
"""

import re
import subprocess
import sys

SKIPPED = 77
ENDLESS = 100  # seconds after which a program hangs, on a busy machine too


def judge(expected: str, status: int, printed: str) -> bool:
    kind, _, pattern = expected.partition(":")
    matches = re.search(pattern, printed) is not None
    if kind == "success":
        verdict = re.search(r"^halvm test: \w+: SUCCESS$", printed, re.MULTILINE)
        return status == 0 and verdict is not None and not re.search("^halvm: ", printed, re.MULTILINE)
    if kind == "panic":
        return status == -6 and matches
    if kind == "crash":
        return status != 0 and matches
    raise SystemExit(f"what is {kind!r}?")


def wait_for_output(pattern: str, program: subprocess.Popen) -> tuple[bool, str]:
    printed = ""
    for line in program.stdout:
        printed += line
        if re.search(pattern, printed):
            return True, printed
    program.wait()
    return False, printed


def main(expected: str, *command: str) -> int:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as program:
        try:
            if expected.startswith("output:"):
                right, printed = wait_for_output(expected.removeprefix("output:"), program)
            else:
                printed, _ = program.communicate(timeout=ENDLESS)
                right = judge(expected, program.returncode, printed)
        except subprocess.TimeoutExpired as late:
            program.kill()
            right, printed = False, f"{(late.output or b'').decode()}\nit does not end\n"
        finally:
            program.kill()
    print(printed, end="")
    if program.returncode == SKIPPED:
        return SKIPPED
    if not right:
        print(f"expected {expected!r}; it ended with {program.returncode}")
    return 0 if right else 1


sys.exit(main(*sys.argv[1:]))
