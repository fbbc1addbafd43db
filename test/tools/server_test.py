# SPDX-License-Identifier: BSD-3-Clause
"""server.py: when the shared lab ends, and what it tells its clients; with a pretended lab."""

import json
import os
import socket
import subprocess
import threading
import time
import unittest
from collections.abc import Callable
from unittest import mock

from lab import server
from lab.domain_run import DomainRun
from lab.errors import LabError


def request(owner: int) -> bytes:
    return json.dumps({"owner": owner, "guest": {"name": "g", "kernel": "/k"}, "limits": {}}).encode() + b"\n"


class ServerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind("")  # an address of the kernel's choice
        self.listener.listen(8)
        self.addCleanup(self.listener.close)
        self.lab = mock.Mock(**{"sound.return_value": True})

    def serve(self, idle: float, run_domain: Callable[..., DomainRun]) -> threading.Thread:
        patch = mock.patch.object(server, "run_domain", run_domain)
        patch.start()
        self.addCleanup(patch.stop)
        thread = threading.Thread(target=server.Server(self.lab, idle).serve, args=(self.listener,))
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def client(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.listener.getsockname())
        client.settimeout(10)
        self.addCleanup(client.close)
        return client

    def ask(self, data: bytes) -> dict:
        client = self.client()
        client.sendall(data)
        return json.loads(client.makefile().readline())

    def test_a_run_comes_back_whole_and_then_it_is_idle(self) -> None:
        wanted = DomainRun(console="hé\n", end="crash", stack=[(1, 2)], domain=4)
        thread = self.serve(1.0, lambda *_, **__: wanted)
        answer = self.ask(request(os.getpid()))
        self.assertEqual(DomainRun.from_json(json.dumps(answer)), wanted)
        self.assertTrue(thread.is_alive())
        thread.join(10)
        self.assertFalse(thread.is_alive())

    def test_it_ends_when_those_it_was_started_for_are_gone(self) -> None:
        gone = subprocess.Popen(["true"])
        gone.wait()
        thread = self.serve(1000.0, lambda *_, **__: DomainRun())
        self.ask(request(gone.pid))
        thread.join(10)
        self.assertFalse(thread.is_alive())

    def test_a_client_that_hangs_up_cancels_its_guest(self) -> None:
        cancelled = threading.Event()

        def run(*_: object, **more: Callable[[], bool]) -> DomainRun:
            while not more["cancelled"]():
                time.sleep(0.01)
            cancelled.set()
            return DomainRun()

        self.serve(1.0, run)
        client = self.client()
        client.sendall(request(os.getpid()))
        time.sleep(0.2)
        client.close()
        self.assertTrue(cancelled.wait(5))

    def test_errors_reach_the_client_and_a_dead_machine_ends_the_server(self) -> None:
        def run(*_: object, **__: object) -> DomainRun:
            raise LabError("xl said no", "try this")

        thread = self.serve(1000.0, run)
        self.assertEqual(self.ask(request(os.getpid())), {"error": "xl said no", "hint": "try this"})
        self.lab.sound.return_value = False
        self.ask(request(os.getpid()))
        thread.join(5)
        self.assertFalse(thread.is_alive())

    def test_nonsense_does_not_disturb_it(self) -> None:
        self.serve(1.0, lambda *_, **__: DomainRun(end="poweroff"))
        for data in (b"\n", b"no json\n", b""):
            client = self.client()
            client.sendall(data)
            client.close()
        self.assertEqual(self.ask(request(os.getpid()))["end"], "poweroff")


if __name__ == "__main__":
    unittest.main()
