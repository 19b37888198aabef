"""The way of an address through both stages and PMP, as the rules of translation went it."""
from __future__ import annotations

from dataclasses import dataclass, field

from rvhyp.explain.observe import Before, Call
from rvhyp.hart.paging import PTE_A, PTE_D, PTE_LEAF, PTE_PPN, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from rvhyp.hart.pmp import A_NA4, A_TOR, CFG_A, CFG_L, MIXED, RWX, R, W, X
from rvhyp.isa.cause import mode_name
from rvhyp.isa.csr import ATP_MODE, ATP_PPN

ACCESSES = ("fetch", "load", "store")
MODES = {0: "Bare", 8: "Sv39", 9: "Sv48", 10: "Sv57"}
BITS = ((PTE_V, "V"), (PTE_R, "R"), (PTE_W, "W"), (PTE_X, "X"), (PTE_U, "U"), (32, "G"), (PTE_A, "A"), (PTE_D, "D"))
HIGH_BITS = ((3 << 61, 61, "PBMT"), (1 << 63, 63, "N"), (0x7F << 54, 54, "reserved"))


def bits_of(pte: int) -> str:
    """The bits of a PTE by name, in the manual's order, a dot for each that is 0; and what else is not 0."""
    low = "".join(letter if pte & bit else "." for bit, letter in BITS)
    return low + "".join(f" {name}={(pte & mask) >> shift:#x}" for mask, shift, name in HIGH_BITS if pte & mask)


def permissions_text(permissions: int) -> str:
    return "".join(letter if permissions & bit else "-" for bit, letter in ((R, "R"), (W, "W"), (X, "X")))


@dataclass
class Pmp:
    """What PMP says of an access to `size` bytes at pa made at a privilege.

    `entry` is the one that matched, None if none did; from `low` to `high`, not included.
    """

    pa: int
    size: int
    mode: str
    entry: int | None
    low: int = 0
    high: int = 0
    matching: str = ""
    locked: bool = False
    permissions: int = 0
    partial: bool = False

    @classmethod
    def of(cls, call: Call, hart: Before) -> Pmp:
        """From a call of `pmp_permissions`."""
        v = call.values
        pmp = cls(int(v["pa"]), int(v["size"]), ("U", "S", "?", "M")[v["prv"]], None, permissions=call.result & RWX,
                  partial=call.result == MIXED)
        if v["index"] < hart.pmp_count:
            pmp.entry, pmp.low, pmp.high = int(v["index"]), int(v["low"]), int(v["high"])
            pmp.locked = bool(CFG_L.get(v["config"]))
            pmp.matching = {A_TOR: "TOR", A_NA4: "NA4"}.get(CFG_A.get(v["config"]), "NAPOT")
        return pmp

    def __str__(self) -> str:
        if self.entry is None:
            return f"no entry matches {self.pa:#x}: {permissions_text(self.permissions)} for {self.mode}-mode"
        text = f"entry {self.entry} ({self.matching}, {self.low:#x} to {self.high - 1:#x}{', locked' * self.locked})"
        return f"{text} matches a part only" if self.partial else f"{text}: {permissions_text(self.permissions)}"


@dataclass
class Entry:
    """A PTE that was looked at, or is updated: `address` as its stage knows it, `pa` where that is, `pte` what was there.

    None where the walk did not get so far.  `nested` is the G-stage's translation of the address.
    """

    level: int
    address: int
    nested: Stage | None = None
    pa: int | None = None
    pmp: Pmp | None = None
    pte: int | None = None
    is_update: bool = False

    @property
    def is_leaf(self) -> bool:
        return bool(self.pte is not None and self.pte & PTE_V and self.pte & PTE_LEAF)

    @property
    def meaning(self) -> str:
        """What the PTE is."""
        if self.pte is None:
            return ""
        if not self.pte & PTE_V:
            return "not valid"
        target = PTE_PPN.get(self.pte) << 12
        return f"leaf, page {target:#x}" if self.is_leaf else f"pointer to {target:#x}"


@dataclass
class Stage:
    """A walk of one stage: by `register`, from `root`; `result` is None where it failed.  A Bare one has no entries."""

    name: str
    register: str
    mode: str
    root: int
    address: int
    entries: list[Entry] = field(default_factory=list)
    result: int | None = None


@dataclass
class Access:
    """A memory access, as far as it got."""

    kind: str
    va: int
    size: int
    mode: str
    stages: list[Stage] = field(default_factory=list)
    pmp: Pmp | None = None
    pa: int | None = None


def access_of(call: Call, hart: Before) -> Access:
    """From a call of `translate`."""
    v = call.values
    prv, guest = v["mode"] & 3, v["mode"] >> 2
    access = Access(ACCESSES[v["access"]], int(v["va"]), int(v["size"]), mode_name(prv, guest))
    for child in call.children:
        if child.name in ("first_stage", "second_stage"):
            access.stages.append(stage_of(child, hart))
        elif child.name == "pmp_permissions":
            access.pmp = Pmp.of(child, hart)
            access.pmp.pa, access.pmp.size = int(v["pa"]), int(v["size"])           # it may ask for the whole page at once
    if failed(call) is None:
        access.pa = call.result
    return access


def failed(call: Call) -> Call | None:
    """The report of a trap that a call ended in."""
    return next(iter(call.all("raise_trap")), None)


def stage_of(call: Call, hart: Before) -> Stage:
    """From a call of `first_stage` or `second_stage`."""
    v = call.values
    is_second = call.name == "second_stage"
    guest = is_second or v["v"]
    name, register = ("G-stage", "hgatp") if is_second else ("VS-stage", "vsatp") if guest else ("first stage", "satp")
    atp = getattr(hart, register)
    mode = MODES.get(ATP_MODE.get(atp), "?") + "x4" * bool(is_second and ATP_MODE.get(atp))
    root = ATP_PPN.get(atp) << 12
    stage = Stage(name, register, mode, int(root & ~0x3FFF if is_second else root), int(v["gpa"] if is_second else v["va"]))
    level = int(ATP_MODE.get(atp)) - 5
    for child in call.children:
        if child.name == "vs_pte_address" or child.name == "pte_host" and is_second:
            is_update = bool(stage.entries and stage.entries[-1].is_leaf)
            level -= not is_update
            stage.entries.append(Entry(level, int(child.values["pte_address" if child.name == "vs_pte_address" else "pa"]),
                                       is_update=is_update))
        note(stage, child, hart)
    if failed(call) is None:
        stage.result = call.result
    return stage


def note(stage: Stage, child: Call, hart: Before) -> None:
    """What one call of a walk says of its last entry."""
    if child.name == "set_accessed":
        update(stage, child, hart)
    elif child.name == "vs_pte_address":
        entry = stage.entries[-1]
        second = child.child("second_stage")
        entry.nested = stage_of(second, hart) if second else None
    elif child.name == "pte_host":
        entry = stage.entries[-1]
        entry.pa = int(child.values["pa"])
        checked = child.child("pmp_permissions")
        entry.pmp = Pmp.of(checked, hart) if checked else None
    elif child.name == "pte_is_reserved":
        stage.entries[-1].pte = int(child.values["pte"])


def update(stage: Stage, call: Call, hart: Before) -> None:
    """From a call of `set_accessed`: an entry for the update of the leaf, if it got so far."""
    for child in call.children:
        if child.name == "vs_pte_address":
            leaf = stage.entries[-1]
            stage.entries.append(Entry(leaf.level, leaf.address, is_update=True))
        note(stage, child, hart)
