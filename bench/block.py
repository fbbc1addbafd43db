# SPDX-License-Identifier: BSD-3-Clause
"""What a request costs a domain at its disk, in order in pieces of 1 MiB and at random ones of 4 KiB, with one and with
32 in flight, beside a Linux PV guest's."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from halvm_cli import tree
from lab import cpio, dom0_image, measure

DISK_MIB = 64
LINUX = "Linux 6.1"

# Asks through io_submit(2) and O_DIRECT, which is what fio's engine libaio does; fio itself needs thirty libraries.
LINUX_INIT = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long left, next_place, places;
static unsigned long long seed = 1;
static int reads, at_random, disk;
static size_t size;

static void ask(aio_context_t queue, struct iocb *one)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    one->aio_offset = (at_random ? (long long)((seed >> 33) % places) : next_place++ % places) * size;
    if (syscall(SYS_io_submit, queue, 1, &one) != 1)
        printf("error\\n");
    --left;
}

static void run(aio_context_t queue, struct iocb *all, int flight, long long count)
{
    struct io_event done[32];
    int under_way = 0;
    left = count;
    for (; under_way < flight && left > 0; ++under_way)
        ask(queue, &all[under_way]);
    while (under_way > 0) {
        int answered = syscall(SYS_io_getevents, queue, 1, 32, done, 0);
        for (int i = 0; i < answered; ++i) {
            if (done[i].res != (long long)size)
                printf("error\\n");
            if (left > 0)
                ask(queue, (struct iocb *)done[i].obj);
            else
                --under_way;
        }
    }
}

static void load_module(const char *path)
{
    if (syscall(SYS_finit_module, open(path, O_RDONLY), "", 0) != 0)
        printf("error: %s\\n", path);
}

// dom0 reads this domain's CPU time when it sees a line; nothing else is to happen meanwhile.
static void say(const char *text)
{
    printf("%s\\n", text);
    fflush(stdout);
    usleep(300000);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void measure(const char *word)
{
    static struct iocb all[32];
    char operation[8], order[16];
    long long count;
    int flight;
    aio_context_t queue = 0;
    if (sscanf(word, "%7[^:]:%15[^:]:%zu:%d:%lld", operation, order, &size, &flight, &count) != 5)
        return;
    reads = strcmp(operation, "read") == 0;
    at_random = strcmp(order, "random") == 0;
    places = lseek(disk, 0, SEEK_END) / size;
    next_place = 0;
    seed = 1;
    syscall(SYS_io_setup, 32, &queue);
    char *memory = aligned_alloc(4096, size * flight);
    memset(memory, 1, size * flight);
    for (int i = 0; i < flight; ++i) {
        all[i].aio_fildes = disk;
        all[i].aio_lio_opcode = reads ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
        all[i].aio_buf = (unsigned long)(memory + i * size);
        all[i].aio_nbytes = size;
    }
    run(queue, all, flight, flight * 4);
    say("begin");
    long long begin = now();
    run(queue, all, flight, count);
    char line[200];
    snprintf(line, sizeof line, "%s %lld ns", word, now() - begin);
    say(line);
    syscall(SYS_io_destroy, queue);
    free(memory);
}

int main(int count, char **words)
{
    mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
    load_module("/xen-blkfront.ko");
    for (int tries = 0; tries < 500 && (disk = open("/dev/xvda", O_RDWR | O_DIRECT)) < 0; ++tries)
        usleep(10000);
    for (int i = 1; i < count; ++i)
        measure(words[i]);
    reboot(RB_POWER_OFF);
}
"""


@dataclass
class Load:
    operation: str
    order: str
    size: int
    flight: int

    @property
    def count(self) -> int:
        return 192 if self.size > 4096 else 6400

    def name(self) -> str:
        size = "1 MiB" if self.size > 4096 else "4 KiB"
        order = "in order" if self.order == "sequential" else "at random"
        return f"{self.operation} {size} {order}, {self.flight} in flight"


    def word(self) -> str:
        return f"{self.operation}:{self.order}:{self.size}:{self.flight}:{self.count}"


LOADS = [
    Load(operation, order, size, flight)
    for order, size in (("sequential", 1 << 20), ("sequential", 4096), ("random", 4096))
    for flight in (1, 32)
    for operation in ("read", "write")
]


def ours(first: str, words: list[str]) -> measure.Subject:
    kernel = tree.build_directory("xen") / "bench" / "programs" / "disk"
    line = " ".join([first, *words])
    return measure.Subject(first, kernel, memory_mb=128, command_line=line, seconds=10, disk_mib=DISK_MIB)


def linux() -> measure.Subject:
    with tempfile.TemporaryDirectory() as scratch:
        init = Path(scratch) / "init"
        command = ["gcc", "-O2", "-static", "-s", "-x", "c", "-", "-o", init]
        subprocess.run(command, input=LINUX_INIT, text=True, check=True)
        archive = cpio.Archive()
        archive.character_device("dev/console", 5, 1)
        archive.copy("init", init)
        archive.file("xen-blkfront.ko", dom0_image.module("xen-blkfront"))
    return measure.Subject(
        LINUX,
        dom0_image.dom0().kernel,
        memory_mb=128,
        command_line="console=hvc0 quiet loglevel=0 " + " ".join(load.word() for load in LOADS),
        ramdisk=archive.bytes(),
        seconds=25,
        times=True,
        disk_mib=DISK_MIB,
    )


def figures(counted: measure.Counted, word: str) -> dict[str, int]:
    """What the guest said of one load: the numbers by their units."""
    found = re.search(rf"^{word} (.*)$", counted.console, re.M)
    if counted.errors or "error" in counted.console or not found:
        raise SystemExit(f"{counted.name}: {counted.errors}, its console:\n{counted.console}")
    said = {unit: int(number) for number, unit in re.findall(r"(\d+) ([a-z ]+)", found.group(1))}
    if times := re.search(rf"^begin\nt (\d+)\n{word} .*\nt (\d+)$", counted.console, re.M):
        said["run"] = int(times.group(2)) - int(times.group(1))
    return said


def show(load: Load, name: str, us: dict[str, int], them: dict[str, int]) -> None:
    def rate(figures: dict[str, int]) -> int:
        return load.count * (10**9 if load.size == 4096 else load.size * 1000) // figures["ns"]

    unit = "requests/s" if load.size == 4096 else "MB/s"
    rival = (LINUX, rate(them)) if them else ()
    print(f"{name}: rate", rate(us), unit, *rival, sep="\t")
    rival = (LINUX, them["run"] // load.count) if them else ()
    print(f"{name}: CPU time", us["run"] // load.count, "ns a request", *rival, sep="\t")
    notifications = us["notifications"] * 1000 // load.count
    print(f"{name}: notifications", notifications, "a thousand requests", sep="\t")
    in_ring = us["in the ring"] * 1000 // load.count
    print(f"{name}: requests in the ring", in_ring, "a thousand requests", sep="\t")


def show_breakdown(kept: measure.Counted, granted: measure.Counted) -> None:
    """Where the CPU time of a read of 4 KiB goes: what only some requests need is the difference to those without."""

    def run(counted: measure.Counted, flight: int, memory: str = "") -> float:
        load = Load("read", "random", 4096, flight)
        return figures(counted, load.word() + memory)["run"] / load.count

    many = Load("read", "random", 4096, 32)
    told = int(re.search(r"(\d+) ns for a notification", kept.console).group(1))
    share = told * figures(kept, many.word())["notifications"] / many.count
    for what, cost in (
        ("driver, and the fiber that asks", run(kept, 32) - share),
        ("notification, 32 in flight", share),
        ("notification, 1 in flight", told),
        ("sleep and wake-up, 1 in flight", run(kept, 1) - run(kept, 32) + share - told),
        ("grant for the request", run(granted, 32, ":foreign") - run(granted, 32)),
        ("copy instead", run(kept, 32, ":foreign") - run(kept, 32)),
    ):
        print(f"of a read of 4 KiB: {what}", round(cost), "ns a request", sep="\t")


def main() -> None:
    tree.build("xen", ["bench_disk"])
    words = [load.word() for load in LOADS]
    foreign = [load for load in LOADS if load.order == "random"]
    extra = [f"{load.word()}:foreign" for load in foreign]
    kept, granted, rival = measure.count(
        [ours("persistent", words + extra), ours("granted", words + extra), linux()], timeout=1800
    )
    for load in LOADS:
        show(load, load.name(), figures(kept, load.word()), figures(rival, load.word()))
    for name, counted in (("without persistent grants", granted), ("memory of the program's, copied", kept)):
        for load in foreign:
            word = load.word() + (":foreign" if counted is kept else "")
            show(load, f"{load.name()}, {name}", figures(counted, word), figures(rival, load.word()))
    show_breakdown(kept, granted)
    open_pages = int(re.search(r"(\d+) references", kept.console).group(1))
    print("an open disk: granted to the back end", open_pages * 4, "KiB", sep="\t")
    for load in foreign:
        word = f"{load.word()}:foreign"
        show(load, f"{load.name()}, memory of the program's, granted", figures(granted, word), {})


main()
