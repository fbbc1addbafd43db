#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A compiler launcher: takes the object that a build of the same sources has made with the same words, else compiles.

Usage: as_built.py INDEX BUILD COMPILER WORD...

INDEX is what index() has written of that build, BUILD the directory that stands for its own. As source and words are
the same, so would be the object, but for the names of directories in its debug information.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def _what_and_where(words: list[str], build: str) -> tuple[str, str]:
    """What the words compile and how, in words that do not depend on the build's place; and the object."""
    kept, output, rest = [os.path.realpath(shutil.which(words[0]) or words[0])], "", iter(words[1:])
    for word in rest:
        if word == "-o":
            output = next(rest)
        elif word in ("-MT", "-MF"):
            next(rest)
        elif word != "-MD":
            kept.append(word.replace(build, "BUILD"))
    # A source that the build has made itself, as of several, says what is in it.
    made = [Path(word).read_text(encoding="utf-8").replace(build, "BUILD") for word in words if _is_made(word, build)]
    return json.dumps([kept, made]), output


def _is_made(word: str, build: str) -> bool:
    return word.startswith(build) and word.endswith((".cxx", ".cpp", ".hpp", ".c"))


def index(build: Path, target: str, to: Path) -> None:
    """Writes down the objects of a target of a build that is up to date."""
    said = subprocess.run(["ninja", "-C", build, "-t", "commands", target], capture_output=True, text=True, check=True)
    objects = {}
    for line in said.stdout.splitlines():
        words = shlex.split(line)
        if "-c" in words and "-o" in words:
            # Its own launcher may come before the compiler.
            first = next(at for at, word in enumerate(words) if word.endswith(("cc", "++")))
            what, output = _what_and_where(words[first:], str(build))
            objects[what] = str(build / output)
    to.write_text(json.dumps(objects), encoding="utf-8")


def main() -> None:
    objects, build, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    if "-c" in words:
        what, output = _what_and_where(words, build)
        made = json.loads(Path(objects).read_text(encoding="utf-8")).get(what)
        if made:
            shutil.copyfile(made, output)
            return
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
