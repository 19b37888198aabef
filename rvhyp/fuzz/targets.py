"""What a campaign is about: which instructions programs are made of, and the states they start in."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from rvhyp.fuzz import privileged as states
from rvhyp.fuzz import rarities
from rvhyp.fuzz.generate import Batch, generate, with_control
from rvhyp.fuzz.layout import FRAMES, HS_TABLES, PAGE, RAM_BASE, VS_TABLES
from rvhyp.fuzz.menu import (
    ALIGNED,
    MEMORY_KINDS,
    POINTERS,
    RECORDS,
    SOURCES,
    TARGET,
    VALUES,
    Dish,
    Menu,
    Word,
    base_kind,
    dish,
    fixed,
    word_of,
)
from rvhyp.fuzz.pages import DATA_AT
from rvhyp.fuzz.state import fill_state
from rvhyp.isa import config
from rvhyp.isa import csr as rows
from rvhyp.isa.csr import CSR_NUMBERS, CSRS
from rvhyp.isa.instruction import EXTENSIONS, Compressed, Kind

TARGETS: dict[str, Target] = {}
# The names that both Spike and this project know; Svadu is what A and D bits do where menvcfg.ADUE is 1.
# What programs may use: without the extensions that Spike does not know, or that its harts and ours rightly differ in.
ISA = "_".join([name for name in config.DEFAULT.split("_") if name not in (
    "ziccid", "shlcofideleg", "smcntrpmf", "smstateen", "sscofpmf")] + ["zicclsm"])
# Instructions that have dishes of their own, or would go where no program may.
APART = {"cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero", "jalr", "c.jr", "c.jalr", "jal", "c.j", "c.addi16sp", "ecall",
         "ebreak", "c.ebreak", "mret", "sret", "wfi", "wrs.nto", "wrs.sto", "lr.w", "lr.d", "sc.w", "sc.d"}
WEIGHTS = {Kind.ALU: 30, Kind.BRANCH: 8, Kind.LOAD: 12, Kind.STORE: 10, Kind.AMO: 6, Kind.MEMORY: 2, Kind.FP: 20, Kind.FENCE: 1}


@dataclass
class Target:
    """A kind of campaign; `dishes` makes its menu, `prepare(seed, batch)` changes the states that programs start in."""

    name: str
    title: str
    dishes: Callable[[Callable[[str], bool]], list[Dish]]
    prepare: Callable[[int, Batch], None] = lambda seed, batch: None

    def __post_init__(self):
        TARGETS[self.name] = self

    def maker(self, seed: int, isa: str = ISA, repeats: int = 1) -> Maker:
        """What makes this target's batches for a campaign."""
        return Maker(self, seed, isa, repeats)


@dataclass
class Maker:
    """Makes batches of a target, any of them in any order."""

    target: Target
    seed: int
    isa: str
    repeats: int = 1

    @cached_property
    def menu(self) -> Menu:
        dishes = self.target.dishes(implemented(self.isa))
        return with_control(dishes + rarities.counts(sum(dish.weight for dish in dishes)), self.repeats)

    def batch(self, first: int, count: int) -> Batch:
        """Programs `first` to `first + count - 1`."""
        batch = generate(self.menu, self.seed, first, count)
        fill_state(self.seed, batch, self.repeats)
        self.target.prepare(self.seed, batch)
        return batch


def implemented(isa: str) -> Callable[[str], bool]:
    """Whether an ISA string has an instruction, by name."""
    from rvhyp.machine.fdt import isa_extensions
    _, names = isa_extensions(isa)
    mask = config.extension_mask(names)

    def has(name: str) -> bool:
        record = RECORDS[name]
        own = mask >> record.extension.number & 1
        return bool(own and (not isinstance(record, Compressed) or mask >> EXTENSIONS["C"].number & 1))
    return has


def plain(has: Callable[[str], bool], weights: dict[Kind, float] = WEIGHTS) -> list[Dish]:
    """Every instruction of these kinds, each kind by its weight."""
    dishes = []
    for kind, weight in weights.items():
        names = [name for name, record in RECORDS.items() if base_kind(record) is kind and name not in APART and has(name)
                 and not getattr(record, "guest", "")]
        dishes += [dish(name, weight / len(names) * (0.1 if name.startswith(("mop.", "c.mop.")) else 1)) for name in names]
    return dishes


def jumps(has: Callable[[str], bool], weight: float = 3) -> list[Dish]:
    """Jumps forward, direct and indirect."""
    links = (0, 1, 5, 28)
    found = [dish("jal", weight / 4, rd=links),
             Dish("auipc jalr", [fixed("auipc", rd=TARGET, imm=0), _with_distance("jalr", rd=links)], weight / 4)]
    if has("c.j"):
        to = [fixed("auipc", rd=TARGET, imm=0), _with_distance("addi", rd=(TARGET,))]
        found += [dish("c.j", weight / 4), Dish("auipc c.jr", [*to, fixed("c.jr", rs1=TARGET)], weight / 8),
                  Dish("auipc c.jalr", [*to, fixed("c.jalr", rs1=TARGET)], weight / 8)]
    return found


def _with_distance(name: str, rd):
    """An instruction whose immediate is a distance from the beginning of its dish."""
    word = word_of(name, {"rd": rd, "rs1": (TARGET,), "imm": (0,)})
    word.free, word.jump = 0, "jalr"
    return word


def reservations(has: Callable[[str], bool], weight: float = 2) -> list[Dish]:
    """LR and SC, with an instruction between them or not; and alone."""
    found = []
    for size in ("w", "d") if has("lr.w") else ():
        lr, sc = word_of(f"lr.{size}", rs1=9), word_of(f"sc.{size}", first_draw=4, rs1=9)
        found += [Dish(f"lr.{size} sc.{size}", [lr, sc], weight / 4),
                  Dish(f"lr.{size} add sc.{size}", [lr, word_of("add", first_draw=6), sc], weight / 8),
                  dish(f"lr.{size}", weight / 16), dish(f"sc.{size}", weight / 16)]
    return found


def wild(has: Callable[[str], bool], weight: float = 1) -> list[Dish]:
    """Loads from anywhere."""
    names = [name for name, record in RECORDS.items() if base_kind(record) is Kind.LOAD and has(name)
             and not isinstance(record, Compressed) and not record.guest]
    return [dish(name, weight / len(names), rs1=SOURCES) for name in names]


def float_csrs(has: Callable[[str], bool], weight: float = 2) -> list[Dish]:
    """Accesses of fcsr and its parts; frm is mostly one that rounds."""
    numbers = [CSR_NUMBERS[name] for name in ("fflags", "frm", "fcsr")]
    found = [dish(name, weight / 12, csr=numbers) for name in ("csrrs", "csrrc", "csrrw")]
    modes = (0, 0, 1, 2, 3, 4, 4, 5, 6, 7)
    found.append(Dish("csrrwi frm", [word_of("csrrwi", {"csr": (CSR_NUMBERS["frm"],), "uimm": modes})], weight / 2))
    found.append(Dish("csrrwi fflags", [word_of("csrrwi", {"csr": (CSR_NUMBERS["fflags"],)})], weight / 4))
    return found if has("csrrw") and has("fadd.s") else []


def user(has: Callable[[str], bool]) -> list[Dish]:
    """What user-level programs consist of."""
    return plain(has) + jumps(has) + reservations(has) + blocks(has) + wild(has) + float_csrs(has)


def blocks(has: Callable[[str], bool], weight: float = 1) -> list[Dish]:
    """Operations on cache blocks, at the address of the block: see `cbo` in differences.toml."""
    names = [name for name in RECORDS if name.startswith("cbo.") and has(name)]
    begin = fixed("andi", rd=TARGET, rs1=ALIGNED, imm=-64)
    return [Dish(name, [begin, fixed(name, rs1=TARGET)], weight / len(names)) for name in names]


def fences(has: Callable[[str], bool], weight: float = 1) -> list[Dish]:
    """Fences of translations, of everything or of an address."""
    names = [name for name in ("sfence.vma", "sinval.vma", "sfence.w.inval", "sfence.inval.ir", "hfence.vvma", "hfence.gvma",
                               "hinval.vvma", "hinval.gvma") if has(name)]
    registers = {"rs1": (0, 0, *POINTERS, 10)}
    return [dish(name, weight / len(names), **(registers if RECORDS[name].fields else {})) for name in names]


def changed_entries(has: Callable[[str], bool], base: int, weight: float = 6) -> list[Dish]:
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


def traps(has: Callable[[str], bool], weight: float = 3) -> list[Dish]:
    """What traps, and returns from traps to a place ahead."""
    found = [dish("ecall", weight / 4), dish("ebreak", weight / 8), Dish("illegal", [Word(0, 4)], weight / 16),
             Dish("unimp", [Word(0xC000_1073, 4)], weight / 16)]
    if has("c.ebreak"):
        found += [dish("c.ebreak", weight / 16), Dish("c.unimp", [Word(0, 2)], weight / 16)]
    for epc, back in (("mepc", "mret"), ("sepc", "sret")):
        words = [fixed("auipc", rd=TARGET, imm=0), _with_distance("addi", rd=(TARGET,)),
                 fixed("csrrw", rd=0, csr=CSR_NUMBERS[epc], rs1=TARGET), fixed(back)]
        found.append(Dish(back, words, weight / 4))
    return found


def guest_accesses(has: Callable[[str], bool], weight: float = 8) -> list[Dish]:
    """HLV, HLVX and HSV."""
    names = [name for name, record in RECORDS.items() if getattr(record, "guest", "") and has(name)]
    return [dish(name, weight / len(names), rs1=(ALIGNED,)) for name in names]


# CSRs that programs leave alone: what differs between simulators by nature, the clock, counters of events, and those of which
# the manual lets zero stand for anything (the harness compares these).
INCOMPARABLE = {"mtinst", "htinst", "mvendorid", "marchid", "mimpid", "mconfigptr", "time", "tselect", "tdata1", "tdata2",
                "tdata3", "misa", *(name for name in CSRS if "hpm" in name)}
ABSENT_TRIGGERS = {"tselect", "tdata1", "tdata2", "tdata3"}
# CSRs of which only the low bits are written: whether the others exist is a choice (SGEIE without guest external interrupts,
# hideleg bit 13 without Shlcofideleg), or not Spike's (FIOM).
LOW_ONLY = {"mie", "hie", "sie", "vsie", "hideleg"}
OTHERWISE = {"stimecmp", "vstimecmp", "hedeleg", "menvcfg", "henvcfg", "senvcfg", "mcycle", "minstret", "mcountinhibit"}
# CSRs that a program may not write, since it or the harness would be lost: vectors, translation, who gets ECALLs of HS.
KEPT = {"mtvec", "mscratch", "stvec", "vstvec", "satp", "vsatp", "hgatp", "medeleg", "mideleg", "misa",
        *(name for name in CSRS if name.startswith("pmp"))}


def csrs(has: Callable[[str], bool], weight: float = 10) -> list[Dish]:
    """Reads of all CSRs, and writes of most."""
    readable = [row.number for name, row in CSRS.items()
                if name not in INCOMPARABLE | {"mideleg"} and not name.startswith("pmp")]
    writable = [row.number for name, row in CSRS.items()
                if name not in KEPT | INCOMPARABLE | LOW_ONLY | OTHERWISE]
    found = []
    for numbers, registers in ((readable, (0,)), (writable, SOURCES)):
        parts = [numbers[at:at + VALUES] for at in range(0, len(numbers), VALUES)]
        for part in parts:
            names = ("csrrs",) if registers == (0,) else ("csrrw", "csrrs", "csrrc")
            found += [dish(name, weight / 2 / len(parts) / len(names), csr=part, rs1=registers) for name in names]
            if registers != (0,):
                found += [dish(name, weight / 12 / len(parts), csr=part) for name in ("csrrwi", "csrrsi", "csrrci")]
    low, low_only = fixed("andi", rd=TARGET, rs1=10, imm=0x7FF), [CSRS[name].number for name in sorted(LOW_ONLY)]
    found += [Dish(f"low {name}", [low, word_of(name, {"csr": low_only, "rs1": (TARGET,)})], weight / 24)
              for name in ("csrrw", "csrrs", "csrrc")]
    even = fixed("andi", rd=TARGET, rs1=10, imm=-2)     # hedeleg bit 0 is of no use with C, and exists or not
    found += [Dish(f"{name} hedeleg", [even, word_of(name, {"csr": (CSRS["hedeleg"].number,), "rs1": (TARGET,)})], weight / 100)
              for name in ("csrrw", "csrrs", "csrrc")]
    return found


def translated(has: Callable[[str], bool]) -> list[Dish]:
    """Much memory, some traps and fences."""
    weights = WEIGHTS | {Kind.LOAD: 24, Kind.STORE: 24, Kind.FP: 6, Kind.AMO: 8, Kind.MEMORY: 4}
    return (plain(has, weights) + jumps(has) + reservations(has) + blocks(has, 2) + wild(has) + traps(has, 1.5) + fences(has, 0.5)
            + rarities.permissions("sstatus"))


def remapped(base: int) -> Callable[[Callable[[str], bool]], list[Dish]]:
    """Memory whose mapping changes."""
    weights = {Kind.ALU: 10, Kind.BRANCH: 4, Kind.LOAD: 24, Kind.STORE: 24, Kind.AMO: 8}
    return lambda has: (plain(has, weights) + jumps(has) + traps(has, 1) + changed_entries(has, base)
                        + rarities.large_pages(has, base) + rarities.fenced_by_asid(has, base))


def modified(has: Callable[[str], bool]) -> list[Dish]:
    """Memory as MPRV, MPP and MPV have it, which change all the time."""
    weights = {Kind.ALU: 10, Kind.BRANCH: 4, Kind.LOAD: 20, Kind.STORE: 16, Kind.AMO: 6}
    mstatus = {"csr": CSR_NUMBERS["mstatus"], "rd": 0, "rs1": TARGET}
    clear, set_ = fixed("csrrc", **mstatus), fixed("csrrs", **mstatus)
    mpp = [fixed("lui", rd=TARGET, imm=0x2000), fixed("addi", rd=TARGET, rs1=TARGET, imm=-0x800)]
    supervisor = [*mpp, clear, fixed("lui", rd=TARGET, imm=0x21000), fixed("addi", rd=TARGET, rs1=TARGET, imm=-0x800), set_]
    mprv = fixed("lui", rd=TARGET, imm=rows.MSTATUS_MPRV.mask)
    mpv = [fixed("addi", rd=TARGET, rs1=0, imm=1), fixed("slli", rd=TARGET, rs1=TARGET, shamt=rows.MSTATUS_MPV.shift)]
    return [*plain(has, weights), *jumps(has), *traps(has, 0.5),
            *rarities.permissions("mstatus"), *rarities.permissions("vsstatus", 1),
            Dish("MPP=S MPRV=1", supervisor, 2), Dish("MPRV=1", [mprv, set_], 2), Dish("MPP=U", [*mpp, clear], 1),
            Dish("MPRV=0", [mprv, clear], 1), Dish("MPV=1", [*mpv, set_], 2), Dish("MPV=0", [*mpv, clear], 1)]


def privileged(has: Callable[[str], bool]) -> list[Dish]:
    """CSRs, traps and fences, with something to compute between them."""
    weights = {Kind.ALU: 15, Kind.BRANCH: 4, Kind.LOAD: 4, Kind.STORE: 4, Kind.FP: 4}
    return (plain(has, weights) + jumps(has) + csrs(has, 25) + traps(has, 6) + fences(has, 2) + guest_accesses(has, 1)
            + rarities.accesses(rarities.numbers(*sorted(INCOMPARABLE - ABSENT_TRIGGERS))) + rarities.accesses(rarities.absent())
            + rarities.roots(has) + rarities.masked(has))


def of_hypervisor(has: Callable[[str], bool]) -> list[Dish]:
    """Accesses of a guest's memory."""
    weights = {Kind.ALU: 20, Kind.BRANCH: 4}
    return plain(has, weights) + jumps(has) + guest_accesses(has, 20) + fences(has, 2) + traps(has, 1)


def mixed(has: Callable[[str], bool]) -> list[Dish]:
    """A bit of everything, so that little of it traps: for long runs.  The aligned pointer is a guest's."""
    dishes = plain(has, {Kind.ALU: 60, Kind.BRANCH: 8}) + jumps(has)
    floats = [name for name, record in RECORDS.items() if base_kind(record) is Kind.FP and has(name)]
    dishes += [dish(name, 12 / len(floats), **({"rm": (7, 7, 0, 1, 2, 3, 4)} if "rm" in RECORDS[name].fields else {}))
               for name in floats]
    for kind, weight in ((Kind.LOAD, 8), (Kind.STORE, 6)):
        names = [name for name, record in RECORDS.items() if base_kind(record) is kind and has(name)
                 and not getattr(record, "guest", "") and not isinstance(record, Compressed)]
        dishes += [dish(name, weight / len(names), rs1=(2, 8)) for name in names]
    numbers = [CSR_NUMBERS[name] for name in ("sscratch", "vsscratch", "vsepc", "vstval", "htval", "scause", "fflags")]
    dishes += [dish(name, 0.5, csr=numbers) for name in ("csrrw", "csrrs", "csrrc")]
    return [*dishes, *guest_accesses(has, 3), dish("ecall", 0.5)]


Target("user", "integer, floating-point, compressed and atomic instructions, in M-mode", user)
Target("supervisor", "HS and U under Sv39, Sv48 and Sv57, delegation", translated, states.supervisor)
Target("guest", "VS and VU under two stages of translation, delegation", translated, states.guest)
Target("hypervisor", "HLV, HLVX, HSV and the fences of a hypervisor, beside a guest", of_hypervisor, states.hypervisor)
Target("csr", "CSRs, traps and returns from them, in every mode", privileged, states.any_mode)
Target("remap", "HS under translation, which changes its own entries", remapped(HS_TABLES), states.supervisor_apart)
Target("guest-remap", "VS, which changes its own entries", remapped(VS_TABLES), states.guest_apart)
Target("mprv", "loads and stores of M-mode as MPRV, MPP and MPV have them", modified, states.modified)
Target("mixed", "HS under translation, a guest beside it, few traps: for long runs (--repeats)", mixed, states.mixed)

assert not MEMORY_KINDS - set(WEIGHTS) - {Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL}
