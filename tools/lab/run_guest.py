# SPDX-License-Identifier: BSD-3-Clause
"""Runs one guest under the lab's Xen and compares what it did with what was expected.

Exit codes are ctest's: 0 pass, 77 skip, 1 fail, 2 the test could not be run.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from . import crash, dom0_boot, elf, expectation, network, progress
from .domain import Disk, Guest, Limits
from .domain_run import DomainRun
from .errors import LabError
from .server_client import run_in_shared_lab

SKIP = 77
_VERDICTS = {"pass": 0, "skip": SKIP, "fail": 1}


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run-guest", description=__doc__)
    parser.add_argument("--name", required=True, help="the test's name")
    parser.add_argument("--elf", required=True, type=Path, help="the guest's kernel")
    parser.add_argument("--boot", choices=("dom0", "domu"), default="dom0")
    parser.add_argument(
        "--expect",
        default="success",
        help="success, panic:REGEX, crash, stack-overflow:FIBER, watchdog:FIBER, status:N or output:REGEX",
    )
    parser.add_argument("--memory", type=int, default=32, metavar="MB")
    parser.add_argument("--cpu", default="default", help="default, plain, max, or QEMU's words")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--ramdisk", type=Path, help="a file that is loaded beside the kernel")
    parser.add_argument("--extra", default="", help="the guest's command line")
    parser.add_argument("--input", default="", help=r"typed at its console; \n is a newline, @time@ the wall clock")
    parser.add_argument("--input-after", default="", metavar="REGEX", help="typed when this came out")
    parser.add_argument("--nmi-after", default="", metavar="REGEX", help="a non-maskable interrupt is raised then")
    parser.add_argument("--config", type=Path, help="an xl configuration, for --boot domu")
    parser.add_argument(
        "--disk",
        action="append",
        default=[],
        metavar="FILE[:EXPECTED][,WORD...]",
        help="a disk with a copy of FILE, for --boot domu; what is on it at the end must be what is in EXPECTED. "
        "Words: read-only, 4096 (bytes a sector), untrusted (the back end: so the guest is told)",
    )
    parser.add_argument(
        "--nic",
        action="append",
        default=[],
        metavar="MAC[,user]",
        help="a network interface, for --boot domu, on dom0's bridge without anybody else, where dom0 is 10.0.1.1, or "
        "on that of QEMU's user network; dom0 sends frames for 02:00:00:00:88:b5 back",
    )
    parser.add_argument("--icount", action="store_true", help="one instruction a nanosecond")
    parser.add_argument("--verbose", action="store_true", help="print the console when it passes too")
    return parser.parse_args(words)


def _as_dom0(wanted: argparse.Namespace) -> DomainRun:
    options = dom0_boot.Options(
        command_line=wanted.extra,
        memory_mb=wanted.memory,
        ramdisk=wanted.ramdisk,
        cpu=wanted.cpu,
        icount=wanted.icount,
        timeout=wanted.timeout,
        stop_at=expectation.stop_pattern(wanted.expect),
        input=_newlines(wanted.input),
        input_after=wanted.input_after,
        nmi_after=wanted.nmi_after,
    )
    return dom0_boot.run(wanted.elf, options)


def _disks(wanted: argparse.Namespace, scratch: Path) -> tuple[Disk, ...]:
    made = []
    for index, text in enumerate(wanted.disk):
        (image, expected), words = _disk_files(text), text.split(",")[1:]
        if unknown := set(words) - {"read-only", "4096", "untrusted"}:
            raise LabError(f"--disk does not know {unknown.pop()}", "run-guest --help lists its words.")
        device = f"xvd{chr(ord('a') + index)}"
        made.append(
            Disk(
                str(Path(image).resolve()),
                device,
                writable="read-only" not in words,
                contents_to=str(scratch / device) if expected else "",
                sector_size=4096 if "4096" in words else 512,
                trusted="untrusted" not in words,
            )
        )
    return tuple(made)


def _disk_files(text: str) -> tuple[str, str]:
    image, _, expected = text.partition(",")[0].partition(":")
    return image, expected


def _wrong_disk(wanted: argparse.Namespace, disks: tuple[Disk, ...]) -> str:
    """What is wrong with the first disk that is not as expected."""
    for text, disk in zip(wanted.disk, disks, strict=True):
        expected = _disk_files(text)[1]
        if not expected:
            continue
        kept = Path(disk.contents_to)
        if not kept.exists():
            return f"nothing is known of the disk {disk.device}"
        pairs = enumerate(zip(kept.read_bytes(), Path(expected).read_bytes(), strict=False))
        different = next((at for at, (left, right) in pairs if left != right), None)
        if different is not None:
            return f"the disk {disk.device} is not what was expected, from byte {different} on"
        if kept.stat().st_size != Path(expected).stat().st_size:
            return f"the disk {disk.device} has another size than {expected}"
    return ""


def _as_domu(wanted: argparse.Namespace, disks: tuple[Disk, ...]) -> DomainRun:
    if wanted.icount:
        raise LabError("--icount is for --boot dom0", "the bench counts guests under dom0 by itself.")
    guest = Guest(
        name=wanted.name,
        kernel=wanted.elf,
        config=wanted.config.read_text() if wanted.config else "",
        memory_mb=wanted.memory,
        ramdisk=wanted.ramdisk,
        command_line=wanted.extra,
        disks=disks,
        nics=tuple(_nic(text) for text in wanted.nic),
    )
    limits = Limits(
        timeout=wanted.timeout,
        stop_at=expectation.stop_pattern(wanted.expect),
        input=_newlines(wanted.input),
        input_after=wanted.input_after,
        nmi_after=wanted.nmi_after,
    )
    elf.require_xen_kernel(wanted.elf)
    return run_in_shared_lab(guest, limits, wanted.cpu)


def _nic(text: str) -> network.Nic:
    mac, _, word = text.partition(",")
    if word not in ("", "user"):
        raise LabError(f"--nic does not know {word}", "run-guest --help lists its words.")
    return network.Nic(network.USER if word else network.ISOLATED, mac)


def _newlines(text: str) -> str:
    return text.replace("\\n", "\n")


def _show(wanted: argparse.Namespace, run: DomainRun, everything: bool) -> None:
    print(f"--- console of {wanted.name} ({run.seconds:.1f} s)")
    print(run.console, end="" if run.console.endswith("\n") else "\n")
    found = crash.of_run(run)
    if found:
        kernel = elf.Elf(wanted.elf)
        print("--- the crash\n" + crash.report(found, kernel, elf.with_symbols(wanted.elf)))
    if everything:
        print("--- Xen\n" + _since_start(run.xen))
        if run.toolstack:
            print("--- xl\n" + run.toolstack)


def _since_start(xen_lines: str) -> str:
    """Xen's own boot is of interest only when the guest did not start."""
    lines = xen_lines.splitlines()
    starts = [index for index, line in enumerate(lines) if "Freed" in line]
    return "\n".join(lines[starts[-1] + 1 :] if starts else lines[-30:])


def run(wanted: argparse.Namespace) -> int:
    expectation.check_syntax(wanted.expect)
    with tempfile.TemporaryDirectory() as scratch:
        disks = _disks(wanted, Path(scratch))
        result = _as_dom0(wanted) if wanted.boot == "dom0" else _as_domu(wanted, disks)
        judgement = expectation.judge(wanted.expect, result, wanted.elf)
        if judgement.verdict == "pass" and (wrong := _wrong_disk(wanted, disks)):
            judgement = replace(judgement, verdict="fail", reason=wrong)
    if judgement.verdict == "fail" or wanted.verbose:
        _show(wanted, result, everything=judgement.verdict == "fail")
    print(f"{wanted.name}: {judgement.verdict}: {judgement.reason}")
    return _VERDICTS[judgement.verdict]


def main(words: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    progress.be_quiet()
    try:
        return run(_arguments(words))
    except LabError as error:
        print(f"run-guest: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
