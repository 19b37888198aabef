"""A corpus on disk: programs that reached something new, or that differ, one file for each in DIR/TARGET.

A file is a line `rvhyp-program 1 SHA-256-of-the-rest` and a JSON document: the program's code and the state that it starts in, by
name (so it is the same program in every version), the random words that it was made of (so others can be bred from it), where it
comes from, and why it is kept.  Files are written under another name and renamed, and named by what they contain: several
campaigns may share a folder.
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from rvhyp.fuzz.example import Example
from rvhyp.fuzz.generate import DISHES, ECALL, HALVES, Genes, generate
from rvhyp.fuzz.guide import Program
from rvhyp.fuzz.layout import HS_TABLES, MAX_POKES, R_LENGTH, SLOT_SIZE, SLOTS, STATE, TABLES_END, UNSAID
from rvhyp.fuzz.menu import Menu
from rvhyp.machine.errors import BadInput

MAGIC, VERSION, SUFFIX = "rvhyp-program", 1, ".program"
LARGEST = 1 << 18                       # bytes of a file
GENES = 8 * (2 * (DISHES + 1) + HALVES + 1)
_STRINGS, _NUMBERS = ("target", "isa", "oracle", "what"), ("repeats", "seed", "number", "slot")
_STATE = [each for each in fields(Example) if each.name not in ("number", "slot", "lines")]
_WORD = (1 << 64) - 1


class Unusable(Exception):
    """A file is no program that can be used; the message says why."""


@dataclass(frozen=True)
class Entry:
    """A program of a corpus."""

    target: str
    isa: str
    repeats: int
    seed: int
    number: int
    slot: int
    code: bytes
    record: bytes
    genes: bytes = b""
    features: tuple[str, ...] = ()      # that it was the first to reach
    oracle: str = ""                    # that it differed from, and how
    what: str = ""

    def to_bytes(self) -> bytes:
        """A file's contents."""
        document: dict = {name: getattr(self, name) for name in (*_STRINGS, *_NUMBERS)} | {"features": self.features}
        document |= self._program() | {"genes": base64.b64encode(self.genes).decode()}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in document.items())
        rest = f"{{\n{lines}\n}}\n".encode()
        return f"{MAGIC} {VERSION} {hashlib.sha256(rest).hexdigest()}\n".encode() + rest

    def _program(self) -> dict:
        """Code and state."""
        length = int(np.frombuffer(self.record, np.uint64)[R_LENGTH])
        example = Example.read(self.number, self.slot, b"", self.record)           # the state alone: lines are not wanted
        state = {each.name: getattr(example, each.name) for each in _STATE}
        csrs = {name: value for name, value in example.csrs.items() if value != UNSAID.get(name, 0)}
        return {"code": self.code[:length].hex(), "state": state | {"csrs": csrs}}

    @property
    def name(self) -> str:
        """The file's name: the same for the same program."""
        text = json.dumps([self.isa, self.slot, self.repeats, self._program()])
        return hashlib.sha256(text.encode()).hexdigest()[:20] + SUFFIX


def parse(data: bytes) -> Entry:
    """The program in a file's contents; `Unusable` if there is none."""
    head, _, rest = data.partition(b"\n")
    words = head[:200].decode("ascii", "replace").split(" ")
    if words[0] != MAGIC or len(words) != 3 or not words[1].isdecimal():
        raise Unusable("is no program of a corpus")
    if int(words[1]) > VERSION:
        raise Unusable(f"is of version {words[1]}, and this program knows versions up to {VERSION}")
    if hashlib.sha256(rest).hexdigest() != words[2]:
        raise Unusable("is damaged: its checksum is wrong")
    try:
        return _entry(json.loads(rest))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"holds no program ({type(error).__name__}: {error})") from error


def _entry(document: dict) -> Entry:
    values: dict = {name: _typed(document[name], str) for name in _STRINGS}
    values |= {name: _typed(document[name], int) for name in _NUMBERS}
    features = tuple(_typed(feature, str) for feature in _typed(document["features"], list))
    genes = base64.b64decode(_typed(document["genes"], str), validate=True)
    code = bytes.fromhex(_typed(document["code"], str))
    _require(len(genes) in (0, GENES), "its genes")
    _require(0 <= values["slot"] < SLOTS and 1 <= values["repeats"] <= 1_000_000, "its slot or its turns")
    _require(0 < len(code) <= SLOT_SIZE - 4 and len(code) % 2 == 0, "its length")
    record = np.frombuffer(_example(document["state"]).record(), np.uint64).copy()
    record[R_LENGTH] = len(code)
    return Entry(**values, code=(code + ECALL.to_bytes(4, "little")).ljust(SLOT_SIZE, b"\0"), record=record.tobytes(),
                 genes=genes, features=features)


def _example(state: dict) -> Example:
    """A program with a state, and no code."""
    known = {each.name: each for each in _STATE}
    csrs = _typed(_typed(state, dict)["csrs"], dict)
    if unknown := state.keys() - known.keys() | csrs.keys() - set(STATE):
        raise ValueError(f"there is no place for {', '.join(sorted(unknown))}")
    values: dict = {name: _word(value) for name, value in state.items() if name not in ("x", "f", "csrs", "pokes")}
    values |= {name: tuple(map(_word, _typed(state[name], list))) for name in ("x", "f")}
    values["csrs"] = {name: _word(value) for name, value in csrs.items()}
    values["pokes"] = tuple((_word(address), _word(value)) for address, value in _typed(state["pokes"], list))
    _require(len(values["x"]) == len(values["f"]) == 32 and len(values["pokes"]) <= MAX_POKES, "how much state there is")
    _require(all(HS_TABLES <= at < TABLES_END and at % 8 == 0 for at, _ in values["pokes"]), "where it sets memory")
    return Example(0, 0, (), **values)


def _typed(value, kind: type):
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:40]!r} is no {kind.__name__}")
    return value


def _word(value) -> int:
    _require(0 <= _typed(value, int) <= _WORD, "a value of its state")
    return value


def _require(is_good: bool, what: str) -> None:
    if not is_good:
        raise ValueError(f"{what} cannot be")


class Corpus:
    """The programs of a target in a folder."""

    def __init__(self, folder: str | Path, target: str):
        self.target, self.folder = target, Path(folder, target)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"cannot be made a folder ({error.strerror})", str(self.folder), "give another --corpus") from error

    def read(self) -> tuple[dict[str, Entry], list[str]]:
        """Programs by file name; and a line on each file that is none."""
        entries, messages = {}, []
        try:
            paths = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise BadInput(f"cannot be read ({error.strerror})", str(self.folder), "give another --corpus") from error
        for path in paths:
            try:
                if not path.is_file() and path.exists():
                    raise Unusable("is no file")
                with open(path, "rb") as file:
                    data = file.read(LARGEST + 1)
                if len(data) > LARGEST:
                    raise Unusable("is no program of a corpus: it is too large")
                entry = parse(data)
                if entry.target != self.target:
                    raise Unusable(f"is a program of target {entry.target}")
                entries[path.name] = entry
            except FileNotFoundError:
                continue                                # another campaign has just minimised the folder
            except OSError as error:
                messages.append(f"{path}: cannot be read ({error.strerror}); it is left alone")
            except Unusable as error:
                messages.append(f"{path}: {error}; it is left alone")
        return entries, messages

    def write(self, entry: Entry) -> bool:
        """Keep a program.  False if it was there; BadInput if it cannot be written."""
        path = self.folder / entry.name
        if path.exists():
            return False
        try:
            descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")
            try:
                with open(descriptor, "wb") as file:
                    file.write(entry.to_bytes())
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise BadInput(f"cannot be written ({error.strerror})", str(path)) from error
        return True

    def remove(self, name: str) -> None:
        """Forget a program."""
        (self.folder / name).unlink(missing_ok=True)


def replays(entries: dict[str, Entry], menu: Menu) -> tuple[list[list[Program]], dict[int, str]]:
    """Programs to run again, in images: each in the slot that it was made for; and their file names by number.

    Genes that make another program by now are left out: who is bred from must be what it was.
    """
    images: list[dict[int, str]] = []
    for name, entry in entries.items():
        place = next((image for image in images if entry.slot not in image), None)
        if place is None:
            images.append(place := {})
        place[entry.slot] = name
    still = _with_the_same_genes(entries, menu)
    number, groups, names = -len(entries), [], {}
    for image in images:
        group = []
        for slot, name in sorted(image.items()):
            entry = entries[name]
            group.append(Program(number, slot, entry.code, entry.record, entry.genes if name in still else b""))
            names[number] = name
            number += 1
        groups.append(group)
    return groups, names


def _with_the_same_genes(entries: dict[str, Entry], menu: Menu) -> set[str]:
    """Names of those of which the genes still make the code."""
    names, same = [name for name, entry in entries.items() if entry.genes], set()
    for start in range(0, len(names), SLOTS):
        some = names[start:start + SLOTS]
        table = np.array([np.frombuffer(entries[name].genes, np.uint64) for name in some])
        code = generate(menu, Genes.of_table(table), 0).code
        same |= {name for name, own in zip(some, code, strict=True) if own.tobytes() == entries[name].code}
    return same


def cover(sets: dict[str, set], wanted: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """Names of a small choice of sets with all their elements (greedily, the largest gain first); `wanted` are in it."""
    chosen = sorted(wanted & sets.keys())
    left = set().union(*sets.values()) - set().union(*(sets[name] for name in chosen))
    rest = {name: elements & left for name, elements in sets.items() if name not in wanted}
    while left:
        best = max(sorted(rest), key=lambda name: len(rest[name]))
        chosen.append(best)
        gain = rest.pop(best)
        left -= gain
        rest = {name: elements - gain for name, elements in rest.items() if elements - gain}
    return chosen
