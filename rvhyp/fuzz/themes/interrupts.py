"""Interrupts: all that software can raise, several at once, enabled, delegated and taken in any order; and those of timers.

The clocks of simulators do not run alike, so that no timer may become due while a program runs: times are compared with what is
always due or never.  When a change of them shows is open as well ("eventually"): interrupts of the mode are off until an ECALL,
since with every trap Spike looks at the clock again.
"""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz.dishes import Has, jumps, plain, traps
from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import MSIP, MTIMECMP, PAD, R_TRAPS
from rvhyp.fuzz.menu import Dish, Word, dish, fixed, word_of
from rvhyp.fuzz.privileged import FS_DIRTY, MPP_S, MPV, STCE, delegate, environment, permissions, rarely
from rvhyp.fuzz.state import AT_CSRS, MPP_M, Draws, csr, set_csrs
from rvhyp.isa import csr as rows
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import Kind

VALUE, OTHER, OLD = 28, 27, 26          # registers
RESULTS = (0, 0, 10, 11)
# Bits of mie and mip that programs write: those of the S and VS levels, M's; not SGEI and above, see `sgeie` in differences.toml.
MASKS = (0x7FF, 0x222, 0x444, 0x666, 0x088, 0x0AA, 0x204, 0x022, 0x404, 0x240, 0x620,
         *(1 << n for n in (1, 2, 3, 5, 6, 7, 9, 10)))
PENDING = ("mip", "sip", "hip", "vsip", "hvip", "hvip", "sip")
ENABLED = ("mie", "sie", "hie", "vsie", "sie")
DELEGATED = ("mideleg", "hideleg")      # not to be read: see `mideleg-12`
MPIE = rows.MSTATUS_MPIE.mask
ENABLES = {"mstatus": rows.MSTATUS_MIE.mask, "sstatus": rows.MSTATUS_SIE.mask, "vsstatus": rows.MSTATUS_SIE.mask}
# Times lie so far apart that no clock gets from one to the next while a program runs: multiples of 2^50, or the very last.
FAR = 50


def masked(name: str, csrs, rd=RESULTS, draw: int = 0) -> list[Word]:
    """Some bits of some CSR replaced, set or cleared."""
    return [word_of("addi", {"rd": (VALUE,), "rs1": (0,), "imm": MASKS}, imm=draw),
            word_of(name, {"csr": [CSR_NUMBERS[each] for each in csrs], "rs1": (VALUE,), "rd": rd}, csr=draw + 1,
                    rd=draw + 2)]


def switch(name: str, csr_name: str) -> Word:
    """Interrupts of a mode off or on, by csrrci or csrrsi."""
    return fixed(name, rd=0, csr=CSR_NUMBERS[csr_name], uimm=ENABLES[csr_name])


def raised(has: Has, weight: float = 20) -> list[Dish]:
    """Interrupts raised, cleared, enabled and delegated, one CSR after the other or many while the mode's interrupts are off."""
    found = [dish("csrrs", weight / 10, csr=[CSR_NUMBERS[each] for each in (*PENDING, *ENABLED, "hideleg")], rs1=(0,))]
    for csrs, share in ((PENDING, 3), (ENABLED, 2), (DELEGATED, 0.4)):
        found += [Dish(f"{name} {csrs[0]}", masked(name, csrs, (0,) if csrs == DELEGATED else RESULTS), weight * share / 30)
                  for name in ("csrrw", "csrrs", "csrrs", "csrrc")]
    for gate, csrs in (("mstatus", ("mip", "hvip")), ("sstatus", ("hvip", "hip")), ("sstatus", ("sip",)),
                       ("vsstatus", ("hvip",))):
        for enabled in (("mie",), ("sie", "hie")):
            words = [switch("csrrci", gate), *masked("csrrs", csrs), *masked("csrrs", enabled, draw=3), switch("csrrsi", gate)]
            found.append(Dish(f"{gate} {csrs[0]} {enabled[0]}", words, weight / 24))
    found += [Dish(f"{name} {gate}", [switch(name, gate)], weight / 60) for gate in ENABLES for name in ("csrrsi", "csrrci")]
    msip = [switch("csrrci", "mstatus"), fixed("lui", rd=OTHER, imm=MSIP),
            word_of("addi", {"rd": (VALUE,), "rs1": (0,), "imm": (0, 1, 1)}),
            fixed("sw", rs2=VALUE, rs1=OTHER, imm=0), switch("csrrsi", "mstatus")]
    return [*found, Dish("msip", msip, weight / 20)]


def windows(has: Has, weight: float = 0.6) -> list[Dish]:
    """Returns from traps that turn interrupts on, mostly to S: in U little can be raised."""
    found = []
    to_s = {"mret": [fixed("lui", rd=VALUE, imm=1 << 12), fixed("addi", rd=VALUE, rs1=VALUE, imm=(MPP_S | MPIE) - (1 << 12))],
            "sret": [fixed("addi", rd=VALUE, rs1=0, imm=rows.MSTATUS_SPP.mask | rows.MSTATUS_SPIE.mask)]}
    to_u = {"mret": [fixed("addi", rd=VALUE, rs1=0, imm=MPIE)],
            "sret": [fixed("addi", rd=VALUE, rs1=0, imm=rows.MSTATUS_SPIE.mask)]}
    for back in (each for each in traps(has, 1) if each.name in to_s):
        status = CSR_NUMBERS[f"{back.name[0]}status"]
        for name, bits, share in (("S", to_s, 0.8), ("U", to_u, 0.2)):
            words = [*back.words[:-1], *bits[back.name], fixed("csrrs", rd=0, csr=status, rs1=VALUE), back.words[-1]]
            found.append(Dish(f"{back.name} to {name}", words, weight / 2 * share))
    return found


def waiting(weight: float = 1) -> list[Dish]:
    """WFI, if an interrupt that ends it is pending: nothing else might."""
    return [Dish(f"wfi {pending}", [fixed("addi", rd=VALUE, rs1=0, imm=0),      # what it stays if the next one traps
                                    fixed("csrrs", rd=VALUE, csr=CSR_NUMBERS[pending], rs1=0),
                                    fixed("csrrs", rd=OTHER, csr=CSR_NUMBERS[enabled], rs1=0),
                                    fixed("and", rd=VALUE, rs1=VALUE, rs2=OTHER),
                                    fixed("beq", rs1=VALUE, rs2=0, offset=8), fixed("wfi")], weight / 3)
            for pending, enabled in zip(PENDING[:3], ENABLED[:3], strict=True)] + refused(weight / 3)


def refused(weight: float) -> list[Dish]:
    """WFI in U and VU, where it traps: known by CSRs that these may not read."""
    return [Dish("wfi in U", [fixed("addi", rd=VALUE, rs1=0, imm=0), fixed("csrrs", rd=VALUE, csr=CSR_NUMBERS["sstatus"], rs1=0),
                              fixed("bne", rs1=VALUE, rs2=0, offset=8), fixed("wfi")], weight)]


def sleeping(weight: float = 2) -> list[Dish]:
    """In M, WFI that ends when a timer ahead is due, since no other interrupt is enabled.

    How long it waits is each simulator's own, and so is whether that counts: the counters are what they were.
    """
    mie, minstret, mcycle, mip = (CSR_NUMBERS[name] for name in ("mie", "minstret", "mcycle", "mip"))
    mtimer = rows.M_INTERRUPTS & 0x80
    return [Dish("wfi mtimecmp", [
        fixed("addi", rd=VALUE, rs1=0, imm=0), fixed("csrrs", rd=VALUE, csr=CSR_NUMBERS["mscratch"], rs1=0),
        fixed("beq", rs1=VALUE, rs2=0, offset=4 * 18),      # not M: it may not read mscratch, which is not 0
        switch("csrrci", "mstatus"), fixed("addi", rd=OTHER, rs1=0, imm=mtimer), fixed("csrrw", rd=OLD, csr=mie, rs1=OTHER),
        fixed("lui", rd=OTHER, imm=MTIMECMP), fixed("csrrs", rd=VALUE, csr=CSR_NUMBERS["time"], rs1=0),
        word_of("addi", {"rd": (VALUE,), "rs1": (VALUE,), "imm": (1, 5, 10, 60, 100, 200, 500)}, imm=0),
        fixed("sd", rs2=VALUE, rs1=OTHER, imm=0), fixed("csrrs", rd=VALUE, csr=minstret, rs1=0), fixed("wfi"),
        fixed("csrrw", rd=0, csr=minstret, rs1=VALUE), fixed("csrrw", rd=0, csr=mcycle, rs1=VALUE),
        fixed("csrrs", rd=VALUE, csr=mip, rs1=0), fixed("andi", rd=VALUE, rs1=VALUE, imm=mtimer),
        fixed("csrrw", rd=0, csr=mie, rs1=OLD), fixed("addi", rd=OLD, rs1=0, imm=-1), fixed("sd", rs2=OLD, rs1=OTHER, imm=0),
        word_of("csrrsi", {"rd": (0,), "csr": (CSR_NUMBERS["mstatus"],), "uimm": (0, ENABLES["mstatus"])}, uimm=1)], weight)]


def compared(weight: float = 12) -> list[Dish]:
    """Times that are always due, or never."""
    found = []
    times = [CSR_NUMBERS[name] for name in ("stimecmp", "stimecmp", "vstimecmp", "vstimecmp", "htimedelta")]
    mostly = (0, 0, 0, 0, 0, 0, -1, 1, 2, 3, -2, 1 << 10)
    some = [word_of("addi", {"rd": (VALUE,), "rs1": (0,), "imm": mostly}, imm=0),
            word_of("slli", {"rd": (VALUE,), "rs1": (VALUE,), "shamt": (FAR, FAR, 62)}, shamt=1)]
    last = [fixed("addi", rd=VALUE, rs1=0, imm=-1)]
    for name, value, csrs, share in (("far", some, times, 0.8), ("never", last, times[:4], 0.2)):
        words = [switch("csrrci", "sstatus"), *value,
                 word_of("csrrw", {"rs1": (VALUE,), "csr": csrs, "rd": (0, 10)}, csr=2, rd=3), fixed("ecall")]
        found += [Dish(f"time {name}", words, share * weight / 3),
                  Dish(f"time {name}, on", [*words, switch("csrrsi", "sstatus")], share * weight / 3)]
        words = [switch("csrrci", "mstatus"), *value, fixed("lui", rd=OTHER, imm=MTIMECMP),
                 fixed("sd", rs2=VALUE, rs1=OTHER, imm=0), switch("csrrsi", "mstatus")]
        found.append(Dish(f"mtimecmp {name}", words, share * weight / 3))
    return found


def dishes(has: Has) -> list[Dish]:
    """Interrupts, with something to compute between them."""
    return [*plain(has, {Kind.ALU: 8, Kind.BRANCH: 2}), *jumps(has, 1), *traps(has, 0.1), *raised(has), *windows(has), *waiting()]


def timer_dishes(has: Has) -> list[Dish]:
    """Timers, and interrupts around them."""
    return [*plain(has, {Kind.ALU: 8, Kind.BRANCH: 2}), *jumps(has, 1), *traps(has, 0.1), *compared(), *raised(has, 6),
            *windows(has), *waiting(), *sleeping()]


def state(seed: int, batch: Batch) -> None:
    """Every mode, without translation; much is delegated, enabled and pending, vectors are direct or not."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    mode = draws.one_of((MPP_M, MPP_M, MPP_M, MPP_S, MPP_S, MPP_S, MPP_S | MPV, MPP_S | MPV, MPP_S | MPV, 0, MPV))
    own = rows.MSTATUS_SIE.mask | rows.MSTATUS_SPIE.mask | rows.MSTATUS_MIE.mask | rows.MSTATUS_MPIE.mask
    set_csrs(batch, stvec=np.uint64(PAD) | draws.one_of((0, 1)), vstvec=np.uint64(PAD) | draws.one_of((0, 1)),
             sepc=csr(batch, "mepc"), vsepc=csr(batch, "mepc"), mie=draws.one_of(MASKS),
             hvip=rarely(draws, rows.VS_INTERRUPTS, 2), mip=rarely(draws, rows.S_INTERRUPTS & 0x7FF, 2),
             mstatus=csr(batch, "mstatus") | draws.word() & np.uint64(own) | mode,
             vsstatus=np.uint64(FS_DIRTY) | rarely(draws, rows.MSTATUS_SIE.mask | rows.MSTATUS_SPIE.mask, 2))
    batch.records[:, R_TRAPS] *= np.uint64(2)                   # most of these CSRs trap in most modes


def timer_state(seed: int, batch: Batch) -> None:
    """The same; mostly with Sstc for all."""
    state(seed, batch)
    draws = Draws(seed, batch, AT_CSRS + 200)
    stce = draws.one_of((STCE, STCE, STCE, 0))
    set_csrs(batch, menvcfg=environment(draws) | stce, henvcfg=environment(draws) | draws.one_of((STCE, STCE, 0)),
             mcounteren=draws.one_of((7, 7, 2, 0)), hcounteren=draws.one_of((7, 7, 2, 0)),
             htimedelta=draws.one_of((0, 0, 1 << FAR, 1 << 62, 1 << 63)))

