# SPDX-License-Identifier: BSD-3-Clause
"""
Where the files are that go into every kernel.

ldkernel.conf, beside the name that ldkernel was called by or beside the file that this name leads to, holds lines
`key = path`; a path is relative to the file's own folder, so that an installed tree can be moved. Keys:

    core           libhalvm.a: the only one without a default
    musl           the pure half of musl's libc.a; default: all of it
    refused        the names that the other half defined, a word each; default: none
    boost_context  libboost_context.a
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass

from .errors import Refusal

CONFIGURATION = "ldkernel.conf"
_MUSL = "/usr/lib/x86_64-linux-musl/libc.a"
_BOOST_CONTEXT = "/usr/lib/x86_64-linux-gnu/libboost_context.a"
_GCC_DIRS = "/usr/lib/gcc/x86_64-linux-gnu/*"
_COMPILER_LIBRARIES = ("libstdc++.a", "libgcc.a", "libgcc_eh.a")


@dataclass(frozen=True)
class Parts:
    script: str
    core: str
    libraries: tuple[str, ...]  # the archives of the closing group, the core first: its definitions win over musl's
    refused: frozenset[str] = frozenset()  # names of the C library that need an operating system


def find(invoked_as: str, core: str | None, library_dirs: list[str]) -> Parts:
    """Errors: a part is not there; the message names it, where it was looked for, and the package that has it."""
    configuration = _configuration(invoked_as)
    core = core or configuration.get("core")
    if core is None:
        raise Refusal(f"libhalvm.a: not found: there is no {CONFIGURATION} beside {invoked_as}; "
                      "name the library with --halvm-core=PATH")
    musl = _there(configuration.get("musl", _MUSL), "install the package musl-dev")
    libraries = [_there(core, "build the target halvm_core, or install halvm again"), musl]
    boost_context = configuration.get("boost_context", _BOOST_CONTEXT)
    if os.path.exists(boost_context):  # Only programs with fibers need it; those name it when it is missing.
        libraries.append(boost_context)
    libraries += [_of_compiler(name, library_dirs) for name in _COMPILER_LIBRARIES]
    script = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "kernel.lds")
    return Parts(_there(script, "install halvm again"), core, tuple(libraries),
                 _words(configuration.get("refused")))


def _configuration(invoked_as: str) -> dict[str, str]:
    for name in (os.path.abspath(invoked_as), os.path.realpath(invoked_as)):
        folder = os.path.dirname(name)
        try:
            with open(os.path.join(folder, CONFIGURATION), encoding="utf-8") as file:
                lines = [line.partition("=") for line in file if "=" in line and not line.startswith("#")]
        except OSError:
            continue
        return {key.strip(): os.path.normpath(os.path.join(folder, value.strip())) for key, _, value in lines}
    return {}


def _words(path: str | None) -> frozenset[str]:
    try:
        with open(path or os.devnull, encoding="utf-8") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def _of_compiler(name: str, library_dirs: list[str]) -> str:
    """The compiler's -L folders say which version it is; without them, the newest that is installed."""
    newest_first = sorted(glob.glob(_GCC_DIRS), key=_version, reverse=True)
    for folder in [*library_dirs, *newest_first]:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise Refusal(f"{name}: not found in {', '.join(library_dirs) or _GCC_DIRS}: install the package g++")


def _version(folder: str) -> tuple[int, ...]:
    return tuple(int(part) for part in os.path.basename(folder).split(".") if part.isdigit())


def _there(path: str, cure: str) -> str:
    if not os.path.exists(path):
        raise Refusal(f"{path}: not found: {cure}")
    return path
