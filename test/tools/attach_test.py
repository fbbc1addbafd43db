# SPDX-License-Identifier: BSD-3-Clause
"""attach.py: `halvm console` joins a guest that another `halvm run` has."""

import os
import select
import tempfile
import unittest
from unittest import mock

from halvm_cli import attach
from lab.errors import LabError


class AttachTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        # Longer than a socket's path may be.
        cache = os.path.join(directory.name, "x" * 120)
        patch = mock.patch.dict(os.environ, XDG_CACHE_HOME=cache)
        patch.start()
        self.addCleanup(patch.stop)

    def test_output_goes_out_and_keys_come_in(self) -> None:
        with attach.Listener("hello") as listener:
            name = f"hello.{os.getpid()}"
            self.assertEqual(attach.running(), [name])
            with attach.join(name) as line:
                self.assertEqual(listener.take(self.ready(listener)), b"")
                listener.give("Hello world!\n")
                self.assertEqual(line.recv(100), b"Hello world!\n")
                line.sendall(b"abc")
                self.assertEqual(listener.take(self.ready(listener)), b"abc")
            # One that left is forgotten, and does not disturb the guest.
            self.assertEqual(listener.take(self.ready(listener)), b"")
            listener.give("more\n")
            self.assertEqual(len(listener.sources()), 1)
        self.assertEqual(attach.running(), [])

    def test_one_that_does_not_read_never_holds_the_guest_up(self) -> None:
        with attach.Listener("hello") as listener, attach.join(f"hello.{os.getpid()}"):
            listener.take(self.ready(listener))
            for _ in range(1000):
                listener.give("x" * 4096)

    def test_what_a_killed_run_left_is_no_guest(self) -> None:
        name = f"hello.{os.getpid()}"
        with attach.Listener("hello"):
            folder = os.path.join(os.environ["XDG_CACHE_HOME"], "halvm/consoles")
            os.rename(os.path.join(folder, name), os.path.join(folder, "gone.1"))
        # Nobody listens there any more, though a process 1 exists.
        with self.assertRaisesRegex(LabError, "has ended"):
            attach.join("gone.1")
        self.assertEqual(os.listdir(folder), [])

    def ready(self, listener: attach.Listener) -> list:
        return select.select(listener.sources(), [], [], 5)[0]


if __name__ == "__main__":
    unittest.main()
