# SPDX-License-Identifier: BSD-3-Clause
"""
Every linker option that ldkernel knows, and what becomes of it. An option that is not here is refused.

  KEEP     handed to GNU ld as it is
  OURS     the kernel's layout already decides this; accepted because compilers and build systems give it by habit
  NOTE     cannot be done here and changes nothing in what the program does: said in one line, and left out
  REFUSE   would give something that is not a kernel: the text says why and what to do
  SPECIAL  parse() in options.py handles it by name
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Action(Enum):
    KEEP = auto()
    OURS = auto()
    NOTE = auto()
    REFUSE = auto()
    SPECIAL = auto()


class Value(Enum):
    NONE = auto()  # --flag
    ONE = auto()  # --name VALUE or --name=VALUE
    JOINED = auto()  # --name or --name=VALUE, never a second word


@dataclass(frozen=True)
class Rule:
    action: Action
    value: Value = Value.NONE
    why: str = ""


def _rules(action: Action, value: Value, names: str, why: str = "") -> dict[str, Rule]:
    return {name: Rule(action, value, why) for name in names.split()}


_SCRIPT = "the layout of a kernel is fixed by halvm's own linker script"
_UNDEFINED = "an undefined symbol is an error: nothing can supply it later"
_DYNAMIC = "a kernel has no dynamic linker and loads no shared libraries"

# Options of more than one letter, with one dash or two.
LONG: dict[str, Rule] = {
    **_rules(Action.KEEP, Value.ONE,
             "plugin plugin-opt wrap defsym require-defined sort-section sysroot "
             "compress-debug-sections library-path trace-symbol package-metadata"),
    **_rules(Action.KEEP, Value.JOINED, "build-id demangle sort-common"),
    **_rules(Action.KEEP, Value.NONE,
             "no-gc-sections print-gc-sections no-print-gc-sections start-group end-group whole-archive "
             "no-whole-archive push-state pop-state cref trace stats no-demangle fatal-warnings no-fatal-warnings "
             "no-warnings warn-common warn-once warn-multiple-gp warn-section-align warn-constructors "
             "no-warn-mismatch warn-rwx-segments no-warn-rwx-segments warn-execstack no-warn-execstack "
             "allow-multiple-definition no-keep-memory reduce-memory-overheads relax no-relax check-sections "
             "print-memory-usage no-define-common"),
    **_rules(Action.OURS, Value.ONE, "hash-style dynamic-linker exclude-libs"),
    **_rules(Action.OURS, Value.NONE,
             "gc-sections eh-frame-hdr as-needed no-as-needed copy-dt-needed-entries no-copy-dt-needed-entries "
             "export-dynamic no-export-dynamic enable-new-dtags disable-new-dtags pie no-pie pic-executable static "
             "no-dynamic-linker Bstatic Bdynamic dn dy non_shared call_shared no-undefined allow-shlib-undefined "
             "no-allow-shlib-undefined nostdlib strip-all strip-debug discard-all discard-locals discard-none "
             "ld-generated-unwind-info no-ld-generated-unwind-info error-unresolved-symbols no-omagic "
             "no-add-needed add-needed Bsymbolic Bsymbolic-functions"),
    **_rules(Action.OURS, Value.JOINED, "flto fuse-ld"),
    **_rules(Action.NOTE, Value.ONE, "icf threads thread-count thinlto-jobs", "GNU ld has no such option"),
    **_rules(Action.NOTE, Value.NONE, "no-threads no-icf", "GNU ld has no such option"),
    **_rules(Action.REFUSE, Value.ONE,
             "script default-script dT version-script dynamic-list oformat format Ttext Tdata Tbss Ttext-segment "
             "Trodata-segment Tldata-segment section-start image-base", _SCRIPT),
    **_rules(Action.REFUSE, Value.NONE, "omagic nmagic", _SCRIPT),
    **_rules(Action.REFUSE, Value.ONE, "entry", "the entry point is halvm's; the program begins in halvm_main"),
    **_rules(Action.REFUSE, Value.ONE, "init fini",
             "use a constructor, or __attribute__((constructor)) and __attribute__((destructor))"),
    **_rules(Action.REFUSE, Value.ONE, "soname rpath rpath-link audit depaudit filter auxiliary", _DYNAMIC),
    **_rules(Action.REFUSE, Value.NONE, "shared Bshareable", "a kernel is not a shared library: leave out -shared"),
    **_rules(Action.REFUSE, Value.NONE, "emit-relocs", "a kernel is loaded where it was linked"),
    **_rules(Action.REFUSE, Value.NONE, "no-eh-frame-hdr", "without it no exception is ever caught"),
    **_rules(Action.REFUSE, Value.ONE, "unresolved-symbols", _UNDEFINED),
    **_rules(Action.REFUSE, Value.NONE, "warn-unresolved-symbols noinhibit-exec", _UNDEFINED),
    **_rules(Action.REFUSE, Value.ONE, "just-symbols", "a kernel is one file; link the object itself"),
    **_rules(Action.SPECIAL, Value.ONE, "Map library undefined halvm-core output dependency-file"),
    **_rules(Action.SPECIAL, Value.JOINED, "explain"),
    **_rules(Action.SPECIAL, Value.NONE, "print-map no-halvm-symbols relocatable version help"),
}

# Options of one letter. ONE takes the rest of the word, or the next word.
SHORT: dict[str, Rule] = {
    **_rules(Action.KEEP, Value.ONE, "L O y"),
    **_rules(Action.KEEP, Value.NONE, "t ( ) w"),
    **_rules(Action.OURS, Value.NONE, "E s S x X d g"),
    **_rules(Action.REFUSE, Value.ONE, "T c b A", _SCRIPT),
    **_rules(Action.REFUSE, Value.NONE, "N n", _SCRIPT),
    **_rules(Action.REFUSE, Value.ONE, "e", LONG["entry"].why),
    **_rules(Action.REFUSE, Value.ONE, "h F f P Y", _DYNAMIC),
    **_rules(Action.REFUSE, Value.ONE, "R", LONG["just-symbols"].why),
    **_rules(Action.REFUSE, Value.NONE, "q", LONG["emit-relocs"].why),
    **_rules(Action.SPECIAL, Value.ONE, "o l u m z"),
    **_rules(Action.SPECIAL, Value.NONE, "M r i v V"),
}

# Words of -z, without their value.
Z_KEEP = frozenset(
    "muldefs nostart-stop-gc start-stop-gc x86-64-baseline x86-64-v2 x86-64-v3 x86-64-v4 "
    "cet-report ibt ibtplt shstk nounique-symbol unique-symbol".split())
Z_OURS = frozenset(
    "noexecstack now lazy relro norelro defs text notext textoff separate-code noseparate-code combreloc "
    "nocombreloc max-page-size common-page-size nodlopen nodelete initfirst origin pack-relative-relocs "
    "nopack-relative-relocs dynamic-undefined-weak nodynamic-undefined-weak indirect-extern-access "
    "noindirect-extern-access extern-protected-data noextern-protected-data globalaudit interpose "
    "loadfltr nodefaultlib nodump keep-text-section-prefix rodynamic start-stop-visibility".split())
Z_REFUSE = {
    "execstack": "no memory of a kernel is both writable and executable",
    "undefs": LONG["unresolved-symbols"].why,
}

# Objects that the compiler puts around a process and that have no place in a kernel.
START_FILES = frozenset(
    "crt1.o Scrt1.o rcrt1.o crti.o crtn.o crtbegin.o crtbeginS.o crtbeginT.o crtend.o crtendS.o".split())
REFUSED_FILES = {
    "gcrt1.o": "profiling (-pg) writes a file when the program ends",
    "grcrt1.o": "profiling (-pg) writes a file when the program ends",
    "libasan_preinit.o": "the sanitizers need an operating system",
    "libtsan_preinit.o": "the sanitizers need an operating system",
    "liblsan_preinit.o": "the sanitizers need an operating system",
}

# Libraries that halvm supplies by itself, in this one order, whatever the compiler asks for.
OUR_LIBRARIES = frozenset(
    "c m gcc gcc_s gcc_eh stdc++ supc++ pthread dl rt util".split())
REFUSED_LIBRARIES = {
    **{name: "the sanitizers need an operating system" for name in ("asan", "ubsan", "tsan", "lsan", "hwasan")},
    "gcov": "coverage (--coverage) writes files when the program ends",
    "c++": "halvm is built on libstdc++: compile without -stdlib=libc++",
    "c++abi": "halvm is built on libstdc++: compile without -stdlib=libc++",
}
LINUX_INSTEAD = "build the program with HALVM_MACHINE=linux for that"
