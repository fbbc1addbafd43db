# SPDX-License-Identifier: BSD-3-Clause
"""Programs that must not become kernels, and the words with which each is refused."""

from __future__ import annotations

import unittest

from support import STAND_IN, LinkTest

MAIN = "int halvm_main() { return 0; }\n"
CALLS_WORK = "int work(); int halvm_main() { return work(); }\n"


class Refusals(LinkTest):
    def assert_refused(self, words: list[str], *expected: str) -> str:
        said = self.refused(*words)
        for text in expected:
            self.assertIn(text, said)
        return said

    def test_a_syscall_in_the_programs_own_assembly(self) -> None:
        main = self.compile(CALLS_WORK)
        work = self.compile(".globl _Z4workv\n.type _Z4workv,@function\n_Z4workv: mov $1,%eax\nsyscall\nret\n"
                            ".size _Z4workv,.-_Z4workv\n", "work_asm.o")
        self.assert_refused([main, work], "work_asm.o: work+0x5 is a `syscall` instruction",
                            "there is no operating system under halvm", "what to do:")

    def test_each_instruction_that_enters_a_kernel(self) -> None:
        for instruction in ("sysenter", "int $0x80"):
            with self.subTest(instruction):
                source = f'int halvm_main() {{ asm volatile("{instruction}"); return 0; }}\n'
                self.assert_refused([self.compile(source)], f"`{instruction.replace('$', '')}` instruction",
                                    "halvm_main")

    def test_the_bytes_of_a_syscall_inside_another_instruction_are_allowed(self) -> None:
        source = "unsigned halvm_number(); int halvm_main() { return int(halvm_number() ^ 0x050f050fu); }\n"
        number = "unsigned halvm_number() { return 0x80cd340fu; }\n"
        kernel = self.linked(self.compile(source), self.compile(number, "number.o"))
        self.assertIn(b"\x0f\x05", kernel.read_bytes())

    def test_a_call_that_needs_an_operating_system(self) -> None:
        source = "extern \"C\" int fork(); int start() { return fork(); } int halvm_main() { return start(); }\n"
        said = self.assert_refused([self.compile(source, "main.o", "-fno-inline")],
                                   "fork: there is no operating system under halvm", "asked for by main.o: start",
                                   "what to do: a domain is one program")
        self.assertEqual(said.count("ldkernel: "), 1, said)

    def test_a_source_that_is_compiled_and_linked_at_once_is_named_by_its_file(self) -> None:
        (self.folder / "app.cpp").write_text('extern "C" int fork(); int halvm_main() { return fork(); }\n')
        self.assert_refused(["app.cpp"], "asked for by app.cpp: halvm_main")

    def test_several_such_calls_have_a_message_each(self) -> None:
        source = ("#include <sys/socket.h>\n#include <unistd.h>\n"
                  "int halvm_main() { return socket(1, 2, 3) + fork() + pipe(nullptr); }\n")
        self.assert_refused([self.compile(source)], "socket: there is no", "fork: there is no", "pipe: there is no")

    def test_a_call_in_code_that_is_not_used_is_allowed(self) -> None:
        source = "extern \"C\" int fork(); int unused() { return fork(); }\n" + MAIN
        self.linked(self.compile(source))

    def test_an_archive_member_is_named_with_its_archive(self) -> None:
        main = self.compile(CALLS_WORK)
        self.compile('extern "C" int fork(); int work() { return fork(); }', "work.o")
        self.run_in_folder("ar", "rcs", "libwork.a", "work.o")
        self.assert_refused([main, "-L.", "-lwork"], "asked for by libwork.a(work.o): work")

    def test_an_undefined_function(self) -> None:
        source = "namespace app { int missing(int); } int halvm_main() { return app::missing(1); }\n"
        self.assert_refused([self.compile(source)], "app::missing: undefined: nothing in the link defines it",
                            "asked for by main.o: halvm_main")

    def test_a_weak_undefined_function(self) -> None:
        source = 'extern "C" [[gnu::weak]] void perhaps(); int halvm_main() { perhaps(); return 0; }\n'
        self.assert_refused([self.compile(source)], "perhaps: weak and undefined", "asked for by main.o: halvm_main")

    def test_the_weak_symbols_that_compilers_leave_are_allowed(self) -> None:
        source = ('extern "C" { [[gnu::weak]] void _ITM_registerTMCloneTable(void*);'
                  "[[gnu::weak]] void __gmon_start__();"
                  "[[gnu::weak]] void __register_frame_info(const void*, void*);"
                  "[[gnu::weak]] void* __deregister_frame_info(const void*); }\n"
                  "int halvm_main() { if (_ITM_registerTMCloneTable) _ITM_registerTMCloneTable(nullptr);"
                  "if (__gmon_start__) __gmon_start__(); if (__register_frame_info) __register_frame_info(0, 0);"
                  "if (__deregister_frame_info) __deregister_frame_info(0); return 0; }\n")
        self.linked(self.compile(source))

    def test_no_halvm_main(self) -> None:
        self.assert_refused([self.compile("int other() { return 0; }\n")], "halvm_main: missing: a program begins in")

    def test_main_instead_of_halvm_main(self) -> None:
        self.assert_refused([self.compile("int main() { return 0; }\n")], "rename it to `int halvm_main()`")

    def test_halvm_main_with_other_linkage_or_parameters(self) -> None:
        for source, found in (('extern "C" int halvm_main() { return 0; }', 'extern "C" halvm_main'),
                              ("int halvm_main(int, char**) { return 0; }", "halvm_main(...)"),
                              ("namespace app { int halvm_main() { return 0; } }", "app::halvm_main(...)")):
            with self.subTest(source):
                self.assert_refused([self.compile(source)], "halvm_main: missing; found", found)

    def test_a_writable_and_executable_section(self) -> None:
        main = self.compile(CALLS_WORK)
        for name in (".text.work", ".data.work"):
            with self.subTest(name):
                work = self.compile(f'.section {name},"awx",@progbits\n.globl _Z4workv\n_Z4workv: ret\n', "work_asm.o")
                self.assert_refused([main, work], f"work_asm.o: section {name}: writable and executable")

    def test_a_section_that_the_layout_does_not_know(self) -> None:
        main = self.compile(CALLS_WORK)
        work = self.compile('.text\n.globl _Z4workv\n_Z4workv: lea odd(%rip),%rax\nret\n'
                            '.section .odd.section,"aw",@progbits\nodd: .quad 1\n', "work_asm.o")
        self.assert_refused([main, work], "work_asm.o: section .odd.section: the layout of a kernel has no place")

    def test_a_function_that_is_chosen_at_start(self) -> None:
        source = ('extern "C" int (*choose())() { return nullptr; }\n'
                  '[[gnu::ifunc("choose")]] int work();\nint halvm_main() { return work(); }\n')
        self.assert_refused([self.compile(source)], "ifunc or target_clones", "_Z4workv")

    def test_a_shared_library_by_path(self) -> None:
        main = self.compile(MAIN)
        self.compile("int other() { return 0; }", "other.o", "-fPIC")
        self.run_in_folder("gcc", "-shared", "other.o", "-o", "libother.so")
        self.assert_refused([main, "./libother.so"], "a shared library cannot be part of a kernel", "libother.a")

    def test_a_library_that_is_not_there(self) -> None:
        self.assert_refused([self.compile(MAIN), "-lnosuch"], "there is no static library libnosuch.a", "-dev package")

    def test_a_function_defined_twice_is_said_in_the_linkers_words(self) -> None:
        self.assert_refused([self.compile(MAIN), self.compile(MAIN, "again.o")], "multiple definition", "again.o")

    def test_every_problem_is_said_at_once(self) -> None:
        source = ('extern "C" int fork(); int missing(); extern "C" [[gnu::weak]] int perhaps();\n'
                  "int halvm_main() { return fork() + missing() + perhaps(); }\n")
        self.assert_refused([self.compile(source)], "fork: there is no", "missing: undefined", "perhaps: weak and")


class IncompleteCore(LinkTest):
    """A libhalvm.a that lacks something."""

    def refused_without(self, line: str, instead: str = "") -> str:
        assembly = STAND_IN.replace(line, instead)
        self.assertNotEqual(assembly, STAND_IN)
        self.tool = self._stand_in(self.folder, assembly)
        return self.refused(self.compile(MAIN))

    def test_no_hypercall_stubs(self) -> None:
        self.assertIn("no hypercall stubs", self.refused_without('.section .text.hypercall, "ax"', ".text"))

    def test_no_entry_point(self) -> None:
        self.assertIn("halvm_pv_entry: the entry point is missing",
                      self.refused_without("halvm_pv_entry", "halvm_other_entry"))

    def test_no_xen_notes(self) -> None:
        self.assertIn("no Xen notes in the image", self.refused_without(".note.Xen", ".rodata.Xen"))

    def test_a_note_that_names_another_entry(self) -> None:
        self.assertIn("the Xen note ENTRY is missing or does not name",
                      self.refused_without(".quad halvm_pv_entry", ".quad halvm_hypercall"))

    def test_a_symbol_that_every_kernel_needs(self) -> None:
        said = self.refused_without("__cxa_pure_virtual", "other")
        self.assertNotIn("referenced in expression", said)


class WithRuntime(LinkTest):
    real = True

    def test_the_operating_system_behind_the_standard_library(self) -> None:
        for body, call in (("std::filesystem::exists(\"/etc\")", "stat"), ("std::ifstream(\"x\").good()", "fopen"),
                           ("std::system(\"ls\")", "system")):
            with self.subTest(body):
                source = ("#include <cstdlib>\n#include <filesystem>\n#include <fstream>\n"
                          f"int halvm_main() {{ return {body}; }}\n")
                said = self.refused(self.compile(source))
                self.assertRegex(said, rf"{call}(64)?: there is no operating system under halvm\n"
                                       r" +asked for by main.o: ")

    def test_fork_and_socket(self) -> None:
        source = ("#include <sys/socket.h>\n#include <unistd.h>\n"
                  "int halvm_main() { return fork() + socket(1, 2, 3); }\n")
        said = self.refused(self.compile(source))
        for call in ("fork", "socket"):
            self.assertIn(f"{call}: there is no operating system under halvm\n"
                          "    asked for by main.o: halvm_main", said)

    def test_a_wide_program_links(self) -> None:
        source = ("#include <iostream>\n#include <map>\n#include <regex>\n#include <string>\n"
                  "struct shape { virtual ~shape() = default; virtual int area() = 0; };\n"
                  "int halvm_main() { std::map<std::string, int> m; std::string s; while (std::cin >> s) ++m[s];\n"
                  "std::cout << std::regex_match(s, std::regex(\"a+\")); return 0; }\n")
        self.linked(self.compile(source))


if __name__ == "__main__":
    unittest.main()
