# SPDX-License-Identifier: BSD-3-Clause
"""What ldkernel does when it is called: link, pass a partial link on, explain an image, or say what it is."""

from __future__ import annotations

import os
import signal
import sys

from . import process
from .errors import Refusal, UsageError
from .explain import explain, saved_map
from .link import link
from .option_table import LONG, SHORT, Action
from .options import parse
from .parts import find

_HELP = """\
usage: ldkernel [options] objects and libraries -o KERNEL
       ldkernel --explain KERNEL

Links a halvm kernel: an ELF that Xen starts as a virtual machine. Compilers call it as their linker
(g++ -B<folder of ldkernel> -static ...). Besides KERNEL it writes KERNEL.debug, which gdb finds.

  --explain                print what is in the image and what it costs, after the link
  --no-halvm-symbols       leave out the table that names functions in a backtrace
  -z stack-size=BYTES      size of the main stack (default 131072)
  --halvm-core=PATH        the libhalvm.a to link

Of GNU ld's options, these are handed on: """


def main(argv: list[str]) -> int:
    """The exit status: 0, 1 when the image is refused, 2 for a wrong command line."""
    try:
        return _main(argv)
    except Refusal as refusal:
        for message in refusal.messages:
            process.say(message)
        return refusal.exit_code


def _main(argv: list[str]) -> int:
    options = parse(argv[1:])
    if options.show == "version":
        # Build systems ask for this to learn which linker they have: the first line is GNU ld's.
        sys.stdout.write(process.must([process.LD, "--version"]))
        return 0
    if options.show == "help":
        handed_on = [f"--{name}" for name, rule in LONG.items() if rule.action is Action.KEEP]
        handed_on += [f"-{name}" for name, rule in SHORT.items() if rule.action is Action.KEEP]
        print(_HELP + " ".join(handed_on))
        return 0
    if options.relocatable:
        os.execv(process.LD, [process.LD, *argv[1:]])
    if options.explain is not None and argv[1].startswith("--explain"):
        # By hand, the option comes first and names an image; from a compiler it is among the objects to link.
        images = [options.explain] if options.explain else options.inputs
        if not images:
            raise UsageError("--explain: name the image to explain")
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # A reader such as head may stop early.
        for image in images:
            sys.stdout.write(explain(image, image, *saved_map(image)))
        return 0
    for note in options.notes:
        process.say(note)
    link(options, find(argv[0], options.core, options.library_dirs))
    return 0
