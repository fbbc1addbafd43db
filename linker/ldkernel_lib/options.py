# SPDX-License-Identifier: BSD-3-Clause
"""Reads the linker command line that g++, clang++ or a person gives. Strict: what is not in option_table is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from .errors import Refusal, UsageError
from .option_table import (LINUX_INSTEAD, LONG, OUR_LIBRARIES, REFUSED_FILES, REFUSED_LIBRARIES, SHORT, START_FILES,
                           Z_KEEP, Z_OURS, Z_REFUSE, Action, Rule, Value)
from .response import expand

_STACK_LEAST = 0x4000
_PAGE = 0x1000
_PASS_THROUGH = "-pass-through="


@dataclass
class Options:
    """The command line, sorted out."""

    output: str = "a.out"
    kept: list[str] = field(default_factory=list)  # for GNU ld, in order: inputs, libraries, kept options
    library_dirs: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)  # the files among kept
    notes: list[str] = field(default_factory=list)  # one line each for the user
    map_file: str | None = None
    dependency_file: str | None = None
    print_map: bool = False
    explain: str | None = None  # "" for -Wl,--explain, else the image named by --explain=IMAGE
    symbols: bool = True
    stack_size: int | None = None
    core: str | None = None
    build_id: bool = False
    lto: bool = False
    relocatable: bool = False
    show: str | None = None  # "version" or "help"


def parse(arguments: list[str]) -> Options:
    """Every problem of the command line at once, as one UsageError."""
    options = Options()
    problems: list[str] = []
    words = _Words(expand(arguments))
    while words.more():
        try:
            _one(words, options)
        except Refusal as refusal:
            problems.extend(refusal.messages)
    if options.relocatable or options.show:
        return options
    if problems:
        raise UsageError(*problems)
    return options


class _Words:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._words)

    def next(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def value_of(self, option: str) -> str:
        if not self.more():
            raise UsageError(f"{option}: a value is missing after it")
        return self.next()


def _one(words: _Words, options: Options) -> None:
    word = words.next()
    if not word.startswith("-") or word == "-":
        _file(word, options)
        return
    name, rule, value = _look_up(word, words)
    if rule.action is Action.KEEP:
        _keep(word, name, rule, value, options)
    elif rule.action is Action.NOTE:
        options.notes.append(f"{word}: left out: {rule.why}")
    elif rule.action is Action.REFUSE:
        raise UsageError(f"{word}: {rule.why}")
    elif rule.action is Action.SPECIAL:
        _special(word, name, value, words, options)


def _look_up(word: str, words: _Words) -> tuple[str, Rule, str | None]:
    """The option's plain name, its rule, and its value if it takes one. A long name wins over letters, as in GNU ld."""
    stem, equals, joined = word.lstrip("-").partition("=")
    rule = LONG.get(stem)
    # GNU ld reads -oVALUE as -o; its long names that begin with o need two dashes.
    if rule and not (stem.startswith("o") and not word.startswith("--")):
        if rule.value is Value.NONE and equals:
            raise UsageError(f"{word}: this option takes no value")
        if rule.value is Value.ONE and not equals:
            return stem, rule, words.value_of(word)
        return stem, rule, joined if equals else None
    if not word.startswith("--"):
        letter, rest = word[1], word[2:]
        rule = SHORT.get(letter)
        if rule and rule.value is Value.ONE:
            return letter, rule, rest or words.value_of(word)
        if rule and not rest:
            return letter, rule, None
    raise UsageError(f"{word}: ldkernel does not know this option; nothing is dropped silently, so leave it out "
                     "(ldkernel --help lists what is known)")


def _keep(word: str, name: str, rule: Rule, value: str | None, options: Options) -> None:
    if name == "plugin-opt" and value is not None and value.startswith(_PASS_THROUGH):
        return  # These name the C library of the compiler; link.py passes ours.
    if name == "plugin":
        options.lto = True
    if name == "build-id":
        options.build_id = True
    if name in ("L", "library-path") and value is not None:
        options.library_dirs.append(value)
    if rule.value is Value.NONE or value is None:
        options.kept.append(word)
    elif len(name) == 1:
        options.kept.append(f"-{name}{value}")
    elif rule.value is Value.JOINED or name != "plugin":
        options.kept.append(f"--{name}={value}" if name != "plugin-opt" else f"-plugin-opt={value}")
    else:
        options.kept += ["-plugin", value]


def _special(word: str, name: str, value: str | None, words: _Words, options: Options) -> None:
    if name in ("l", "library"):
        _library(value or "", options)
    elif name in ("u", "undefined"):
        options.kept.append(f"--undefined={value}")
    elif name in ("o", "output"):
        options.output = value or ""
    elif name == "z":
        _z(value or "", options)
    elif name == "m":
        if value != "elf_x86_64":
            raise UsageError(f"-m {value}: halvm kernels are elf_x86_64")
    elif name == "Map":
        options.map_file = value
    elif name == "dependency-file":
        options.dependency_file = value
    elif name in ("M", "print-map"):
        options.print_map = True
    elif name == "explain":
        # By hand: ldkernel --explain IMAGE. From the compiler: -Wl,--explain among objects.
        options.explain = value or ""
    elif name == "no-halvm-symbols":
        options.symbols = False
    elif name == "halvm-core":
        options.core = value
    elif name in ("r", "i", "relocatable"):
        options.relocatable = True
    elif name in ("v", "V", "version"):
        options.show = "version"
    elif name == "help":
        options.show = "help"


def _z(word: str, options: Options) -> None:
    key, _, value = word.partition("=")
    if key == "stack-size":
        try:
            size = int(value, 0)
        except ValueError:
            raise UsageError(f"-z {word}: the size is a number of bytes, as in -z stack-size=65536") from None
        if size % _PAGE or size < _STACK_LEAST:
            raise UsageError(f"-z {word}: the main stack must be whole pages of {_PAGE} bytes, at least {_STACK_LEAST}")
        options.stack_size = size
    elif key in Z_KEEP:
        options.kept += ["-z", word]
    elif key in Z_REFUSE:
        raise UsageError(f"-z {word}: {Z_REFUSE[key]}")
    elif key not in Z_OURS:
        raise UsageError(f"-z {word}: ldkernel does not know this option; nothing is dropped silently, so leave it out")


def _library(name: str, options: Options) -> None:
    if name in OUR_LIBRARIES:
        return
    if name in REFUSED_LIBRARIES:
        raise UsageError(f"-l{name}: {REFUSED_LIBRARIES[name]}; {LINUX_INSTEAD}")
    options.kept.append(f"-l{name}")


def _file(path: str, options: Options) -> None:
    name = os.path.basename(path)
    if name in START_FILES:
        return
    if name in REFUSED_FILES:
        raise UsageError(f"{name}: {REFUSED_FILES[name]}; {LINUX_INSTEAD}")
    stem, dot, kind = name.partition(".")
    if stem.startswith("lib") and dot:
        library = stem.removeprefix("lib")
        if kind.split(".")[0] in ("a", "so") and library in OUR_LIBRARIES | REFUSED_LIBRARIES.keys():
            _library(library, options)
            return
        if kind.split(".")[0] == "so":
            raise UsageError(f"{path}: a shared library cannot be part of a kernel: "
                             f"give its static form, lib{library}.a")
    options.kept.append(path)
    options.inputs.append(path)
