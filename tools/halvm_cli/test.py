# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the tests: all tiers, or those named.

Tiers are the tests' labels: lint, unit, sim, fuzz, twin, linker, package and tools run
on this machine, guest and domu under Xen in QEMU. A tier that cannot run is skipped by
name and with the reason. The last line counts the tests.
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
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

from lab import dom0_image, hypervisor, packages
from lab.errors import LabError
from lab.progress import say

from . import child, setup, tree

PRESETS = ("linux", "xen")
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
    labels = {preset: _labels(preset) for preset in PRESETS}
    if not arguments.tiers or set(arguments.tiers) - _known(labels):
        # Tests that a program lists itself, and their labels, are known once it is built.
        for preset in PRESETS:
            tree.build(preset, [])
        labels = {preset: _labels(preset) for preset in PRESETS}
    known = sorted(_known(labels))
    wanted = arguments.tiers or known
    for tier in wanted:
        if tier not in known:
            raise LabError(f"there is no tier called {tier}", f"the tiers are: {', '.join(known)}.")

    if set(wanted) & set(_NEEDS_LAB):
        # Who does not want QEMU, or cannot have it, still gets the other tiers.
        with contextlib.suppress(LabError):
            setup.ensure(packages.HOST)
    if {"tools", "twin"} & set(wanted):
        with contextlib.suppress(LabError):
            setup.ensure(packages.TESTS)
    tally = Tally()
    without_lab = _why_no_lab()
    ran = []
    for tier in wanted:
        if tier in _NEEDS_LAB and without_lab:
            count = sum(found.get(tier, 0) for found in labels.values())
            print(f"tier {tier}: skipped ({count} tests): {without_lab}")
            tally.skipped += [f"{tier}: {without_lab}"] * count
        else:
            ran.append(tier)
    if set(ran) & set(_NEEDS_LAB):
        # Downloads would count against the first tests' time.
        hypervisor.xen()
        if "domu" in ran:
            dom0_image.dom0()
    for preset in PRESETS:
        here = [tier for tier in ran if tier in labels[preset]]
        if here:
            tree.build(preset, [])
            _ctest(preset, here, arguments, tally)
    return _summary(ran, tally)


def _known(labels: dict[str, dict[str, int]]) -> set[str]:
    return set().union(*labels.values())


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


def _ctest(preset: str, tiers: list[str], arguments: argparse.Namespace, tally: Tally) -> None:
    say(f"running {', '.join(tiers)} of build/{preset}")
    with tempfile.TemporaryDirectory() as directory:
        results = Path(directory) / "results.xml"
        command = ["ctest", "--preset", preset, "--no-tests=ignore", "-j", str(arguments.jobs)]
        command += ["-L", f"^({'|'.join(tiers)})$", "--output-junit", str(results)]
        if arguments.match:
            command += ["-R", arguments.match]
        with child.whole(command, cwd=tree.ROOT, stdout=sys.stdout) as process:
            code = process.wait()
        if results.exists():
            tally.add_junit(results, preset)
        elif code != 0:
            raise LabError(f"ctest itself failed in build/{preset}", "its message is above.")
