# SPDX-License-Identifier: BSD-3-Clause
"""cache.py: an artifact is there whole or not at all, and is built once."""

import os
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from lab import cache
from lab.errors import LabError


class CacheTest(unittest.TestCase):
    def setUp(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = self._directory.name

    def tearDown(self) -> None:
        if self._before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = self._before
        self._directory.cleanup()

    def test_a_failed_build_leaves_nothing(self) -> None:
        def build(into: Path) -> None:
            (into / "half").write_text("x")
            raise LabError("no")

        with self.assertRaises(LabError):
            cache.artifact("thing", "1", build)
        self.assertEqual([p.name for p in cache.directory().iterdir()], ["thing.lock"])

    def test_what_a_killed_build_left_is_swept_by_the_next(self) -> None:
        stale = cache.directory() / ".thing-abc.part"
        stale.mkdir()
        cache.artifact("thing", "1", lambda into: (into / "a").touch())
        self.assertFalse(stale.exists())

    def test_two_at_once_build_once(self) -> None:
        built = []

        def build(into: Path) -> None:
            built.append(1)
            (into / "a").touch()

        threads = [threading.Thread(target=cache.artifact, args=("t", "1", build)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(built), 1)

    def test_a_full_disk_is_named(self) -> None:
        def build(_: Path) -> None:
            raise OSError(28, "No space left on device")

        with self.assertRaisesRegex(LabError, "the disk is full"):
            cache.artifact("thing", "1", build)

    def test_keys_depend_on_every_part_and_its_borders(self) -> None:
        self.assertEqual(cache.key_of("a", b"b"), cache.key_of("a", "b"))
        self.assertNotEqual(cache.key_of("ab", "c"), cache.key_of("a", "bc"))

    def test_scratch_directories_of_dead_processes_are_swept(self) -> None:
        dead = subprocess.Popen(["true"])
        dead.wait()
        with cache.scratch() as first:
            old = first.parent / f"{dead.pid}-x"
            old.mkdir()
            with cache.scratch():
                self.assertFalse(old.exists())
                self.assertTrue(first.exists())
        self.assertFalse(first.exists())

    def test_a_directory_that_cannot_be_made_is_a_clear_error(self) -> None:
        os.environ["XDG_CACHE_HOME"] = "/proc"
        with self.assertRaisesRegex(LabError, "XDG_CACHE_HOME"):
            cache.directory()


if __name__ == "__main__":
    unittest.main()
