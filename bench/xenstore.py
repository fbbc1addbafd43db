# SPDX-License-Identifier: BSD-3-Clause
"""What a XenStore read costs a domain, with one and with sixteen in flight, beside a Linux PV guest's."""

import re
import subprocess
import tempfile
from pathlib import Path

from halvm_cli import tree
from lab import cpio, dom0_image, measure

READS = 1600

# The kernel's own door to the XenStore: what xenstore-read goes through, without a process for each read.
LINUX_INIT = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static void read_domid(int store) {
    struct { struct xsd_sockmsg header; char path[6]; } request = {{XS_READ, 1, 0, 6}, "domid"};
    struct xsd_sockmsg answer;
    char value[4096];
    if (write(store, &request, sizeof request.header + 6) < 0 || read(store, &answer, sizeof answer) != sizeof answer ||
        answer.type != XS_READ || read(store, value, answer.len) != (ssize_t)answer.len)
        printf("error\\n");
}

int main(int count, char** words) {
    struct timespec begin, end;
    mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
    const int store = open("/dev/xen/xenbus", O_RDWR);
    read_domid(store);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < atoi(getenv("READS")); ++i)
        read_domid(store);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld ns\\n", (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec);
    fflush(stdout);
    reboot(RB_POWER_OFF);
}
"""


def linux(reads: int) -> measure.Subject:
    with tempfile.TemporaryDirectory() as scratch:
        init = Path(scratch) / "init"
        command = ["gcc", "-O2", "-static", "-s", "-x", "c", "-", "-o", init]
        subprocess.run(command, input=LINUX_INIT, text=True, check=True)
        archive = cpio.Archive()
        archive.character_device("dev/console", 5, 1)
        archive.copy("init", init)
    return measure.Subject(
        f"Linux 6.1, {reads} reads",
        dom0_image.dom0().kernel,
        memory_mb=128,
        command_line=f"console=hvc0 quiet loglevel=0 READS={reads}",
        ramdisk=archive.bytes(),
        seconds=8,
    )


def elapsed(counted: measure.Counted) -> int:
    found = re.search(r"(\d+) ns", counted.console)
    if counted.errors or not found or not counted.total_ns:
        raise SystemExit(f"{counted.name}: {counted.errors}, its console:\n{counted.console}")
    return int(found.group(1))


def main() -> None:
    tree.build("xen", ["bench_store"])
    kernel = tree.build_directory("xen") / "bench" / "programs" / "store"
    subjects = [
        measure.Subject(f"{READS} reads, {fibers} in flight", kernel, command_line=f"{READS} {fibers}", seconds=4)
        for fibers in (1, 16)
    ]
    *ours, idle_linux, busy_linux = measure.count([*subjects, linux(0), linux(READS)])
    elapsed(idle_linux)
    linux_ns = (busy_linux.total_ns - idle_linux.total_ns) // READS
    linux_rate = READS * 1_000_000_000 // elapsed(busy_linux)
    for fibers, busy in zip((1, 16), ours):
        # The domain reads its own CPU time: at its end it polls, for as long as dom0 happens to need.
        cost = int(re.search(r"(\d+) run", busy.console).group(1)) // READS
        rate = READS * 1_000_000_000 // elapsed(busy)
        notifications = int(re.search(r"(\d+) notifications", busy.console).group(1))
        print(f"read, {fibers} in flight: CPU time", cost, "ns", "Linux 6.1 (1 in flight)", linux_ns, sep="\t")
        print(f"read, {fibers} in flight: rate", rate, "reads/s", "Linux 6.1 (1 in flight)", linux_rate, sep="\t")
        print(f"read, {fibers} in flight: notifications", f"{notifications / READS:.4f}", "a read", sep="\t")


main()
