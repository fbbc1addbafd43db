# SPDX-License-Identifier: BSD-3-Clause
"""Removes what was built; with --cache also the lab's parts. Ends idle labs."""

from __future__ import annotations

import argparse
import shutil

from lab import cache
from lab.errors import LabError
from lab.progress import say
from lab.server_client import stop_shared_labs

from . import attach, tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", action="store_true", help="also remove the downloaded parts")


def main(arguments: argparse.Namespace) -> int:
    running = attach.running()
    if running and arguments.cache:
        raise LabError("guests are running: " + ", ".join(running), "end them first.")
    stopped = stop_shared_labs()
    if stopped:
        say(f"ended {stopped} shared lab(s)")
    for preset in ("xen", "linux"):
        path = tree.build_directory(preset)
        if path.is_dir():
            shutil.rmtree(path)
            say(f"removed {path}")
    if arguments.cache:
        path = cache.directory()
        shutil.rmtree(path)
        say(f"removed {path}")
    return 0
