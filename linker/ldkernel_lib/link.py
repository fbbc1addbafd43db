# SPDX-License-Identifier: BSD-3-Clause
"""
One link, from sorted-out options to the kernel and its debug file.

The program is linked twice: once to learn the addresses of its functions, then with the table that names them. The
table lies behind everything that it names, so the second link moves none of it; that is checked, not assumed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import stat
import sys
from collections.abc import Callable

from . import failure, layout, process, symbols
from .audit import audit
from .blame import Blame
from .elf import Elf
from .errors import Refusal
from .explain import MAP_SECTION, explain, pack_map
from .linkmap import LinkMap
from .options import Options
from .parts import Parts


@dataclasses.dataclass(frozen=True)
class Linked:
    """An image with all its symbols, and the map that GNU ld wrote of it."""

    image: str
    map: str


def link(options: Options, parts: Parts) -> None:
    """Leaves the kernel and its debug file, or neither."""
    debug_file = options.output + ".debug"
    to_file = _is_file_or_new(options.output)
    if to_file:
        _remove(options.output)
        _remove(debug_file)
    with process.scratch_folder(options.output if to_file else os.path.join(os.getcwd(), "kernel")) as folder:
        linked, parts = _first_link(options, parts, folder)
        if options.symbols:
            linked = _with_table(options, parts, folder, linked)
        problems = audit_image(linked, parts, folder)
        if problems:
            raise Refusal(*problems)
        with open(linked.map, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read().replace(folder + os.sep, "")  # The same link gives the same bytes.
        kernel, debug = _split(linked, text, folder, os.path.basename(debug_file))
        if options.map_file:
            _write(options.map_file, text)
        if options.dependency_file:
            _write(options.dependency_file, _dependencies(options.output, text, parts))
        if options.print_map:
            sys.stdout.write(text)
        if options.explain is not None:
            sys.stdout.write(explain(kernel, options.output, text))
        if to_file:
            with process.uninterrupted():
                os.replace(debug, debug_file)
                os.replace(kernel, options.output)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        raise Refusal(f"{path}: cannot be written: {error.strerror}") from error


def _dependencies(output: str, map_text: str, parts: Parts) -> str:
    """For make: what the kernel was made of, with an empty rule for each, so that one that goes away is no error."""
    made_of = [file.replace(" ", "\\ ") for file in [*LinkMap(map_text).files, *parts.libraries]
               if os.path.isfile(file)]
    rules = "".join(f"\n{file}:\n" for file in dict.fromkeys(made_of))
    return f"{output.replace(' ', chr(92) + ' ')}: {' '.join(dict.fromkeys(made_of))}\n{rules}"


def audit_image(linked: Linked, parts: Parts, folder: str) -> list[str]:
    image = Elf.open(linked.image)
    with open(linked.map, encoding="utf-8", errors="surrogateescape") as file:
        return audit(image, Blame(image, LinkMap(file.read()), parts), folder)


def _first_link(options: Options, parts: Parts, folder: str) -> tuple[Linked, Parts]:
    """The image without its table of names, and the parts for the links that follow."""
    image = os.path.join(folder, "first")
    linked, outcome = _try_link(options, parts, image)
    own = layout.own_sections(outcome.err) if outcome.status != 0 else {}
    if own:
        parts = _changed_script(parts, image, lambda script: layout.with_sections(script, own))
        linked, outcome = _try_link(options, parts, image)
    _must_have_linked(outcome, options, parts, image)
    sys.stderr.write(outcome.err)
    return linked, parts


def _changed_script(parts: Parts, image: str, change: Callable[[str], str]) -> Parts:
    script = image + ".lds"
    with open(parts.script, encoding="utf-8") as file:
        text = change(file.read())
    with open(script, "w", encoding="utf-8") as file:
        file.write(text)
    return dataclasses.replace(parts, script=script)


def _try_link(options: Options, parts: Parts, image: str, *more: str) -> tuple[Linked, process.Outcome]:
    linked = Linked(image, image + ".map")
    return linked, process.run(command(options, parts, linked, *more), environment=_keep_compiled(options, image))


def _must_have_linked(outcome: process.Outcome, options: Options, parts: Parts, image: str) -> None:
    if outcome.status != 0:
        raise Refusal(*failure.reasons(outcome.err, lambda: _audit_without_rules(options, parts, image)))


def _audit_without_rules(options: Options, parts: Parts, image: str) -> list[str]:
    parts = _changed_script(parts, image, layout.without_rules)
    lax = Linked(image + ".lax", image + ".lax.map")
    process.run(command(options, parts, lax, "--noinhibit-exec",
                        "--orphan-handling=place"), environment=_keep_compiled(options, lax.image))
    return audit_image(lax, parts, os.path.dirname(image)) if os.path.exists(lax.image) else []


def _with_table(options: Options, parts: Parts, folder: str, first: Linked) -> Linked:
    """The second link, with the names of what the first one placed."""
    names = symbols.collect(Elf.open(first.image))
    table, source, made = (os.path.join(folder, name) for name in ("table", "table.s", "table.o"))
    with open(table, "wb") as file:
        file.write(symbols.build(names))
    with open(source, "w", encoding="utf-8") as file:
        file.write(f'.section {symbols.SECTION},"a",@progbits\n.balign 4\n.incbin "{table}"\n'
                   '.section .note.GNU-stack,"",@progbits\n')
    process.must(["as", "--64", "-o", made, source])
    image = os.path.join(folder, "second")
    second, outcome = _try_link(options, parts, image, made)
    _must_have_linked(outcome, options, parts, image)
    if symbols.collect(Elf.open(second.image)) != names:
        raise Refusal(*audit_image(second, parts, folder) or
                      ["the second link, with the symbol table, moved functions: this is a fault of ldkernel; "
                       "link with -Wl,--no-halvm-symbols until it is mended"])
    return second


def command(options: Options, parts: Parts, result: Linked, *more: str) -> list[str]:
    """GNU ld's command line. max-page-size is small so that segments, which Xen copies, need no padding in the file."""
    # Before the script, whose DEFINED() sees only what came before it.
    sized = [f"--defsym=__halvm_stack_size={options.stack_size}"] if options.stack_size else []
    passed = [f"-plugin-opt=-pass-through={library}" for library in parts.libraries] if options.lto else []
    return [process.LD, "-m", "elf_x86_64", "-static", "-nostdlib", *sized, "-T", parts.script,
            "--orphan-handling=error", "--gc-sections", "--eh-frame-hdr", "-z", "noexecstack", "-z", "max-page-size=64",
            "-z", "common-page-size=64",
            *([] if options.build_id else ["--build-id=sha1"]), *options.kept, *passed, *more,
            "--start-group", *parts.libraries, "--end-group", "-Map", result.map, "-o", result.image]


def _keep_compiled(options: Options, image: str) -> dict[str, str]:
    """
    With link-time optimisation the compiler makes objects during the link and removes them after it. The audits read
    them, so they are asked for beside the image; the compiler takes this from the options that g++ left for it.
    """
    given = os.environ.get("COLLECT_GCC_OPTIONS", "")
    if not options.lto or "'-save-temps" in given:
        return {}
    others = re.sub(r"'-dumpdir' '[^']*'", "", given)
    return {"COLLECT_GCC_OPTIONS": f"{others} '-save-temps' '-dumpdir' '{image}.'"}


def _split(linked: Linked, map_text: str, folder: str, debug_name: str) -> tuple[str, str]:
    """The stripped kernel, and the file that a debugger finds through the kernel's .gnu_debuglink."""
    kernel, debug, packed = (os.path.join(folder, name) for name in ("kernel", debug_name, "map.z"))
    with open(packed, "wb") as into:
        into.write(pack_map(map_text))
    process.must(["objcopy", "--only-keep-debug", f"--add-section={MAP_SECTION}={packed}", linked.image, debug])
    process.must(["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", linked.image, kernel])
    os.chmod(debug, os.stat(debug).st_mode & ~(stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))
    return kernel, debug


def _is_file_or_new(path: str) -> bool:
    return not os.path.exists(path) or os.path.isfile(path)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
