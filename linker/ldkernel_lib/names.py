# SPDX-License-Identifier: BSD-3-Clause
"""Names of functions and types as a backtrace shows them: demangled, without what every reader can guess."""

from __future__ import annotations

import re

from . import process

LONGEST = 80
_LONGEST_ARGUMENTS = 24
_CLONE = re.compile(r"\.(?:cold|part|constprop|isra|lto_priv|llvm|localalias)(?:\.\d+)*|\.\d+$")
_REPLACED = [(re.compile(pattern), text) for pattern, text in (
    (r"\(anonymous namespace\)::", ""),
    (r"\[abi:\w+\]", ""),
    (r"std::(?:__cxx11|__1|_V2)::", "std::"),
    (r"std::basic_(\w+)<char ?>", r"std::\1"),
    (r"std::basic_(\w+)<wchar_t ?>", r"std::w\1"),
    (r", ", ","),
)]
# Arguments that everybody leaves to their default; the innermost are taken out first.
_DEFAULT = re.compile(r",\s*std::(?:char_traits|[io]streambuf_iterator|allocator)<[^<>]*>\s*(?=[,>])")
_THUNK = re.compile(r"^(?:non-)?virtual thunk to (.*?)(?:\(.*\)(?: const)?)?$")
_LAMBDA = re.compile(r"\{lambda\([^{}]*\)#(\d+)\}")
_PARAMETERS = re.compile(r"(?<!operator)\([^()]*\)(?: const)?(?=::)")
# Two characters of an operator's name are not brackets of a template's arguments.
_OPERATOR = re.compile(r"operator(<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>)")
_HIDDEN = str.maketrans("<>", "\x01\x02")


def readable(symbols: list[str]) -> list[str]:
    """One name for each symbol, in the same order; all in one call of the demangler."""
    plain = [_CLONE.sub("", symbol) for symbol in symbols]
    mangled = sorted({symbol for symbol in plain if symbol.startswith("_Z")})
    lines = process.must(["c++filt", "-p"], "\n".join(mangled) + "\n").splitlines() if mangled else []
    known = dict(zip(mangled, map(shorten, lines), strict=True))
    return [known.get(symbol, symbol[:LONGEST]) for symbol in plain]


def shorten(name: str) -> str:
    """A demangled name without parameters, with its template arguments kept where they are short."""
    name = _THUNK.sub(r"\1", name.removeprefix("typeinfo for "))
    found = 1
    while found:
        name, found = _DEFAULT.subn("", name)
    for pattern, text in _REPLACED:
        name = pattern.sub(text, name)
    name = _PARAMETERS.sub("", _LAMBDA.sub(r"{lambda#\1}", name))
    name = _OPERATOR.sub(lambda match: match[0].translate(_HIDDEN), name)
    name = _fold(name.replace("> >", ">>").replace("> >", ">>"))
    name = name.translate({1: "<", 2: ">"})
    return name if len(name) <= LONGEST else name[:LONGEST - 3] + "..."


def _fold(name: str) -> str:
    """Template arguments longer than a few words become <...>, from the inside out."""
    opened: list[int] = []
    out: list[str] = []
    for character in name:
        out.append(character)
        if character == "<":
            opened.append(len(out) - 1)
        elif character == ">" and opened:
            begin = opened.pop()
            if len(out) - begin > _LONGEST_ARGUMENTS:
                out[begin:] = "<...>"
    return "".join(out)
