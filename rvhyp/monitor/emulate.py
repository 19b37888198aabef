"""Emulation of one guest instruction: device accesses, and what the guest may not do itself.

The instruction comes from htinst, or is fetched as the guest would fetch it (HLVX at sepc).  What it means comes from its
record: the body of `lw` extends what the device returned, as it extends what RAM returns.
"""
from __future__ import annotations

from functools import lru_cache

from rvhyp.hart.access import HLVX
from rvhyp.hart.state import OFFSET, Hart
from rvhyp.isa.decode import Decoded, decode
from rvhyp.isa.instruction import Kind
from rvhyp.isa.word import MASK64, u64
from rvhyp.machine.bus import Attached, BusError

SEPC, HTINST, FAULT = (OFFSET[name] // 8 for name in ("sepc", "htinst", "fault"))
F0 = 64
COMPRESSED_MARK = 2             # bit 1 of a transformed instruction is clear if it was a compressed one


class CannotFetch(Exception):
    """The guest's own instruction cannot be read (it unmapped it): run it again, and it will fault."""


def fetch(hart: Hart, rules) -> tuple[Decoded | None, int]:
    """The instruction at sepc, decoded, and its length in bytes."""
    bits = _fetch_half(hart, rules, hart.words[SEPC])
    if bits & 3 == 3:
        bits |= _fetch_half(hart, rules, hart.words[SEPC] + 2) << 16
        return decode(bits), 4
    return decode(bits), 2


def _fetch_half(hart: Hart, rules, gva: int) -> int:
    half = rules.load(hart.address, gva, 2, HLVX)
    if hart.words[FAULT]:
        hart.words[FAULT] = 0
        raise CannotFetch
    return half


def trapped(hart: Hart, rules) -> tuple[Decoded | None, int]:
    """The load or store that a guest-page fault interrupted, and its length."""
    htinst = hart.words[HTINST]
    return transformed(htinst) if htinst else fetch(hart, rules)


@lru_cache(maxsize=4096)
def transformed(htinst: int) -> tuple[Decoded | None, int]:
    """The instruction that htinst stands for, and its length."""
    return decode(htinst | COMPRESSED_MARK), 4 if htinst & COMPRESSED_MARK else 2


def device_access(hart: Hart, rules, attached: Attached, gpa: int) -> bool:
    """Perform the trapped load or store on a device, and step over it.  False if it is no plain load or store.

    `BusError` if the device refuses; the guest then gets an access fault.
    """
    decoded, length = trapped(hart, rules)
    if decoded is None:
        return False
    instruction, operands, words = decoded.instruction, decoded.operands, hart.words
    if gpa + instruction.size > attached.base + attached.size:
        raise BusError(f"the access at {gpa:#x} is not all on {attached.name}")
    if instruction.kind is Kind.LOAD:
        value = instruction.body(u64(attached.device.read(gpa - attached.base, instruction.size)))
        if "fd" in operands:
            words[F0 + operands["fd"]] = value
        elif operands["rd"]:
            words[operands["rd"]] = value
    elif instruction.kind is Kind.STORE:
        source = F0 + operands["fs2"] if "fs2" in operands else operands["rs2"]
        attached.device.write(gpa - attached.base, instruction.size, words[source] & (1 << 8 * instruction.size) - 1)
    else:
        return False
    words[SEPC] = words[SEPC] + length & MASK64
    return True


def step_over(hart: Hart, length: int) -> None:
    """The guest goes on behind the instruction at sepc."""
    hart.words[SEPC] = hart.words[SEPC] + length & MASK64
