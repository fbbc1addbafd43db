# SPDX-License-Identifier: BSD-3-Clause
"""Reads the command line and calls the subcommand's module."""

from __future__ import annotations

import argparse
import signal
import sys

from lab.errors import LabError

from . import bench, clean, console, doctor, run, setup, test
from .exit_codes import INTERRUPTED, TOOL_FAILED

_COMMANDS = (run, test, bench, setup, doctor, console, clean)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="halvm", description="Builds, runs and tests C++ programs that are Xen domains."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0]
        sub = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(function=module.main)
    return parser


def _terminated(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    words = sys.argv[1:]
    # What follows a lone -- is xl's, whatever it looks like.
    rest: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, rest = words[:at], words[at + 1 :]
    arguments = _parser().parse_args(words)
    arguments.rest = rest
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGHUP, _terminated)
    try:
        return arguments.function(arguments)
    except LabError as error:
        print(f"halvm: {error}", file=sys.stderr)
        return TOOL_FAILED
    except KeyboardInterrupt:
        print("\nhalvm: interrupted; nothing is left running.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return TOOL_FAILED


if __name__ == "__main__":
    sys.exit(main())
