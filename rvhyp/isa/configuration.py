"""Configurations: a value for each choice of `rvhyp.isa.choices`, from Python, from a TOML file, or from texts."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rvhyp.isa import toml
from rvhyp.isa.choices import CHOICES, Choice, Subset

# What names of an ISA string promise of choices.
PROMISES: dict[str, tuple[str, tuple]] = {
    "zicclsm": ("misaligned", ("supported",)),
    "sstvala": ("illegal-instruction-tval", ("instruction",)),
    "sv39": ("widest-mode", ("sv57", "sv48", "sv39")),
    "sv48": ("widest-mode", ("sv57", "sv48")),
    "sv57": ("widest-mode", ("sv57",)),
}


class Configuration(Mapping):
    """A value for every choice, by name: the defaults, changed by `values`.  `ValueError` says which name or value is wrong."""

    def __init__(self, values: Mapping[str, object] | None = None):
        changes = checked(values or {})
        self._values = {name: changes.get(name, each.default) for name, each in CHOICES.items()}

    def __getitem__(self, name: str) -> str | int:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return f"Configuration({self.changes})"

    @property
    def changes(self) -> dict[str, str | int]:
        """What is not the default."""
        return {name: value for name, value in self.items() if value != CHOICES[name].default}

    @property
    def word(self) -> int:
        """The hart's word of choices."""
        return sum(each.encode(self[name]) << each.field.shift for name, each in CHOICES.items() if each.field)

    def broken_promise(self, names: Iterable[str]) -> tuple[str, str] | None:
        """A name of an ISA string that promises what the configuration does not keep, and the choice; None if all is well."""
        return next(((name, PROMISES[name][0]) for name in names
                     if name in PROMISES and self[PROMISES[name][0]] not in PROMISES[name][1]), None)

    def to_toml(self) -> str:
        """A file that says it, with what each choice means; `from_toml` reads it."""
        from textwrap import fill
        parts = ["# What a hart does where the manual leaves a choice: for --config.  What is left out has its default.\n"]
        for name, value in self.items():
            each = CHOICES[name]
            legal = each.legal if value == each.default else f"{each.legal}; by default {each.text(each.default)}"
            comments = [fill(text, 110, initial_indent="# ", subsequent_indent="# ")
                        for text in (each.meaning, f"({each.section})", legal)]
            parts.append("\n".join([*comments, f"{name} = {each.text(value)}\n"]))
        return "\n".join(parts)


def checked(values: Mapping[str, object]) -> dict[str, str | int]:
    """Settings that have proved to be of choices that there are, and legal.  `ValueError` says which is not."""
    return {name: find(name).check(value) for name, value in values.items()}


def from_toml(text: str) -> dict[str, str | int]:
    """The settings in a file, checked.  `ValueError` says what is wrong with it."""
    return checked(toml.parse(text))


def from_text(setting: str) -> tuple[str, str | int]:
    """`name=value`, as given on a command line.  `ValueError` says what is wrong with it."""
    name, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"{setting!r} is not name=value")
    return name.strip(), find(name.strip()).read(value.strip())


def json_schema() -> dict:
    """Configurations as a JSON Schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rvhyp configuration", "type": "object",
            "additionalProperties": False, "properties": {name: _schema(each) for name, each in CHOICES.items()}}


def _schema(choice: Choice) -> dict:
    kind: dict = {"type": "string" if isinstance(choice.default, str) else "integer"}
    if isinstance(choice.values, tuple):
        kind["enum"] = list(choice.values)
    else:
        kind |= {"minimum": 0, "maximum": choice.values.bits if isinstance(choice.values, Subset) else choice.values[-1]}
    return kind | {"default": choice.default, "description": f"{choice.meaning}  ({choice.section})"}


def find(name: str) -> Choice:
    """The choice of a name.  `ValueError` if there is none, with those of similar names."""
    if name not in CHOICES:
        from difflib import get_close_matches
        near = get_close_matches(name, CHOICES, 3, 0.5)
        raise ValueError(f"there is no choice {name!r}" + (f"; did you mean {' or '.join(near)}?" if near
                                                           else "; `rvhyp isa --config` lists them"))
    return CHOICES[name]
