# SPDX-License-Identifier: BSD-3-Clause
"""Programs of the Linux machine against a real Linux: its network stack at the other end of a TAP, and dnsmasq.

    import linux_network

    class EchoTest(unittest.TestCase):
        def test_an_address_comes_from_dnsmasq(self) -> None:
            with linux_network.tap("10.9.0.1/24") as nic, linux_network.dnsmasq(nic, "10.9.0.50,10.9.0.60"):
                with linux_network.Program([ECHO], nic) as echo:
                    echo.until("Assigned IP: 10.9.0.5[0-9]")

    if __name__ == "__main__":
        linux_network.main("dnsmasq")

main() runs the file's tests in user, network and process namespaces of their own: nobody has to be root, all may use
the same names and addresses at the same time, and with the test everything ends that it started, however it ends.
A test is PID 1 there. /sys is the machine's own, so it does not show the namespace's interfaces.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--"]
_INSIDE = "HALVM_TEST_NETWORK"
_SKIPPED = 77


def main(*needs: str) -> None:
    """To be called as unittest.main() is. Skips the file when the machine has no namespaces, no TAP devices, or lacks
    one of the programs `needs`."""
    if is_inside():
        unittest.main()
    if reason := missing(*needs):
        print(f"skipped: {reason}")
        sys.exit(_SKIPPED)
    sys.exit(again_inside())


def is_inside() -> bool:
    """Whether this is what again_inside() has started; then the loopback interface is up."""
    if not os.environ.pop(_INSIDE, None):
        return False
    ip("link", "set", "lo", "up")
    return True


def again_inside() -> int:
    """Runs the program again in namespaces of its own; its exit status."""
    again = [*_NAMESPACES, sys.executable, "-B", *sys.argv]
    return subprocess.run(again, env={**os.environ, _INSIDE: "1"}).returncode


def missing(*needs: str) -> str:
    """Why no test can run here; empty when they can."""
    # Where ip and dnsmasq are, which not everybody has in the path.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if subprocess.run([*_NAMESPACES, "true"], capture_output=True).returncode != 0:
        return "no user, network and process namespaces here"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun here"
    absent = [name for name in ("ip", *needs) if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def ip(*words: str) -> None:
    """ip(8); so are its errors."""
    subprocess.run(["ip", *words], check=True)


@dataclass
class Nic:
    """A network interface of Linux, whose other end is for a program."""

    interface: str
    address: str  # Linux's, without the prefix length
    entry: str  # as HALVM_NICS names the program's end


@contextmanager
def tap(
    address: str, name: str = "halvm0", mac: str = "02:00:00:00:00:07", ipv6: bool = False, at: Nic | None = None
) -> Iterator[Nic]:
    """A TAP device: Linux's end has the address, as in 10.9.0.1/24, and the program's the MAC address; or it has none,
    and is `at` a bridge. Without `ipv6` Linux says nothing on it that it is not asked."""
    with _made(name, address, ipv6, "tuntap", "add", name, "mode", "tap"):
        if at:
            ip("link", "set", name, "master", at.interface)
        yield Nic(name, address.partition("/")[0], f"tap:{name}/{mac}")


@contextmanager
def bridge(address: str, name: str = "lan") -> Iterator[Nic]:
    """A switch for several TAP devices, at which Linux has the address."""
    with _made(name, address, False, "link", "add", name, "type", "bridge"):
        yield Nic(name, address.partition("/")[0], "")


@contextmanager
def _made(name: str, address: str, ipv6: bool, *how: str) -> Iterator[None]:
    ip(*how)
    try:
        if not ipv6:
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        if address:
            ip("address", "add", address, "dev", name)
        ip("link", "set", name, "up")
        yield
    finally:
        ip("link", "delete", name)


class Machine:
    """Another Linux on a bridge, or at the end of a cable, which is a network namespace: its interface is eth0."""

    def __init__(self, at: Nic | None, address: str, name: str = "cable") -> None:
        # /proc is the machine's own, where the process has another number than here.
        script = "read -r number rest </proc/self/stat; echo $number; read -r end"
        self._process = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        number = self._process.stdout.readline().strip()
        self.enter = ("nsenter", f"--net=/proc/{number}/ns/net", "--")
        self.nic = Nic("eth0", address.partition("/")[0], "")
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(self._process.pid))
        ip("link", "set", name, *(("master", at.interface) if at else ()), "up")
        self.run("ip", "address", "add", address, "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, *command: str) -> None:
        subprocess.run([*self.enter, *command], check=True)


class Program:
    """A program of the Linux machine with these NICs, from its start to its end: SIGTERM ends it with the `with`."""

    def __init__(self, command: Sequence[str], *nics: Nic, **environment: str) -> None:
        named = {"HALVM_NICS": ",".join(nic.entry for nic in nics)} if nics else {}
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **named, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""  # so far

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def line(self) -> str:
        """The next line of its output without the end; blocks until it is there. Empty too when there are no more."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        self.said += text
        return text.rstrip("\n")

    def until(self, pattern: str) -> re.Match[str]:
        """Blocks until a line comes in which the pattern is found."""
        before = -1
        while len(self.said) > before:
            before = len(self.said)
            if found := re.search(pattern, self.line()):
                return found
        raise AssertionError(f"it ended and never said {pattern!r}, but:\n{self.said}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status, minus the signal's number when one killed it. The rest of its output is in `said`."""
        if self.process.stdout and not self.process.stdout.closed:
            if self.process.poll() is None:
                self.process.send_signal(how)
            self.said += self.process.communicate()[0]
        return self.process.wait()


class Station:
    """A program that does what its input says, a line at a time, and answers each with a line."""

    def __init__(self, command: Sequence[str], nic: Nic) -> None:
        self.mac = nic.entry.partition("/")[2]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "HALVM_NICS": nic.entry},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")

    def answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def ask(self, *words: object) -> str:
        self.tell(*words)
        return self.answer()

    def close(self) -> int:
        """Its exit status: it ends with its input."""
        self._process.communicate()
        return self._process.returncode


@contextmanager
def station(command: Sequence[str], number: int, lan: Nic) -> Iterator[Station]:
    """One at a bridge, with a MAC address and a cable, tapNUMBER, of its number."""
    with tap("", f"tap{number}", f"02:00:00:00:00:0{number}", at=lan) as nic:
        one = Station(command, nic)
        try:
            yield one
        finally:
            status = one.close()
        assert status == 0, f"it ended with {status}"


class Log(list[str]):
    """Lines that another thread adds."""

    def __init__(self) -> None:
        super().__init__()
        self._grown = threading.Condition()
        self._looked_at = 0
        self._whole = False

    def add_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            with self._grown:
                self.append(line)
                self._grown.notify_all()
        with self._grown:
            self._whole = True
            self._grown.notify_all()

    def until(self, pattern: str) -> re.Match[str]:
        """Blocks until a line comes in which the pattern is found, behind the one that was found before."""
        with self._grown:
            while True:
                while self._looked_at < len(self):
                    self._looked_at += 1
                    if found := re.search(pattern, self[self._looked_at - 1]):
                        return found
                if self._whole:
                    raise AssertionError(f"it ended and never said {pattern!r}, but:\n{''.join(self)}")
                self._grown.wait()


@contextmanager
def dnsmasq(nic: Nic, addresses: str = "", *options: str, on: Machine | None = None) -> Iterator[Log]:
    """A DHCP server for the range of addresses, as in 10.9.0.50,10.9.0.60, if there is one, and a DNS server, which
    knows what the options say: --host-record=NAME,ADDRESS. It serves already, here or on another machine. What it logs
    is in the list, whole when the `with` has ended."""
    command = [
        *(on.enter if on else ()),
        "dnsmasq",
        *("--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--leasefile-ro"),
        *("--user=root", "--group="),  # it may change neither here
        *("--log-facility=-", "--log-queries"),
        *(f"--interface={nic.interface}", "--except-interface=lo", "--bind-interfaces", "--no-resolv", "--no-hosts"),
        # Alone on the link, it need not try whether anybody has an address.
        *((f"--dhcp-range={addresses},1h", "--dhcp-authoritative", "--no-ping") if addresses else ()),
        *options,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        log = Log()
        while not log or ": started" not in log[-1]:
            log.append(server.stderr.readline())
            if not log[-1]:
                raise AssertionError(f"dnsmasq ended: {''.join(log)}")
        reader = threading.Thread(target=log.add_all, args=(server.stderr,), daemon=True)
        reader.start()
        try:
            yield log
        finally:
            server.terminate()
            reader.join()
