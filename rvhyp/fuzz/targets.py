"""What a campaign is about: which instructions programs are made of, and the states they start in."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from rvhyp.fuzz import privileged as states
from rvhyp.fuzz import rarities
from rvhyp.fuzz.dishes import (
    INCOMPARABLE,
    WEIGHTS,
    Has,
    blocks,
    changed_entries,
    csrs,
    fences,
    float_csrs,
    guest_accesses,
    jumps,
    memory_modes,
    plain,
    reservations,
    stack,
    traps,
    wild,
)
from rvhyp.fuzz.generate import Batch, Genes, generate, with_control
from rvhyp.fuzz.layout import HS_TABLES, VS_TABLES
from rvhyp.fuzz.menu import MEMORY_KINDS, RECORDS, Dish, Menu, base_kind, dish
from rvhyp.fuzz.state import fill_state
from rvhyp.fuzz.themes import code, gstage, interrupts, nohyp, pmp
from rvhyp.isa import config
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import EXTENSIONS, Compressed, Kind

TARGETS: dict[str, Target] = {}
# What programs may use: the names that both Spike and this project know.  Not Smcntrpmf: whether minstret counts the instruction
# that turns it off by minstretcfg is open, and harts differ in it.
ISA = "_".join([name for name in config.DEFAULT.split("_") if name not in ("ziccid", "shlcofideleg", "smcntrpmf")] + ["zicclsm"])


@dataclass
class Target:
    """A kind of campaign; `dishes` makes its menu, `prepare(seed, batch)` changes the states that programs start in."""

    name: str
    title: str
    dishes: Callable[[Has], list[Dish]]
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

    def batch(self, first: int, count: int, genes: Genes | None = None) -> Batch:
        """Programs `first` to `first + count - 1`, made of their own genes or of others."""
        batch = generate(self.menu, Genes.fresh(self.seed, first, count) if genes is None else genes, first)
        fill_state(self.seed, batch, self.repeats)
        self.target.prepare(self.seed, batch)
        states.no_double_traps_beside_m(batch)
        return batch


def implemented(isa: str) -> Has:
    """Whether an ISA string has an instruction, by name."""
    from rvhyp.machine.fdt import isa_extensions
    _, names = isa_extensions(isa)
    mask = config.extension_mask(names)

    def has(name: str) -> bool:
        record = RECORDS[name]
        own = mask >> record.extension.number & 1
        return bool(own and (not isinstance(record, Compressed) or mask >> EXTENSIONS["C"].number & 1))
    return has


def user(has: Has) -> list[Dish]:
    """What user-level programs consist of."""
    return [*plain(has), *jumps(has), *reservations(has, waits=("wrs.nto", "wrs.sto")), *blocks(has), *wild(has),
            *float_csrs(has), *stack(has)]


def translated(has: Has) -> list[Dish]:
    """Much memory, some traps and fences."""
    weights = WEIGHTS | {Kind.LOAD: 24, Kind.STORE: 24, Kind.FP: 6, Kind.AMO: 8, Kind.MEMORY: 4}
    return (plain(has, weights) + jumps(has) + reservations(has) + blocks(has, 2) + wild(has) + traps(has, 1.5) + fences(has, 0.5)
            + rarities.permissions("sstatus"))


def remapped(base: int) -> Callable[[Has], list[Dish]]:
    """Memory whose mapping changes."""
    weights = {Kind.ALU: 10, Kind.BRANCH: 4, Kind.LOAD: 24, Kind.STORE: 24, Kind.AMO: 8}
    return lambda has: (plain(has, weights) + jumps(has) + traps(has, 1) + changed_entries(has, base)
                        + rarities.large_pages(has, base) + rarities.fenced_by_asid(has, base))


def modified(has: Has) -> list[Dish]:
    """Memory as MPRV, MPP and MPV have it, which change all the time."""
    weights = {Kind.ALU: 10, Kind.BRANCH: 4, Kind.LOAD: 20, Kind.STORE: 16, Kind.AMO: 6}
    return [*plain(has, weights), *jumps(has), *traps(has, 0.5), *memory_modes(),
            *rarities.permissions("mstatus"), *rarities.permissions("vsstatus", 1)]


ABSENT_TRIGGERS = {"tselect", "tdata1", "tdata2", "tdata3"}


def privileged(has: Has) -> list[Dish]:
    """CSRs, traps and fences, with something to compute between them."""
    weights = {Kind.ALU: 15, Kind.BRANCH: 4, Kind.LOAD: 4, Kind.STORE: 4, Kind.FP: 4}
    return (plain(has, weights) + jumps(has) + csrs(has, 25) + traps(has, 6) + fences(has, 2) + guest_accesses(has, 1)
            + rarities.accesses(rarities.numbers(*sorted(INCOMPARABLE - ABSENT_TRIGGERS))) + rarities.accesses(rarities.absent())
            + rarities.roots(has) + rarities.masked(has) + rarities.events(has))


def of_hypervisor(has: Has) -> list[Dish]:
    """Accesses of a guest's memory."""
    weights = {Kind.ALU: 20, Kind.BRANCH: 4}
    return plain(has, weights) + jumps(has) + guest_accesses(has, 20) + fences(has, 2) + traps(has, 1)


def mixed(has: Has) -> list[Dish]:
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
    return [*dishes, *guest_accesses(has, 1), dish("ecall", 0.3)]


Target("user", "integer, floating-point, compressed and atomic instructions, in M-mode", user)
Target("supervisor", "HS and U under Sv39, Sv48 and Sv57, delegation", translated, states.supervisor)
Target("guest", "VS and VU under two stages of translation, delegation", translated, states.guest)
Target("hypervisor", "HLV, HLVX, HSV and the fences of a hypervisor, beside a guest", of_hypervisor, states.hypervisor)
Target("csr", "CSRs, traps and returns from them, in every mode", privileged, states.any_mode)
Target("remap", "HS under translation, which changes its own entries", remapped(HS_TABLES), states.supervisor_apart)
Target("guest-remap", "VS, which changes its own entries", remapped(VS_TABLES), states.guest_apart)
Target("mprv", "loads and stores of M-mode as MPRV, MPP and MPV have them", modified, states.modified)
Target("code", "programs of every mode that change their own code, also through another mapping", code.dishes, code.state)
Target("interrupts", "interrupts raised by software, many at once, in every mode: delegation, priority, vectors, returns, WFI",
       interrupts.dishes, interrupts.state)
Target("timer", "timers that are always due or never, what shows of them and whom they interrupt", interrupts.timer_dishes,
       interrupts.timer_state)
Target("pmp", "entries of PMP written by M-mode, accesses of every mode and page walks under them", pmp.dishes, pmp.state)
Target("gstage", "HS that changes its guest's G-stage, VS-stage, hgatp and vsatp, looks at it, and enters it", gstage.dishes,
       gstage.state)
Target("nohyp", "misa.H cleared: CSRs, instructions and traps in M, S and U", nohyp.dishes, nohyp.state)
Target("mixed", "HS under translation, a guest beside it, few traps: for long runs (--repeats)", mixed, states.mixed)

assert not MEMORY_KINDS - set(WEIGHTS) - {Kind.LOAD_RESERVED, Kind.STORE_CONDITIONAL}
