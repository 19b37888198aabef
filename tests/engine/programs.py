"""Random programs and states: instruction words with operands that matter, handlers that survive anything."""
from __future__ import annotations

import struct

from hypothesis import strategies as st

from rvhyp.isa.choices import CHOICES, Subset
from rvhyp.isa.csr import CSR_NUMBERS, CSRS
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS, Kind
from tests.engine.support import BASE, Bench

RECORDS = INSTRUCTIONS | COMPRESSED
HANDLERS = {"m": BASE, "s": BASE + 0x100, "vs": BASE + 0x180}
PROGRAM, DATA, DATA_SIZE = BASE + 0x1000, BASE + 0x8000, 0x2000
POINTERS = 2, 8, 9                      # registers that point to data: x2 is the base of some compressed instructions
SOURCES, TARGETS = (1, 3, 4, 5, 6, 7, 8, 9), tuple(range(10, 32))
JUMPS = {Kind.BRANCH, Kind.JAL, Kind.JALR}
ACCESSES = {Kind.LOAD, Kind.STORE, Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL, Kind.AMO, Kind.MEMORY}

# A vectored trap handler goes on 4 bytes after the trapping instruction (which may be within one: all the same), and disables
# interrupts.
_HANDLER = """
    j 1f
    .rept 13
    j 2f
    .endr
1:  csrw {x}scratch, t0
    csrr t0, {x}epc
    addi t0, t0, 4
    csrw {x}epc, t0
    csrr t0, {x}scratch
    {x}ret
2:  csrw {x}ie, zero
    {more}
    {x}ret
"""

# 64-bit operands.
_EDGES = (0, 1, 2, 3, 7, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
          0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x5555_5555_5555_5555)
INTEGERS = tuple(sorted({sign * edge % (1 << 64) for edge in _EDGES for sign in (1, -1)} | {1 << 63, (1 << 63) - 1}))


def _doubles() -> tuple[int, ...]:
    numbers = [0.0, 1.0, 1.5, 3.0, 0.1, 2.0**-1022, 2.0**-1074, 2.0**-1023, 1.7976931348623157e308, float("inf"), 2.0**31,
               2.0**32, 2.0**63, 2.0**64, 2.0**63 - 1024, 2.0**31 - 1, 2.0**31 - 0.5, 0.5, 0.75, 2.5, 2.0**53 + 2,
               2.0**-149, 2.0**-150, 2.0**-126, 3.4028234663852886e38, 3.4028235677973366e38, 1 + 2.0**-52, 1 + 2.0**-24,
               1e300, 1e-300]
    bits = [struct.unpack("<Q", struct.pack("<d", n))[0] for n in numbers]
    return (*bits, *(b | 1 << 63 for b in bits), 0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0_0000_0000_0001, 0x7FFF_FFFF_FFFF_FFFF)


def _singles() -> tuple[int, ...]:
    bits = [0, 1, 0x7F_FFFF, 0x80_0000, 0x80_0001, 0x3F80_0000, 0x3FC0_0000, 0x3DCC_CCCD, 0x4B00_0000, 0x4B7F_FFFF, 0x4EFF_FFFF,
            0x4F00_0000, 0x4F80_0000, 0x5F00_0000, 0x5EFF_FFFF, 0x5F80_0000, 0x7F7F_FFFF, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001,
            0x3F00_0000, 0x3F7F_FFFF, 0x3F80_0001]
    boxed = [0xFFFF_FFFF << 32 | b for b in (*bits, *(b | 1 << 31 for b in bits))]
    return (*boxed, 0x3F80_0000, 0xFFFF_FFFE_3F80_0000)         # the last two are not boxed properly


def _halves() -> tuple[int, ...]:
    bits = [0, 1, 0x3FF, 0x400, 0x401, 0x3C00, 0x3E00, 0x2E66, 0x6400, 0x67FF, 0x7800, 0x7BFF, 0x7C00, 0x7E00, 0x7C01, 0x3800,
            0x3BFF, 0x3C01, 0x4100, 0x5BFF]
    boxed = [0xFFFF_FFFF_FFFF << 16 | b for b in (*bits, *(b | 1 << 15 for b in bits))]
    return (*boxed, 0x3C00, 0xFFFF_FFFF_FFFE_3C00)              # the last two are not boxed properly


FLOATS = {64: _doubles(), 32: _singles(), 16: _halves()}
uniform64 = st.integers(0, (1 << 64) - 1).map(lambda n: n * 0x9E37_79B9_7F4A_7C15 % (1 << 64))      # all bits alike
words64 = st.one_of(st.sampled_from(INTEGERS), uniform64)
doubles = st.one_of(st.sampled_from(FLOATS[64]), st.integers(0, (1 << 64) - 1))
singles = st.one_of(st.sampled_from(FLOATS[32]), st.integers(0, (1 << 32) - 1).map(lambda bits: 0xFFFF_FFFF << 32 | bits))
halves = st.one_of(st.sampled_from(FLOATS[16]), st.integers(0, (1 << 16) - 1).map(lambda bits: 0xFFFF_FFFF_FFFF << 16 | bits))
data_addresses = st.integers(DATA + 0x800, DATA + DATA_SIZE - 0x800)


any_floats = st.one_of(doubles, singles, halves)


@st.composite
def registers(draw, floats=any_floats, integers=words64):
    """Values of registers: sources, pointers to data (mostly aligned), f0 to f9."""
    values = {f"x{n}": draw(integers) for n in SOURCES}
    for n in POINTERS:
        values[f"x{n}"] = draw(data_addresses) & ~draw(st.sampled_from((7, 7, 7, 15, 3, 1, 0)))
    return values | {f"f{n}": draw(floats) for n in range(10)}


def _operand(record, field, targets):
    """A strategy of an operand of a straight-line instruction: sources are read, targets written, jumps go a little forward."""
    name, kind = field.name, INSTRUCTIONS[record.expansion.partition(" ")[0]].kind if record.name in COMPRESSED else record.kind
    low, high = field.bounds
    if name in ("rd", "fd"):
        return st.sampled_from([n for n in targets if n % field.step == 0]) if name == "rd" else st.integers(10, 31)
    if name in ("rd'", "fd'"):
        return st.integers(10, 15)
    if name.startswith("f") and field.is_float:
        return st.integers(8, 9) if field.is_short else st.integers(0, 9)
    if field.is_register:
        if name.startswith("rs1") and kind in ACCESSES:
            return st.sampled_from((8, 9) if field.is_short else POINTERS)
        return st.integers(8, 15) if field.is_short else st.sampled_from([n for n in (0, *SOURCES) if n % field.step == 0])
    if name == "offset":
        return st.integers(2, 12).map(lambda n: min(2 * n, high))
    if name == "rm":
        return st.sampled_from((7, 7, 7, 0, 1, 2, 3, 4, 5, 6))
    if name == "csr":
        return st.sampled_from(sorted(CSR_NUMBERS.values()))
    corners = sorted(value for value in {low, 0, field.step, high} if low <= value <= high)
    return st.one_of(st.sampled_from(corners), st.integers(low // field.step, high // field.step).map(lambda n: n * field.step))


def words_of(name: str, targets=TARGETS, **fixed):
    """Words of a record for a straight-line program; `fixed` are strategies of operands."""
    record = RECORDS[name]
    if name == "jalr":
        targets = TARGETS
    operands = {field.name: fixed[field.name] if field.name in fixed else _operand(record, field, targets)
                for field in record.fields.values()}
    words = st.fixed_dictionaries(operands).map(lambda values: record.encode(**values))
    return words.filter(record.matches) if name in COMPRESSED else words


def to_bytes(bits: int) -> bytes:
    """An instruction as it lies in memory."""
    return bits.to_bytes(2 if bits & 3 != 3 else 4, "little")


def program(words) -> bytes:
    return b"".join(map(to_bytes, words))


def install_handlers(bench: Bench) -> None:
    """Trap handlers of M, HS and VS."""
    bench.put(_HANDLER.format(x="m", more=""), HANDLERS["m"])
    bench.put(_HANDLER.format(x="s", more="csrw hie, zero"), HANDLERS["s"])
    bench.put(_HANDLER.format(x="s", more=""), HANDLERS["vs"])
    bench.set(mtvec=HANDLERS["m"] | 1, stvec=HANDLERS["s"] | 1, vstvec=HANDLERS["vs"] | 1,
              mepc=PROGRAM, sepc=PROGRAM, vsepc=PROGRAM)


def fill_data(bench: Bench, seed: int = 1) -> None:
    """Bytes in the data area that are no two alike for long."""
    words, value = [], seed
    for _ in range(DATA_SIZE // 8):
        value = (value * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        words.append(value ^ value >> 29)
    bench.memory.write(DATA, struct.pack(f"<{len(words)}Q", *words))


def install(bench: Bench, code: bytes, **state: int) -> None:
    """A program at PROGRAM that ends in a loop, handlers, data, and the state given."""
    install_handlers(bench)
    fill_data(bench)
    bench.put(code + program([INSTRUCTIONS["jal"].encode(rd=0, offset=0)]), PROGRAM)
    bench.set(pc=PROGRAM, **state)


# Anything at all.

_BY_KIND = {kind: [name for name, record in INSTRUCTIONS.items() if record.kind is kind] for kind in Kind}
any_words = st.one_of(
    *(st.sampled_from(names).flatmap(words_of) for names in _BY_KIND.values()),
    st.sampled_from(sorted(COMPRESSED)).flatmap(words_of),
    st.sampled_from(_BY_KIND[Kind.SYSTEM]).flatmap(words_of),
    st.sampled_from(_BY_KIND[Kind.CSR]).flatmap(words_of),
    st.integers(0, (1 << 32) - 1).map(lambda bits: bits if bits & 3 == 3 else bits & 0xFFFF),
)
soups = st.lists(any_words, min_size=30, max_size=70)
slices = st.lists(st.one_of(st.integers(1, 5), st.integers(1, 100)), min_size=4, max_size=12)
MODES = {"M": (3, 0), "HS": (1, 0), "U": (0, 0), "VS": (1, 1), "VU": (0, 1)}
modes = st.sampled_from(sorted(MODES)).map(MODES.get)

def _values(choice):
    """A strategy of a choice's values; the ends of a range are likely."""
    if isinstance(choice.values, Subset):
        return st.one_of(st.just(choice.default), uniform64.map(lambda bits: bits & choice.values.bits))
    return st.sampled_from([choice.values[0], choice.values[-1], *choice.values])


# Harts that choose otherwise, in some choices or in all.
configurations = st.one_of(
    st.dictionaries(st.sampled_from(sorted(CHOICES)), st.none(), max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({name: _values(CHOICES[name]) for name in names})),
    st.fixed_dictionaries({name: _values(choice) for name, choice in CHOICES.items()}))

GATES = ("mstatus", "hstatus", "vsstatus", "medeleg", "mideleg", "hedeleg", "hideleg", "mcounteren", "hcounteren", "scounteren",
         "menvcfg", "henvcfg", "senvcfg", "mie", "mip", "hvip", "mcountinhibit",
         "mstateen0", "hstateen0", "mstateen3", "hstateen3")


@st.composite
def gate_settings(draw, names=GATES, interrupts=True):
    """Values of CSRs that decide who may do what; FS is mostly on, MPRV mostly off."""
    values = {name: draw(st.one_of(st.sampled_from((0, (1 << 64) - 1)), uniform64)) for name in names}
    for name in {"mstatus", "vsstatus"} & values.keys():
        if draw(st.integers(0, 3)):
            values[name] |= 3 << 13
    if "mstatus" in values and draw(st.integers(0, 3)):
        values["mstatus"] &= ~(1 << 17)
    if not interrupts:
        values |= dict.fromkeys({"mie", "mip", "hvip"} & values.keys(), 0)
    return values


assert all(name in CSRS for name in GATES)
