#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""--site: what becomes of a directory."""

import argparse
import gzip
import os
import tarfile
import tempfile
import unittest
from pathlib import Path

from halvm_cli import ramdisk
from lab.errors import LabError


class Site(unittest.TestCase):
    def setUp(self) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self._scratch.cleanup)
        self.directory = Path(self._scratch.name) / "site"
        (self.directory / "a").mkdir(parents=True)

    def _write(self, name: str, content: bytes) -> None:
        (self.directory / name).write_bytes(content)
        os.utime(self.directory / name, (784111777, 784111777))

    def _pack(self) -> dict[str, bytes]:
        archive = Path(self._scratch.name) / "site.tar"
        self.count = ramdisk.pack(self.directory, archive)
        with tarfile.open(archive) as packed:
            return {member.name: packed.extractfile(member).read() for member in packed}

    def test_files_and_packed_copies(self) -> None:
        page = b"<p>hello</p>" * 200
        self._write("index.html", page)
        self._write("a/small.css", b"body{}")
        self._write("a/" + "n" * 200 + ".bin", os.urandom(2000))
        files = self._pack()
        self.assertEqual(self.count, 3)
        self.assertEqual(set(files), {"index.html", "index.html.gz", "a/small.css", "a/" + "n" * 200 + ".bin"})
        self.assertEqual(files["index.html"], page)
        self.assertEqual(gzip.decompress(files["index.html.gz"]), page)

    def test_a_copy_that_is_there_stays(self) -> None:
        self._write("index.html", b"a" * 5000)
        self._write("index.html.gz", b"mine")
        self.assertEqual(self._pack()["index.html.gz"], b"mine")

    def test_the_same_files_make_the_same_archive(self) -> None:
        self._write("index.html", b"a" * 5000)
        archives = [Path(self._scratch.name) / name for name in ("one.tar", "two.tar")]
        for archive in archives:
            ramdisk.pack(self.directory, archive)
        self.assertEqual(*(archive.read_bytes() for archive in archives))

    def test_refusals(self) -> None:
        with self.assertRaisesRegex(LabError, "no files"):
            self._pack()
        missing = Path(self._scratch.name) / "missing"
        empty = Path(self._scratch.name) / "empty"
        empty.touch()
        for ramdisk_file, site, words in (
            (missing, None, "no file"),
            (empty, None, "is empty"),
            (None, missing, "no directory"),
        ):
            with self.assertRaisesRegex(LabError, words):
                ramdisk.check(argparse.Namespace(ramdisk=ramdisk_file, site=site))


if __name__ == "__main__":
    unittest.main()
