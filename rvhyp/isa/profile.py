"""Profiles: their mandatory names, and which of them a hart here does not meet, with the reason (RISC-V Profiles, "RVA23")."""
from __future__ import annotations

from dataclasses import dataclass

from rvhyp.isa import config

_U64 = """
    I M A F D C B Zicsr Zicntr Zihpm Ziccif Ziccrse Ziccamoa Zicclsm Za64rs Zihintpause Zic64b Zicbom Zicbop Zicboz Zfhmin Zkt
    V Zvfhmin Zvbb Zvkt Zihintntl Zicond Zimop Zcmop Zcb Zfa Zawrs Supm
"""
_S64 = """
    Zifencei Ss1p13 Svbare Sv39 Svade Ssccptr Sstvecd Sstvala Sscounterenw Svpbmt Svinval Svnapot Sstc Sscofpmf Ssnpm Ssu64xl
    Sha H Ssstateen Shcounterenw Shvstvala Shtvala Shvstvecd Shvsatpa Shgatpa
"""
PROFILES: dict[str, tuple[str, ...]] = {"RVA23U64": tuple(_U64.split()), "RVA23S64": tuple((_U64 + _S64).split())}

VECTOR, MASKING = "there are no vector instructions", "there is no pointer masking"
TIMING = "timing is that of the host: nothing is claimed of it"
NOT_MET: dict[str, str] = {"Zkt": TIMING, "V": VECTOR, "Zvfhmin": VECTOR, "Zvbb": VECTOR, "Zvkt": VECTOR, "Supm": MASKING,
                           "Ssnpm": MASKING}


@dataclass(frozen=True)
class Standing:
    """How a hart stands to a profile."""

    profile: str
    met: tuple[str, ...]
    not_met: dict[str, str]                 # name: reason

    def __str__(self) -> str:
        return f"{self.profile}: {len(self.met)} of {len(self.met) + len(self.not_met)} mandatory names are met"


def standing(profile: str) -> Standing:
    """Of a hart with everything that is implemented.  A name is met if an ISA string may have it."""
    there = {*config.ALWAYS, *config.SWITCHABLE}
    names = PROFILES[profile]
    return Standing(profile, tuple(name for name in names if name.lower() in there),
                    {name: NOT_MET[name] for name in names if name.lower() not in there})
