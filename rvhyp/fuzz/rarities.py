"""Dishes for what others reach too rarely, or never: CSRs that only some values suit, or of which the value does not matter;
permissions and large pages that change under translation.
"""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.fuzz.layout import FRAMES, PAGE, RAM_BASE
from rvhyp.fuzz.menu import SOURCES, TARGET, VALUES, Dish, dish, fixed, word_of
from rvhyp.fuzz.pages import DATA_AT, L1_AT, A, D, R, U, W
from rvhyp.isa import csr as rows
from rvhyp.isa.csr import CSR_NUMBERS, CSRS

OTHER, OWN = 28, 26                     # registers beside TARGET
MODE_BITS, MODE_AT = rows.ATP_MODE.width, rows.ATP_MODE.shift
RESERVED_MODES = (*range(1, 8), *range(11, 16))
UNKNOWN_EVENTS = (0, 0, 0, 3, 4, 8, 15, 17, 31, 40, 63, 64, 65, 1000, 2047)
CBIE_HIGH, INHIBIT_INSTRET = 1 << rows.ENVCFG_CBIE.shift + 1, 1 << 2


def numbers(*names: str) -> list[int]:
    return [CSRS[name].number for name in names]


def accesses(chosen: list[int], weight: float = 2) -> list[Dish]:
    """Reads into x0: whether they are allowed is all that shows."""
    parts = [chosen[at:at + VALUES] for at in range(0, len(chosen), VALUES)]
    return [dish("csrrs", weight / len(parts), csr=part, rs1=(0,), rd=(0,)) for part in parts]


def absent() -> list[int]:
    """Numbers of no CSR, but for those of triggers: a hart without any may have them."""
    there = {row.number for row in CSRS.values()} | {CSR_NUMBERS[name] for name in ("scontext", "hcontext", "tinfo", "mcontext")}
    return [number for number in range(4096) if number not in there]


def roots(has: Callable[[str], bool], weight: float = 2) -> list[Dish]:
    """Writes of satp, vsatp and hgatp that switch nothing on: Bare, with whatever in the other fields, and reserved modes.

    A reserved MODE in vsatp is ignored or not: a choice.
    """
    def without_mode(register):
        return [fixed("slli", rd=TARGET, rs1=register, shamt=MODE_BITS), fixed("srli", rd=TARGET, rs1=TARGET, shamt=MODE_BITS)]
    mode = word_of("addi", {"rd": (OTHER,), "rs1": (0,), "imm": RESERVED_MODES}, first_draw=5)
    mode.free = 0
    reserved = [*without_mode(10), mode, fixed("slli", rd=OTHER, rs1=OTHER, shamt=MODE_AT),
                fixed("or", rd=TARGET, rs1=TARGET, rs2=OTHER)]

    def write(*names):
        return word_of("csrrw", {"csr": numbers(*names), "rs1": (TARGET,)})
    return [Dish("Bare", [*without_mode(10), write("satp", "vsatp", "hgatp")], weight / 2),
            Dish("reserved MODE", [*reserved, write("satp", "hgatp")], weight / 2)] if has("csrrw") else []


def masked(has: Callable[[str], bool], weight: float = 2) -> list[Dish]:
    """Writes without the bits that simulators differ in, FIOM and the reserved CBIE; and of counters."""
    found = [dish("csrrw", weight / 4, csr=numbers("mcycle"), rs1=SOURCES)]
    for names, excluded, forms in ((("menvcfg", "henvcfg", "senvcfg"), rows.ENVCFG_FIOM.mask | CBIE_HIGH, ("csrrw", "csrrs")),
                                   (("mcountinhibit",), INHIBIT_INSTRET, ("csrrw", "csrrs", "csrrc"))):
        mask = [fixed("andi", rd=TARGET, rs1=10, imm=~int(excluded))]
        if names[0] == "menvcfg" and has("bclri"):      # what SDT is when DTE becomes 1 is open: only states set it
            mask.append(fixed("bclri", rd=TARGET, rs1=TARGET, shamt=rows.ENVCFG_DTE.shift))
        found += [Dish(f"{form} {names[0]}", [*mask, word_of(form, {"csr": numbers(*names), "rs1": (TARGET,)})],
                       weight / 2 / len(forms)) for form in forms]
    return found


def events(has: Callable[[str], bool], weight: float = 1.5) -> list[Dish]:
    """Configurations of counters: events that no hart here knows, OF, and the modes that are left out; and what shows of them.

    Spike knows no event, and a counter of it is read-only zero, so that is what is written to ours.
    """
    counted = range(3, 32)
    configurations = numbers(*(f"mhpmevent{n}" for n in counted))
    value = [word_of("addi", {"rd": (TARGET,), "rs1": (0,), "imm": range(64)}, imm=0),
             fixed("slli", rd=TARGET, rs1=TARGET, shamt=rows.HPMEVENT_VUINH.shift),
             word_of("addi", {"rd": (TARGET,), "rs1": (TARGET,), "imm": UNKNOWN_EVENTS}, imm=1)]
    for word in value:
        word.free = 0
    choose = {"csr": configurations, "rs1": (TARGET,)}
    forms = "csrrw", "csrrs", "csrrc"
    overflowed = [fixed("addi", rd=TARGET, rs1=0, imm=-1), fixed("csrrw", rd=0, csr=CSR_NUMBERS["mcounteren"], rs1=TARGET),
                  word_of("csrrs", {"csr": numbers("scountovf"), "rs1": (0,)}, first_draw=6)]
    write = [Dish(f"{form} mhpmevent{name}", [*value, word_of(form, choose, first_draw=2), *more], weight / 9)
             for form in forms for name, more in (("", ()), (" scountovf", overflowed))]
    values = [number for name in ("mhpmcounter", "hpmcounter") for number in numbers(*(f"{name}{n}" for n in counted))]
    return [*write, dish("csrrw", weight / 9, csr=numbers(*(f"mhpmcounter{n}" for n in counted)), rs1=(0,)),
            dish("csrrs", weight / 9, csr=values, rs1=(0,)), dish("csrrs", weight / 9, csr=configurations, rs1=(0,))]


def permissions(register: str, weight: float = 2) -> list[Dish]:
    """SUM and MXR change while translations are in use."""
    choose = {"csr": numbers(register), "rs1": (TARGET,), "rd": (0,)}
    return [Dish(f"{form} {bit.name}", [fixed("lui", rd=TARGET, imm=int(bit.mask)), word_of(form, choose)], weight / 4)
            for bit in (rows.MSTATUS_SUM, rows.MSTATUS_MXR) for form in ("csrrs", "csrrc")]


def changed_entry(table: int, at: int, bits: tuple[int, ...]) -> list:
    """A bit of a page-table entry is another; `table` is where it lies, in the 4 MiB that the code is in too."""
    change = word_of("xori", {"rd": (27,), "rs1": (27,), "imm": bits})
    change.free = 0
    return [fixed("auipc", rd=TARGET, imm=0), fixed("srli", rd=TARGET, rs1=TARGET, shamt=22),
            fixed("slli", rd=TARGET, rs1=TARGET, shamt=22), fixed("lui", rd=OTHER, imm=table - RAM_BASE),
            fixed("add", rd=OTHER, rs1=OTHER, rs2=TARGET), fixed("ld", rd=27, rs1=OTHER, imm=at), change,
            fixed("sd", rs2=27, rs1=OTHER, imm=at)]


def large_pages(has: Callable[[str], bool], base: int, weight: float = 1) -> list[Dish]:
    """The entry of a large page changes, and is fenced by one of the addresses in it.

    A large page has the tables at `base` in it too; elsewhere they are not mapped, and the dish traps.
    """
    return [Dish("large page, sfence.vma", [
        *changed_entry(base + L1_AT, 0, (W, D)), fixed("lui", rd=OTHER, imm=page - RAM_BASE),
        fixed("add", rd=OTHER, rs1=OTHER, rs2=TARGET), fixed("sfence.vma", rs1=OTHER, rs2=0)], weight / 2)
        for page in (FRAMES, FRAMES + PAGE)]


def fenced_by_asid(has: Callable[[str], bool], base: int, weight: float = 1) -> list[Dish]:
    """The entry of a page of data changes, and all translations of the address space are fenced, and no others."""
    own = [fixed("csrrs", rd=OWN, csr=CSRS["satp"].number, rs1=0), fixed("slli", rd=OWN, rs1=OWN, shamt=MODE_BITS),
           fixed("srli", rd=OWN, rs1=OWN, shamt=MODE_BITS + rows.SATP_ASID.shift)]
    return [Dish("entry, sfence.vma asid", [*own, *changed_entry(base + DATA_AT, 8 * (page >> 12 & 511), (R, W, W, U, A, D)),
                                            fixed("sfence.vma", rs1=0, rs2=OWN)], weight / 2)
            for page in (FRAMES, FRAMES + PAGE)]


def counts(rest: float, share: float = 0.005) -> list[Dish]:
    """Reads of how much has retired, for every target: each instruction and slice shows there.  `rest` is the others' weight."""
    return [dish("csrrs", share * rest, csr=numbers("instret", "instret", "cycle", "minstret"), rs1=(0,))]
