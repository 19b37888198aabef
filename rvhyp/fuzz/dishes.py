"""Dishes that targets are put together from: all instructions of some kinds, jumps, traps, fences, CSRs, page-table entries."""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.fuzz.layout import FRAMES, PAGE, RAM_BASE
from rvhyp.fuzz.menu import (
    ALIGNED,
    POINTERS,
    RECORDS,
    SOURCES,
    TARGET,
    VALUES,
    Dish,
    Word,
    base_kind,
    dish,
    fixed,
    word_of,
)
from rvhyp.fuzz.pages import DATA_AT
from rvhyp.isa import csr as rows
from rvhyp.isa.csr import CSR_NUMBERS, CSRS
from rvhyp.isa.instruction import Compressed, Kind

Has = Callable[[str], bool]             # whether an instruction is there, by name
# Instructions that have dishes of their own, or would go where no program may.
APART = {"cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero", "jalr", "c.jr", "c.jalr", "jal", "c.j", "c.addi16sp", "ecall",
         "ebreak", "c.ebreak", "mret", "sret", "wfi", "wrs.nto", "wrs.sto", "lr.w", "lr.d", "sc.w", "sc.d"}
WEIGHTS = {Kind.ALU: 30, Kind.BRANCH: 8, Kind.LOAD: 12, Kind.STORE: 10, Kind.AMO: 6, Kind.MEMORY: 2, Kind.FP: 20, Kind.FENCE: 1}


def plain(has: Has, weights: dict[Kind, float] = WEIGHTS) -> list[Dish]:
    """Every instruction of these kinds, each kind by its weight."""
    dishes = []
    for kind, weight in weights.items():
        names = [name for name, record in RECORDS.items() if base_kind(record) is kind and name not in APART and has(name)
                 and not getattr(record, "guest", "")]
        dishes += [dish(name, weight / len(names) * (0.1 if name.startswith(("mop.", "c.mop.")) else 1)) for name in names]
    return dishes


def jumps(has: Has, weight: float = 3) -> list[Dish]:
    """Jumps forward, direct and indirect."""
    links = (0, 1, 5, 28)
    found = [dish("jal", weight / 4, rd=links),
             Dish("auipc jalr", [fixed("auipc", rd=TARGET, imm=0), with_distance("jalr", rd=links)], weight / 4)]
    if has("c.j"):
        to = [fixed("auipc", rd=TARGET, imm=0), with_distance("addi", rd=(TARGET,))]
        found += [dish("c.j", weight / 4), Dish("auipc c.jr", [*to, fixed("c.jr", rs1=TARGET)], weight / 8),
                  Dish("auipc c.jalr", [*to, fixed("c.jalr", rs1=TARGET)], weight / 8)]
    return found


def with_distance(name: str, rd):
    """An instruction whose immediate is a distance from the beginning of its dish."""
    word = word_of(name, {"rd": rd, "rs1": (TARGET,), "imm": (0,)})
    word.free, word.jump = 0, "jalr"
    return word


def reservations(has: Has, weight: float = 2, waits: tuple[str, ...] = ("wrs.sto",)) -> list[Dish]:
    """LR and SC, with an instruction between them or not; and alone.  WRS.NTO is for M alone: elsewhere TW may make it trap."""
    found = []
    for size in ("w", "d") if has("lr.w") else ():
        lr, sc = word_of(f"lr.{size}", rs1=9), word_of(f"sc.{size}", first_draw=4, rs1=9)
        found += [Dish(f"lr.{size} sc.{size}", [lr, sc], weight / 4),
                  Dish(f"lr.{size} add sc.{size}", [lr, word_of("add", first_draw=6), sc], weight / 8),
                  dish(f"lr.{size}", weight / 16), dish(f"sc.{size}", weight / 16)]
        # SC has ended any reservation, so there is nothing to wait for.
        found += [Dish(f"sc.{size} {wait}", [sc, fixed(wait)], weight / 80) for wait in waits if has(wait)]
    return found


def stack(has: Has, weight: float = 0.2) -> list[Dish]:
    """The stack pointer goes somewhere and comes back."""
    if not has("c.addi16sp"):
        return []
    low, high = RECORDS["c.addi16sp"].fields["imm"].bounds
    steps = [step for step in range(low, high + 1, 16) if step and low <= -step <= high]
    return [Dish("c.addi16sp", [word_of("c.addi16sp", {"imm": values}, imm=0) for values in (steps, [-each for each in steps])],
                 weight)]


def wild(has: Has, weight: float = 1) -> list[Dish]:
    """Loads from anywhere."""
    names = [name for name, record in RECORDS.items() if base_kind(record) is Kind.LOAD and has(name)
             and not isinstance(record, Compressed) and not record.guest]
    return [dish(name, weight / len(names), rs1=SOURCES) for name in names]


def float_csrs(has: Has, weight: float = 2) -> list[Dish]:
    """Accesses of fcsr and its parts; frm is mostly one that rounds."""
    numbers = [CSR_NUMBERS[name] for name in ("fflags", "frm", "fcsr")]
    found = [dish(name, weight / 12, csr=numbers) for name in ("csrrs", "csrrc", "csrrw")]
    modes = (0, 0, 1, 2, 3, 4, 4, 5, 6, 7)
    found.append(Dish("csrrwi frm", [word_of("csrrwi", {"csr": (CSR_NUMBERS["frm"],), "uimm": modes})], weight / 2))
    found.append(Dish("csrrwi fflags", [word_of("csrrwi", {"csr": (CSR_NUMBERS["fflags"],)})], weight / 4))
    return found if has("csrrw") and has("fadd.s") else []


def blocks(has: Has, weight: float = 1) -> list[Dish]:
    """Operations on cache blocks, at the address of the block: see `cbo` in differences.toml."""
    names = [name for name in RECORDS if name.startswith("cbo.") and has(name)]
    begin = fixed("andi", rd=TARGET, rs1=ALIGNED, imm=-64)
    return [Dish(name, [begin, fixed(name, rs1=TARGET)], weight / len(names)) for name in names]


def fences(has: Has, weight: float = 1) -> list[Dish]:
    """Fences of translations, of everything or of an address."""
    names = [name for name in ("sfence.vma", "sinval.vma", "sfence.w.inval", "sfence.inval.ir", "hfence.vvma", "hfence.gvma",
                               "hinval.vvma", "hinval.gvma") if has(name)]
    registers = {"rs1": (0, 0, *POINTERS, 10)}
    return [dish(name, weight / len(names), **(registers if RECORDS[name].fields else {})) for name in names]


def changed_entries(has: Has, base: int, weight: float = 6) -> list[Dish]:
    """A bit of the page-table entry of a page of data is changed, and the page's translation fenced.

    The table maps itself: it, the data and the code lie in the same 4 MiB of every address space.
    """
    table, found = (base + DATA_AT - RAM_BASE) >> 12, []
    for page in (FRAMES, FRAMES + PAGE):
        at = 8 * (page >> 12 & 511)
        change = [fixed("auipc", rd=TARGET, imm=0), fixed("srli", rd=TARGET, rs1=TARGET, shamt=22),
                  fixed("slli", rd=TARGET, rs1=TARGET, shamt=22), fixed("lui", rd=28, imm=table << 12),
                  fixed("add", rd=28, rs1=28, rs2=TARGET), fixed("ld", rd=27, rs1=28, imm=at),
                  word_of("xori", {"rd": (27,), "rs1": (27,), "imm": (1, 2, 4, 4, 8, 16, 64, 128)}),
                  fixed("sd", rs2=27, rs1=28, imm=at)]
        change[6].free = 0
        place = [fixed("lui", rd=28, imm=page - RAM_BASE), fixed("add", rd=28, rs1=28, rs2=TARGET)]
        found += [Dish("entry, sfence.vma", [*change, fixed("sfence.vma", rs1=0, rs2=0)], weight / 6),
                  Dish("entry, sfence.vma page", [*change, *place, fixed("sfence.vma", rs1=28, rs2=0)], weight / 3)]
    return found


def traps(has: Has, weight: float = 3) -> list[Dish]:
    """What traps, and returns from traps to a place ahead."""
    found = [dish("ecall", weight / 4), dish("ebreak", weight / 8), Dish("illegal", [Word(0, 4)], weight / 16),
             Dish("unimp", [Word(0xC000_1073, 4)], weight / 16)]
    if has("c.ebreak"):
        found += [dish("c.ebreak", weight / 16), Dish("c.unimp", [Word(0, 2)], weight / 16)]
    for epc, back in (("mepc", "mret"), ("sepc", "sret")):
        words = [fixed("auipc", rd=TARGET, imm=0), with_distance("addi", rd=(TARGET,)),
                 fixed("csrrw", rd=0, csr=CSR_NUMBERS[epc], rs1=TARGET), fixed(back)]
        found.append(Dish(back, words, weight / 4))
    return found


def memory_modes(weight: float = 9) -> list[Dish]:
    """MPRV, MPP and MPV change: in whose name M-mode loads and stores."""
    mstatus = {"csr": CSR_NUMBERS["mstatus"], "rd": 0, "rs1": TARGET}
    clear, set_ = fixed("csrrc", **mstatus), fixed("csrrs", **mstatus)
    mpp = [fixed("lui", rd=TARGET, imm=0x2000), fixed("addi", rd=TARGET, rs1=TARGET, imm=-0x800)]
    supervisor = [*mpp, clear, fixed("lui", rd=TARGET, imm=0x21000), fixed("addi", rd=TARGET, rs1=TARGET, imm=-0x800), set_]
    mprv = fixed("lui", rd=TARGET, imm=rows.MSTATUS_MPRV.mask)
    mpv = [fixed("addi", rd=TARGET, rs1=0, imm=1), fixed("slli", rd=TARGET, rs1=TARGET, shamt=rows.MSTATUS_MPV.shift)]
    one = weight / 9
    return [Dish("MPP=S MPRV=1", supervisor, 2 * one), Dish("MPRV=1", [mprv, set_], 2 * one), Dish("MPP=U", [*mpp, clear], one),
            Dish("MPRV=0", [mprv, clear], one), Dish("MPV=1", [*mpv, set_], 2 * one), Dish("MPV=0", [*mpv, clear], one)]


def guest_accesses(has: Has, weight: float = 8) -> list[Dish]:
    """HLV, HLVX and HSV."""
    names = [name for name, record in RECORDS.items() if getattr(record, "guest", "") and has(name)]
    return [dish(name, weight / len(names), rs1=(ALIGNED,)) for name in names]


# CSRs that programs leave alone: what differs between simulators by nature, the clock, counters of events, and those of which
# the manual lets zero stand for anything (the harness compares these).
INCOMPARABLE = {"mtinst", "htinst", "mvendorid", "marchid", "mimpid", "mconfigptr", "time", "tselect", "tdata1", "tdata2",
                "tdata3", "misa", "scountovf", *(name for name in CSRS if "hpm" in name)}
# CSRs of which only the low bits are written: whether the others exist is a choice (SGEIE without guest external interrupts,
# hideleg bit 13 without Shlcofideleg), or not Spike's (FIOM).
LOW_ONLY = {"mie", "hie", "sie", "vsie", "hideleg"}
OTHERWISE = {"stimecmp", "vstimecmp", "hedeleg", "menvcfg", "henvcfg", "senvcfg", "mcycle", "minstret", "mcountinhibit"}
STATEEN = {name for name in CSRS if "stateen" in name}      # of these only ENVCFG and SE: others belong to what a hart may have
# CSRs that a program may not write, since it or the harness would be lost: vectors, translation, who gets ECALLs of HS.
KEPT = {"mtvec", "mscratch", "stvec", "vstvec", "satp", "vsatp", "hgatp", "medeleg", "mideleg", "misa",
        *(name for name in CSRS if name.startswith("pmp"))}


def csrs(has: Has, weight: float = 10) -> list[Dish]:
    """Reads of all CSRs, and writes of most."""
    readable = [row.number for name, row in CSRS.items()
                if name not in INCOMPARABLE | STATEEN | {"mideleg"} and not name.startswith("pmp")]
    writable = [row.number for name, row in CSRS.items()
                if name not in KEPT | INCOMPARABLE | LOW_ONLY | OTHERWISE | STATEEN]
    found = []
    for numbers, registers in ((readable, (0,)), (writable, SOURCES)):
        parts = [numbers[at:at + VALUES] for at in range(0, len(numbers), VALUES)]
        for part in parts:
            names = ("csrrs",) if registers == (0,) else ("csrrw", "csrrs", "csrrc")
            found += [dish(name, weight / 2 / len(parts) / len(names), csr=part, rs1=registers) for name in names]
            if registers != (0,):
                found += [dish(name, weight / 12 / len(parts), csr=part) for name in ("csrrwi", "csrrsi", "csrrci")]
    low = fixed("andi", rd=TARGET, rs1=10, imm=0x7FF)
    numbers = [CSRS[name].number for name in sorted(LOW_ONLY)]
    found += [Dish(f"low {name}", [low, word_of(name, {"csr": numbers, "rs1": (TARGET,)})], weight / 24)
              for name in ("csrrw", "csrrs", "csrrc")]
    even = fixed("andi", rd=TARGET, rs1=10, imm=-2)     # hedeleg bit 0 is of no use with C, and exists or not
    found += [Dish(f"{name} hedeleg", [even, word_of(name, {"csr": (CSRS["hedeleg"].number,), "rs1": (TARGET,)})], weight / 100)
              for name in ("csrrw", "csrrs", "csrrc")]
    numbers = [CSRS[name].number for name in sorted(STATEEN)]
    top = [word_of("addi", {"rd": (TARGET,), "rs1": (0,), "imm": (0, 1, 2, 3)}, imm=0),
           fixed("slli", rd=TARGET, rs1=TARGET, shamt=62)]
    found += [Dish(f"{name} stateen", [*top, word_of(name, {"csr": numbers, "rs1": (TARGET,), "rd": (0,)}, csr=1)], weight / 60)
              for name in ("csrrw", "csrrs", "csrrc")]
    found.append(Dish("stateen", [word_of("csrrs", {"csr": numbers, "rs1": (0,), "rd": (28,)}),
                                  fixed("srli", rd=28, rs1=28, shamt=62)], weight / 40))
    return found
