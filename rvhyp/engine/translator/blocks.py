"""Regions: which instructions of a page are translated together.

A region lies within one page of memory, and begins at the slots (half-words) that are asked for.  It is what can be reached from
there by branches, jumps and falling through; where a call returns, or an instruction stands that only the interpreter runs, it is
entered again.  So it is at the head of each loop, where the end of a slice may have left it.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rvhyp.engine.tables import BY_RULE, DYNAMIC, LOCAL_KINDS, NUMBER, TRUNCATING, is_half
from rvhyp.hart.memory import SLOTS
from rvhyp.hart.state import F0, SINK
from rvhyp.isa.decode import Decoded, decode, is_compressed
from rvhyp.isa.instruction import Kind

TRANSLATED = {Kind.ALU, Kind.BRANCH, Kind.JAL, Kind.JALR, Kind.LOAD, Kind.STORE, Kind.LOAD_RESERVED,
              Kind.STORE_CONDITIONAL, Kind.AMO, Kind.FENCE, Kind.FP}
LINKS = (1, 5)                  # registers that hold return addresses (Unprivileged ISA, "JALR")


@dataclass(frozen=True, eq=False)
class Insn:
    """An instruction at a slot, as a uop would hold it: operands are indices of words of the hart record."""

    slot: int
    decoded: Decoded
    variant: str
    registers: dict[str, int]           # by field
    end: int                            # the slot behind it

    @property
    def record(self):
        return self.decoded.instruction

    @property
    def kind(self) -> Kind:
        return self.record.kind

    @property
    def number(self) -> int:
        """Of the interpreter's handler for it alone, where it stands (rvhyp.engine.lines, `localise`)."""
        is_local = self.kind in LOCAL_KINDS and 0 <= self.target < SLOTS
        variant = "local" if is_local else self.variant
        return NUMBER[".".join(filter(None, (self.record.name, str(self.decoded.length), variant)))]

    @property
    def immediate(self) -> int:
        """The value of its immediate field."""
        return next((value for name, value in self.decoded.operands.items() if name in ("imm", "offset", "shamt")), 0)

    @property
    def target(self) -> int:
        """Of a branch or jump, the slot: outside 0..SLOTS-1 if it is in another page."""
        return (2 * self.slot + self.immediate) >> 1

    @property
    def result(self) -> int | None:
        """The register it writes; of FENCE and FENCE.I, rd is reserved and ignored (Unprivileged ISA, "Memory ordering")."""
        if self.kind is Kind.FENCE:
            return None
        register = self.registers.get("fd", self.registers.get("rd", SINK))
        return None if register == SINK else register

    @property
    def sources(self) -> set[int]:
        """The registers it reads."""
        names = {"rs1", "rs2", "fs1", "fs2", "fs3"} | ({"rd"} if "rd" in self.record.parameters else set())
        return {n for name, n in self.registers.items() if name in names} - {0, SINK}

    @property
    def is_call(self) -> bool:
        return self.kind in (Kind.JAL, Kind.JALR) and self.decoded.operands["rd"] in LINKS


@dataclass(eq=False)
class Block:
    """Instructions in a row; control goes from the last one to `successors` within the region, or leaves it."""

    insns: list[Insn]
    end: int                            # the slot that follows
    successors: list[int] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.insns[0].slot if self.insns else self.end

    @property
    def last(self) -> Insn | None:
        return self.insns[-1] if self.insns else None


@dataclass(eq=False)
class Region:
    """Blocks by their first slot, and the slots at which it is entered, the first one being the one it was made for."""

    entries: list[int]
    blocks: dict[int, Block]

    @property
    def size(self) -> int:
        """Instructions."""
        return sum(len(block.insns) for block in self.blocks.values())

    def cover(self) -> list[tuple[int, int]]:
        """Slots it was made from, as ranges: first, and behind the last."""
        ranges: list[tuple[int, int]] = []
        for start, end in sorted((block.start, block.end) for block in self.blocks.values() if block.insns):
            if ranges and start <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
            else:
                ranges.append((start, end))
        return ranges


def read(page: bytes, slot: int, extensions: int) -> Insn | None:
    """The instruction at a slot of a page, if it can be translated; `extensions` is the hart's mask."""
    low = int.from_bytes(page[2 * slot:2 * slot + 2], "little")
    if not is_compressed(low) and slot == SLOTS - 1:
        return None                                     # its second half is in another page
    decoded = decode(int.from_bytes(page[2 * slot:2 * slot + 4], "little"))
    if decoded is None or not extensions >> decoded.instruction.extension.number & 1:
        return None
    if decoded.compressed and not extensions >> decoded.compressed.extension.number & 1:
        return None
    record = decoded.instruction
    if record.kind not in TRANSLATED or record.guest:
        return None
    variant = ""
    if record.has_rounding_mode:
        variant = {7: DYNAMIC, 1: TRUNCATING if "rd" in record.fields else BY_RULE}.get(decoded.operands["rm"], BY_RULE)
        if is_half(record) or variant == BY_RULE:
            return None
    registers = {}
    for name, value in decoded.operands.items():
        if name in ("fd", "fs1", "fs2", "fs3"):
            registers[name] = F0 + value
        elif name in ("rd", "rs1", "rs2"):
            registers[name] = SINK if name == "rd" and value == 0 else value
    return Insn(slot, decoded, variant, registers, slot + decoded.length // 2)


def discover(page: bytes, slots: list[int], extensions: int, limit: int) -> Region | None:
    """The region that is entered at some slots of a page (4096 bytes); None if nothing there can be translated."""
    insns: dict[int, Insn] = {}
    leaders, entries, work = set(slots), list(slots), list(slots)
    while work:
        slot = work.pop(0)
        while slot not in insns and slot < SLOTS and len(insns) < limit:
            insn = read(page, slot, extensions)
            if insn is None:
                break
            insns[slot] = insn
            if insn.kind is Kind.BRANCH or insn.kind is Kind.JAL and not insn.is_call:
                if 0 <= insn.target < SLOTS:
                    leaders.add(insn.target)
                    work.append(insn.target)
            if insn.is_call and insn.end < SLOTS:
                entries.append(insn.end)
            if insn.is_call or insn.kind is Kind.BRANCH:
                leaders.add(insn.end)
                work.append(insn.end)
            if insn.kind in LOCAL_KINDS or insn.kind is Kind.JALR:
                break
            slot = insn.end
    blocks: dict[int, Block] = {}
    for leader in leaders & insns.keys():
        row, slot = [], leader
        while slot in insns:
            insn = insns[slot]
            row.append(insn)
            slot = insn.end
            if insn.kind in (Kind.BRANCH, Kind.JAL, Kind.JALR) or slot in leaders:
                break
        blocks[leader] = Block(row, slot)
    for block in blocks.values():
        block.successors = [slot for slot in dict.fromkeys(leads_to(block)) if slot in blocks]
    entries = [slot for slot in dict.fromkeys(entries + loop_heads(blocks)) if slot in blocks]
    return Region(entries, blocks) if entries and entries[0] == slots[0] else None


def loop_heads(blocks: dict[int, Block]) -> list[int]:
    """The slots to which a branch or jump back closes a loop."""
    heads = []
    for head in sorted(blocks):
        reached, work = {head}, [head]
        while work:
            new = set(blocks[work.pop()].successors) - reached
            reached |= new
            work += new
        if any(head in blocks[start].successors for start in reached if start >= head):
            heads.append(head)
    return heads


def leads_to(block: Block) -> list[int]:
    """The slots that control goes to from the end of a block, in this page or not; the way of a branch that is taken first."""
    insn = block.last
    assert insn is not None
    if insn.kind is Kind.BRANCH:
        return [insn.target, insn.end]
    if insn.kind is Kind.JAL:
        return [] if insn.is_call else [insn.target]
    return [] if insn.kind is Kind.JALR else [block.end]


def leaders(page: bytes, decoded: Iterable[int], extensions: int) -> dict[int, int]:
    """For each slot in `decoded`, where control comes to its block: a branch's target, behind a jump or what is not translated.

    `decoded` are the slots of the page where the interpreter has found instructions, in their order.
    """
    insns = {slot: read(page, slot, extensions) for slot in decoded}
    targets = {insn.target for insn in insns.values() if insn and insn.kind in LOCAL_KINDS}
    before = {insn.end: slot for slot, insn in insns.items() if insn and insn.kind not in (Kind.JAL, Kind.JALR)}
    found: dict[int, int] = {}
    for slot in insns:
        found[slot] = slot if slot in targets or slot not in before else found[before[slot]]
    return found


def doors(page: bytes, decoded: Iterable[int], extensions: int) -> set[int]:
    """Of the slots in `decoded`, those that control comes to from elsewhere: where functions begin, calls return, ..."""
    insns = {slot: read(page, slot, extensions) for slot in decoded}
    inner = {insn.target for insn in insns.values() if insn and insn.kind in LOCAL_KINDS}
    inner |= {insn.end for insn in insns.values() if insn and insn.kind not in (Kind.JAL, Kind.JALR)}
    return insns.keys() - inner
