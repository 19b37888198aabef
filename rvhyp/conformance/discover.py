"""Finding tests: RISC-V executables among the files of a folder, and which of them are selected."""
from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from rvhyp.machine import elf
from rvhyp.machine.errors import BadInput

NOT_TESTS = (".a", ".c", ".d", ".dump", ".h", ".hex", ".log", ".map", ".o", ".objdump", ".S", ".s", ".so")
HEAD = elf.E_MACHINE + 2                # bytes of a file that tell what it is


@dataclass(frozen=True)
class Test:
    """A file that is a test.

    `name` is its path below the folder that was given; `skip` is why it cannot run on this machine, if it cannot.
    """

    __test__ = False                    # no class of tests, whatever pytest thinks of its name

    name: str
    path: str
    skip: str = ""

    def matches(self, pattern: str) -> bool:
        """Whether a glob names it, by its whole name or by the last part."""
        return fnmatchcase(self.name, pattern) or fnmatchcase(self.name.rpartition("/")[2], pattern)


def discover(paths: Iterable[str | os.PathLike[str]]) -> list[Test]:
    """The tests in folders, searched to the bottom, and files that are named; in order of their names, each once.

    In a folder, files count that begin as RISC-V executables do.  A named file always counts: what is wrong with it is then
    the result of running it.  BadInput for a path that is not there, and if nothing is found.
    """
    paths = [Path(path) for path in paths]
    found: dict[str, Test] = {}
    for path in paths:
        for test in _below(path):
            found.setdefault(os.path.realpath(test.path), test)
    if not found:
        raise BadInput("no RISC-V ELF file found", " ".join(map(str, paths)), "give a folder of built tests")
    return sorted(_named_apart(found.values()), key=lambda test: test.name)


def _below(path: Path) -> Iterator[Test]:
    if not path.is_dir():
        if not path.exists():
            raise BadInput("no such file or folder", str(path), "check the path")
        yield Test(_printable(path.name), str(path), _reason_to_skip(_head(path)))
        return
    for folder, folders, files in os.walk(path, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            file = Path(folder, name)
            if test := test_in(file, path):
                yield test


def test_in(file: Path, folder: Path) -> Test | None:
    """A file of a folder as a test, if it begins as a RISC-V executable does; None if it is something else."""
    if not file.name.startswith(".") and not file.name.endswith(NOT_TESTS) and _is_test(head := _head(file)):
        return Test(_printable(file.relative_to(folder).as_posix()), str(file), _reason_to_skip(head))
    return None


test_in.__test__ = False                # no test, whatever pytest thinks of its name


def _printable(name: str) -> str:
    """A file's name as text, where it is no UTF-8 or has control characters too."""
    text = os.fsencode(name).decode(errors="replace")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _unreadable(error: OSError) -> None:
    raise BadInput(f"cannot be read ({error.strerror})", str(error.filename), "check its permissions") from error


def _head(path: Path) -> bytes | None:
    """The first bytes of a regular file; None if they cannot be read: the run will say why."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:
        return None


def _is_test(head: bytes | None) -> bool:
    """Whether a file begins like a RISC-V executable.  What was cut off, or cannot be read, may have been one."""
    if head is None:
        return True
    if not head.startswith(elf.MAGIC):
        return False
    kind, machine = head[16:18], head[elf.E_MACHINE:HEAD]
    return len(head) < HEAD or (machine == elf.EM_RISCV.to_bytes(2, "little")
                                and int.from_bytes(kind, "little") not in (elf.ET_REL, elf.ET_CORE))


def _reason_to_skip(head: bytes | None) -> str:
    if head and len(head) == HEAD and elf.CLASSES.get(head[elf.EI_CLASS]) == 32:
        return "a 32-bit program"
    return ""


def _named_apart(tests: Iterable[Test]) -> list[Test]:
    """Tests of several folders with the same name are known by their paths."""
    tests = list(tests)
    count = Counter(test.name for test in tests)
    return [replace(test, name=_printable(Path(test.path).as_posix())) if count[test.name] > 1 else test for test in tests]


def select(tests: Sequence[Test], wanted: Sequence[str] = (), unwanted: Sequence[str] = ()) -> list[Test]:
    """Those that a glob of `wanted` names (all, if there is none) and no glob of `unwanted`.

    BadInput if nothing remains, or one of `wanted` names nothing: a misspelt selection must not pass for a small one.
    """
    for pattern in wanted:
        if not any(test.matches(pattern) for test in tests):
            raise BadInput(f"no test of {len(tests)} has a name like this", f"--select {pattern}",
                           f"names are like {tests[0].name}")
    chosen = [test for test in tests
              if (not wanted or any(map(test.matches, wanted))) and not any(map(test.matches, unwanted))]
    if not chosen:
        raise BadInput(f"none of {len(tests)} tests is selected", do="change --select and --deselect")
    return chosen
