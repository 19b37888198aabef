"""docs/configuration.md: the choices that the manual leaves, ours by default, and how to make others.

    python -m tools.configuration [--check]
"""
from __future__ import annotations

import sys
from pathlib import Path

from rvhyp.isa.choices import CHOICES, Choice
from rvhyp.isa.config import ENABLED_BY_MENVCFG
from rvhyp.monitor.needs import NEEDS

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
HEAD = """\
# Where the manual leaves a choice

Made by `python -m tools.configuration`; a test holds it current.

The RISC-V manual lets implementations differ: what a trap writes to `htinst`, how many bits a VMID has, whether a misaligned
load is made. Software that has only met one hart may not work on another. Here each of these choices can be made as the other
hart makes it, for a program, for a test, or for guests:

```sh
rvhyp isa --config > other.toml             # all choices, as a file to edit
rvhyp bare --config other.toml my-hypervisor.elf
rvhyp bare --set tinst=zero --set vmid-bits=0 my-hypervisor.elf
rvhyp explain --set misaligned=trap my-hypervisor.elf
rvhyp conformance DIR --set misaligned=trap
rvhyp run --set widest-mode=sv39 Image
rvhyp isa --config --json                   # a JSON Schema of such files, and the values
```

`--set` counts where a file has the same choice. A rule of `rvhyp conformance --rules` may have `set = { misaligned = "trap" }`
for the tests that it names; the command line counts before it. In Python, `Board(choices={"geilen": 5})`, and likewise
`Machine` and `Hypervisor`. A choice that does not exist, or a value that is not legal, is one message and exit status 2.

Nothing is compiled for a configuration: the hart looks at its choices on the rare paths where they matter.

## The choices

The first value is ours unless the line says another default.

| Choice | Values | What it decides | Where the manual says so |
|---|---|---|---|
"""


def values(choice: Choice) -> str:
    """The legal values, and the default if it is not the first."""
    legal = choice.legal.replace('"', "`")
    return legal if choice.default == getattr(choice.values, "__getitem__", lambda n: None)(0) else (
        f"{legal}; default {choice.text(choice.default)}")


def tail() -> str:
    """What is decided elsewhere, and what does not go together."""
    names = ", ".join(f"`{name}`" for name in ENABLED_BY_MENVCFG)
    lines = [f"- `{name}`: {why}" for name, _, why in NEEDS]
    return f"""
With `geilen` not 0, the board has a device for tests at 0x2800_0000: bit n of its double-word is the level of guest external
interrupt n. In Python `machine.guest_wire(n)` drives one.

## What the ISA string decides

Extensions are no choices of this kind: {names} are there if the ISA string (`rvhyp bare --isa`,
`isa` of a rule) names them. Without Ssdbltrp, Svadu, Svpbmt or Sstc the fields DTE, ADUE, PBMTE and STCE of menvcfg and
henvcfg are read-only zero; without Sstc there is no stimecmp either. An ISA string that names what a choice denies (Zicclsm
with `misaligned = "trap"`, Sv57, Sv48, Sv39, Sstvala) is an error.

## What guests need

`rvhyp run` refuses values with which the monitor cannot do:

{chr(10).join(lines)}
- `vmid-bits`: its monitor gives each guest a VMID from 1 on
"""


def page() -> str:
    """The text of the file."""
    rows = [f"| `{name}` | {values(each)} | {each.meaning} | {each.section} |\n" for name, each in CHOICES.items()]
    return HEAD + "".join(rows) + tail()


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        return PAGE.read_text() != page()
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
