# SPDX-License-Identifier: BSD-3-Clause
"""Runs the programs of bench/ and prints their figures.

One figure a line, tab-separated: bench, metric, value, unit and, where there is
a rival, its name, its value, and the ratio of ours to it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from lab import packages
from lab.errors import LabError

from . import child, setup, tree

BENCH = tree.ROOT / "bench"
_TOOLS = Path(__file__).resolve().parent.parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="a list of objects instead of lines")


def main(arguments: argparse.Namespace) -> int:
    found = benches()
    for name in arguments.names:
        if name not in found:
            raise LabError(
                f"there is no bench called {name}", f"there are: {', '.join(found) or 'none'}."
            )
    if not found:
        raise LabError("bench/ holds no programs")
    setup.ensure(packages.HOST)
    figures: list[dict] = []
    failed = []
    for name in arguments.names or found:
        code = _run(name, found[name], arguments.json, figures)
        if code != 0:
            failed.append(name)
    if arguments.json:
        print(json.dumps(figures, indent=1))
    if failed:
        raise LabError("these benches failed: " + ", ".join(failed), "their messages are above.")
    return 0


def benches() -> dict[str, Path]:
    """Every Python file of bench/ that has a main; the others are what they share."""
    paths = sorted(BENCH.glob("*.py"))
    return {path.stem: path for path in paths if "\ndef main(" in path.read_text()}


def _run(name: str, program: Path, as_json: bool, figures: list[dict]) -> int:
    """A bench prints metric, value, unit and, if it has one, a rival and its value."""
    path = os.pathsep.join([str(_TOOLS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, str(program)]
    with child.whole(command, cwd=tree.ROOT, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            figure = figure_of(name, line)
            figures.append(figure)
            if not as_json:
                print("\t".join(str(value) for value in figure.values()), flush=True)
        return process.wait()


def figure_of(bench: str, line: str) -> dict:
    words = line.rstrip("\n").split("\t")
    if len(words) not in (3, 5):
        raise LabError(f"bench {bench} printed a line that is no figure: {line.rstrip()}")
    try:
        value, *rival_value = (_number(word) for word in (words[1], *words[4:]))
    except ValueError as error:
        raise LabError(f"bench {bench} printed a value that is no number: {line.rstrip()}") from error
    figure = {"bench": bench, "metric": words[0], "value": value, "unit": words[2]}
    if rival_value:
        ratio = value / rival_value[0] if rival_value[0] else float("inf")
        figure |= {"rival": words[3], "rival_value": rival_value[0], "ratio": float(f"{ratio:.3g}")}
    return figure


def _number(word: str) -> int | float:
    return float(word) if "." in word else int(word)
