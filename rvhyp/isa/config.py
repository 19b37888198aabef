"""The ISA a hart is configured with: which names of an ISA string are implemented, and which can be left out."""
from __future__ import annotations

from rvhyp.isa.instruction import EXTENSIONS

# Names accepted in an ISA string.  Those with instructions are switched through their Extension; of the others, these are
# always there, since nothing depends on their absence.
ALWAYS = ("i", "zicsr", "zifencei", "zicntr", "ziccif", "ziccrse", "ziccamoa", "zicclsm", "za64rs", "sstc", "svade", "svadu",
          "svbare", "sv39", "sv48", "sv57", "ssccptr", "sstvecd", "sstvala", "sscounterenw", "ssu64xl", "svnapot", "svpbmt",
          "zaamo", "zalrsc", "zca", "zcd", "zmmul", "ss1p13", "s", "u")
SWITCHABLE = ("m", "a", "f", "d", "c", "h", "svinval")
DEFAULT = "rv64imafdch_zicsr_zifencei_zicntr_sstc_svadu_svinval_svnapot_svpbmt"
REQUIRES = {"d": "f"}


def extension_mask(names: list[str]) -> int:
    """Bits of the extensions (by Extension.number) whose instructions decode, for the names of an ISA string.

    `ValueError` names what is unknown or lacks what it needs.
    """
    unknown = [name for name in names if name not in ALWAYS and name not in SWITCHABLE]
    if unknown:
        raise ValueError(f"unknown extension {unknown[0]!r}; there are {', '.join(SWITCHABLE + ALWAYS)}")
    for name, needed in REQUIRES.items():
        if name in names and needed not in names:
            raise ValueError(f"extension {name!r} needs {needed!r}")
    off = {name for name in SWITCHABLE if name not in names}
    return sum(1 << extension.number for extension in EXTENSIONS.values() if extension.name.lower() not in off)


def misa_letters(names: list[str]) -> str:
    """The letters that misa shows for the names of an ISA string."""
    return "".join(sorted({name.upper() for name in names if len(name) == 1} | set("ISU")))
