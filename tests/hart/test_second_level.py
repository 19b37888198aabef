"""The second-level TLB and the remembered pages of guests' page tables: what they keep, and what makes them forget it.

Loads and stores are made by M-mode as another would make them (MPRV).  AWAY takes HERE's place in the small tables: only the
second level knows it then.
"""
import pytest

from rvhyp.hart.state import TABLE_PAGES, TLB_ENTRIES
from rvhyp.hart.tlb import GENERATION, LAST_CONTEXT
from rvhyp.isa.cause import M
from rvhyp.isa.csr import ENVCFG_ADUE
from tests.engine.paging import FULL, A, Allocator, D, PageTable, U, W, X
from tests.engine.support import BASE, ENGINES, NAPOT_RWX, Bench

RAM = 1 << 20
FRAMES = [BASE + 0x8000 + n * 4096 for n in range(8)]
HERE = 0x40_0000
AWAY = HERE + (TLB_ENTRIES << 12)
AS_S, AS_VS = 1 << 17 | 1 << 11, 1 << 17 | 1 << 11 | 1 << 39            # mstatus: MPRV, MPP, MPV
SUPERVISOR, LOAD_PAGE_FAULT, STORE_PAGE_FAULT, LOAD_ACCESS_FAULT = FULL & ~U, 13, 15, 5
HANDLER = BASE + 0x800
NAPOT = 0x18                            # pmpcfg of an entry that closes what it matches


class Case:
    """A bench whose frames hold their numbers, 1 to 8; accesses are made as `status` says."""

    def __init__(self, engine: str, status: int = AS_S):
        self.bench, self.allocate = Bench(engine, size=RAM), Allocator()
        self.hart, self.memory, self.status = self.bench.hart, self.bench.memory, status
        for number, frame in enumerate(FRAMES):
            self.memory.set_word(frame, number + 1)
        self.bench.put("j .", HANDLER)

    def table(self, **options) -> PageTable:
        return PageTable(self.memory, 8, self.allocate, **options)

    def space(self, frame: int, bits: int = SUPERVISOR) -> PageTable:
        """A first stage that leads from HERE to a frame, and from AWAY to the last one."""
        table = self.table()
        table.map(HERE, frame, bits)
        table.map(AWAY, FRAMES[7], SUPERVISOR)
        return table

    def do(self, code: str, **values: int) -> int:
        """Run some instructions in M-mode with x8 = HERE and x9 = AWAY: a0, or minus the cause of their trap."""
        self.bench.put(f"{code}\nj .", BASE)
        self.bench.set(**{"mtvec": HANDLER, "mstatus": self.status, "prv": M, "v": 0, "pc": BASE, "x8": HERE, "x9": AWAY,
                          "x10": 0} | values)
        traps = int(self.hart.traps)
        self.bench.run(code.count("\n") + 2)
        return int(self.hart.x[10]) if self.hart.traps == traps else -int(self.hart.mcause)

    def load(self, **values: int) -> int:
        """Load from HERE, then from AWAY."""
        return self.do("ld a0, (x8)\nld a1, (x9)", **values)

    def store(self, value: int = 77) -> int:
        """Store to HERE, then to AWAY."""
        return self.do("sd x11, (x8)\nsd x11, (x9)", x11=value)

    def take_id(self, context: int, atp: int) -> None:
        """Let ids begin again, and come to one; it is that of an address space of satp then."""
        self.hart.next_context = LAST_CONTEXT
        for asid in range(100, 140):
            self.bench.set(satp=atp | asid << 44, mstatus=self.status)
            self.bench.rules.update_contexts(self.hart.address)
            if self.hart.data_context == context:
                return
        raise AssertionError(f"no space got the id {context:#x}")


@pytest.fixture(params=ENGINES)
def one_stage(request):
    return Case(request.param)


class Guest(Case):
    """Two stages: pages are mapped to themselves by the second one, but for what a test maps itself."""

    def __init__(self, engine: str):
        super().__init__(engine, AS_VS)
        self.first = self.space(FRAMES[0])
        self.second = self.g_stage(self.first)
        self.bench.set(vsatp=self.first.atp, hgatp=self.second.atp)

    def g_stage(self, *firsts: PageTable) -> PageTable:
        table = self.table(is_wide=True)
        for page in (*FRAMES, *(each for first in firsts for each in first.tables)):
            table.map(page, page)
        return table

    def copy_of_last_table(self, frame: int) -> int:
        """A copy of the table with HERE's leaf, which leads elsewhere; where it is."""
        leaf, copy = self.first.entry(HERE), self.allocate()
        self.memory.write(copy, bytes(self.memory.read(leaf & ~0xFFF, 4096)))
        self.memory.set_word(copy | leaf & 0xFFF, frame >> 2 | SUPERVISOR)
        return copy


@pytest.fixture(params=ENGINES)
def guest(request):
    return Guest(request.param)


# What an entry says, and of which accesses.

def test_a_load_says_nothing_of_stores(one_stage):
    one_stage.bench.set(satp=one_stage.space(FRAMES[0], SUPERVISOR & ~W & ~D).atp)
    assert [one_stage.load(), one_stage.store(), one_stage.load()] == [1, -STORE_PAGE_FAULT, 1]


def test_a_store_after_a_load_sets_d(one_stage):
    space = one_stage.space(FRAMES[0], SUPERVISOR & ~A & ~D)
    one_stage.bench.set(satp=space.atp, menvcfg=ENVCFG_ADUE.mask)
    pte = space.entry(HERE)
    bits = []
    for access in (one_stage.load, one_stage.store, one_stage.load):
        access()
        bits.append(one_stage.memory.word(pte) & (A | D))
    assert bits == [A, A | D, A | D] and one_stage.memory.word(FRAMES[0]) == 77


def test_hlv_says_nothing_of_hlvx(guest):
    guest.first.map(HERE, FRAMES[0], SUPERVISOR & ~X)
    hlv, hlvx = (f"li t0, 0x100\ncsrw hstatus, t0\nhlv{rest}, (x8)\nhlv.d a1, (x9)" for rest in (".d a0", "x.wu a0"))
    assert [guest.do(hlv), guest.do(hlvx), guest.do(hlv)] == [1, -LOAD_PAGE_FAULT, 1]


def test_a_pte_changed_without_a_fence_is_never_half_believed(guest):
    """HLVX finds the new page: that stores were allowed to the old one says nothing of it."""
    pte = guest.first.entry(HERE)
    assert guest.store() == 0
    guest.memory.set_word(pte, FRAMES[1] >> 2 | SUPERVISOR & ~W & ~D)
    guest.do("li t0, 0x100\ncsrw hstatus, t0\nhlvx.wu a0, (x8)\nhlv.d a1, (x9)")
    guest.store(78)
    assert guest.memory.word(FRAMES[1]) == 2


def test_a_page_that_pmp_splits_is_looked_at_each_time(one_stage):
    one_stage.bench.set(satp=one_stage.space(FRAMES[0]).atp)
    one_stage.bench.set(pmpaddr0=(FRAMES[0] + 0x800 >> 2) | 0xFF, pmpcfg0=NAPOT_RWX << 8 | NAPOT, pmpaddr1=-1)
    assert [one_stage.load(), one_stage.load(x8=HERE + 0x7F8), one_stage.load(x8=HERE + 0x800)] == [1, 0, -LOAD_ACCESS_FAULT]


def test_a_store_to_code_is_seen_though_its_page_is_known(one_stage):
    """The page is stored to, and known for that, before there is code in it that has run."""
    one_stage.bench.set(satp=one_stage.space(FRAMES[0]).atp)
    add_4, add_9 = 0x8067_0045_0513, 0x8067_0095_0513                   # addi a0, a0, N; ret
    results = []
    for code in (add_4, add_9, add_4):
        assert one_stage.store(code) == 0
        results.append(one_stage.do(f"li t0, {FRAMES[0]:#x}\njalr t0\nnop\nnop"))
    assert results == [4, 9, 4]


# What makes it forget.

def test_a_fence_of_an_address(one_stage):
    space = one_stage.space(FRAMES[0])
    one_stage.bench.set(satp=space.atp)
    first = one_stage.load()
    space.map(HERE, FRAMES[1], SUPERVISOR)
    assert [first, one_stage.do("sfence.vma x8, x0\nld a0, (x8)")] == [1, 2]


def test_a_fence_of_an_address_of_a_guest(guest):
    first = guest.load()
    guest.first.map(HERE, FRAMES[1], SUPERVISOR)
    assert [first, guest.do("hfence.vvma x8, x0\nld a0, (x8)")] == [1, 2]


def test_a_fence_of_one_address_in_a_superpage_that_was_only_read_as_code(guest):
    """HLVX enters nothing in the small tables; still a fence of the superpage's last page is one of its first page."""
    frame = BASE & -1 << 21
    guest.first.map(HERE, frame, SUPERVISOR, 1)
    guest.second.map(frame, frame, FULL, 1)
    read = "li t0, 0x100\ncsrw hstatus, t0\n{}hlvx.wu a0, (x8)\nnop"
    before = guest.do(read.format(""), x8=HERE + 0x8000)
    other = guest.table()
    other.map(HERE + 0x8000, FRAMES[1], SUPERVISOR)
    pointer = guest.first.entry(HERE, 1)
    guest.memory.set_word(pointer, (other.entry(HERE) & ~0xFFF) >> 2 | 1)
    assert [before, guest.do(read.format("hfence.vvma x11, x0\n"), x8=HERE + 0x8000, x11=HERE + 0x1F_F000)] == [1, 2]


@pytest.mark.parametrize("generation", [0, GENERATION], ids=["the next", "the last"])
def test_ids_that_begin_again_find_nothing_of_their_past(one_stage, generation):
    """`the last`: generations begin again, too."""
    one_stage.bench.set(satp=one_stage.space(FRAMES[0]).atp)
    assert one_stage.load() == 1
    one_stage.hart.generation = generation
    one_stage.take_id(int(one_stage.hart.data_context), one_stage.space(FRAMES[1]).atp)
    assert one_stage.load() == 2


def test_an_id_that_begins_again_allows_nothing_of_its_past(one_stage):
    one_stage.bench.set(satp=one_stage.space(FRAMES[0]).atp)
    assert one_stage.store() == 0
    one_stage.take_id(int(one_stage.hart.data_context), one_stage.space(FRAMES[0], SUPERVISOR & ~W & ~D).atp)
    assert [one_stage.load(), one_stage.store(78)] == [77, -STORE_PAGE_FAULT]


def test_a_change_of_pmp(one_stage):
    one_stage.bench.set(satp=one_stage.space(FRAMES[0]).atp)
    first = one_stage.load()
    one_stage.bench.set(pmpaddr0=(FRAMES[0] >> 2) | 0x1FF, pmpcfg0=NAPOT_RWX << 8 | NAPOT, pmpaddr1=-1)
    assert [first, one_stage.load()] == [1, -LOAD_ACCESS_FAULT]


# Pages of VS-stage page tables.

def test_a_g_stage_fence_forgets_where_page_tables_are(guest):
    leaf = guest.first.entry(HERE)
    first = guest.load()
    guest.second.map(leaf & ~0xFFF, guest.copy_of_last_table(FRAMES[1]))
    assert [first, guest.do("hfence.gvma x0, x0\nld a0, (x8)")] == [1, 2]


def test_page_tables_of_one_guest_are_not_those_of_another(guest):
    other = guest.g_stage(guest.first)
    other.map(guest.first.entry(HERE) & ~0xFFF, guest.copy_of_last_table(FRAMES[1]))
    values = []
    for hgatp in (guest.second.atp, other.atp | 1 << 44) * 2:
        guest.bench.set(hgatp=hgatp, vsatp=guest.first.atp)
        values.append(guest.do("hfence.vvma x0, x0\nld a0, (x8)"))
    assert values == [1, 2, 1, 2]


def test_page_tables_of_a_guest_are_not_those_of_its_host(guest):
    guest.second.map(guest.first.entry(HERE) & ~0xFFF, guest.copy_of_last_table(FRAMES[1]))
    guest.bench.set(satp=guest.first.atp)
    values = []
    for guest.status in (AS_VS, AS_S) * 2:
        values.append(guest.do("hfence.vvma x0, x0\nsfence.vma x0, x0\nld a0, (x8)"))
    assert values == [2, 1, 2, 1]


@pytest.mark.parametrize("where", ["as many pages away as are remembered", "where the host has one of the G-stage"])
def test_page_tables_of_a_guest_are_told_from_others(guest, where):
    """HERE has one, and an address 2 MiB further on has another, whose guest physical address looks like that of one before."""
    other = guest.first.entry(HERE) + (TABLE_PAGES << 12) if where.startswith("as many") else guest.second.entry(FRAMES[0])
    guest.second.map(other & ~0xFFF, guest.copy_of_last_table(FRAMES[1]))
    guest.memory.set_word(guest.first.entry(HERE + (2 << 20), 1), (other & ~0xFFF) >> 2 | 1)
    values = [guest.do("hfence.vvma x0, x0\nld a0, (x8)", x8=HERE + away) for away in (0, 2 << 20, 0)]
    assert values == [1, 2, 1]


def test_without_a_g_stage_page_tables_are_where_they_say(guest):
    guest.second.map(guest.first.entry(HERE) & ~0xFFF, guest.copy_of_last_table(FRAMES[1]))
    first = guest.load()
    assert [first, guest.do("hfence.gvma x0, x0\ncsrw hgatp, x0\nhfence.gvma x0, x0\nld a0, (x8)")] == [2, 1]


@pytest.mark.parametrize("change", ["pmpcfg0", "pmpaddr0"])
@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_change_of_pmp_may_close_page_tables(guest, change, stage):
    leaf = guest.first.entry(HERE) if stage == "first" else guest.second.entry(FRAMES[0])
    closed = {"pmpaddr0": (leaf & ~0xFFF) >> 2 | 0x1FF, "pmpcfg0": NAPOT_RWX << 8 | NAPOT}
    guest.bench.set(**closed | {"pmpaddr1": -1, "pmpcfg0": NAPOT_RWX << 8} if change == "pmpcfg0" else
                    closed | {"pmpaddr1": -1, "pmpaddr0": FRAMES[6] >> 2 | 0x1FF})
    first = guest.load()
    guest.bench.set(**{change: closed[change]})
    assert [first, guest.do("hfence.vvma x0, x0\nld a0, (x8)")] == [1, -LOAD_ACCESS_FAULT]


@pytest.mark.parametrize("stage", ["first", "second"])
def test_page_tables_that_pmp_splits_are_looked_at_each_time(guest, stage):
    """The leaves of HERE and of a page 256 further on are in the two halves of one page: in one of the stages' tables."""
    far, frame = HERE + (256 << 12), FRAMES[1]
    if stage == "second":
        far, frame = HERE + 4096, BASE + (256 << 12)
        guest.second.map(frame, FRAMES[1])
    guest.first.map(far, frame, SUPERVISOR)
    upper = (guest.first.entry(far) if stage == "first" else guest.second.entry(frame)) & ~0x7FF
    guest.bench.set(pmpaddr0=upper >> 2 | 0xFF, pmpcfg0=NAPOT_RWX << 8 | NAPOT, pmpaddr1=-1)
    assert [guest.load(), guest.do("ld a0, (x8)\nnop", x8=far)] == [1, -LOAD_ACCESS_FAULT]


def test_what_may_be_read_as_a_page_table_may_not_be_written(guest):
    """The G-stage lets the page be read only: the walk may read its PTEs, but not set A in them (a store guest-page fault)."""
    guest.first.map(HERE, FRAMES[0], SUPERVISOR & ~A)
    guest.bench.set(menvcfg=ENVCFG_ADUE.mask, henvcfg=ENVCFG_ADUE.mask)
    table = guest.first.entry(HERE) & ~0xFFF
    guest.second.map(table, table, FULL & ~W & ~D)
    assert [guest.do("ld a1, (x9)\nnop"), guest.load()] == [0, -21]
