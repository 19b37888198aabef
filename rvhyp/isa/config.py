"""The ISA a hart is configured with: which names of an ISA string are implemented, and which can be left out."""
from __future__ import annotations

from collections.abc import Iterable

from rvhyp.isa.csr import ENVCFG_ADUE, ENVCFG_DTE, ENVCFG_PBMTE, ENVCFG_STCE, MENVCFG_WRITABLE
from rvhyp.isa.instruction import EXTENSIONS

# Names accepted in an ISA string.  These are always there, since nothing depends on their absence: base, privileged
# architecture, what memory is like, hints (Zicbop, Zihintntl, Zihintpause), and words that C reserves (Zcb, Zcmop: with C).
ALWAYS = ("i", "zicsr", "zifencei", "zicntr", "ziccif", "ziccrse", "ziccamoa", "zicclsm", "ziccid", "za64rs", "zic64b", "zicbop",
          "zihintntl", "zihintpause", "svade", "svbare", "sv39", "sv48", "sv57", "ssccptr", "sstvecd", "sstvala",
          "sscounterenw", "ssu64xl", "svnapot", "zaamo", "zalrsc", "zca", "zcb", "zcd", "zcmop", "zmmul", "ss1p13",
          "sha", "shcounterenw", "shvstvala", "shtvala", "shvstvecd", "shvsatpa", "shgatpa", "s", "u")
# The others are switched through the Extensions that they stand for.
SWITCHABLE = tuple(dict.fromkeys(name for extension in EXTENSIONS.values() for names in extension.alternatives
                                 for name in names if name not in ALWAYS)) + ("b", "svadu", "svpbmt")
# Fields of menvcfg, and with it of henvcfg, that are read-only zero without the extension that they belong to.
ENABLED_BY_MENVCFG = {"ssdbltrp": ENVCFG_DTE.mask, "sstc": ENVCFG_STCE.mask, "svadu": ENVCFG_ADUE.mask,
                      "svpbmt": ENVCFG_PBMTE.mask}
DEFAULT = ("rv64imafdcbh_zicbom_zicbop_zicboz_ziccid_zicntr_zicond_zicsr_zifencei_zihintntl_zihintpause_zihpm_zimop_zabha_zacas_"
           "zawrs_zfa_zfh_zcb_zcmop_zbc_zbkb_zbkx_shlcofideleg_smcntrpmf_smstateen_sscofpmf_ssdbltrp_sstc_svadu_svinval_svnapot_"
           "svpbmt")
IMPLIED = {"b": ("zba", "zbb", "zbs"), "zfh": ("zfhmin",), "smstateen": ("ssstateen",),
           "sha": ("h", "ssstateen", "shcounterenw", "shvstvala", "shtvala", "shvstvecd", "shvsatpa", "shgatpa")}
REQUIRES = {"d": "f", "zfhmin": "f", "zfa": "f", "zacas": "a", "zabha": "a", "zcb": "c", "zcmop": "c", "shlcofideleg": "sscofpmf",
            **dict.fromkeys(("shcounterenw", "shvstvala", "shtvala", "shvstvecd", "shvsatpa", "shgatpa"), "h")}


def with_implied(names: Iterable[str]) -> list[str]:
    """The names, each followed by those it implies."""
    return list(dict.fromkeys(each for name in names for each in (name, *IMPLIED.get(name, ()))))


def extension_mask(names: list[str]) -> int:
    """Bits of the extensions (by Extension.number) whose instructions decode, for the names of an ISA string.

    `ValueError` names what is unknown or lacks what it needs.
    """
    unknown = [name for name in names if name not in ALWAYS and name not in SWITCHABLE]
    if unknown:
        raise ValueError(f"unknown extension {unknown[0]!r}; there are {', '.join(SWITCHABLE + ALWAYS)}")
    there = with_implied(names)
    for name, needed in REQUIRES.items():
        if name in there and needed not in there:
            raise ValueError(f"extension {name!r} needs {needed!r}")
    there += ALWAYS
    return sum(1 << extension.number for extension in EXTENSIONS.values() if extension.is_on(there))


def menvcfg_writable(names: Iterable[str]) -> int:
    """The bits of menvcfg that software can write, for the names of an ISA string (Machine-level ISA, "menvcfg")."""
    return int(MENVCFG_WRITABLE) & ~sum(int(mask) for name, mask in ENABLED_BY_MENVCFG.items() if name not in names)


def misa_letters(names: list[str]) -> str:
    """The letters that misa shows for the names of an ISA string; B is Zba, Zbb and Zbs together."""
    letters = {name.upper() for name in names if len(name) == 1} | set("ISU")
    return "".join(sorted(letters | set("B") if set(IMPLIED["b"]) <= set(with_implied(names)) else letters))
