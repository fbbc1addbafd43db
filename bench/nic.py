# SPDX-License-Identifier: BSD-3-Clause
"""What a frame costs a domain at its network interface, sent and received, beside a Linux PV guest on the same bridge:
pktgen and a packet socket send there, a UDP socket receives."""

import re
from dataclasses import dataclass
from pathlib import Path

import linux_guest
from halvm_cli import tree
from lab import measure

LINUX = Path(__file__).parent / "programs" / "linux_nic.c"
MAC = "00:16:3e:00:be:01"


@dataclass
class Load:
    what: str
    size: int
    count: int

    def name(self) -> str:
        if self.what == "joined":
            return "joined segments of 64 KiB sent"
        return f"frames of {self.size} bytes {'sent' if self.what == 'send' else 'received'}"

    def word(self) -> str:
        return f"{self.what}:{self.size}:{self.count}"


LOADS = [
    Load("send", 64, 40_000),
    Load("send", 1500, 40_000),
    Load("receive", 64, 40_000),
    Load("receive", 1500, 40_000),
    Load("joined", 65_535, 2_000),
]
# Linux sends in two ways; pktgen never waits, and takes the CPU from dom0.
GENERATED = {load.word(): Load("generate", load.size, load.count // 4) for load in LOADS if load.what == "send"}
WORDS = " ".join(load.word() for load in LOADS)
LINUX_WORDS = " ".join([WORDS, *(load.word() for load in GENERATED.values())])


def figures(counted: measure.Counted, word: str) -> dict[str, int]:
    """What the guest said of one load: the numbers by their units."""
    found = re.search(rf"^{word} (.*)$", counted.console, re.M)
    if counted.errors or "error" in counted.console or not found:
        raise SystemExit(f"{counted.name}: {counted.errors}, its console:\n{counted.console}")
    said = {unit: int(number) for number, unit in re.findall(r"(\d+) ([a-z]+)", found.group(1))}
    times = re.search(rf"^begin\nt (\d+)\n{word} .*\nt (\d+)$", counted.console, re.M)
    said["cpu"] = int(times.group(2)) - int(times.group(1))
    return said


def main() -> None:
    tree.build("xen", ["bench_nic"])
    kernel = tree.build_directory("xen") / "bench" / "programs" / "nic"
    common = {"nic": MAC, "times": True, "seconds": 30}
    us, them = measure.count(
        [
            measure.Subject("nic", kernel, memory_mb=32, command_line=WORDS, **common),
            linux_guest.subject("nic", LINUX, LINUX_WORDS, beside=("xen-netfront", "pktgen"), **common),
        ],
        timeout=1800,
    )
    part = {name: int(cost) for name, cost in re.findall(r"^part ([a-z]+) (\d+)$", us.console, re.M)}
    for load in LOADS:
        mine = figures(us, load.word())
        rivals = [(linux_guest.VERSION, load)]
        if load.word() in GENERATED:
            rivals.append((f"{linux_guest.VERSION}, pktgen", GENERATED[load.word()]))
        for rival, of in rivals:
            theirs = figures(them, of.word())
            rates = [one.count * 10**9 // said["ns"] for one, said in ((load, mine), (of, theirs))]
            print(f"{load.name()}: rate", rates[0], "frames/s", rival, rates[1], sep="\t")
            costs = [said["cpu"] // one.count for one, said in ((load, mine), (of, theirs))]
            print(f"{load.name()}: CPU time", costs[0], "ns a frame", rival, costs[1], sep="\t")
        notifications = mine["notifications"] * part["notification"] // load.count
        grants = mine["granted"] * part["grant"] // load.count
        all_else = mine["cpu"] // load.count - notifications - grants
        for what, cost in (("notifications", notifications), ("grants", grants), ("all else", all_else)):
            print(f"{load.name()}: of it for {what}", cost, "ns a frame", sep="\t")
        print(f"{load.name()}: notifications", mine["notifications"] * 1000 // load.count, "a thousand frames", sep="\t")


main()
