# SPDX-License-Identifier: BSD-3-Clause
"""Response files: a word @FILE stands for the words in FILE, read by the rules of the GNU tools."""

from __future__ import annotations

from .errors import UsageError

_DEEPEST = 100


def expand(words: list[str], depth: int = 0) -> list[str]:
    """A file that cannot be read leaves its word as it is, as in GNU ld; the word then fails as an input file."""
    if depth > _DEEPEST:
        raise UsageError(f"response files are nested more than {_DEEPEST} deep: one of them names itself")
    expanded: list[str] = []
    for word in words:
        text = _read(word[1:]) if word.startswith("@") else None
        if text is None:
            expanded.append(word)
        else:
            expanded += expand(split(text), depth + 1)
    return expanded


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None


def split(text: str) -> list[str]:
    """Words apart by white space; quotes of either kind group, a backslash takes the next character as it is."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            word = (word or "") + next(characters, "")
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character.isspace():
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + character
    if word is not None:
        words.append(word)
    return words
