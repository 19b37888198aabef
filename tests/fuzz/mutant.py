"""A simulator that is wrong: our interpreter, which takes every `sub` for `add`."""
from __future__ import annotations

from dataclasses import replace

from rvhyp.fuzz.oracles import ORACLES, Engine, Oracle
from rvhyp.isa.instruction import INSTRUCTIONS

SUB, ADD = INSTRUCTIONS["sub"].encoding, INSTRUCTIONS["add"].encoding


class Mutant(Engine):
    def __init__(self, isa):
        super().__init__("interpreter", isa)

    def board(self, image):
        def mutated(section):
            if section.name != ".slots":
                return section
            data = bytearray(section.data)
            for at in range(0, len(data) - 2, 2):
                word = int.from_bytes(data[at:at + 4], "little")
                if word & SUB.mask == SUB.match:
                    data[at:at + 4] = (word ^ SUB.match ^ ADD.match).to_bytes(4, "little")
            return replace(section, data=data)
        return super().board(replace(image, sections=tuple(map(mutated, image.sections))))


def register_mutant() -> None:
    """The oracle "mutant", in this process."""
    ORACLES["mutant"] = Oracle("mutant", "mutant", Mutant, True, 1024, 1)
