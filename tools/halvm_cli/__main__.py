# SPDX-License-Identifier: BSD-3-Clause
"""Reads the command line and calls the subcommand's module."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import NoReturn

from lab.errors import LabError

from . import bench, clean, console, doctor, run, setup, test
from .exit_codes import INTERRUPTED, TOOL_FAILED

_COMMANDS = (run, test, bench, setup, doctor, console, clean)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
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


class _Parser(argparse.ArgumentParser):
    """A wrong command line is the tool's failure: 2 may be a program's own status."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(TOOL_FAILED, f"{self.prog}: {message}\n")


def _terminated(number: int, _: object) -> None:
    print(f"\nhalvm: ended by {signal.Signals(number).name}; nothing is left running.", file=sys.stderr)
    raise SystemExit(128 + number)


def main() -> int:
    words = sys.argv[1:]
    # What follows a lone -- is xl's, whatever it looks like.
    rest: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, rest = words[:at], words[at + 1 :]
    arguments = _parser().parse_args(words)
    arguments.rest = rest
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, _terminated)
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
