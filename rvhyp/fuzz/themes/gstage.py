"""HS beside a guest whose two stages it changes: entries, hgatp, vsatp, with the fences that make them seen; then HLV and HSV, or
SRET into the guest.  HS runs without translation, so that tables lie where they are.
"""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz import pages
from rvhyp.fuzz.dishes import Has, guest_accesses, jumps, plain, traps, with_distance
from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import FRAMES, G_TABLES, PAD, PAGE, R_X, VS_TABLES
from rvhyp.fuzz.menu import ALIGNED, TARGET, Dish, Word, fixed, word_of
from rvhyp.fuzz.pages import keep_apart, no_global_pages
from rvhyp.fuzz.privileged import MPP_S, delegate, enter, let_fences_pass, permissions, two_stages
from rvhyp.fuzz.state import Draws, csr, set_csrs
from rvhyp.isa import csr as rows
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import Kind

VALUE, HERE = 27, 28                    # registers
ENTRY_BITS = (1, 2, 4, 4, 8, 16, 16, 64, 128)
G_TABLE, VS_TABLE = G_TABLES + pages.G_DATA_AT, VS_TABLES + pages.DATA_AT
GPA_BIT = pages.GPA_OFFSET.bit_length() - 1
ID_SHIFT, IDS = rows.HGATP_VMID.shift, (1, 2, 3)


def address(place: int, rd: int = HERE) -> list[Word]:
    """A physical address, without what LUI extends it by."""
    return [fixed("lui", rd=rd, imm=place - (1 << 32)), fixed("slli", rd=rd, rs1=rd, shamt=32),
            fixed("srli", rd=rd, rs1=rd, shamt=32)]


def guest_address(place: int) -> list[Word]:
    """The guest's virtual address of a place, in HERE: what lies above 32 bits is that of the aligned pointer."""
    return [fixed("srli", rd=TARGET, rs1=ALIGNED, shamt=32), fixed("slli", rd=TARGET, rs1=TARGET, shamt=32), *address(place),
            fixed("or", rd=HERE, rs1=HERE, rs2=TARGET)]


def changed_entries(weight: float = 8) -> list[Dish]:
    """A bit of an entry of either stage is changed, and fenced: all of its stage, its address, or its guest.

    SFENCE.VMA is for the guest, which may change entries of its own by the same dish, where HFENCE traps.  An ASID comes with
    vsatp's MODE above it: bits that "should be zeroed by software and ignored by current implementations".
    """
    found = []
    sfence, gvma, vvma = (fixed(name, rs1=0, rs2=0) for name in ("sfence.vma", "hfence.gvma", "hfence.vvma"))
    tables = [VS_TABLES + PAGE * n for n in range(pages.FIRST_STAGE_PAGES)]
    for table, places in ((G_TABLE, (FRAMES, FRAMES + PAGE, *tables)), (VS_TABLE, (FRAMES, FRAMES + PAGE))):
        for place in places:
            at = 8 * (place >> 12 & 511)
            flip = word_of("xori", {"rd": (VALUE,), "rs1": (VALUE,), "imm": ENTRY_BITS})
            change = [*address(table), fixed("ld", rd=VALUE, rs1=HERE, imm=at), flip, fixed("sd", rs2=VALUE, rs1=HERE, imm=at)]
            if table == G_TABLE:
                gpa_bit = [fixed("addi", rd=TARGET, rs1=0, imm=1), fixed("slli", rd=TARGET, rs1=TARGET, shamt=GPA_BIT),
                           fixed("or", rd=HERE, rs1=HERE, rs2=TARGET), fixed("srli", rd=HERE, rs1=HERE, shamt=2)]
                ways = {"all": [gvma], "address": [*address(place), *gpa_bit, fixed("hfence.gvma", rs1=HERE, rs2=0)]}
            else:
                asid = [fixed("addi", rd=VALUE, rs1=0, imm=0), fixed("csrrs", rd=VALUE, csr=CSR_NUMBERS["vsatp"], rs1=0),
                        fixed("srli", rd=VALUE, rs1=VALUE, shamt=rows.SATP_ASID.shift)]
                ways = {"all": [vvma], "address": [*guest_address(place), fixed("hfence.vvma", rs1=HERE, rs2=0)],
                        "asid": [*asid, fixed("hfence.vvma", rs1=0, rs2=VALUE)],
                        "address and asid": [*asid, *guest_address(place), fixed("hfence.vvma", rs1=HERE, rs2=VALUE)]}
            share = weight / 2 / len(ways) / (2 if place in (FRAMES, FRAMES + PAGE) else 12)
            found += [Dish(f"entry {'G' if table == G_TABLE else 'VS'} {way}", [*change, *fences, sfence], share)
                      for way, fences in ways.items()]
    return found


def other_roots(weight: float = 3) -> list[Dish]:
    """hgatp or vsatp is 0 for a while, or has another VMID or ASID, of which there are no old translations to forget."""
    found = []
    vvma = fixed("hfence.vvma", rs1=0, rs2=0)
    for name, fence in (("hgatp", fixed("hfence.gvma", rs1=0, rs2=0)), ("vsatp", vvma)):
        number = CSR_NUMBERS[name]
        look = word_of("hlv.d", {"rs1": (ALIGNED,)}, 2)
        found.append(Dish(f"{name} Bare", [fixed("csrrw", rd=VALUE, csr=number, rs1=0), fence, look,
                                           fixed("csrrw", rd=0, csr=number, rs1=VALUE), fence], weight / 6))
        words = [word_of("addi", {"rd": (VALUE,), "rs1": (0,), "imm": IDS}, 0),
                 fixed("slli", rd=VALUE, rs1=VALUE, shamt=ID_SHIFT), word_of("csrrs", {"csr": (number,), "rs1": (VALUE,)}, 4)]
        # The translations of that guest or address space are from before its entries changed, if it has been there.
        found.append(Dish(f"{name} id", [*words, fence], weight / 6))
        found.append(Dish(f"{name} id off", [*words[:2], word_of("csrrc", {"csr": (number,), "rs1": (VALUE,)}, 4), fence],
                          weight / 6))
    return found


def entering(weight: float = 1) -> list[Dish]:
    """SRET into the guest, at the place ahead."""
    found = []
    for mode, spp in (("VS", "csrrs"), ("VU", "csrrc")):
        words = [fixed("auipc", rd=TARGET, imm=0), with_distance("addi", rd=(TARGET,)),
                 fixed("srli", rd=HERE, rs1=ALIGNED, shamt=32), fixed("slli", rd=HERE, rs1=HERE, shamt=32),
                 fixed("or", rd=TARGET, rs1=TARGET, rs2=HERE), fixed("csrrw", rd=0, csr=CSR_NUMBERS["sepc"], rs1=TARGET),
                 fixed("addi", rd=HERE, rs1=0, imm=rows.HSTATUS_SPV.mask),
                 fixed("csrrs", rd=0, csr=CSR_NUMBERS["hstatus"], rs1=HERE),
                 fixed("addi", rd=HERE, rs1=0, imm=rows.MSTATUS_SPP.mask),
                 fixed(spp, rd=0, csr=CSR_NUMBERS["sstatus"], rs1=HERE), fixed("sret")]
        found.append(Dish(f"sret to {mode}", words, weight / 2))
    return found


def dishes(has: Has) -> list[Dish]:
    """What a hypervisor does to its guest's memory, and looks at."""
    weights = {Kind.ALU: 8, Kind.BRANCH: 3, Kind.LOAD: 6, Kind.STORE: 6, Kind.AMO: 5}
    some_traps = [each for each in traps(has, 0.5) if each.name not in ("mret", "sret")]
    return [*plain(has, weights), *jumps(has, 1), *some_traps, *guest_accesses(has, 12), *changed_entries(), *other_roots(),
            *entering(0.8)]


def state(seed: int, batch: Batch) -> None:
    """HS without translation, with a guest whose memory the aligned pointer points to."""
    keep_apart(batch, np.ones(batch.count, bool))
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    let_fences_pass(batch)
    offset = two_stages(draws, batch, draws.below(3) == 0, 12, bare=False)   # with an ASID or VMID, Bare is reserved
    no_global_pages(batch)
    batch.records[:, R_X + ALIGNED] += offset
    set_csrs(batch, stvec=np.uint64(PAD) | draws.one_of((0, 1)),
             hstatus=csr(batch, "hstatus") & np.uint64(~rows.HSTATUS_VTSR.mask % (1 << 64)))
    enter(batch, MPP_S, np.uint64(0))
