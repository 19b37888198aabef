"""Emulation of one guest instruction: device accesses, and what the guest may not do itself.

The instruction comes from htinst, or is fetched as the guest would fetch it (HLVX at sepc).  What it means comes from its
record: the body of `lw` extends what the device returned, as it extends what RAM returns.
"""
from __future__ import annotations

from functools import lru_cache

from rvhyp.hart.access import HLVX
from rvhyp.hart.state import F0, OFFSET, SINK, Hart
from rvhyp.isa.csr import MSTATUS_FS
from rvhyp.isa.decode import Decoded, decode
from rvhyp.isa.instruction import Kind
from rvhyp.isa.word import MASK64, u64
from rvhyp.machine.bus import Attached, BusError

SEPC, HTINST, FAULT, MSTATUS, VSSTATUS = (OFFSET[name] // 8 for name in ("sepc", "htinst", "fault", "mstatus", "vsstatus"))
ADDRESS_OFFSET = 31 << 15       # of a transformed instruction: where in a misaligned access the fault was
COMPRESSED_MARK = 2             # bit 1 of a transformed instruction is clear if it was a compressed one


class CannotFetch(Exception):
    """The guest's own instruction cannot be read (it unmapped it): run it again, and it will fault."""


def fetch_bits(hart: Hart, rules) -> int:
    """The instruction at sepc: 16 or 32 bits."""
    bits = _fetch_half(hart, rules, hart.words[SEPC])
    return bits | _fetch_half(hart, rules, hart.words[SEPC] + 2) << 16 if bits & 3 == 3 else bits


def fetch(hart: Hart, rules) -> tuple[Decoded | None, int]:
    """The instruction at sepc, decoded, and its length in bytes."""
    bits = fetch_bits(hart, rules)
    return decode(bits), 4 if bits & 3 == 3 else 2


def _fetch_half(hart: Hart, rules, gva: int) -> int:
    half = rules.load(hart.address, gva, 2, HLVX)
    if hart.words[FAULT]:
        hart.words[FAULT] = 0
        raise CannotFetch
    return half


class Access:
    """A load or store as the monitor performs it: `size` in bytes, the record's word of its register, its length in bytes."""

    __slots__ = ("_body", "_bytes", "is_load", "length", "register", "size")

    def __init__(self, decoded: Decoded, length: int):
        i, operands = decoded.instruction, decoded.operands
        self.is_load, self.size, self.length = i.kind is Kind.LOAD, i.size, length
        if self.is_load:
            self.register = F0 + operands["fd"] if "fd" in operands else operands["rd"] or SINK
        else:
            self.register = F0 + operands["fs2"] if "fs2" in operands else operands["rs2"]
        self._body = i.body
        self._bytes: dict[int, int] = {}                # what the body makes of each byte: devices are mostly read by bytes

    def extended(self, value: int) -> int:
        """What the instruction's body makes of `size` bytes."""
        known = self._bytes.get(value)
        if known is None:
            known = int(self._body(u64(value)))
            if value < 256:
                self._bytes[value] = known
        return known


def trapped(hart: Hart, rules) -> Access | None:
    """The load or store that a guest-page fault interrupted; None if it is another instruction, or only a part of it faulted."""
    htinst = hart.words[HTINST]
    if htinst:
        return None if htinst & ADDRESS_OFFSET else transformed(htinst)
    decoded, length = fetch(hart, rules)
    return access_of(decoded, length)


@lru_cache(maxsize=4096)
def transformed(htinst: int) -> Access | None:
    """The load or store that htinst stands for."""
    return access_of(decode(htinst | COMPRESSED_MARK), 4 if htinst & COMPRESSED_MARK else 2)


def access_of(decoded: Decoded | None, length: int) -> Access | None:
    """A decoded load or store; None for everything else."""
    if decoded is None or decoded.instruction.kind not in (Kind.LOAD, Kind.STORE):
        return None
    return Access(decoded, length)


def device_access(hart: Hart, rules, attached: Attached, gpa: int) -> bool:
    """Perform the trapped load or store on a device, and step over it.  False if it is no plain load or store.

    `BusError` if the device refuses; the guest then gets an access fault.
    """
    access = trapped(hart, rules)
    if access is None:
        return False
    words, size = hart.words, access.size
    base, extent, device, name, _ = attached
    if gpa + size > base + extent or gpa & size - 1:
        raise BusError(f"the access at {gpa:#x} is misaligned or not all on {name}")
    if access.is_load:
        words[access.register] = access.extended(device.read(gpa - base, size))
        if access.register >= F0:
            dirty_float(words)
    else:
        device.write(gpa - base, size, words[access.register] & (1 << 8 * size) - 1)
    words[SEPC] = words[SEPC] + access.length & MASK64
    return True


def dirty_float(words) -> None:
    """The guest's floating-point state has changed: FS becomes Dirty in both status registers, as if the hart had loaded it."""
    words[MSTATUS] |= MSTATUS_FS.mask
    words[VSSTATUS] |= MSTATUS_FS.mask


def step_over(hart: Hart, length: int) -> None:
    """The guest goes on behind the instruction at sepc."""
    hart.words[SEPC] = hart.words[SEPC] + length & MASK64
