"""The harness that runs a batch's programs: its source with the constants of the layout, assembled; and images of batches."""
from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from rvhyp.fuzz import layout
from rvhyp.isa.csr import CSRS, ENVCFG_DTE, ENVCFG_STCE, MSTATUS_MPRV, MSTATUS_SDT
from rvhyp.isa.text import assemble
from rvhyp.isa.text.assembly import STB_GLOBAL, Assembly, Section, Symbol

CONTEXT_WORDS = ("SLOT", "MIX", "RECORD", "CODE", "LENGTH", "TRAPS", "HASH", "MPRV", "ENTERED", "BEGUN", "OWN", "COUNT",
                 "CHOICES", "WITHOUT", "RA", "T0", "T1", "T2", "T3", "T5", "T6")
SOURCE = Path(__file__).with_name("harness.S")


def constants() -> dict[str, int]:
    """What harness.S takes from the layout."""
    names = ("RAM_BASE", "HARNESS", "PAD", "CONTEXT", "FRAMES", "RESULTS", "CODE", "RECORDS", "STAGE", "SLOT_SIZE", "RECORD_SIZE",
             "PAGE", "EDGE", "DUMP", "PAD_SRET", "MIX", "LOCKED", "LOCKED_SIZE", "PMPCFG0")
    values = {name: getattr(layout, name) for name in names}
    places = ("R_LENGTH", "R_TRAPS", "R_SEED", "R_POKES", "R_WITHOUT", "R_POKE")
    values |= {name: 8 * getattr(layout, name) for name in places}
    values |= {f"C_{name}": 8 * number for number, name in enumerate(CONTEXT_WORDS)}
    behind = layout.DUMP - layout.CONTEXT
    values |= {"DUMP_SIZE": 8 * layout.DUMP_WORDS, "DUMP_SP": behind + 8 * 2, "DUMP_T0": behind + 8 * 5,
               "DUMP_MSTATUS": behind + 8 * (layout.DUMP_CSR + layout.STATE.index("mstatus")),
               "DUMP_TRAPS": behind + 8 * layout.DUMP_TRAPS, "CLINT_MSIP": layout.MSIP, "CLINT_MTIMECMP": layout.MTIMECMP,
               "OUTSIDE": 27, "MPRV": MSTATUS_MPRV.mask, "MENVCFG_STCE": ENVCFG_STCE.mask,
               "ENVCFG_DTE": ENVCFG_DTE.mask, "MSTATUS_SDT": MSTATUS_SDT.mask}
    return values


def macro(name: str, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"    .macro {name}\n{body}    .endm\n"


def mixed(csrs: tuple[str, ...]) -> list[str]:
    """Statements that take CSRs into the digest in t5."""
    return [line for csr in csrs for line in (
        f"csrr t0, {csr}", *common(csr), "xor t5, t5, t0", "mul t5, t5, t6", "srli t0, t5, 32", "xor t5, t5, t0")]


def common(csr: str) -> list[str]:
    """Statements that leave in t0 what all simulators must agree on, and take the rest into the digest of choices."""
    if csr.endswith("cause"):               # address misaligned may come before or after an access fault
        rest = ["andi t1, t0, ~2", "addi t1, t1, -4", "seqz t1, t1", "add t0, t0, t1"]
    elif csr.endswith("tinst"):             # 0 is always allowed, but for what a page-table access failed
        rest = ["andi t1, t0, ~0x20", "li t2, 0x3000", "xor t1, t1, t2", "snez t1, t1", "addi t1, t1, -1", "and t0, t0, t1"]
    elif csr in layout.STATEEN:             # only SE and ENVCFG enable what both have
        rest = ["srli t0, t0, 62"]
    elif csr == "mideleg":                  # bit 12 is there with guest external interrupts
        rest = ["li t1, ~0x1000", "and t0, t0, t1"]
    else:
        return []
    return ["ld t1, C_CHOICES(sp)", "xor t1, t1, t0", "mul t1, t1, t6", "sd t1, C_CHOICES(sp)", *rest]


def writes(numbered) -> list[str]:
    """Statements that set CSRs, given with their places in the state, as the record has them."""
    return [line for n, csr in numbered for line in (f"ld t0, {8 * (layout.R_CSR + n)}(s0)", f"csrw {csr}, t0")]


def reads(numbered) -> list[str]:
    """Statements that take CSRs into the dump."""
    behind = layout.DUMP - layout.CONTEXT
    return [line for n, csr in numbered
            for line in (f"csrr t0, {csr}", *common(csr), f"sd t0, {behind + 8 * (layout.DUMP_CSR + n)}(sp)")]


def macros() -> str:
    """What harness.S does once for each register or CSR."""
    behind = layout.DUMP - layout.CONTEXT
    state = [(n, csr) for n, csr in enumerate(layout.STATE) if csr not in layout.STATEEN]
    stateen = [(n, csr) for n, csr in enumerate(layout.STATE) if csr in layout.STATEEN]
    of_h = [(n, csr) for n, csr in stateen if CSRS[csr].hypervisor]
    of_m = [(n, csr) for n, csr in stateen if not CSRS[csr].hypervisor]
    return "".join((
        macro("load_f", [f"fld f{n}, {8 * (layout.R_F + n)}(s0)" for n in range(32)]),
        macro("load_x", [f"ld x{n}, {8 * (layout.R_X + n)}(x31)" for n in range(1, 32)]),
        macro("write_state", writes(state)),
        macro("write_h_state", writes((n, csr) for n, csr in state if CSRS[csr].hypervisor)),
        macro("write_stateen", ["li t0, -1", *(f"csrw {csr}, t0" for _, csr in of_m), *writes(of_h), *writes(of_m)]),
        macro("clear_stateen", [f"sd zero, {behind + 8 * (layout.DUMP_CSR + n)}(sp)" for n, _ in stateen]),
        macro("read_mstateen", reads(of_m)),
        macro("read_hstateen", reads(of_h)),
        macro("store_x", [f"sd x{n}, {behind + 8 * (layout.DUMP_X + n)}(sp)" for n in range(32)]),
        macro("store_f", [f"fsd f{n}, {behind + 8 * (layout.DUMP_F + n)}(sp)" for n in range(32)]),
        macro("read_state", reads(state)),
        macro("record_trap", mixed(layout.TRAP)),
        macro("record_h_trap", mixed(layout.H_TRAP)),
        macro("record_hs_trap", mixed(layout.HS_TRAP)),
        macro("record_hs_h_trap", mixed(layout.HS_H_TRAP)),
        macro("record_vs_trap", mixed(layout.VS_TRAP)),
    ))


def source() -> str:
    """All of the harness as one text."""
    equates = "".join(f"    .equ {name}, {value:#x}\n" for name, value in constants().items())
    return equates + "    .equ SLOT_COUNT, " + str(layout.SLOTS) + "\n" + macros() + SOURCE.read_text()


@cache
def harness() -> Assembly:
    """The harness, assembled at its place."""
    return assemble(source(), layout.HARNESS, SOURCE.name, **{"text.pad": layout.PAD})


def with_signature(assembly: Assembly, begin: int, size: int) -> Assembly:
    """The same with the symbols of a signature."""
    symbols = (Symbol("begin_signature", begin, None, STB_GLOBAL), Symbol("end_signature", begin + size, None, STB_GLOBAL))
    return replace(assembly, table=(*assembly.table, *symbols))


def image(code: bytes, records: bytes, first: int = 0) -> Assembly:
    """A batch: the harness, and the code and records of slots from `first` on."""
    count = len(records) // layout.RECORD_SIZE
    return _image(layout.slot_code(first), code, layout.slot_record(first), records, first=first, slots=first + count)


def variants(code: bytes, records: bytes, slot: int) -> Assembly:
    """Variants of a program, with results in slots 0, 1, ..., all of which run in its slot."""
    return _image(layout.STAGE, code, layout.RECORDS, records, fixed=slot, slots=len(records) // layout.RECORD_SIZE)


def _image(code_at: int, code: bytes, records_at: int, records: bytes, **words: int) -> Assembly:
    """The harness with some of its words set, code and records."""
    base = harness()
    text = base.section(".text")
    data = bytearray(text.data)
    for name, value in words.items():
        at = base.symbols[name] - text.address
        data[at:at + 8] = value.to_bytes(8, "little")
    sections = (replace(text, data=data), *(section for section in base.sections if section is not text),
                Section(".slots", "ax", address=code_at, data=bytearray(code)),
                Section(".records", "a", address=records_at, data=bytearray(records)),
                Section(".results", "aw", True, address=layout.RESULTS, reserved=layout.SLOTS * layout.RESULT_SIZE))
    return replace(base, sections=tuple(sorted(sections, key=lambda each: each.address)))
