"""Random control flow: blocks at chosen places of three pages, joined by every kind of branch and jump."""
from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS
from tests.engine.programs import program, to_bytes

PAGE = 4096
PAGES = 3
CONDITIONS = ("beq", "bne", "blt", "bge", "bltu", "bgeu")
NOP, C_NOP = INSTRUCTIONS["addi"].encode(rd=0, rs1=0, imm=0), COMPRESSED["c.addi"].encode(rd=0, imm=0)


@dataclass
class Block:
    """Instructions, then a jump to a block; `place` is where it starts: (page, bytes before its end), or None for right here."""

    words: list[int]
    end: str                                    # a branch, c.beqz, c.bnez, jal, c.j, jalr, or "" to fall through
    target: int
    registers: tuple[int, int]
    place: tuple[int, int] | None
    skew: int                                   # 2: the jump goes into the middle of an instruction, perhaps

    @property
    def room(self) -> int:
        return sum(len(to_bytes(word)) for word in self.words) + 16


def jump(block: Block, here: int, target: int) -> bytes:
    """The end of a block that starts at `here`.  What does not reach becomes a jump that does."""
    offset = target - here
    rs1, rs2 = block.registers
    kind = block.end
    reach = {"c.beqz": 1 << 8, "c.bnez": 1 << 8, "c.j": 1 << 11}.get(kind, 1 << 12 if kind in CONDITIONS else 1 << 20)
    if not -reach <= offset < reach:
        kind = "jal"
    if kind in CONDITIONS:
        return to_bytes(INSTRUCTIONS[kind].encode(rs1=rs1, rs2=rs2, offset=offset))
    if kind in ("c.beqz", "c.bnez"):
        return to_bytes(COMPRESSED[kind].encode(**{"rs1'": rs1 & 7 | 8, "offset": offset}))
    if kind == "c.j":
        return to_bytes(COMPRESSED[kind].encode(offset=offset))
    if kind == "jal":
        return to_bytes(INSTRUCTIONS[kind].encode(rd=rs1 & 1, offset=offset))
    if kind == "jalr":
        return program([INSTRUCTIONS["auipc"].encode(rd=31, imm=0),
                        INSTRUCTIONS["addi"].encode(rd=31, rs1=31, imm=0) if abs(offset) < 2000 else
                        INSTRUCTIONS["lui"].encode(rd=30, imm=offset + 0x800 & ~0xFFF),
                        *([] if abs(offset) < 2000 else [INSTRUCTIONS["add"].encode(rd=31, rs1=31, rs2=30)]),
                        INSTRUCTIONS["jalr"].encode(rd=rs2 & 1, rs1=31,
                                                    imm=offset if abs(offset) < 2000 else (offset + 0x800 & 0xFFF) - 0x800)])
    return b""


def lay_out(blocks: list[Block]) -> bytes:
    """The program: PAGES pages, the first block at offset 0."""
    starts, at = [], 0
    for block in blocks:
        if block.place is not None:
            page, before = block.place
            at = max(at + 4, (page + 1) * PAGE - before)        # room for the jump from the block before
        starts.append(at)
        at += block.room
    code = bytearray()
    for number, (block, start) in enumerate(zip(blocks, starts, strict=True)):
        code += b"\0" * (start - len(code)) + program(block.words)
        code += jump(block, len(code), starts[block.target % len(blocks)] + block.skew)
        following = starts[number + 1] if number + 1 < len(blocks) else 0
        code += to_bytes(INSTRUCTIONS["jal"].encode(rd=0, offset=following - len(code)))
    assert len(code) <= PAGES * PAGE
    return bytes(code).ljust(PAGES * PAGE, b"\0")


@st.composite
def plain_words(draw):
    """An instruction that neither traps nor jumps, of 2 or 4 bytes."""
    kind, rd, rs1, rs2 = draw(st.integers(0, 5)), draw(st.integers(10, 15)), draw(st.integers(10, 15)), draw(st.integers(10, 15))
    imm = draw(st.integers(-32, 31))
    if kind == 0:
        return INSTRUCTIONS["addi"].encode(rd=rd, rs1=rs1, imm=imm)
    if kind == 1:
        return INSTRUCTIONS["xor"].encode(rd=rd, rs1=rs1, rs2=rs2)
    if kind == 2:
        return COMPRESSED["c.addi"].encode(rd=rd, imm=imm)
    if kind == 3:
        return COMPRESSED["c.add"].encode(rd=rd, rs2=rs2)
    if kind == 4:
        return INSTRUCTIONS["sltu"].encode(rd=rd, rs1=rs1, rs2=rs2)
    return draw(st.sampled_from((NOP, C_NOP)))


ends = st.sampled_from((*CONDITIONS, *CONDITIONS, "c.beqz", "c.bnez", "jal", "c.j", "jalr", ""))


@st.composite
def block_lists(draw, skews=(0, 0, 0, 0, 0, 2)):
    """Blocks in order; some lie at the end of a page, or across it."""
    blocks = []
    place = st.tuples(st.integers(0, PAGES - 2), st.sampled_from((2, 4, 6, 8, 10, 14, 30, 300)))
    places = sorted(draw(st.lists(place, max_size=3)), key=lambda place: (place[0], -place[1]))
    for number in range(draw(st.integers(2, 9))):
        place = places.pop(0) if number and places and draw(st.booleans()) else None
        blocks.append(Block(draw(st.lists(plain_words(), max_size=12)), draw(ends), draw(st.integers(0, 8)),
                            (draw(st.integers(10, 15)), draw(st.integers(10, 15))), place, draw(st.sampled_from(skews))))
    return blocks
