# SPDX-License-Identifier: BSD-3-Clause
"""A real browser: headless Chromium loads a page of a hundred files from examples/webserver and from nginx, and says
that all of them came. HALVM_BENCH_SCREENSHOT=FILE.png keeps what it shows of the status page."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import host_network
import web_rival
from halvm_cli import ramdisk, setup, tree
from lab import packages
from lab.errors import LabError

FILES = 100
ROUNDS = int(os.environ.get("HALVM_BENCH_ROUNDS", "3"))


def picture(number: int) -> bytes:
    """A PNG of one colour, 32 pixels wide. [rfc2083 3.2, 4.1]"""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([number * 2, 255 - number * 2, 128]) * 32) * 32
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_site(directory: Path) -> None:
    directory.mkdir()
    images = "".join(f'<img src="{number}.png">' for number in range(FILES - 3))
    (directory / "index.html").write_text(
        '<!doctype html><title>hundred</title><link rel="stylesheet" href="style.css"><p id="said">nothing</p>'
        + images
        + '<script src="count.js"></script>'
    )
    (directory / "style.css").write_text("p { position: absolute }")
    (directory / "count.js").write_text(
        """addEventListener('load', () => {
             const whole = [...document.images].filter(one => one.complete && one.naturalWidth === 32).length
             const style = getComputedStyle(document.getElementById('said')).position === 'absolute'
             const timing = performance.getEntriesByType('navigation')[0]
             const took = Math.round(timing.loadEventStart - timing.startTime)
             document.getElementById('said').textContent = `${whole + 2 + style} files in ${took} ms`
           })"""
    )
    for number in range(FILES - 3):
        (directory / f"{number}.png").write_bytes(picture(number))


def chromium(profile: Path, *words: str) -> str:
    fixed = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--no-proxy-server"]
    command = [*fixed, *quiet, f"--user-data-dir={profile}", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def load(address: str, scratch: Path) -> int:
    """Milliseconds until all of the page was there."""
    with tempfile.TemporaryDirectory(dir=scratch) as profile:
        page = chromium(Path(profile), "--dump-dom", f"http://{address}/")
    found = re.search(rf"{FILES} files in (\d+) ms", page)
    if found is None:
        raise LabError(f"the browser has not loaded {FILES} files, but shows: {page[:300]}")
    return int(found[1])


def build() -> None:
    setup.ensure((*packages.WEB_RIVALS, *packages.BROWSER))
    tree.build("linux", ["webserver"])


def main() -> None:
    host_network.enter(build, "nginx", "chromium")
    with tempfile.TemporaryDirectory() as name, host_network.Tap(1) as tap, host_network.Kernel(2) as kernel:
        scratch = Path(name)
        make_site(scratch / "site")
        ramdisk.pack(scratch / "site", scratch / "site.tar")
        tap.environment["HALVM_RAMDISK"] = str(scratch / "site.tar")
        program = [tree.program("linux", "webserver"), f"ip={tap.server}/24"]
        ours, theirs = [], []
        with host_network.Server(program, tap, "Serving on"):
            with host_network.Server(web_rival.nginx(scratch), kernel):
                for _ in range(ROUNDS):
                    ours.append(load(tap.server, scratch))
                    theirs.append(load(kernel.server, scratch))
            if keep := os.environ.get("HALVM_BENCH_SCREENSHOT"):
                chromium(scratch / "profile", f"--screenshot={keep}", "--window-size=800,1100", f"http://{tap.server}/status")
    print(f"a page of {FILES} files in Chromium", min(ours), "ms", web_rival.NAME, min(theirs), sep="\t")


main()
