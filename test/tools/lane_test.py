# SPDX-License-Identifier: BSD-3-Clause
"""lane.py against the real dom0/agent, run here by a shell on a socket."""

import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from lab.errors import LabError
from lab.lane import Lane, LineLost

AGENT = Path(__file__).resolve().parent.parent.parent / "tools/lab/dom0/agent"


class LaneTest(unittest.TestCase):
    def setUp(self) -> None:
        near, far = socket.socketpair()
        self.lane = Lane(near)
        self._work = tempfile.TemporaryDirectory()
        # The agent opens its line by name; a socket cannot be opened, so it gets it as fd 3.
        text = AGENT.read_text().replace('exec 3<>"$1"', "").replace("/tmp/", f"{self._work.name}/")
        self.assertNotIn('"$1"', text.partition("exactly() {")[0])
        os.set_inheritable(far.fileno(), True)
        shell = ["busybox", "sh"] if shutil.which("busybox") else ["sh"]
        self.agent = subprocess.Popen(
            [*shell, "-c", f"exec 3<&{far.fileno()}\n{text}"], pass_fds=[far.fileno()]
        )
        far.close()

    def tearDown(self) -> None:
        self.lane.close()
        self.agent.kill()
        self.agent.wait()
        self._work.cleanup()

    def test_a_command_answers_with_status_and_both_outputs(self) -> None:
        answer = self.lane.run("echo out; echo err >&2; exit 7")
        self.assertEqual((answer.status, answer.out, answer.err), (7, "out\n", "err\n"))

    def test_input_is_binary_and_can_be_large(self) -> None:
        data = bytes(range(256)) * 4096
        answer = self.lane.run("sha256sum", data)
        import hashlib

        self.assertEqual(answer.out.split()[0], hashlib.sha256(data).hexdigest())

    def test_requests_follow_one_another(self) -> None:
        for number in range(5):
            self.assertEqual(self.lane.run(f"cat; echo {number}", b"x").out, f"x{number}\n")

    def test_a_live_command_has_the_line_to_itself(self) -> None:
        self.lane.live("read word; echo got $word; exit 3")
        self.lane.send(b"hello\n")
        lines = []
        while len(lines) < 2:
            self.lane.fill(5)
            while (line := self.lane.line()) is not None:
                lines.append(line)
        self.assertEqual(lines, ["got hello", "x 3"])
        self.assertEqual(self.lane.run("echo still there").out, "still there\n")

    def test_a_command_that_does_not_answer_breaks_the_line(self) -> None:
        with self.assertRaisesRegex(LabError, "did not answer"):
            self.lane.run("sleep 5", timeout=0.2)
        self.assertTrue(self.lane.broken)

    def test_a_machine_that_goes_away_is_noticed(self) -> None:
        self.agent.kill()
        with self.assertRaises(LineLost):
            self.lane.run("true", timeout=5)


if __name__ == "__main__":
    unittest.main()
