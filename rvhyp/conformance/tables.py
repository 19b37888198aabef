"""Tables of TOML files, checked: a misspelt key is an error and never a rule that silently does not apply."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rvhyp.isa import toml
from rvhyp.machine.errors import BadInput

Check = Callable[[object], object]      # gives the value, or raises ValueError with what it must be


class Refused(ValueError):
    """A value that is wrong; it says all of it, not only what the value must be."""


def read_tables(path: str | os.PathLike[str], kind: str, checks: dict[str, Check]) -> list[dict]:
    """The `[[kind]]` tables of a file, each a dict of checked values.  BadInput, naming the table, if anything is wrong."""
    where = os.fspath(path)
    try:
        document = toml.parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where, "check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text", where, "give a TOML file") from error
    except ValueError as error:
        raise BadInput(str(error), where, "mend it") from error
    _refuse_unknown(document, [kind], where, "it has")
    tables = document.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadInput(f"{kind!r} is not an array of tables", where, f"write [[{kind}]]")
    return [_checked(table, checks, where, f"{kind} {number}") for number, table in enumerate(tables, 1)]


def _checked(table: dict, checks: dict[str, Check], where: str, which: str) -> dict:
    if isinstance(table.get("name"), str):
        which += f" ({table['name']})"
    _refuse_unknown(table, list(checks), where, f"{which} has")
    values = {}
    for key, value in table.items():
        try:
            values[key] = checks[key](value)
        except Refused as error:
            raise BadInput(f"{which}: {key}: {error}", where) from error
        except ValueError as error:
            raise BadInput(f"{which}: {key} must be {error}, not {value!r}", where) from error
    return values


def _refuse_unknown(table: dict, known: list[str], where: str, subject: str) -> None:
    for key in table:
        if key not in known:
            raise BadInput(f"{subject} an unknown key {key!r}", where, f"known: {', '.join(known)}")


# Checks.

def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text that is not empty")
    return value.strip()


def positive(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError("a number greater than 0")
    return value


def count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number greater than 0")
    return value
