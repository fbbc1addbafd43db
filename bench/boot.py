# SPDX-License-Identifier: BSD-3-Clause
"""What a domain executes up to its first line of output, by its memory and by what it is made of."""

import rivals
from halvm_cli import tree
from lab import measure

MEMORY = (4, 16, 32, 256, 1024)
PROGRAMS = ("exception", "printf", "iostream")


def main() -> None:
    tree.build("xen", ["hello", "bench_programs"])
    hello = tree.program("xen", "hello")
    programs = tree.build_directory("xen") / "bench" / "programs"
    subjects = [measure.Subject(f"hello, {memory} MiB", hello, memory_mb=memory, seconds=0.5) for memory in MEMORY]
    subjects += [measure.Subject(name, programs / name) for name in PROGRAMS]
    # Work that Xen does once a second falls into some starts: of two, the cheaper one counts.
    results = measure.count(subjects * 2)
    for subject, first, second in zip(subjects, results, results[len(subjects):]):
        counted = min(first, second, key=lambda result: result.first_line_ns)
        if counted.errors or not counted.first_line_ns:
            raise SystemExit(f"{subject.name}: {'; '.join(counted.errors) or 'no output'}")
        figure = [f"{subject.name}: CPU time to the first line", counted.first_line_ns, "ns"]
        if subject.kernel == hello and subject.memory_mb in rivals.FIRST_LINE:
            figure += rivals.FIRST_LINE[subject.memory_mb]
        print(*figure, sep="\t")
        if counted.total_ns:
            print(f"{subject.name}: CPU time to the end", counted.total_ns, "ns", sep="\t")


main()
