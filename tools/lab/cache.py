# SPDX-License-Identifier: BSD-3-Clause
"""The cache of downloaded and built parts.

An artifact is a directory named after its recipe's key. It is made in a
temporary directory on the same file system and renamed into place, so it is
there whole or not at all, and one lock a name lets two runs share the work.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError


def directory() -> Path:
    """Where everything cached lives; created on first use."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "halvm"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"cannot create the cache directory {path}: {error.strerror}",
            "set XDG_CACHE_HOME to a directory that can be written.",
        ) from error
    return path


def key_of(*parts: str | bytes) -> str:
    """A short name for a recipe: equal parts give equal names."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock called name; the kernel releases it however the process ends."""
    path = directory() / f"{name}.lock"
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def artifact(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the artifact's directory, building it first when it is not there.

    Older artifacts of the same name are kept: another checkout may use them.
    """
    final = directory() / f"{name}-{key}"
    if final.is_dir():
        return final
    with locked(name):
        if final.is_dir():
            return final
        remove_leftovers(name)
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", suffix=".part", dir=directory()))
        try:
            build(work)
            work.chmod(0o755)
            os.rename(work, final)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise LabError(
                    f"the disk is full: {name} does not fit into {directory()}",
                    "free some space (the lab needs about 700 MB while it is built, 100 MB after), "
                    "or set XDG_CACHE_HOME to a place that has it.",
                ) from error
            raise
        finally:
            _remove(work)
    return final


def _remove(work: Path) -> None:
    """Repeatedly: what an interrupted program had started may write there for a moment yet."""
    for _ in range(50):
        shutil.rmtree(work, ignore_errors=True)
        if not work.exists():
            return
        time.sleep(0.1)


def remove_leftovers(name: str) -> None:
    """Remove what an interrupted build of name left behind; the caller holds its lock."""
    for path in directory().glob(f".{name}-*.part"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def scratch() -> Iterator[Path]:
    """A private directory for one run; those of runs that were killed are swept."""
    base = directory() / "run"
    base.mkdir(exist_ok=True)
    for old in base.iterdir():
        pid = old.name.partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
