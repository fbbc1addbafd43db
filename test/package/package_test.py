#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Installs halvm for both machines into one prefix and builds a project outside the tree against it, in every way
that a user may: find_package, the wrapper, halvm-config, and from the source with add_subdirectory or FetchContent.

Usage: package_test.py SOURCE WORK [unittest's arguments]
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import as_built
from kernel import why_not_a_kernel

SOURCE, WORK = (Path(argument).resolve() for argument in sys.argv[1:3])
PROJECT = Path(__file__).resolve().parent / "project"
PREFIX = WORK / "prefix"
MACHINES = ("xen", "linux")


def run(*command: str | Path, status: int = 0, cwd: Path | None = None) -> str:
    """Runs a command that must end with `status`; returns what it printed."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=600)
    if done.returncode != status:
        raise AssertionError(f"{shlex.join(map(str, command))}: status {done.returncode}, not {status}\n{done.stdout}")
    return done.stdout


def setUpModule() -> None:
    shutil.rmtree(PREFIX, ignore_errors=True)
    for machine in MACHINES:
        build = SOURCE / "build" / machine
        if not (build / "build.ninja").exists():
            run("cmake", "--preset", machine, cwd=SOURCE)
        with open(build.with_name(f".{machine}.lock"), "w") as lock:
            # The lock is tools/halvm's: another test of this build may be building, too.
            fcntl.flock(lock, fcntl.LOCK_EX)
            # A program needs all that is installed.
            run("cmake", "--build", build, "--parallel", "2", "--target", "hello")
            run("cmake", "--install", build, "--prefix", PREFIX)


def tearDownModule() -> None:
    shutil.rmtree(PREFIX, ignore_errors=True)


class Builder(unittest.TestCase):
    prefix = PREFIX

    def place(self) -> Path:
        return WORK / "of tests" / self.id().split(".", 1)[1]

    def folder(self) -> Path:
        """An empty folder of this test's own."""
        folder = self.place()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def configure(self, project: Path, build: Path, *options: str, status: int = 0) -> str:
        return run("cmake", "-S", project, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}", *options,
                   status=status)

    def build(self, project: Path, *options: str, target: str = "outside") -> Path:
        build = self.folder()
        self.configure(project, build, *options)
        run("cmake", "--build", build, "--parallel", "2")
        return build / target

    def check_kernel(self, path: Path) -> None:
        self.assertIsNone(why_not_a_kernel(path), path)

    def check_process(self, path: Path) -> None:
        self.assertEqual(run(path, status=3), "from outside the tree\ncaught\n")

class Package(Builder):
    """The installed package, where it was installed."""

    def wrapper(self, *words: str | Path, status: int = 0) -> str:
        return run(self.prefix / "bin/halvm-c++", *words, status=status)

    def config(self, *words: str) -> list[str]:
        return shlex.split(run(self.prefix / "bin/halvm-config", *words))

    def test_find_package_gives_a_kernel(self) -> None:
        self.check_kernel(self.build(PROJECT))

    def test_find_package_gives_a_process_for_linux(self) -> None:
        self.check_process(self.build(PROJECT, "-DHALVM_MACHINE=linux"))

    def test_the_build_type_does_not_matter(self) -> None:
        for build_type in ("Debug", "Release", "MinSizeRel"):
            with self.subTest(build_type):
                self.check_kernel(self.build(PROJECT, f"-DCMAKE_BUILD_TYPE={build_type}"))

    def test_a_machine_that_does_not_exist_is_refused_by_name(self) -> None:
        said = self.configure(PROJECT, self.folder(), "-DHALVM_MACHINE=mars", status=1)
        self.assertIn("mars", said)
        self.assertIn("xen", said)
        self.assertIn("linux", said)

    def test_a_newer_version_than_this_is_not_found(self) -> None:
        project = self.folder()
        (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(next LANGUAGES CXX)\n"
                                                "find_package(halvm 99 REQUIRED)\n", encoding="utf-8")
        self.configure(project, project / "build", status=1)

    def test_hello_stands_on_its_own(self) -> None:
        self.check_kernel(self.build(SOURCE / "examples/hello", target="hello"))

    def test_the_wrapper_gives_a_kernel(self) -> None:
        kernel = self.folder() / "main"
        self.wrapper(PROJECT / "main.cpp", "-o", kernel)
        self.check_kernel(kernel)

    def test_the_wrapper_compiles_and_links_apart(self) -> None:
        folder = self.folder()
        self.wrapper("-std=c++20", "-O2", "-c", PROJECT / "main.cpp", "-o", folder / "main.o")
        self.wrapper(folder / "main.o", "-o", folder / "main")
        self.check_kernel(folder / "main")

    def test_the_wrapper_fails_as_the_compiler_does(self) -> None:
        folder = self.folder()
        (folder / "broken.cpp").write_text("int halvm_main() { return nothing; }\n", encoding="utf-8")
        self.assertIn("nothing", self.wrapper(folder / "broken.cpp", "-o", folder / "broken", status=1))
        self.assertFalse((folder / "broken").exists())

    def test_halvm_config_serves_other_build_systems(self) -> None:
        kernel = self.folder() / "main"
        run("g++", PROJECT / "main.cpp", *self.config("--cflags", "--libs"), "-o", kernel)
        self.check_kernel(kernel)

    def test_halvm_config_and_the_wrapper_make_processes_too(self) -> None:
        folder = self.folder()
        self.wrapper("--machine=linux", PROJECT / "main.cpp", "-o", folder / "process")
        self.check_process(folder / "process")
        run("g++", PROJECT / "main.cpp", *self.config("--machine=linux", "--cflags", "--libs"), "-o", folder / "other")
        self.check_process(folder / "other")


    def test_what_is_no_kernel_is_not_taken_for_one(self) -> None:
        folder = self.folder()
        self.wrapper(PROJECT / "main.cpp", "-o", folder / "kernel")
        kernel = (folder / "kernel").read_bytes()
        writable_text = bytearray(kernel)
        first_segment = int.from_bytes(kernel[32:40], "little")
        writable_text[first_segment + 4] = 7
        for spoilt, reason in ((kernel.replace(b"Xen\0", b"Nex\0"), "note"), (bytes(writable_text), "writable"),
                               (b"#!/bin/sh\n", "ELF"), (Path(sys.executable).read_bytes(), "type|linker")):
            (folder / "spoilt").write_bytes(spoilt)
            self.assertRegex(why_not_a_kernel(folder / "spoilt") or "", reason)


class MovedPackage(Package):
    """The same once the whole prefix has been moved, to a path with a blank in it."""

    prefix = WORK / "moved prefix"
    test_halvm_config_serves_other_build_systems = None  # what it prints is words, which cannot hold a blank
    test_halvm_config_and_the_wrapper_make_processes_too = None

    @classmethod
    def setUpClass(cls) -> None:
        PREFIX.rename(cls.prefix)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.prefix.rename(PREFIX)

    def test_nothing_in_it_names_where_it_was(self) -> None:
        for path in self.prefix.rglob("*"):
            # Debug information, and Python's, say where the sources were.
            if path.is_file() and path.suffix not in (".a", ".pyc"):
                data = path.read_bytes()
                for place in (PREFIX, SOURCE):
                    self.assertFalse(os.fsencode(place) in data, f"{path} names {place}")


class Source(Builder):
    """From the source tree, without installing. What would be compiled as the tree's own build has been is taken from
    there, so that the compiler's time is for what differs."""

    def as_built(self, machine: str, halvm: str) -> list[str]:
        """Options for a build like the tree's, which has halvm in the folder of that name."""
        tree = SOURCE / "build" / machine
        cache = dict(line.split("=", 1) for line in (tree / "CMakeCache.txt").read_text(encoding="utf-8").splitlines()
                     if "=" in line)
        alike = ("CMAKE_BUILD_TYPE:STRING", "CMAKE_CXX_FLAGS_RELWITHDEBINFO:STRING",
                 "CMAKE_C_FLAGS_RELWITHDEBINFO:STRING", "HALVM_WERROR:BOOL")
        objects = WORK / f"objects.{machine}"
        as_built.index(tree, "halvm_core", objects)
        launcher = (sys.executable, "-S", "-E", as_built.__file__, objects, self.place() / halvm)
        return [*(f"-D{name}={cache[name]}" for name in alike),
                "-DCMAKE_CXX_COMPILER_LAUNCHER=" + ";".join(map(str, launcher)),
                f"-DHALVM_MACHINE={machine}", f"-DHALVM_SOURCE={SOURCE}"]

    def test_it_gives_a_kernel(self) -> None:
        self.check_kernel(self.build(PROJECT, "-DHOW=fetch", *self.as_built("xen", "_deps/halvm-build")))

    def test_it_gives_a_process_for_linux_and_nothing_else(self) -> None:
        build = self.build(PROJECT, "-DHOW=subdirectory", *self.as_built("linux", "halvm"))
        self.check_process(build)
        self.assertFalse((build.parent / "halvm/examples").exists(), "examples are not the user's")
        self.assertFalse((build.parent / "halvm/test").exists(), "tests are not the user's")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
