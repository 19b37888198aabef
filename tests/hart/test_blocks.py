"""Cache-block operations: the gates of every mode, what is zeroed, what is checked, and what a trap says."""
from itertools import product

import pytest

from rvhyp.isa.instruction import INSTRUCTIONS
from tests.engine.paging import FULL, PAGE, A, Allocator, D, PageTable, R, U, V, W, X
from tests.engine.programs import MODES, to_bytes
from tests.engine.support import BASE, ENGINES, Bench, hold_equal

ILLEGAL, VIRTUAL = 2, 22
STORE, STORE_PAGE, STORE_GUEST = 7, 15, 23
MANAGEMENT = ("cbo.inval", "cbo.clean", "cbo.flush")
OPERATIONS = (*MANAGEMENT, "cbo.zero")
FIELD = {"cbo.inval": 4, "cbo.clean": 6, "cbo.flush": 6, "cbo.zero": 7}     # where it begins in menvcfg, henvcfg, senvcfg
OPEN = {"menvcfg": 0xF0 | 1 << 61, "henvcfg": 0xF0 | 1 << 61, "senvcfg": 0xF0}
CODE, DATA = BASE + 0x1000, BASE + 0x2000
A1 = 11
both = pytest.mark.parametrize("engine", ENGINES)


def word(name):
    """The operation on the block that a1 points to."""
    return INSTRUCTIONS[name].encode(**dict.fromkeys(INSTRUCTIONS[name].fields, A1))


def execute(engine, name, address, mode="M", data=b"\xA5" * 256, **state):
    """Run it in a mode, with traps to M; gives the bench and the cause, 0 if it retired."""
    bench = Bench(engine)
    prv, v = MODES[mode]
    bench.put(data, DATA)
    bench.set(prv=prv, v=v, x11=address, **state)
    return bench, cause_of(bench, name)


def cause_of(bench, name):
    """Run the operation, and then the handler if it traps."""
    bench.put("j .", BASE)
    bench.put(to_bytes(word(name)), CODE)
    bench.set(mtvec=BASE, pc=CODE)
    bench.run(1)
    assert bench.hart.pc in (BASE, CODE + 4)
    return bench.csr("mcause") if bench.hart.pc == BASE else 0


# Gates (section 2 of "CMO": table of xenvcfg fields).

def expected(mode, m, h, s):
    """The manual's ladder: M asks nobody, then menvcfg, then henvcfg where V=1, then senvcfg in U and VU."""
    if mode == "M":
        return 0
    if not m:
        return ILLEGAL
    asked = {"HS": (), "U": (s,), "VS": (h,), "VU": (h, s)}[mode]
    return 0 if all(asked) else VIRTUAL if mode[0] == "V" else ILLEGAL


@both
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("mode", MODES)
def test_who_may(engine, name, mode):
    values = (0, 1, 3) if name == "cbo.inval" else (0, 1)
    for m, h, s in product(values, repeat=3):
        fields = {f"{x}envcfg": value << FIELD[name] for x, value in zip("mhs", (m, h, s), strict=True)}
        bench, cause = execute(engine, name, DATA, mode, **fields)
        assert cause == expected(mode, m, h, s), (m, h, s)
        if cause:
            assert (bench.csr("mtval"), bench.csr("mtval2"), bench.csr("mtinst")) == (word(name), 0, 0)


@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_only_its_own_field_counts(engine, name):
    field = {"cbo.inval": 0x30, "cbo.clean": 0x40, "cbo.flush": 0x40, "cbo.zero": 0x80}[name]
    for x, mode in (("m", "HS"), ("h", "VS"), ("s", "U")):
        closed = OPEN | {f"{x}envcfg": OPEN[f"{x}envcfg"] & ~field}
        only = OPEN | {f"{x}envcfg": field}
        assert execute(engine, name, DATA, mode, **closed)[1] == (VIRTUAL if mode == "VS" else ILLEGAL)
        assert execute(engine, name, DATA, mode, **only)[1] == 0


# Zeroing.

@both
@pytest.mark.parametrize("offset", [0, 1, 63, 64, 100])
def test_zeroes_the_block_around_an_address(engine, offset):
    bench, cause = execute(engine, "cbo.zero", DATA + offset)
    start = offset & ~63
    assert cause == 0
    assert bench.memory.read(DATA, 256) == b"\xA5" * start + bytes(64) + b"\xA5" * (192 - start)


@both
def test_zeroes_again_and_again(engine):
    """The second block is found in the TLB; the last one is in another page."""
    bench = Bench(engine)
    bench.put(b"\xA5" * 2 * PAGE, DATA)
    bench.put(f"li a2, 4\n1: .word {word('cbo.zero')}\n addi a1, a1, 128\n bnez a2, 2f\n li a1, {DATA + PAGE}\n"
              f"2: addi a2, a2, -1\n bgez a2, 1b\n j .")
    bench.set(x11=DATA)
    bench.run(60)
    zeroed = {n for n in range(2 * PAGE // 64) if bench.memory.read(DATA + 64 * n, 64) == bytes(64)}
    assert zeroed == {0, 2, 4, 6, 8}
    assert all(bench.memory.read(DATA + 64 * n, 64) == b"\xA5" * 64 for n in set(range(128)) - zeroed)


@both
@pytest.mark.parametrize("name", MANAGEMENT)
def test_management_changes_nothing(engine, name):
    bench, cause = execute(engine, name, DATA + 5)
    assert cause == 0 and bench.memory.read(DATA, 256) == b"\xA5" * 256


def test_decoded_code_is_forgotten():
    """A block of code is zeroed after it has run: what comes then is an illegal instruction."""
    def prepare(bench):
        bench.put(f"jal other\n .word {word('cbo.zero')}\n jal other\n .balign 64\n other: li a0, 1\n ret")
        bench.put("j .", BASE + 0x800)
        bench.set(x11=BASE + 64 + 9, mtvec=BASE + 0x800)
    bench = hold_equal(prepare, [3, 1, 5])
    assert (bench.csr("mcause"), bench.csr("mepc"), bench.csr("mtval")) == (ILLEGAL, BASE + 64, 0)


# Translation.  One stage: the leaf's flags, the operation, the cause, flags after.

NO_D, CLEAN = R | W | U | V | A, R | U | V | A
LEAVES = [
    ("cbo.zero", FULL, 0, FULL), ("cbo.zero", NO_D, 0, NO_D | D), ("cbo.zero", FULL & ~W & ~D, STORE_PAGE, None),
    ("cbo.zero", 0, STORE_PAGE, None),
    *((name, flags, cause, after) for name in MANAGEMENT for flags, cause, after in (
        (FULL, 0, FULL), (NO_D, 0, NO_D), (CLEAN, 0, CLEAN), (CLEAN & ~A, 0, CLEAN), (X | U | V | A, STORE_PAGE, None),
        (CLEAN & ~U, STORE_PAGE, None), (0, STORE_PAGE, None))),
]


def tables(bench, flags, g_flags=None, table_flags=FULL):
    """A page of code and a page of data behind one stage, or two; gives the atps and the PTE of the data."""
    allocate = Allocator()
    first = PageTable(bench.memory, 8, allocate)
    first.map(CODE, CODE)
    leaf = first.map(DATA, DATA, flags)
    atps = {"satp": first.atp}
    g_leaf = 0
    if g_flags is not None:
        g_stage = PageTable(bench.memory, 8, allocate, is_wide=True)
        for page in first.tables:
            g_stage.map(page, page, table_flags)
        g_stage.map(CODE, CODE)
        g_leaf = g_stage.map(DATA, DATA, g_flags)
        atps = {"vsatp": first.atp, "hgatp": g_stage.atp}
    return atps, leaf, g_leaf


def translated(engine, name, mode, *flags, **state):
    """Run it on the byte 0x123 of the data; gives the bench, the cause and the leaves after."""
    bench = Bench(engine, size=1 << 19)
    atps, leaf, g_leaf = tables(bench, *flags)
    prv, v = MODES[mode]
    bench.set(prv=prv, v=v, x11=DATA + 0x123, **OPEN | atps | state)
    cause = cause_of(bench, name)
    return bench, cause, bench.word(leaf) & 0xFF, bench.word(g_leaf) & 0xFF if g_leaf else 0


@both
@pytest.mark.parametrize("name, flags, cause, after", LEAVES)
def test_permissions_of_a_page(engine, name, flags, cause, after):
    bench, found, now, _ = translated(engine, name, "U", flags)
    assert found == cause
    if cause:
        assert (bench.csr("mtval"), bench.csr("mtval2"), bench.csr("mtinst")) == (DATA + 0x123, 0, 0)
    else:
        assert now == after


@both
def test_mxr_makes_executable_readable(engine):
    """So a load, and with it management, is permitted; CBO.ZERO is not."""
    flags = X | U | V | A | D
    assert translated(engine, "cbo.clean", "U", flags, mstatus=1 << 19)[1] == 0
    assert translated(engine, "cbo.zero", "U", flags, mstatus=1 << 19)[1] == STORE_PAGE


@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_permissions_of_the_second_stage(engine, name):
    bench, cause, _, after = translated(engine, name, "VU", FULL, FULL & ~(A | D))
    assert (cause, after & (A | D)) == (0, A | D if name == "cbo.zero" else A)
    for g_flags in (0, X | U | V | A, *((CLEAN,) if name == "cbo.zero" else ())):
        bench, cause, *_ = translated(engine, name, "VU", FULL, g_flags)
        assert cause == STORE_GUEST
        assert (bench.csr("mtval"), bench.csr("mtval2"), bench.csr("mtinst")) == (DATA + 0x123, DATA + 0x123 >> 2, 0)
        assert bench.csr("mstatus") >> 38 & 1                       # GVA


@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_implicit_access_keeps_its_pseudo_instruction(engine, name):
    """The second stage lets the hart read the page table, but not set A in it."""
    bench, cause, *_ = translated(engine, name, "VU", FULL & ~A, FULL, R | U | V | A)
    assert (cause, bench.csr("mtval"), bench.csr("mtinst")) == (STORE_GUEST, DATA + 0x123, 0x3020)


@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_mprv_lends_the_mode_but_not_the_gate(engine, name):
    """In M-mode with MPRV the page tables of U apply, and no field of any envcfg."""
    bench = Bench(engine, size=1 << 19)
    atps, _, _ = tables(bench, FULL & ~U)
    bench.set(x11=DATA, mstatus=1 << 17, **atps)
    assert cause_of(bench, name) == STORE_PAGE and bench.csr("mtval") == DATA


# Physical memory.

@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_pmp_must_allow_the_whole_block(engine, name):
    """An entry of 8 bytes without permissions at the end of the block refuses it, wherever in the block the address is."""
    denied = {"pmpaddr0": DATA + 56 >> 2, "pmpaddr1": -1, "pmpcfg0": 0x1F << 8 | 0x18}
    bench, cause = execute(engine, name, DATA + 3, "HS", **OPEN | denied)
    assert (cause, bench.csr("mtval"), bench.csr("mtinst")) == (STORE, DATA + 3, 0)
    assert bench.memory.read(DATA, 64) == b"\xA5" * 64
    assert execute(engine, name, DATA + 64, "HS", **OPEN | denied)[1] == 0


@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_pmp_permissions(engine, name):
    """A page that may only be read: management is permitted; one that may only be executed: nothing is."""
    def cause(permissions):
        ranges = {"pmpaddr0": DATA >> 2 | 511, "pmpaddr1": -1, "pmpcfg0": 0x1F << 8 | 0x18 | permissions}
        return execute(engine, name, DATA, "HS", **OPEN | ranges)[1]
    assert (cause(3), cause(1), cause(4)) == (0, STORE if name == "cbo.zero" else 0, STORE)


@both
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_no_memory_has_no_blocks(engine, name):
    bench, cause = execute(engine, name, 0x1000_0007)
    assert (cause, bench.csr("mtval"), bench.csr("mtinst")) == (STORE, 0x1000_0007, 0)


@both
def test_watched_words_are_noticed(engine):
    """HTIF's tohost, if somebody zeroes it."""
    bench = Bench(engine)
    bench.put(to_bytes(word("cbo.zero")))
    bench.set(x11=DATA, watch_low=DATA + 8, watch_high=DATA + 16)
    assert bench.run(1)[0] == ("watched store", 1)
