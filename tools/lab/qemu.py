# SPDX-License-Identifier: BSD-3-Clause
"""One QEMU process whose first serial line is ours to read and write.

It cannot outlive this process: the kernel kills it when the thread that
started it ends, however that happens. So start it from a thread that lives as
long as the machine is wanted.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from .errors import LabError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """To be run in a child between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Qemu:
    """A running machine; use it in a `with` statement."""

    def __init__(self, arguments: Sequence[str], keep_fds: Sequence[int] = (), cwd: Path | None = None) -> None:
        if shutil.which(arguments[0]) is None:
            raise LabError(
                f"{arguments[0]} is not installed",
                "run `tools/halvm setup`, or install the package qemu-system-x86.",
            )
        self._monitor, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                *arguments,
                *("-chardev", "stdio,id=com1,signal=off", "-serial", "chardev:com1"),
                *("-chardev", f"socket,id=monitor,fd={theirs.fileno()}", "-mon", "chardev=monitor,mode=control"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=cwd,
            pass_fds=(*keep_fds, theirs.fileno()),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        theirs.close()
        self._errors = b""
        self._answers = b""
        self._agreed = False
        self._asking = threading.Lock()
        self.unplugged: set[str] = set()  # devices that the machine has let go of
        self._selector = selectors.DefaultSelector()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ)

    def __enter__(self) -> Qemu:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, timeout: float) -> bytes | None:
        """Wait for serial output: b"" when none came in time, None when QEMU has ended."""
        deadline = time.monotonic() + timeout
        while self._selector.get_map():
            left = deadline - time.monotonic()
            events = self._selector.select(max(left, 0))
            for key, _ in events:
                data = os.read(key.fd, 65536)
                if not data:
                    self._selector.unregister(key.fileobj)
                elif key.fileobj is self._process.stderr:
                    self._errors += data
                else:
                    return data
            if left <= 0:
                return b""
        return None

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            pass

    def memory(self, address: int, size: int) -> bytes:
        """The machine's memory at a physical address; b"" when QEMU does not say. [qemu: QMP, pmemsave]"""
        with tempfile.NamedTemporaryFile() as file:
            ask = {"val": address, "size": size, "filename": file.name}
            if self.ask("pmemsave", ask):
                return b""
            return Path(file.name).read_bytes()

    def interrupt(self) -> None:
        """Raise a non-maskable interrupt, which Xen hands on to dom0."""
        self.ask("inject-nmi")

    def ask(self, name: str, arguments: dict[str, object] | None = None) -> str:
        """Why QEMU did not carry the command out; empty when it did. [qemu: QMP]"""
        return self._ask(name, arguments)[0]

    def tell(self, command: str) -> str:
        """What QEMU says to a command of its monitor for people: of most, why it failed. [qemu: HMP]"""
        refused, said = self._ask("human-monitor-command", {"command-line": command})
        return refused or str(said).strip()

    def _ask(self, name: str, arguments: dict[str, object] | None) -> tuple[str, object]:
        """Why it did not, and what it returned."""
        try:
            with self._asking:
                self._monitor.settimeout(5)
                if not self._agreed:
                    self._agreed = True
                    self._answer_to({"execute": "qmp_capabilities"})
                return self._answer_to({"execute": name, **({"arguments": arguments} if arguments else {})})
        except (OSError, ValueError) as error:
            return f"its monitor does not answer ({error})", None

    def _answer_to(self, request: dict[str, object]) -> tuple[str, object]:
        """Answers come one a line, among events and the greeting."""
        self._monitor.sendall(json.dumps(request).encode() + b"\n")
        while True:
            while b"\n" not in self._answers:
                data = self._monitor.recv(65536)
                if not data:
                    return "it has ended", None
                self._answers += data
            line, _, self._answers = self._answers.partition(b"\n")
            answer = json.loads(line)
            if answer.get("event") == "DEVICE_DELETED":
                self.unplugged.add(answer["data"].get("device", ""))
            if "return" in answer or "error" in answer:
                return answer.get("error", {}).get("desc", ""), answer.get("return")

    def complaint(self) -> str:
        """What QEMU said on stderr, and how it ended; for messages about a machine that died."""
        try:
            code = self._process.wait(2)
        except subprocess.TimeoutExpired:
            code = None
        said = self._errors.decode(errors="replace").strip()
        if code is None:
            return said
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}: {said}" if said else how

    def running(self) -> bool:
        return self._process.poll() is None

    def failed(self) -> bool:
        """Whether QEMU ended by itself with an error, as opposed to the machine ending."""
        code = self._process.poll()
        return code is not None and code != 0

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._selector.close()
        self._monitor.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
