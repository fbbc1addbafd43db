# SPDX-License-Identifier: BSD-3-Clause
"""`--disk FILE[,ro]`: what is refused, and how each machine is told of the disks."""

import fcntl
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from halvm_cli import disks
from lab.errors import LabError

HALVM = Path(__file__).resolve().parent.parent.parent / "tools/halvm"


class DisksTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name).resolve()

    def file(self, name: str, size: int = 4096) -> str:
        path = self.directory / name
        path.write_bytes(b"")
        os.truncate(path, size)
        return str(path)

    def assertRefused(self, texts: list[str], *words: str) -> None:
        with self.assertRaises(LabError) as refused:
            disks.parse(texts)
        for word in words:
            self.assertIn(word, str(refused.exception))

    def test_disks_are_counted_from_xvda_and_are_the_files_themselves(self) -> None:
        first, second = self.file("a"), self.file("b")
        made = disks.parse([first, f"{second},ro"])
        self.assertEqual([disk.device for disk in made], ["xvda", "xvdb"])
        self.assertEqual([disk.writable for disk in made], [True, False])
        # What the lab calls a disk that is to be changed, not copied.
        self.assertEqual([disk.contents_to for disk in made], [first, ""])
        self.assertEqual(disks.parse([]), ())

    def test_what_is_no_disk_is_refused_with_what_to_do(self) -> None:
        self.assertRefused([str(self.directory / "nothing")], "there is no disk", "truncate -s 64M")
        self.assertRefused([str(self.directory)], "is a directory")
        self.assertRefused(["/dev/null"], "can be no disk")
        self.assertRefused([self.file("empty", 0)], "is empty", "truncate")
        self.assertRefused([self.file("odd", 1000)], "1000 bytes", "truncate -s %512")
        for nothing in ("", ",ro"):
            self.assertRefused([nothing], "--disk wants a file")

    def test_the_same_file_twice_is_refused_under_any_name(self) -> None:
        path = self.file("a")
        link, other = self.directory / "link", self.directory / "other"
        link.symlink_to(path)
        other.hardlink_to(path)
        for name in (path, str(link), str(other), f"{path},ro"):
            self.assertRefused([path, name], "is the same disk as")

    def test_a_file_that_may_only_be_read_is_a_disk_that_is_only_read(self) -> None:
        path = self.file("a")
        with mock.patch("os.access", return_value=False):
            self.assertRefused([path], "may not write", f"{path},ro")
            self.assertFalse(disks.parse([f"{path},ro"])[0].writable)

    def test_more_than_there_are_letters(self) -> None:
        self.assertRefused([f"{n}" for n in range(27)], "27 disks are too many")

    def test_a_xen_host_is_told_by_a_line_of_its_configuration(self) -> None:
        made = disks.parse([self.file('a, "b"'), self.file("c") + ",ro"])
        self.assertEqual(
            disks.xl_line(made),
            f'disk=["format=raw,vdev=xvda,access=rw,target={self.directory}/a, \\"b\\"", '
            f'"format=raw,vdev=xvdb,access=ro,target={self.directory}/c"]',
        )

    def test_a_process_is_told_by_its_environment(self) -> None:
        made = disks.parse([self.file("a:b,c\\"), self.file("d") + ",ro"])
        self.assertEqual(
            disks.environment(made),
            {"HALVM_DISKS": f"xvda={self.directory}/a\\:b\\,c\\\\:xvdb={self.directory}/d,ro"},
        )
        self.assertEqual(disks.environment(()), {})

    def test_one_run_has_a_disk_to_write_to_and_any_number_to_read(self) -> None:
        path = self.file("a")
        writer, reader = disks.parse([path]), disks.parse([f"{path},ro"])
        with disks.locked(writer):
            for other in (writer, reader):
                with self.assertRaisesRegex(LabError, "another program has the disk"), disks.locked(other):
                    pass
        with disks.locked(reader), disks.locked(reader):
            pass
        # As a process of the Linux twin has it.
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with self.assertRaises(LabError), disks.locked(reader):
                pass

    def test_the_command_says_it_before_it_starts_anything(self) -> None:
        done = subprocess.run([str(HALVM), "run", "hello", "--disk", "/nonexistent"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 125)
        self.assertIn("there is no disk /nonexistent", done.stderr)
        self.assertNotIn("building", done.stderr)


if __name__ == "__main__":
    unittest.main()
