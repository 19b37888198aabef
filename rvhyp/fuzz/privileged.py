"""States of the privileged targets: modes, delegation, page tables, who may access what."""
from __future__ import annotations

import numpy as np

from rvhyp.fuzz import pages
from rvhyp.fuzz.generate import Batch
from rvhyp.fuzz.layout import G_TABLES, HS_TABLES, PAD, R_X, STATEEN, VS_TABLES
from rvhyp.fuzz.menu import ALIGNED, POINTERS
from rvhyp.fuzz.pages import DATA_AT, G_DATA_AT, keep_apart, naturally_aligned, no_global_pages
from rvhyp.fuzz.state import AT_RANGES, FS_DIRTY, Draws, csr, set_csrs
from rvhyp.isa import csr as rows
from rvhyp.isa.cause import ECALL_S, LOAD_ACCESS_FAULT, LOAD_MISALIGNED, STORE_ACCESS_FAULT, STORE_MISALIGNED

MPP_S, MPV = 1 << 11, rows.MSTATUS_MPV.mask
SUM, MXR = rows.MSTATUS_SUM.mask, rows.MSTATUS_MXR.mask
TRAPPING = rows.MSTATUS_TVM.mask | rows.MSTATUS_TW.mask | rows.MSTATUS_TSR.mask
ADUE, PBMTE, STCE, DTE = (each.mask for each in (rows.ENVCFG_ADUE, rows.ENVCFG_PBMTE, rows.ENVCFG_STCE, rows.ENVCFG_DTE))
# Whether a misaligned address or an access fault comes first is a choice, so both go the same way.
TWINS = ((LOAD_MISALIGNED, LOAD_ACCESS_FAULT), (STORE_MISALIGNED, STORE_ACCESS_FAULT))


def rarely(draws: Draws, mask: int, one_in: int = 4) -> np.ndarray:
    """Random bits of a mask, mostly none."""
    return np.where(draws.below(one_in) == 0, draws.word() & np.uint64(mask), np.uint64(0))


def environment(draws: Draws) -> np.ndarray:
    """menvcfg or henvcfg; not FIOM, which Spike has read-only zero."""
    bits = draws.word() & np.uint64(ADUE | PBMTE | STCE | rows.CACHE_BLOCK_FIELDS) | rarely(draws, DTE)
    return np.where((bits >> np.uint64(4) & np.uint64(3)) == 2, bits & np.uint64(~0x20 % (1 << 64)), bits)   # CBIE 2 is reserved


def delegate(draws: Draws, batch: Batch) -> None:
    """Exceptions to HS and VS; never those that the trap vectors of HS raise themselves."""
    allowed = rows.MEDELEG_WRITABLE & ~(1 << ECALL_S)
    for name, mask in (("medeleg", allowed), ("hedeleg", rows.HEDELEG_WRITABLE)):
        bits = np.where(draws.below(2) == 0, draws.word() & np.uint64(mask), draws.one_of((0, mask)))
        for one, other in TWINS:
            bits &= ~(np.uint64(1 << one)) | bits >> np.uint64(other - one)
            bits = np.where(bits & np.uint64(1 << one), bits | np.uint64(1 << other), bits & ~np.uint64(1 << other))
        set_csrs(batch, **{name: bits})
    set_csrs(batch, mideleg=draws.word() & np.uint64(rows.S_INTERRUPTS), hideleg=draws.word() & np.uint64(rows.VS_INTERRUPTS))


def permissions(draws: Draws, batch: Batch) -> None:
    """What decides who may do what."""
    set_csrs(batch, menvcfg=environment(draws), henvcfg=environment(draws),
             senvcfg=draws.word() & np.uint64(rows.CACHE_BLOCK_FIELDS & ~0x30) | draws.one_of((0x10, 0x30, 0)),
             mcounteren=draws.word() & np.uint64(7), hcounteren=draws.word() & np.uint64(7),
             scounteren=draws.word() & np.uint64(7),
             hstatus=(draws.word() & np.uint64(rows.HSTATUS_SPVP.mask | rows.HSTATUS_HU.mask))
             | rarely(draws, rows.HSTATUS_VTVM.mask | rows.HSTATUS_VTSR.mask),
             mstatus=np.uint64(FS_DIRTY) | (draws.word() & np.uint64(SUM | MXR)) | rarely(draws, TRAPPING),
             vsstatus=np.uint64(FS_DIRTY) | (draws.word() & np.uint64(SUM | MXR)))


def state_enables(draws: Draws, batch: Batch) -> None:
    """Which levels may use senvcfg, henvcfg and the stateen CSRs; the other bits, of what a hart may have, are 1."""
    mostly = np.uint64((1 << 64) - 1)
    for name, number in STATEEN.items():
        own = rows.STATEEN_WRITABLE[number & 3]
        some = mostly & ~(draws.word() & np.uint64(own))
        set_csrs(batch, **{name: np.where(draws.below(3) == 0, some, mostly)})


def no_double_traps_beside_m(batch: Batch) -> None:
    """Programs of M-mode have DTE 0: by SRET to HS Spike keeps SDT, and a program knows of no SDT to avoid."""
    in_m = csr(batch, "mstatus") & np.uint64(rows.MSTATUS_MPP.mask) == np.uint64(rows.MSTATUS_MPP.mask)
    set_csrs(batch, menvcfg=np.where(in_m, csr(batch, "menvcfg") & np.uint64(~DTE % (1 << 64)), csr(batch, "menvcfg")))


def enter(batch: Batch, mode_bits, offset) -> None:
    """Begin in a mode, at the virtual addresses that lie `offset` above the physical ones."""
    set_csrs(batch, mstatus=csr(batch, "mstatus") | np.asarray(mode_bits, np.uint64), mepc=csr(batch, "mepc") + offset)
    for number in POINTERS:
        batch.records[:, R_X + number] += offset


def supervisor(seed: int, batch: Batch) -> None:
    """HS and U, under one stage of translation."""
    one_stage(seed, batch)
    naturally_aligned(Draws(seed, batch, AT_RANGES), batch, HS_TABLES + DATA_AT)


def one_stage(seed: int, batch: Batch) -> None:
    """The same without NAPOT ranges, all entries of which change at the same time or not at all."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    user, high = draws.below(2) == 0, draws.below(2) == 0
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    satp = pages.first_stage(draws, batch, HS_TABLES, mode, user, 0, high)
    offset = pages.high_address(mode, high)
    set_csrs(batch, satp=satp, stvec=np.uint64(PAD) + offset | draws.one_of((0, 1)))
    enter(batch, np.where(user, np.uint64(0), np.uint64(MPP_S)), offset)


def supervisor_apart(seed: int, batch: Batch) -> None:
    """The same, with pointers that do not reach over the border of the pages, whose entries will change."""
    keep_apart(batch, np.ones(batch.count, bool))
    one_stage(seed, batch)
    no_global_pages(batch)
    let_fences_pass(batch)


def guest_apart(seed: int, batch: Batch) -> None:
    """The same for a guest."""
    keep_apart(batch, np.ones(batch.count, bool))
    both_stages(seed, batch)
    no_global_pages(batch)
    let_fences_pass(batch)


def let_fences_pass(batch: Batch) -> None:
    """Without its fence, a changed entry may be seen or not."""
    for name, gate in (("mstatus", rows.MSTATUS_TVM), ("hstatus", rows.HSTATUS_VTVM)):
        set_csrs(batch, **{name: csr(batch, name) & np.uint64(~gate.mask % (1 << 64))})


def two_stages(draws: Draws, batch: Batch, user: np.ndarray, one_in: int = 3, alias: bool = False,
               bare: bool = True, fresh: bool = False) -> np.ndarray:
    """Both stages, either of which may be Bare; gives what lies between virtual and physical addresses."""
    high = draws.below(2) == 0
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    g_mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    kind = draws.below(8) + (0 if bare else 2)
    is_bare, is_g_bare = kind == 0, kind == 1
    gpa = np.where(is_g_bare, np.uint64(0), np.uint64(pages.GPA_OFFSET))
    vsatp = pages.first_stage(draws, batch, VS_TABLES, mode, user, gpa, high, one_in, alias, fresh)
    hgatp = pages.g_stage(draws, batch, VS_TABLES, g_mode, one_in, fresh)
    offset = np.where(is_bare, gpa, pages.high_address(mode, high))
    set_csrs(batch, vsatp=np.where(is_bare, np.uint64(0), vsatp), hgatp=np.where(is_g_bare, np.uint64(0), hgatp),
             vstvec=np.uint64(PAD) + offset | draws.one_of((0, 1)))
    return offset


def guest(seed: int, batch: Batch) -> None:
    """VS and VU, under two stages."""
    both_stages(seed, batch)
    naturally_aligned(Draws(seed, batch, AT_RANGES), batch, VS_TABLES + DATA_AT, G_TABLES + G_DATA_AT)


def both_stages(seed: int, batch: Batch) -> None:
    """The same without NAPOT ranges."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    user = draws.below(2) == 0
    offset = two_stages(draws, batch, user)
    enter(batch, np.where(user, np.uint64(0), np.uint64(MPP_S)) | np.uint64(MPV), offset)


def hypervisor(seed: int, batch: Batch) -> None:
    """HS and U (with HU) beside a guest, whose memory the aligned pointer points to."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    in_user = draws.below(4) == 0
    offset = two_stages(draws, batch, draws.below(2) == 0)
    batch.records[:, R_X + ALIGNED] += offset
    set_csrs(batch, mstatus=csr(batch, "mstatus") | np.where(in_user, np.uint64(0), np.uint64(MPP_S)),
             htinst=0, mtinst=0)


def mixed(seed: int, batch: Batch) -> None:
    """HS under translation, beside a guest: mostly sound, so that long runs do not trap all the time."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    high, user = draws.below(2) == 0, np.zeros(batch.count, bool)
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    satp = pages.first_stage(draws, batch, HS_TABLES, mode, user, 0, high, 100)
    guest_offset = two_stages(draws, batch, draws.below(2) == 0, 100)
    offset = pages.high_address(mode, high)
    enter(batch, MPP_S, offset)
    batch.records[:, R_X + ALIGNED] += guest_offset - offset
    set_csrs(batch, satp=satp, stvec=np.uint64(PAD) + offset, vsstatus=csr(batch, "vsstatus") | np.uint64(SUM),
             hstatus=csr(batch, "hstatus") | np.uint64(rows.HSTATUS_SPVP.mask),
             mstatus=csr(batch, "mstatus") & np.uint64(~TRAPPING % (1 << 64)))


def modified(seed: int, batch: Batch) -> None:
    """M-mode, with tables of HS and of a guest that MPRV leads to; pointers are those of one or the other."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    high, user = draws.below(2) == 0, draws.below(2) == 0
    mode = draws.one_of((pages.SV39, pages.SV48, pages.SV57)).astype(np.int64)
    set_csrs(batch, satp=pages.first_stage(draws, batch, HS_TABLES, mode, user, 0, high),
             stvec=np.uint64(PAD) + pages.high_address(mode, high))
    guest_offset = two_stages(draws, batch, user)
    offset = np.where(draws.below(2) == 0, guest_offset, pages.high_address(mode, high))
    for number in POINTERS:
        batch.records[:, R_X + number] += offset
    set_csrs(batch, mstatus=csr(batch, "mstatus") | np.uint64(rows.MSTATUS_MPP.mask))


def any_mode(seed: int, batch: Batch) -> None:
    """Every mode, without translation; delegation and permissions at random."""
    draws = Draws(seed, batch)
    permissions(draws, batch)
    delegate(draws, batch)
    state_enables(draws, batch)
    enabled = {name: csr(batch, name) | rarely(draws, rows.LOW32 & ~7, 2) for name in ("mcounteren", "hcounteren", "scounteren")}
    set_csrs(batch, **enabled)
    values = {name: draws.integer() for name in ("sscratch", "vsscratch", "htval", "mtval2", "stval", "vstval", "htimedelta")}
    set_csrs(batch, stvec=np.uint64(PAD) | draws.one_of((0, 1)), vstvec=np.uint64(PAD) | draws.one_of((0, 1)),
             sepc=csr(batch, "mepc"), vsepc=csr(batch, "mepc"), **values)
    mode = draws.one_of((3 << 11, 3 << 11, MPP_S, 0, MPP_S | MPV, MPV))
    set_csrs(batch, mstatus=csr(batch, "mstatus") | mode)
