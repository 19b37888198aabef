"""Prepared guests on disk, in the user's cache folder: one folder each, with the file guest.json; never seen half made."""
from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rvhyp.engine import cache
from rvhyp.machine.errors import BadInput

MANIFEST = "guest.json"


@dataclass(frozen=True)
class Manifest:
    """How a prepared guest is run if nobody says otherwise: files by name in its folder, memory in bytes."""

    kernel: str
    initrd: str = ""
    append: str = ""
    memory: int = 512 << 20
    disks: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()      # what it was made of


def folder() -> Path:
    """Where guests and what they are made of are kept."""
    return cache.folder() / "guests"


def find(name: str) -> tuple[Path, Manifest] | None:
    """The folder of a prepared guest and how it is run; None if there is none of that name.  BadInput if it is damaged."""
    path = folder() / name
    try:
        data = json.loads((path / MANIFEST).read_text())
        manifest = Manifest(**data | {each: tuple(data.get(each, ())) for each in ("disks", "packages")})
        missing = [each for each in (manifest.kernel, manifest.initrd, *manifest.disks) if each and not (path / each).is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"is damaged ({error})", str(path / MANIFEST), f"rvhyp guests prepare {name}") from error
    if missing:
        raise BadInput("is missing", str(path / missing[0]), f"rvhyp guests prepare {name}")
    return path, manifest


def prepared() -> list[str]:
    """The names of all guests that are there."""
    return sorted(path.parent.name for path in folder().glob(f"[!.]*/{MANIFEST}"))


def make(name: str, build: Callable[[Path], Manifest], waiting: Callable[[], object] = lambda: None) -> Path:
    """Build a guest in a folder of its own and put it in the place of the one that may be there.  Its folder.

    One process at a time; `waiting` is called if another one is at it.  BadInput if the disk is full or the folder
    cannot be written.
    """
    try:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        with cache.lock(folder() / ".lock", waiting):
            for left in folder().glob(f".{name}.*.new"):        # what a process that was killed has left
                remove(left)
            working = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".new", dir=folder()))
            try:
                manifest = build(working)
                (working / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
                _replace(folder() / name, working)
            finally:
                remove(working)
    except OSError as error:
        raise BadInput(f"cannot write it: {error.strerror}", str(error.filename or folder()),
                       "free some space, or set RVHYP_CACHE to another folder") from error
    return folder() / name


def _replace(path: Path, new: Path) -> None:
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent))
        os.rename(path, old / "old")
        os.rename(new, path)
        remove(old)
    else:
        os.rename(new, path)


def remove(path: Path) -> None:
    """Delete a folder and all in it, however its permissions are; no error if it is not there."""
    def allow(function, at, error):
        os.chmod(os.path.dirname(at), 0o700)
        if os.path.isdir(at) and not os.path.islink(at):
            os.chmod(at, 0o700)
        function(at)

    if path.is_dir():
        shutil.rmtree(path, onerror=allow)
