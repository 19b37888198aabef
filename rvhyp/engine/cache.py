"""Files of compiled code on disk.  A cache file is code: it is run only if it is ours, unchanged, and made from these sources.

A file is the SHA-256 of everything after it, the length of a JSON header, the header, and a payload.  Files live in a folder of
mode 0700, are written under another name and renamed, and never followed through links.
"""
from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import platform
import stat
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

DIGEST = 32
SOURCES = ("isa", "hart", "engine")             # packages whose every file goes into the key, but for those that only use
RUNTIME = {"cache.py", "children.py", "core.py", "interpreter.py", "reference.py"}     # compiled code


TRANSLATOR = "translator"                       # makes code of its own, under a key of its own


def folder() -> Path:
    """Where cache files live: RVHYP_CACHE, or the user's cache folder."""
    if path := os.environ.get("RVHYP_CACHE"):
        return Path(path)
    import platformdirs
    return Path(platformdirs.user_cache_dir("rvhyp"))


def cpu_identity() -> str:
    """Model and features of the host's processor, which compiled code depends on."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = file.read().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "cpu family", "model\t")
    return "\n".join(line for line in lines if line.startswith(wanted))


@functools.cache
def source_key() -> str:
    """Hash of all that compiled code is made from: our sources, the versions of what compiles them, Python, the processor."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for name in SOURCES:
        for path in sorted((package / name).rglob("*.py")):
            if path.name in RUNTIME or path.parent.name == TRANSLATOR:
                continue
            digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(toolchain().encode())
    return digest.hexdigest()[:32]


def toolchain() -> str:
    """Versions of what compiles, and for which processor."""
    return "\0".join([version("numba"), version("llvmlite"), sys.version, platform.machine(), cpu_identity()])


def version(name: str) -> str:
    """The version of an installed distribution, of a name without punctuation.

    Its folder has that in its name; `importlib.metadata`, which knows other ways of installing, takes 10 ms to import.
    """
    for folder in sys.path:
        for path in Path(folder).glob(f"{name}-*.dist-info"):
            return path.name.removeprefix(f"{name}-").removesuffix(".dist-info")
    import importlib.metadata
    return importlib.metadata.version(name)


def read(path: Path) -> tuple[dict, bytes] | None:
    """Header and payload of a cache file; None if it is missing, damaged, or not safely ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077 or not stat.S_ISREG(status.st_mode):
            return None
        data = file.read()
    if len(data) < DIGEST + 4 or hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    length = int.from_bytes(data[DIGEST:DIGEST + 4], "little")
    start = DIGEST + 4
    return json.loads(data[start:start + length]), data[start + length:]


def write(path: Path, header: dict, payload: bytes) -> bool:
    """Write a cache file; False if the folder cannot be written to (everything works, only slower)."""
    import tempfile  # takes 8 ms, which a warm start need not spend

    text = json.dumps(header).encode()
    body = len(text).to_bytes(4, "little") + text + payload
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)      # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError:
        return False
    remove_others(path, f"{path.name}?*")       # what a process that was killed here has left
    return True


@contextmanager
def lock(path: Path, waiting: Callable[[], object] = lambda: None):
    """Hold a lock file, so that of several processes one builds and the others wait; no lock where the folder is read-only.

    `waiting` is called if another process holds it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_others(path: Path, pattern: str) -> None:
    """Delete cache files that a new one replaces."""
    for other in path.parent.glob(pattern):
        if other != path:
            try:
                other.unlink()
            except OSError:
                pass
