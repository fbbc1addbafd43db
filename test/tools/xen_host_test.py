# SPDX-License-Identifier: BSD-3-Clause
"""run_xl.py on a pretended Xen host: an xl that writes down what it is asked."""

import io
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path
from unittest import mock

from halvm_cli import run_xl
from halvm_cli.exit_codes import CRASHED, TIMED_OUT
from lab.domain import Disk, Guest
from lab.errors import LabError
from lab.network import Nic

XL = """#!/bin/sh
echo "$@" >>{directory}/calls
case $1 in
create) {create} ;;
domid) echo 7 ;;
console) {console} ;;
list) echo "Name ID Mem VCPUs State Time"; echo "x 7 16 1 {state} 0.0" ;;
dmesg) cat {directory}/dmesg 2>/dev/null ;;
esac
"""
XENSTORE_READ = "#!/bin/sh\necho {status}\n"


class XenHostTest(unittest.TestCase):
    def setUp(self) -> None:
        self._temporary = tempfile.TemporaryDirectory()
        self.directory = Path(self._temporary.name)
        self._patches = [
            mock.patch.dict(os.environ, PATH=f"{self.directory}:{os.environ['PATH']}"),
            mock.patch("os.geteuid", return_value=0),
        ]
        for patch in self._patches:
            patch.start()

    def tearDown(self) -> None:
        for patch in self._patches:
            patch.stop()
        self._temporary.cleanup()

    def program(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)

    def run_guest(
        self,
        state: str,
        status: str = "0",
        create: str = ":",
        console: str = "exec sleep 9",
        timeout: float | None = None,
    ) -> tuple[int, str, str]:
        self.program("xl", XL.format(directory=self.directory, state=state, create=create, console=console))
        self.program("xenstore-read", XENSTORE_READ.format(status=status))
        said = io.StringIO()
        with redirect_stderr(said):
            code = run_xl.run(Guest("hello", Path("/bin/true"), "memory = 16\n"), timeout)
        return code, said.getvalue(), (self.directory / "calls").read_text()

    def test_the_exit_status_comes_from_xenstore(self) -> None:
        code, _, calls = self.run_guest("---s--", status="3")
        self.assertEqual(code, 3)
        self.assertIn('on_crash="preserve"', calls)
        self.assertRegex(calls, r"unpause hello-\d+")
        self.assertRegex(calls.splitlines()[-1], r"destroy hello-\d+")

    def test_its_disks_and_interfaces_are_in_the_configuration(self) -> None:
        self.program("xl", XL.format(directory=self.directory, state="---s--", create=":", console="exit 0"))
        self.program("xenstore-read", XENSTORE_READ.format(status="0"))
        disk = Disk("/srv/disk.img", writable=False)
        run_xl.run(Guest("hello", Path("/bin/true"), "memory = 16\n", disks=(disk,), nics=(Nic("br0"), Nic())), None)
        created = (self.directory / "calls").read_text().splitlines()[0]
        self.assertIn('disk=["format=raw,vdev=xvda,access=ro,target=/srv/disk.img"]', created)
        self.assertIn("vif=['bridge=br0', '']", created)

    def test_a_panic_and_a_crash(self) -> None:
        self.assertEqual(self.run_guest("---s--", status="panic")[0], CRASHED)
        self.assertEqual(self.run_guest("----c-", status="")[0], CRASHED)

    def test_leaving_the_console_destroys_the_domain(self) -> None:
        code, said, calls = self.run_guest("-b----", console="exit 0")
        self.assertEqual(code, 0)
        self.assertIn("left the console", said)
        self.assertIn("destroy", calls.splitlines()[-1])

    def test_a_timeout(self) -> None:
        code, said, calls = self.run_guest("-b----", timeout=0.3)
        self.assertEqual(code, TIMED_OUT)
        self.assertIn("destroy", calls.splitlines()[-1])

    def test_xls_own_words_are_shown(self) -> None:
        with self.assertRaisesRegex(LabError, "no memory left"):
            self.run_guest("-b----", create="echo no memory left >&2; exit 3")

    def test_who_is_not_root_is_told_so(self) -> None:
        self.program("xl", "#!/bin/sh\n")
        run_xl.require_host()
        with mock.patch("os.geteuid", return_value=1000), self.assertRaisesRegex(LabError, "root"):
            run_xl.require_host()


if __name__ == "__main__":
    sys.exit(unittest.main())
