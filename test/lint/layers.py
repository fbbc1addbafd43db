# SPDX-License-Identifier: BSD-3-Clause
"""Who may include whom. LAYERS is the one place where this is decided; include/halvm/README.md explains it."""

import fnmatch
import re
from pathlib import PurePosixPath
from typing import Iterator, NamedTuple


class Layer(NamedTuple):
    name: str
    files: tuple[str, ...]  # from the root of the tree: files, `*` within one folder, or a folder with all below
    sees: tuple[str, ...]   # layers whose headers it may include, besides its own


# The first layer with a pattern that matches a file is the file's.
LAYERS = (
    Layer("vocabulary", ("include/halvm/error.hpp", "include/halvm/result.hpp", "include/halvm/bytes.hpp",
                         "include/halvm/units.hpp", "include/halvm/contract.hpp", "include/halvm/main.hpp",
                         "include/halvm/memory.hpp", "include/halvm/modules.hpp", "include/halvm/panic.hpp", "include/halvm/program.hpp", "include/halvm/shutdown.hpp",
                         "include/halvm/text_sink.hpp"), ()),
    Layer("device", ("include/halvm/device/",), ("vocabulary",)),
    Layer("fiber", ("include/halvm/fiber/",), ("vocabulary", "device")),
    Layer("xen drivers", ("include/halvm/xen/system_console.hpp", "include/halvm/xen/console_ring.hpp",
                          "include/halvm/xen/blkfront.hpp", "include/halvm/xen/block_data.hpp",
                          "include/halvm/xen/block_handshake.hpp", "include/halvm/xen/block_path.hpp",
                          "include/halvm/xen/block_queue.hpp", "include/halvm/xen/disks.hpp",
                          "include/halvm/xen/consfront.hpp", "include/halvm/xen/consoles.hpp",
                          "include/halvm/xen/netfront.hpp", "include/halvm/xen/net_handshake.hpp",
                          "include/halvm/xen/net_headers.hpp", "include/halvm/xen/net_memory.hpp",
                          "include/halvm/xen/net_queue.hpp", "include/halvm/xen/net_rx.hpp",
                          "include/halvm/xen/net_tx.hpp", "include/halvm/xen/nics.hpp"),
          ("vocabulary", "device", "fiber", "xen")),
    Layer("xen", ("include/halvm/xen/",), ("vocabulary", "device", "fiber")),
    Layer("linux", ("include/halvm/linux/",), ("vocabulary", "device", "fiber")),
    Layer("model", ("include/halvm/model/",), ("vocabulary", "device", "fiber", "net")),
    Layer("net", ("include/halvm/net/",), ("vocabulary", "device", "fiber")),
    Layer("http", ("include/halvm/http/",), ("vocabulary", "device", "fiber", "net")),
    Layer("xen machine", ("src/boot/machine/",), ("device", "fiber", "xen", "xen drivers")),
    Layer("linux machine", ("src/linux/machine/",), ("fiber", "linux")),
    Layer("front doors", ("include/halvm/*",), ("vocabulary", "device", "fiber", "xen machine", "linux machine")),
    Layer("src/text", ("src/text/",), ()),
    Layer("src/fiber", ("src/fiber/",), ("vocabulary", "fiber", "src/text", "src/core", "src/linux")),
    Layer("src/arch", ("src/arch/",), ("vocabulary", "fiber", "xen", "src/text", "src/core")),
    Layer("src/core", ("src/core/",),
          ("vocabulary", "device", "fiber", "xen", "xen drivers", "src/text", "src/arch", "src/fiber", "src/libc")),
    Layer("src/xen", ("src/xen/",), ("vocabulary", "device", "fiber", "xen", "src/core", "src/arch", "src/fiber")),
    Layer("src/net", ("src/net/",), ("vocabulary", "device", "fiber", "net")),
    Layer("src/http", ("src/http/",), ("vocabulary", "device", "fiber", "net", "http")),
    Layer("src/libc", ("src/libc/",), ("vocabulary", "fiber", "src/core", "src/fiber", "src/arch", "src/linux")),
    Layer("src/boot", ("src/boot/",),
          ("vocabulary", "device", "fiber", "xen", "xen drivers", "src/text", "src/arch", "src/core", "src/fiber",
           "src/libc")),
    Layer("src/linux", ("src/linux/",), ("vocabulary", "device", "fiber", "linux", "src/text", "src/fiber", "src/libc")),
)

# Headers that each machine has its own of; the build's include path chooses.
MACHINES = {
    "halvm/machine.hpp": ("src/boot/machine/halvm/machine.hpp", "src/linux/machine/halvm/machine.hpp"),
    "halvm/machine/block.hpp": ("src/boot/machine/halvm/machine/block.hpp", "src/linux/machine/halvm/machine/block.hpp"),
    "halvm/machine/nic.hpp": ("src/boot/machine/halvm/machine/nic.hpp", "src/linux/machine/halvm/machine/nic.hpp"),
    "halvm/machine/consoles.hpp": ("src/boot/machine/halvm/machine/consoles.hpp",
                                   "src/linux/machine/halvm/machine/consoles.hpp"),
    "fiber_machine.hpp": ("src/core/fiber_machine.hpp", "src/linux/fiber_machine.hpp"),
    "thread_machine.hpp": ("src/core/thread_machine.hpp", "src/linux/thread_machine.hpp"),
}

# Headers of others that only one place of the C++ may include, so that the rest goes through it. The first pattern that
# matches a header is the header's.
DOORS = (
    ("xen/domctl.h", ("include/halvm/xen/tools_abi.hpp",)),
    ("xen/sysctl.h", ("include/halvm/xen/tools_abi.hpp",)),
    ("xen/*", ("include/halvm/xen/abi.hpp",)),
    ("tl/*", ("include/halvm/result.hpp",)),
    ("gsl/assert", ("include/halvm/contract.hpp",)),
    ("liburing*", ("src/linux/ring_engine.cpp",)),
    ("boost/context/*", ("include/halvm/fiber/", "src/fiber/")),
)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+")', re.MULTILINE)


def matches(path: str, pattern: str) -> bool:
    if pattern.endswith("/"):
        return path.startswith(pattern)
    return fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")


def layer_of(path: str) -> Layer | None:
    return next((layer for layer in LAYERS if any(matches(path, pattern) for pattern in layer.files)), None)


def doors_of(header: str) -> tuple[str, ...]:
    return next((doors for pattern, doors in DOORS if fnmatch.fnmatchcase(header, pattern)), ())


def resolve(path: str, spelling: str, tree: frozenset[str]) -> tuple[str, ...]:
    """The files of the tree that an include in `path` can mean; none when it is somebody else's header."""
    name = spelling[1:-1]
    beside = str(PurePosixPath(path).parent / name)
    if spelling.startswith('"') and beside in tree:
        return (beside,)
    if name in MACHINES:
        return MACHINES[name]
    if name.startswith("halvm/"):
        return ("include/" + name,)
    if spelling.startswith('"'):
        return tuple(known for known in ("src/" + name,) if known in tree)
    return ()


def check_includes(path: str, text: str, tree: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yields (line, message) for each include in a file of some layer that its layer may not make."""
    if not path.startswith(("include/", "src/")):
        return
    own = layer_of(path)
    if own is None:
        yield 1, "belongs to no layer; name it in test/lint/layers.py"
        return
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        spelling = match.group(1)
        doors = () if path.endswith(".S") else doors_of(spelling[1:-1])
        if doors and not any(matches(path, door) for door in doors):
            yield line, f"{spelling} may be included by {', '.join(doors)} only"
        targets = resolve(path, spelling, tree)
        if not targets and spelling.startswith('"'):
            yield line, f"{spelling} is not beside the file and not in src/"
        for target in targets:
            other = layer_of(target)
            if target not in tree:
                yield line, f"{spelling} is not in the tree"
            elif other is not None and other is not own and other.name not in own.sees:
                yield line, f"'{own.name}' may not include {spelling}, which is of '{other.name}'"
