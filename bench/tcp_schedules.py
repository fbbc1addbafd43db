# SPDX-License-Identifier: BSD-3-Clause
"""Random schedules of two TCPs on a bad link, in virtual time, of which the unit test has a thousand: with the
sanitizers, each byte and both ends' end looked at. HALVM_TCP_SCHEDULES is another number of them."""

import os
import re
import resource
import subprocess
import sys

from halvm_cli import tree


def main() -> None:
    count = int(os.environ.setdefault("HALVM_TCP_SCHEDULES", "100000"))
    tree.build("linux", ["unit_net_tcp"])
    program = tree.build_directory("linux") / "test" / "unit" / "unit_net_tcp"
    run = subprocess.run([program, "--test-case=tcp: two ends*"], capture_output=True, text=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    wrong = re.findall(r"seed \d+: .*", run.stdout)
    print("schedules", count, "", sep="\t")
    print("schedules that went wrong", len(wrong), "", sep="\t")
    print("a schedule", round((used.ru_utime + used.ru_stime) * 1e6 / count), "us of CPU", sep="\t")
    if run.returncode != 0:
        sys.exit("\n".join(wrong) or run.stdout)


main()
