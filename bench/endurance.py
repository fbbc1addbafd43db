# SPDX-License-Identifier: BSD-3-Clause
"""What many requests leave behind in examples/webserver, of clients of whom some break off: ten million of a process
over TAP, 100,000 of a domain of 32 MiB, which also has 10,000 connections one after another and 2,000 at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import host_network
from halvm_cli import tree
from lab.errors import LabError

sys.path.insert(0, str(tree.ROOT / "test" / "support"))
import web_site  # noqa: E402

REQUESTS = int(os.environ.get("HALVM_BENCH_REQUESTS", "10000000"))
LOAD = tree.build_directory("linux") / "test" / "tools" / "web_load"


def process() -> None:
    with tempfile.TemporaryDirectory() as scratch, host_network.Tap() as tap:
        tap.environment["HALVM_RAMDISK"] = str(web_site.pack(Path(scratch)))
        command = [tree.program("linux", "webserver"), f"ip={tap.server}/24"]
        with host_network.Server(command, tap, "Serving on"):
            grown = web_site.Load(LOAD, tap.server).growth(REQUESTS)
    print(f"a process: memory after {REQUESTS} requests, more than after a tenth", grown, "bytes", sep="\t", flush=True)


def domain() -> None:
    script = tree.ROOT / "test" / "guest" / "net" / "webserver_test.py"
    folders = [str(tree.ROOT / "tools"), str(tree.ROOT / "test" / "support")]
    command = [sys.executable, "-B", script, tree.program("xen", "webserver"), LOAD]
    run = subprocess.run(
        [*command, "32", "10000", "2000", str(REQUESTS // 100)],
        env={**os.environ, "PYTHONPATH": ":".join(folders)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if run.returncode != 0:
        raise LabError("the domain did not endure it", run.stdout)
    each = re.findall(r"^(\d+) open: (\d+) bytes each$", run.stdout, re.M)[-1]
    print(f"a domain: memory of each of {each[0]} open connections", each[1], "bytes", sep="\t")
    for what, grown in re.findall(r"^after (.*): (-?\d+) bytes more$", run.stdout, re.M):
        print(f"a domain: memory after {what}, more than before", grown, "bytes", sep="\t", flush=True)


def build() -> None:
    tree.build("linux", ["webserver", "web_load"])
    tree.build("xen", ["webserver"])
    domain()


def main() -> None:
    host_network.enter(build)
    process()


main()
