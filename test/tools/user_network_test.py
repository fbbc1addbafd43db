# SPDX-License-Identifier: BSD-3-Clause
"""`halvm run --on linux`: examples/packet-counter and examples/echo in a network of their own, by slirp4netns."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"
PROGRAM = os.environ.get("PACKET_COUNTER", "")
ECHO = os.environ.get("ECHO", "")
IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net", "--"]
HALVM = [sys.executable, "-B", "-m", "halvm_cli"]


class UserNetworkTest(unittest.TestCase):
    def test_a_forwarded_port_leads_to_the_program(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [*HALVM, "run", PROGRAM, "--on", "linux", "--forward", f"{port}:80", "--extra", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run, socket.socket() as client:
            said = run.stdout.readline()
            while "link up" not in said:
                self.assertNotEqual(said, "", "it ended before it had a link")
                said = run.stdout.readline()
            # slirp4netns asks who has the program's address: nobody answers, but it is a frame.
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            self.assertEqual(run.stdout.readlines()[-1], "ARP: 1 frames, 42 bytes\n")
            self.assertEqual(run.wait(), 0)

    def test_datagrams_come_back_through_a_forwarded_port(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [*HALVM, "run", ECHO, "--on", "linux", "--forward", f"{port}:7/udp"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            while "ready" not in (said := run.stdout.readline()):
                self.assertNotEqual(said, "", "it ended before it was ready")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(60)
                client.sendto(b"there and back", ("127.0.0.1", port))
                self.assertEqual(client.recvfrom(100), (b"there and back", ("127.0.0.1", port)))
            run.terminate()
            run.stdout.read()

    def test_what_it_started_ends_with_it(self) -> None:
        command = [*HALVM, "run", PROGRAM, "--on", "linux"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            while "link up" not in run.stdout.readline():
                self.assertIsNone(run.poll())
            children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
            self.assertEqual(len(children), 2)
            names = {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in children}
            os.kill(names["packet-counter"], signal.SIGTERM)
            self.assertEqual(run.wait(), 0)
        for pid in children:
            self.assertFalse(Path(f"/proc/{pid}").exists())


def missing() -> str:
    if not PROGRAM or not ECHO:
        return "the programs are built for HALVM_MACHINE=linux only"
    if subprocess.run([*IN_NAMESPACE, "true"], capture_output=True).returncode != 0:
        return "no user and network namespaces here"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun here"
    if shutil.which("slirp4netns") is None:
        return "no slirp4netns; `tools/halvm setup` installs it"
    return ""


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(TOOLS)
    if missing():
        print("skipped: " + missing())
        sys.exit(77)
    unittest.main()
