"""Traps made by hand: the explanation names the PTE, entry or bit that decided, and the manual's rule."""
import pytest

from rvhyp.explain.manual import HCOUNTEREN, HSTATUS, PAGING_PROTECTION, VIRTUALIZATION
from rvhyp.explain.step import Watched
from rvhyp.explain.text import lines
from rvhyp.isa.cause import STI, VSTI
from tests.engine.paging import FULL, GPA_OFFSET, PAGE, A, Allocator, D, PageTable, U, V, W
from tests.engine.support import BASE, Bench
from tests.explain.support import hold_explained

RAM = 1 << 19
CODE, DATA = BASE + 0x8000, BASE + 0x9000       # system physical pages
VA_CODE, VA_DATA = 0x40_0000, 0x40_1000
SUPERVISOR = FULL & ~U
HANDLER = BASE + 0x100
ALL = (1 << 64) - 1
MIE, SIE, SUM, TVM, VTVM, FS = 1 << 3, 1 << 1, 1 << 18, 1 << 20, 1 << 20, 3 << 13
SDT, DTE = 1 << 24, 1 << 59
SATP, HCYCLE = "csrr a0, satp", "csrr a0, cycle"


def guest(instruction, data=SUPERVISOR, g_data=FULL, without=(), x4=VA_DATA, **state):
    """A guest in VS-mode that executes one instruction under two stages; the only trap, with the tables it met.

    `without` are guest physical pages (as system physical addresses) that the G-stage does not map.
    """
    tables = {}

    def prepare(bench):
        allocate = Allocator()
        first = PageTable(bench.memory, 8, allocate, offset=GPA_OFFSET)
        first.map(VA_CODE, CODE - GPA_OFFSET, SUPERVISOR)
        tables["leaf"] = first.map(VA_DATA, DATA - GPA_OFFSET, data)
        second = PageTable(bench.memory, 8, allocate, is_wide=True)
        tables["leaf table"] = first.tables[-1]
        for page in (*first.tables, CODE):
            second.map(page - GPA_OFFSET, page, FULL)
        tables["g leaf"] = second.map(DATA - GPA_OFFSET, DATA, g_data)
        for page in without:
            second.map(tables[page] - GPA_OFFSET, 0, 0)
        bench.put(f"{instruction}\n", CODE)
        bench.set(**{"medeleg": ALL, "stvec": HANDLER, "mcounteren": 7} | state | {
            "vsatp": first.atp, "hgatp": second.atp, "prv": 1, "v": 1, "pc": VA_CODE, "x4": x4})
    return hold_explained(prepare, 1, size=RAM)[0], tables


def bare(code, **state):
    """The first trap of a program without translation."""
    def prepare(bench):
        bench.put(f"{code}\n", BASE)
        bench.set(**{"mtvec": HANDLER, "stvec": HANDLER, "vstvec": HANDLER} | state)
    return hold_explained(prepare, 3, size=RAM)[0]


def why(found):
    """What decided last, and where that is written."""
    return found.decided[-1].says, found.decided[-1].manual


def has(found, *texts):
    """Whether the explanation's lines have these texts, in this order."""
    rest = iter(lines(found))
    return all(any(text in line for line in rest) for text in texts)


def test_vs_stage_leaf_without_w():
    found, tables = guest("sd x2, 8(x4)", data=SUPERVISOR & ~W)
    assert (found.cause, found.tval, found.gva, found.tval2, found.taken_in) == (15, VA_DATA + 8, 1, 0, "HS")
    assert why(found) == ("W is 0, and this is a store", 'Privileged ISA, "Virtual Address Translation Process", step 8')
    (stage,) = found.access.stages
    entry = stage.entries[-1]
    assert (entry.level, entry.address, entry.pa) == (0, tables["leaf"] - GPA_OFFSET, tables["leaf"])
    assert entry.pte & 0xFF == SUPERVISOR & ~W
    assert [each.nested.result for each in stage.entries] == [each.pa for each in stage.entries]
    assert has(found, "store of 8 bytes at 0x401008, as VS-mode", "VS-stage of 0x401008: vsatp Sv39",
               f"level 0: PTE at guest physical {tables['leaf'] - GPA_OFFSET:#x} = {entry.pte:#018x}  VR.X..AD  leaf",
               "-> fails here",
               "W is 0, and this is a store", "taken in HS-mode", "htinst      0x203023  transformed instruction: sd sp, 0(zero)")


def test_g_stage_has_no_page_for_a_vs_stage_pte():
    found, tables = guest("ld x2, (x4)", without=["leaf table"])
    # The fetch needs the same table: it is the one that faults.
    assert (found.cause, found.tval, found.tinst) == (20, VA_CODE, 0x3000)
    assert found.gpa & ~0xFFF == tables["leaf table"] - GPA_OFFSET == found.access.stages[0].entries[-1].address & ~0xFFF
    entry = found.access.stages[0].entries[-1]
    assert entry.pte is None and entry.level == 0 and entry.nested.result is None and entry.nested.entries[-1].pte == 0
    assert why(found) == ("V is 0", 'Privileged ISA, "Virtual Address Translation Process", step 3')
    assert has(found, "level 0: PTE at guest physical", "G-stage of", "= 0x0000000000000000  ........  not valid",
               "-> fails here",
               "htinst      0x3000  pseudoinstruction: the VS-stage read a PTE")


@pytest.mark.parametrize("instruction, bits, cause, says", [
    ("ld x2, (x4)", FULL & ~A, 21, "A is 0, and menvcfg.ADUE is 0: software must set it"),
    ("sd x2, (x4)", FULL & ~D, 23, "D is 0, this is a store, and menvcfg.ADUE is 0: software must set it")])
def test_accessed_and_dirty_of_the_final_g_stage(instruction, bits, cause, says):
    found, tables = guest(instruction, g_data=bits, menvcfg=0)
    assert (found.cause, found.tval, found.gpa) == (cause, VA_DATA, DATA - GPA_OFFSET)
    assert why(found) == (says, 'Privileged ISA, "Virtual Address Translation Process", step 9')
    first, second = found.access.stages
    assert first.result == DATA - GPA_OFFSET and second.result is None
    assert second.entries[-1].address == tables["g leaf"] and second.entries[-1].pte & 0xFF == bits


def test_g_stage_refuses_the_update_of_a_vs_stage_pte():
    """ADUE, and the table is read-only for the guest: htinst is that of a PTE's write."""
    def prepare(bench):
        allocate = Allocator()
        first = PageTable(bench.memory, 8, allocate, offset=GPA_OFFSET)
        first.map(VA_CODE, CODE - GPA_OFFSET, SUPERVISOR)
        first.map(VA_DATA, DATA - GPA_OFFSET, SUPERVISOR & ~A)
        second = PageTable(bench.memory, 8, allocate, is_wide=True)
        for page in (*first.tables, CODE):
            second.map(page - GPA_OFFSET, page, FULL & ~W if page in first.tables else FULL)
        bench.put("ld x2, (x4)\n", CODE)
        bench.set(menvcfg=1 << 61, henvcfg=1 << 61, medeleg=ALL, stvec=HANDLER, vsatp=first.atp, hgatp=second.atp, prv=1, v=1,
                  pc=VA_CODE, x4=VA_DATA)
    found = hold_explained(prepare, 1, size=RAM)[0]
    assert (found.cause, found.tinst) == (21, 0x3020)
    assert found.access.stages[0].entries[-1].is_update and not found.access.stages[0].entries[-2].is_update
    assert found.decided[-1].says == "W is 0, and the VS-stage must write its PTE there"
    assert has(found, "level 0: PTE at guest physical", "level 0: update of the PTE at guest physical", "G-stage of")


def test_pmp_denies_the_read_of_a_pte():
    """Entry 0 takes R from the page with the root of satp."""
    root = []

    def prepare(bench):
        table = PageTable(bench.memory, 8, Allocator())
        table.map(VA_CODE, CODE, SUPERVISOR)
        root[:] = [table.root]
        bench.set(pmpaddr0=table.root >> 2 | 0x1FF, pmpaddr1=ALL, pmpcfg0=0x1F << 8 | 3 << 3 | 4, satp=table.atp, prv=1,
                  pc=VA_CODE, mtvec=HANDLER)
    found = hold_explained(prepare, 1, size=RAM)[0]
    assert (found.cause, found.tval, found.taken_in) == (1, VA_CODE, "M")
    assert [decision.manual for decision in found.decided][0] == PAGING_PROTECTION
    pmp = found.access.stages[0].entries[0].pmp
    assert (pmp.entry, pmp.low, pmp.high, pmp.permissions, pmp.mode) == (0, root[0], root[0] + PAGE, 4, "S")
    assert has(found, f"PMP: entry 0 (NAPOT, {root[0]:#x} to {root[0] + PAGE - 1:#x}): --X", "-> fails here",
               "PMP refuses S-mode the access to the PTE", "the entry that matches does not permit it", "medeleg[1] is 0: M-mode")


def test_sum():
    found, _ = guest("ld x2, (x4)", data=FULL)
    assert found.cause == 13
    assert why(found) == ("U is 1, and S-mode may access a user page only with vsstatus.SUM, which is 0",
                          'Privileged ISA, "Virtual Address Translation Process", step 6')


def test_tvm():
    found = bare(SATP, prv=1, mstatus=TVM)
    assert (found.cause, why(found)) == (2, ("mstatus.TVM is 1: satp is closed to S-mode", VIRTUALIZATION))


def test_vtvm():
    found = bare(SATP, prv=1, v=1, hstatus=VTVM, medeleg=ALL)
    assert (found.cause, found.taken_in, why(found)) == (22, "HS", ("hstatus.VTVM is 1", HSTATUS))
    assert found.decided[0].says == "the hypervisor keeps satp from its guest"


def test_vtsr_is_told_from_user_mode():
    found = bare("sret", prv=1, v=1, hstatus=1 << 22, medeleg=ALL)
    assert why(found) == ("hstatus.VTSR is 1: SRET in VS-mode is the hypervisor's business", HSTATUS)
    assert why(bare("sret", prv=0, v=1, hstatus=1 << 22, medeleg=ALL))[0] == "SRET is not for user mode"


def test_hcounteren():
    found = bare("csrr a0, instret", prv=1, v=1, mcounteren=7, hcounteren=3, medeleg=ALL)
    assert (found.cause, why(found)) == (22, ("hcounteren[2] is 0", HCOUNTEREN))
    assert bare("csrr a0, instret", prv=1, v=1, mcounteren=3, hcounteren=3, medeleg=ALL).decided[-1].says == "mcounteren[2] is 0"


@pytest.mark.parametrize("code", ["fadd.d f0, f1, f2", "fld f0, (x4)", "csrr a0, fflags"])
def test_fs_off(code):
    assert "mstatus.FS is Off" in why(bare(code, prv=1, mstatus=0))[0]
    assert "vsstatus.FS is Off" in why(bare(code, prv=1, v=1, mstatus=FS, vsstatus=0))[0]


def test_csrs_that_are_not_there_or_only_read():
    assert why(bare("csrr a0, 0x123"))[0] == "CSR 0x123 does not exist here"
    assert why(bare("csrw mhartid, a0"))[0] == "mhartid is read-only"
    assert why(bare("csrr a0, mstatus", prv=1))[0] == "mstatus is for M-mode"
    assert why(bare(".word 0"))[0] == "no instruction has these bits"


def test_delegated_ecall():
    found = bare("ecall", prv=0, v=1, medeleg=1 << 8, hedeleg=1 << 8)
    assert (found.cause, found.taken_in, why(found)[0]) == (8, "VS", "ECALL in VU-mode")
    assert [says for says, _ in found.path] == ["medeleg[8] is 1: not M-mode", "V is 1, hedeleg[8] is 1: VS-mode"]
    assert [says for says, _ in bare("ecall", prv=1, medeleg=1 << 9).path] == ["medeleg[9] is 1: not M-mode", "V is 0: HS-mode"]
    assert bare("ecall", medeleg=ALL).path[0][0] == "a trap in M-mode is never delegated"


def test_double_trap():
    dte = dict.fromkeys(("menvcfg", "henvcfg"), DTE)
    found = bare("ebreak", **dte, prv=1, v=1, medeleg=8, hedeleg=8, vsstatus=SDT)
    assert (found.cause, found.unexpected, found.taken_in) == (3, True, "M")
    assert [says for says, _ in found.path][2:] == ["vsstatus.SDT is 1: the trap is unexpected there, a double trap into M-mode"]
    assert has(found, "breakpoint in VS-mode", "mcause      0x10  double trap", "mtval2      0x3  breakpoint")
    found = bare("ebreak", **dte, prv=1, v=1, medeleg=8, mstatus=SDT, vsstatus=SDT)
    assert found.unexpected and "sstatus.SDT is 1" in found.path[2][0]
    assert not bare("ebreak", **dte, prv=1, v=1, medeleg=8, vsstatus=SDT).unexpected


def test_timer_interrupt():
    found = bare("j .", mstatus=SIE, prv=1, mideleg=1 << STI, mie=1 << STI, mip=1 << STI)
    assert found.cause == 1 << 63 | STI and found.instret == 0 and found.taken_in == "HS"
    assert (found.interrupt.pending, found.interrupt.enabled, found.interrupt.code) == (1 << STI, 1 << STI, STI)
    assert has(found, "supervisor timer interrupt in HS-mode, before the instruction at", "both           0x0020  STI",
               "in HS-mode sstatus.SIE is 1", "mideleg[5] is 1: not M-mode", "V is 0: HS-mode")


def test_one_of_several_interrupts():
    found = bare("j .", vsstatus=SIE, prv=1, v=1, mideleg=ALL, hideleg=ALL, mie=ALL, hvip=ALL)
    assert found.interrupt.code == 10 and found.taken_in == "VS"
    assert has(found, "in VS-mode vsstatus.SIE is 1", "the first in the order MEI MSI MTI", "vscause     0x8000000000000009")
    found = bare("j .", mstatus=MIE, mideleg=0, mie=1 << VSTI | 1 << STI, mip=1 << STI)
    assert found.interrupt.candidates == 1 << STI and found.interrupt.may == "in M-mode mstatus.MIE is 1"


def test_an_interrupt_after_an_instruction_is_explained_from_what_it_left():
    """The CSR write that lets an interrupt through retires first."""
    found = bare("li a0, 0x20\ncsrs mie, a0", mstatus=MIE, mideleg=0, mip=1 << STI)
    assert (found.pc, found.instret, found.interrupt.enabled) == (BASE + 8, 2, 1 << STI)


def test_a_mode_that_is_lent():
    found = bare("ld x2, (x4)", mstatus=1 << 17 | 1 << 11, satp=8 << 60 | BASE + 0x10000 >> 12, x4=VA_DATA)
    assert (found.cause, found.mode, found.access.mode) == (13, "M", "HS")
    assert has(found, "as HS-mode (lent by mstatus.MPRV from MPP and MPV)")
    found = bare("hlv.d x2, (x4)", hgatp=8 << 60 | BASE + 0x10000 >> 12, hstatus=1 << 8, x4=VA_DATA)
    assert (found.cause, found.access.mode) == (21, "VS")
    assert has(found, "as VS-mode (of the guest, at the privilege in hstatus.SPVP)", "VS-stage: vsatp is Bare")


def test_a_pointer_with_a_reserved_bit_and_a_misaligned_superpage():
    def prepare(bits, level):
        def do(bench):
            table = PageTable(bench.memory, 8, Allocator())
            table.map(VA_CODE, CODE, bits, level)
            bench.set(satp=table.atp, prv=1, pc=VA_CODE, mtvec=HANDLER)
        return do
    assert "pointer to the next level has D" in hold_explained(prepare(V | D, 1), 1, size=RAM)[0].decided[0].says
    found = hold_explained(prepare(SUPERVISOR, 1), 1, size=RAM)[0]
    assert found.decided[-1].says.startswith("the superpage is misaligned") and found.decided[-1].manual.endswith("step 5")
    assert "still a pointer" in hold_explained(prepare(V, 0), 1, size=RAM)[0].decided[0].says


def test_a_walk_is_shown_though_the_hart_remembers_parts_of_it():
    """The hart has been where the page tables are: an explanation starts anew."""
    bench, allocate = Bench(size=RAM), Allocator()
    first = PageTable(bench.memory, 8, allocate, offset=GPA_OFFSET)
    first.map(VA_CODE, CODE - GPA_OFFSET, SUPERVISOR)
    first.map(VA_DATA, DATA - GPA_OFFSET, SUPERVISOR & ~W)
    second = PageTable(bench.memory, 8, allocate, is_wide=True)
    for page in (*first.tables, CODE, DATA):
        second.map(page - GPA_OFFSET, page, FULL)
    bench.put("ld a0, (x4)\nsd a0, (x4)\n", CODE)
    bench.set(stvec=HANDLER, vsatp=first.atp, hgatp=second.atp, prv=1, v=1, pc=VA_CODE, x4=VA_DATA)
    bench.run(1)
    watched = Watched(bench.hart)
    bench.hart.quantum_end = bench.instret + 1
    watched.run()
    entries = watched.explanation.access.stages[0].entries
    assert [entry.pmp is not None and len(entry.nested.entries) for entry in entries] == [3, 3, 3]
