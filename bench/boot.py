# SPDX-License-Identifier: BSD-3-Clause
"""What a domain executes up to its first line of output, by its memory and by what it is made of."""

import subprocess
import tempfile
from pathlib import Path

import rivals
from halvm_cli import tree
from lab import cpio, dom0_image, measure

MEMORY = (4, 16, 32, 256, 1024)
PROGRAMS = ("exception", "printf", "iostream")


LINUX_INIT = """
#include <unistd.h>
int main(void) {
    write(1, "Hello world!\\n", 13);
    for (;;)
        pause();
}
"""


def linux() -> measure.Subject:
    """Debian's kernel with nothing but a program that prints one line."""
    with tempfile.TemporaryDirectory() as scratch:
        init = Path(scratch) / "init"
        subprocess.run(["gcc", "-O2", "-static", "-s", "-x", "c", "-", "-o", init], input=LINUX_INIT, text=True, check=True)
        archive = cpio.Archive()
        archive.character_device("dev/console", 5, 1)
        archive.copy("init", init)
    return measure.Subject(
        "Linux 6.1",
        dom0_image.dom0().kernel,
        memory_mb=128,
        command_line="console=hvc0 quiet loglevel=0",
        ramdisk=archive.bytes(),
        seconds=6,
    )


def main() -> None:
    tree.build("xen", ["hello", "bench_programs"])
    hello = tree.program("xen", "hello")
    programs = tree.build_directory("xen") / "bench" / "programs"
    subjects = [measure.Subject(f"hello, {memory} MiB", hello, memory_mb=memory, seconds=0.5) for memory in MEMORY]
    subjects += [measure.Subject(name, programs / name) for name in PROGRAMS]
    # Work that Xen does once a second falls into some starts: of two, the cheaper one counts.
    results = measure.count([*subjects, *subjects, linux()])
    rival = results.pop()
    if not rival.first_line_ns:
        raise SystemExit(f"{rival.name}: {'; '.join(rival.errors) or 'no output'}")
    for subject, first, second in zip(subjects, results, results[len(subjects):]):
        counted = min(first, second, key=lambda result: result.first_line_ns)
        if counted.errors or not counted.first_line_ns:
            raise SystemExit(f"{subject.name}: {'; '.join(counted.errors) or 'no output'}")
        figure = [f"{subject.name}: CPU time to the first line", counted.first_line_ns, "ns"]
        if subject.kernel == hello and subject.memory_mb in rivals.FIRST_LINE:
            figure += rivals.FIRST_LINE[subject.memory_mb]
        print(*figure, sep="\t")
        if subject.kernel == hello and subject.memory_mb == 256:
            print(*figure, f"{rival.name} (128 MiB)", rival.first_line_ns, sep="\t")
        if counted.total_ns:
            print(f"{subject.name}: CPU time to the end", counted.total_ns, "ns", sep="\t")


main()
