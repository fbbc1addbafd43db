# SPDX-License-Identifier: BSD-3-Clause
"""The source tree: where things are, and building one program of it."""

from __future__ import annotations

import difflib
import fcntl
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.progress import detail, say, step

from . import child

# What ninja begins each step's line with.
_PROGRESS = re.compile(r"\[(\d+)/(\d+)\] ")

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"


def examples() -> list[str]:
    return sorted(path.parent.name for path in EXAMPLES.glob("*/CMakeLists.txt"))


def require_example(name: str) -> None:
    names = examples()
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise LabError(
            f"there is no example called {name}, and no such file.{guess}",
            f"the examples are: {', '.join(names) or 'none'}. Or give the path of a kernel's ELF file.",
        )


def build_directory(preset: str) -> Path:
    return ROOT / "build" / preset


def program(preset: str, name: str) -> Path:
    return build_directory(preset) / "examples" / name / name


def configure(preset: str, again: bool = False) -> None:
    """Once is enough to build; again, to see tests that were added since."""
    for tool in ("cmake", "ninja", "g++"):
        if shutil.which(tool) is None:
            raise LabError(f"{tool} is not installed", "run `tools/halvm setup`.")
    if again or not (build_directory(preset) / "build.ninja").exists():
        with step(f"configuring build/{preset}"):
            _run(["cmake", "--preset", preset], "configure", preset)


def build(preset: str, targets: list[str]) -> None:
    """Configure when needed and build the targets (all of them for [])."""
    configure(preset)
    command = ["cmake", "--build", "--preset", preset]
    if targets:
        command += ["--target", *targets]
    with step(f"building {' '.join(targets) or 'everything'} for {preset}"):
        _run(command, "build", preset)


@contextmanager
def _alone_in(preset: str) -> Iterator[None]:
    """Two builds in one directory at once would spoil it: the second waits."""
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / f".{preset}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another halvm is building in build/{preset}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], verb: str, preset: str) -> None:
    with _alone_in(preset):
        code, text = _output_of(command)
    if code == 0:
        return
    print("\n" + text, file=sys.stderr, end="")
    hint = f"the output above is cmake's; to repeat it: {' '.join(command)}"
    if "Could not find a package configuration file" in text:
        hint += "\n  if a package is missing, `tools/halvm setup` installs it."
    if "No space left" in text:
        hint += "\n  the disk is full."
    raise LabError(f"could not {verb} build/{preset}", hint)


def _output_of(command: list[str]) -> tuple[int, str]:
    """Run it and return its exit code and what it said, but for ninja's progress."""
    said = []
    with child.whole(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            progress = _PROGRESS.match(line)
            if progress:
                detail(f"{progress.group(1)} of {progress.group(2)}")
            else:
                said.append(line)
        return process.wait(), "".join(said)
