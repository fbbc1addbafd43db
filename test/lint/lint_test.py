#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The lint must see what it is there to see: violations planted one at a time in a small tree that has none."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import lint

HEAD = "// SPDX-License-Identifier: BSD-3-Clause\n"
HEADER = HEAD + "#pragma once\n"
CLEAN = {
    "include/halvm/error.hpp": HEADER + "#include <system_error>\n",
    "include/halvm/contract.hpp": HEADER + "#include <gsl/assert>\n",
    "include/halvm/device/console.hpp": HEADER + "#include <halvm/error.hpp>\n",
    "include/halvm/xen/abi.hpp": HEADER + "#include <xen/xen.h>\n",
    "include/halvm/xen/system_console.hpp": HEADER + "#include <halvm/xen/abi.hpp>\n",
    "include/halvm/linux/clock.hpp": HEADER,
    "include/halvm/net/tcp.hpp": HEADER + "#include <halvm/device/console.hpp>\n",
    "include/halvm/http/server.hpp": HEADER + "#include <halvm/net/tcp.hpp>\n",
    "include/halvm/console.hpp": HEADER + "#include <halvm/machine.hpp>\n",
    "src/boot/machine/halvm/machine.hpp": HEAD + "#include <halvm/xen/system_console.hpp>\n",
    "src/linux/machine/halvm/machine.hpp": HEAD + "#include <halvm/linux/clock.hpp>\n",
    "src/arch/x86_64/cpu.hpp": HEAD + 'inline void pause() { asm volatile("pause"); }\n',
    "src/core/image.hpp": HEAD + 'extern char image_begin[] __asm__("__image_begin");\n',
    "src/core/heap.cpp": HEAD + '#include "core/image.hpp"\nvoid barrier() { asm volatile("" ::: "memory"); }\n',
    "tools/run": "#!/bin/sh\n# SPDX-License-Identifier: BSD-3-Clause\necho run\n",
    "tools/run.py": "# SPDX-License-Identifier: BSD-3-Clause\nprint(1)\n",
    "examples/main.cpp": HEAD + "int one;\n\nint two;\n\nint three;\n",
    "README.md": "# A README needs no licence line\n\n```cpp\nint one;\n\nint three;\n```\n",
}

# (what is planted, the file, what is put at its end, a part of the message that must come)
PLANTED = [
    ("a header that is read twice", "include/halvm/device/twice.hpp", HEAD, "no #pragma once"),
    ("a test's name is two of CTest's", "src/core/heap.cpp", 'TEST_CASE("it goes; it comes") {}\n',
     "a semicolon in a test's name"),
    ("the vocabulary looks down", "include/halvm/error.hpp", "#include <halvm/device/console.hpp>\n",
     "'vocabulary' may not include <halvm/device/console.hpp>"),
    ("a concept knows Xen", "include/halvm/device/console.hpp", "#include <halvm/xen/abi.hpp>\n",
     "'device' may not include <halvm/xen/abi.hpp>, which is of 'xen'"),
    ("a mechanism knows a driver", "include/halvm/xen/abi.hpp", "#include <halvm/xen/system_console.hpp>\n",
     "'xen' may not include"),
    ("a driver knows another machine's", "include/halvm/xen/system_console.hpp", "#include <halvm/linux/clock.hpp>\n",
     "'xen drivers' may not include"),
    ("the network knows a machine", "include/halvm/net/tcp.hpp", "#  include <halvm/linux/clock.hpp>\n",
     "'net' may not include"),
    ("the network knows http", "include/halvm/net/tcp.hpp", "#include <halvm/http/server.hpp>\n",
     "'net' may not include"),
    ("a front door goes past machine.hpp", "include/halvm/console.hpp", "#include <halvm/xen/system_console.hpp>\n",
     "'front doors' may not include"),
    ("a front door is included from below", "include/halvm/xen/abi.hpp", "#include <halvm/console.hpp>\n",
     "'xen' may not include <halvm/console.hpp>, which is of 'front doors'"),
    ("a header outside the table", "include/halvm/new/thing.hpp", HEADER, "belongs to no layer"),
    ("a source outside the table", "src/new/thing.cpp", HEAD, "belongs to no layer"),
    ("a header that does not exist", "include/halvm/console.hpp", "#include <halvm/gone.hpp>\n", "is not in the tree"),
    ("a source that does not exist", "src/core/heap.cpp", '#include "core/gone.hpp"\n', "not beside the file"),
    ("the core knows the other machine", "src/core/heap.cpp", '#include <halvm/linux/clock.hpp>\n',
     "'src/core' may not include"),
    ("Xen's headers by the back door", "src/core/heap.cpp", "#include <xen/xen.h>\n",
     "<xen/xen.h> may be included by include/halvm/xen/abi.hpp only"),
    ("the toolstack's headers by the front one", "include/halvm/xen/abi.hpp", "#include <xen/sysctl.h>\n",
     "<xen/sysctl.h> may be included by include/halvm/xen/tools_abi.hpp only"),
    ("GSL's asserts by the back door", "src/core/heap.cpp", "#include <gsl/assert>\n", "contract.hpp only"),
    ("instructions in the core", "src/core/heap.cpp", 'void f() { asm volatile("pause"); }\n', "assembly belongs"),
    ("an instruction of one word", "src/core/heap.cpp", 'void f() { asm("pause"); }\n', "assembly belongs"),
    ("instructions by another spelling", "src/core/heap.cpp", 'void f() { __asm__ ("mov %0" : : "r"(1)); }\n',
     "assembly belongs"),
    ("instructions in a header", "include/halvm/error.hpp", 'inline void f() { asm("cpuid\\n"); }\n', "assembly belongs"),
    ("instructions from a macro", "include/halvm/error.hpp", "inline void f() { asm volatile(XEN_CPUID); }\n",
     "assembly belongs"),
    ("an assembly file in the core", "src/core/switch.S", HEAD, "assembly belongs"),
    ("something unfinished", "tools/run.py", "# TO" "DO: later\n", "finish it"),
    ("something broken", "README.md", "FIX" "ME\n", "finish it"),
    ("a blank at the end of a line", "README.md", "word \n", "white space"),
    ("a file without a last line end", "README.md", "word", "no line end"),
    ("a tab", "src/core/heap.cpp", "\tint a;\n", "a tab"),
    ("a line too long", "src/core/heap.cpp", "// " + "x" * 118 + "\n", "121 columns"),
    ("Python that does not parse", "tools/run.py", "def f(:\n", "Python: "),
    ("shell that does not parse", "tools/run", "if true\n", "sh -n: "),
    ("code that nobody compiles", "README.md", "```cpp\nint four;\n```\n", "no file of the tree has this code"),
    ("code in another order", "README.md", "```cpp\nint three;\nint one;\n```\n", "no file of the tree has this"),
    ("CMake that nobody runs", "README.md", "```cmake\nint one;\n```\n", "no file of the tree has this code"),
    ("no licence", "src/core/other.cpp", "int a;\n", "the first line"),
    ("the licence on a later line", "src/core/other.cpp", "int a;\n" + HEAD, "the first line"),
    ("a script without a licence", "tools/other", "#!/bin/sh\necho\n", "the first line"),
]


class Lint(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for path, text in CLEAN.items():
            self.append(path, text)

    def append(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(text)

    def test_a_clean_tree_passes(self) -> None:
        self.assertEqual(lint.check_tree(self.root), [])

    def test_the_build_folder_is_not_ours(self) -> None:
        self.append("build/xen/generated.cpp", "\t\n")
        self.assertEqual(lint.check_tree(self.root), [])

    def test_bytes_that_are_no_text_are_reported(self) -> None:
        (self.root / "tools/blob.py").write_bytes(b"\xff\xfe")
        self.assertEqual(lint.check_tree(self.root), ["tools/blob.py:1: not UTF-8 text"])

    def test_the_program_fails_when_there_is_a_violation(self) -> None:
        command = [sys.executable, lint.__file__, "--root", str(self.root)]
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 0)
        self.append("README.md", "word \n")
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 1)

    @unittest.skipIf(lint.formatter() is None, "clang-format 14 is not installed")
    def test_the_layout_check_sees_a_bad_layout(self) -> None:
        (self.root / ".clang-format").write_text("BasedOnStyle: Google\n", encoding="utf-8")
        command = [sys.executable, lint.__file__, "--format", "--root", str(self.root)]
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 0)
        self.append("src/core/heap.cpp", "int   a;\n")
        self.assertNotEqual(subprocess.run(command, capture_output=True, check=False).returncode, 0)


def planted_test(path: str, text: str, message: str):
    def test(self: Lint) -> None:
        self.append(path, text)
        found = lint.check_tree(self.root)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(path + ":"), found)
        self.assertIn(message, found[0])
    return test


for planted in PLANTED:
    setattr(Lint, "test_" + planted[0].replace(" ", "_"), planted_test(*planted[1:]))

if __name__ == "__main__":
    unittest.main()
