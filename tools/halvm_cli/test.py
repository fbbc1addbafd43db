# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the tests: all tiers, or those named.

Tiers are the tests' labels: lint, unit, sim, fuzz, twin, linker, package and tools run
on this machine, guest and domu under Xen in QEMU. A tier that cannot run is skipped by
name and with the reason. What is compiled for Xen comes first, and its tests run while
the rest is built. The last line counts the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import dom0_image, hypervisor, packages
from lab.errors import LabError
from lab.progress import say, show

from . import child, setup, tree

# In this order: tests in the lab go one after the other and leave processors idle, for the other preset's compilers.
PRESETS = ("xen", "linux")
_GIVING_WAY = 10
_NEEDS_LAB = ("guest", "domu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tiers", nargs="*", metavar="TIER")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-R", "--match", metavar="REGEX", help="only tests whose names match")


@dataclass
class Tally:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add_junit(self, path: Path, preset: str) -> None:
        for case in xml.parse(path).getroot().iter("testcase"):
            name = f"{preset}: {case.get('name')}"
            why = case.find("skipped")
            message = why.get("message", "") if why is not None else ""
            if case.get("status") == "run":
                self.passed += 1
            elif case.get("status") == "disabled" or message.startswith("SKIP_"):
                self.skipped.append(f"{name}: {_last_line(case.findtext('system-out'))}")
            else:
                # Also a test whose program is not there: ctest calls that "not run".
                self.failed.append(f"{name}{': ' + message if message else ''}")


def _last_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[-1] if lines else "it gave no reason"


def main(arguments: argparse.Namespace) -> int:
    setup.ensure(packages.BUILD)
    for preset in PRESETS:
        tree.configure(preset, again=True)
    if unknown := set(arguments.tiers) - _known():
        # Tests that a program lists itself, and their labels, are known once it is built.
        for preset in PRESETS:
            tree.build(preset, [])
        unknown -= _known()
        if unknown:
            raise LabError(f"there is no tier called {unknown.pop()}", f"the tiers are: {', '.join(sorted(_known()))}.")
    wanted = set(arguments.tiers)

    def wants(*tiers: str) -> bool:
        return not wanted or bool(wanted & set(tiers))

    if wants(*_NEEDS_LAB):
        # Who does not want QEMU, or cannot have it, still gets the other tiers.
        with contextlib.suppress(LabError):
            setup.ensure(packages.HOST)
    if wants("tools", "twin"):
        with contextlib.suppress(LabError):
            setup.ensure(packages.TESTS)
    without_lab = _why_no_lab()
    if wants(*_NEEDS_LAB) and not without_lab:
        # Downloads would count against the first tests' time.
        hypervisor.xen()
        if wants("domu"):
            dom0_image.dom0()
    tally = Tally()
    ran: set[str] = set()
    runs: list[_Run] = []
    with contextlib.ExitStack() as running:
        for preset in PRESETS:
            if wanted and not wanted & _labels(preset).keys():
                continue
            tree.build(preset, [])
            labels = _labels(preset)
            here = [tier for tier in sorted(labels) if wants(tier)]
            if without_lab:
                for tier in set(here) & set(_NEEDS_LAB):
                    here.remove(tier)
                    print(f"tier {tier}: skipped ({labels[tier]} tests): {without_lab}")
                    tally.skipped += [f"{tier}: {without_lab}"] * labels[tier]
            if here:
                ran |= set(here)
                runs.append(running.enter_context(_Run(preset, here, arguments)))
                if arguments.jobs == 1:
                    runs.pop().finish(tally)
                elif set(here) & set(_NEEDS_LAB):
                    # What is built and tried from here on takes what the lab leaves idle, and gives way to it.
                    os.nice(_GIVING_WAY)
        for run in runs:
            run.finish(tally)
    return _summary(sorted(ran), tally)


def _known() -> set[str]:
    return set().union(*(_labels(preset) for preset in PRESETS))


def _summary(ran: list[str], tally: Tally) -> int:
    print(f"tiers that ran: {', '.join(ran) or 'none'}")
    for name in tally.skipped:
        print(f"skipped: {name}")
    for name in tally.failed:
        print(f"failed: {name}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    return 1 if tally.failed or not tally.passed else 0


def _why_no_lab() -> str:
    absent = setup.missing(packages.HOST)
    if absent or shutil.which("qemu-system-x86_64") is None:
        return "no QEMU; `tools/halvm setup` installs it"
    return ""


def _labels(preset: str) -> dict[str, int]:
    """The tiers of a preset, and how many tests each has."""
    done = subprocess.run(
        ["ctest", "--preset", preset, "--show-only=json-v1"], cwd=tree.ROOT, capture_output=True, text=True
    )
    counts: dict[str, int] = {}
    if done.returncode != 0:
        return counts
    for test in json.loads(done.stdout)["tests"]:
        for entry in test.get("properties", []):
            if entry["name"] == "LABELS":
                for label in entry["value"]:
                    counts[label] = counts.get(label, 0) + 1
    return counts


class _Run:
    """The tests of one preset, beside whatever comes next; leaving the `with` ends them."""

    def __init__(self, preset: str, tiers: list[str], arguments: argparse.Namespace) -> None:
        self._preset = preset
        self._tiers = tiers
        self._arguments = arguments
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> _Run:
        say(f"running {', '.join(self._tiers)} of build/{self._preset}")
        directory = self._cleanup.enter_context(tempfile.TemporaryDirectory())
        self._results = Path(directory) / "results.xml"
        command = ["ctest", "--preset", self._preset, "--no-tests=ignore", "-j", str(self._arguments.jobs)]
        command += ["-L", f"^({'|'.join(self._tiers)})$", "--output-junit", str(self._results)]
        if self._arguments.match:
            command += ["-R", self._arguments.match]
        reading, writing = os.pipe()
        try:
            self._process = self._cleanup.enter_context(child.whole(command, cwd=tree.ROOT, stdout=writing))
        finally:
            os.close(writing)
        self._relay = threading.Thread(target=self._show, args=(reading,), daemon=True)
        self._relay.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._cleanup.__exit__(*exception)

    def _show(self, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                show(f"{self._preset}: {line.rstrip()}")

    def finish(self, tally: Tally) -> None:
        code = self._process.wait()
        self._relay.join()
        if self._results.exists():
            tally.add_junit(self._results, self._preset)
        elif code != 0:
            raise LabError(f"ctest itself failed in build/{self._preset}", "its message is above.")
