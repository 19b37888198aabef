"""Code that changes: whatever a store of any kind writes is what runs next, without a fence, on both engines alike."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp import Board, assemble, load
from rvhyp.hart.memory import PAGE_BYTES
from rvhyp.isa.instruction import INSTRUCTIONS
from tests.engine.blocks import PAGE, PAGES, block_lists, lay_out, plain_words
from tests.engine.paging import FULL, Allocator, PageTable, R, V, W, X
from tests.engine.programs import MODES, PROGRAM, install, install_handlers, program
from tests.engine.support import BASE, ENGINES, Bench, examples, hold_equal, hold_sliced, sizes

RAM = 1 << 19
ALIAS = 0x1000_0000                     # the code, mapped to be written, that far above where it runs
PATCHES = range(16, 20)                 # registers with code to store
AT, DISTANCE = 20, 21
STORES = ("sd", "sd", "sw", "sh", "sb", "fsd", "amoswap.d", "amoxor.w", "sc", "hsv.d")
FS_DIRTY = 3 << 13


@st.composite
def patches(draw, names=STORES):
    """Instructions that store into the code around them."""
    name, register = draw(st.sampled_from(names)), draw(st.sampled_from(PATCHES))
    offset = draw(st.integers(-40, 40)) * 2 if draw(st.integers(0, 5)) else draw(st.integers(-2040, 2040))
    take = [INSTRUCTIONS["auipc"].encode(rd=AT, imm=0), INSTRUCTIONS["add"].encode(rd=AT, rs1=AT, rs2=DISTANCE)]
    if name in ("sd", "sw", "sh", "sb"):
        return [*take, INSTRUCTIONS[name].encode(rs2=register, rs1=AT, imm=offset)]
    if name == "fsd":
        return [*take, INSTRUCTIONS[name].encode(fs2=register - 16, rs1=AT, imm=offset)]
    take += [INSTRUCTIONS["addi"].encode(rd=AT, rs1=AT, imm=offset), INSTRUCTIONS["andi"].encode(rd=AT, rs1=AT, imm=-8)]
    if name == "hsv.d":
        return [*take, INSTRUCTIONS[name].encode(rs2=register, rs1=AT)]
    if name == "sc":
        return [*take, INSTRUCTIONS["lr.d"].encode(rd=0, rs1=AT, aq=0, rl=0),
                INSTRUCTIONS["sc.d"].encode(rd=13, rs2=register, rs1=AT, aq=0, rl=0)]
    return [*take, INSTRUCTIONS[name].encode(rd=12, rs2=register, rs1=AT, aq=0, rl=0)]


@st.composite
def modifying_blocks(draw, names=STORES):
    blocks = draw(block_lists())
    for block in blocks:
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(block.words)))
            block.words[at:at] = draw(patches(names))
    return blocks


codes = st.lists(plain_words(), min_size=2, max_size=4).map(lambda words: int.from_bytes(program(words)[:8], "little"))
patch_values = st.fixed_dictionaries({f"x{n}": codes for n in PATCHES} | {f"f{n - 16}": codes for n in PATCHES}
                                     | {f"x{n}": st.integers(0, 3) for n in range(10, 16)})
runs = st.lists(st.one_of(st.integers(1, 5), st.integers(1, 150)), min_size=3, max_size=8)


@sizes(100, 3000)
def test_stores_near_the_pc(count):
    """Into the next instruction, the same line, the same page, the next page, across pages, by every kind of store."""
    @examples(count)
    @given(modifying_blocks(), patch_values, runs)
    def check(blocks, values, counts):
        hold_equal(lambda bench: install(bench, lay_out(blocks), **values, mstatus=FS_DIRTY), counts)
    check()


@sizes(40, 1000)
def test_stores_near_the_pc_in_slices(count):
    @examples(count)
    @given(modifying_blocks(), patch_values, runs)
    def check(blocks, values, counts):
        hold_sliced(lambda bench: install(bench, lay_out(blocks), **values, mstatus=FS_DIRTY), counts)
    check()


FRAMES = [BASE + 0x2000 + n * PAGE for n in range(5)]


@sizes(80, 2000)
def test_stores_through_another_mapping(count):
    """The code runs from pages that may not be written; stores reach it through others.  HSV writes it through the guest's."""
    @examples(count)
    @given(modifying_blocks(), patch_values, runs, st.sampled_from(("HS", "VS")), st.permutations(FRAMES))
    def check(blocks, values, counts, mode, frames):
        prv, v = MODES[mode]
        code, va = lay_out(blocks), 0x40_0000

        def prepare(bench):
            install_handlers(bench)
            table = PageTable(bench.memory, 8, Allocator())
            for number in range(PAGES):
                bench.memory.write(frames[number], code[number * PAGE:(number + 1) * PAGE])
                table.map(va + number * PAGE, frames[number], FULL & ~(1 << 4) & ~W)
                table.map(va + ALIAS + number * PAGE, frames[number], FULL & ~(1 << 4) & ~X)
            bench.set(satp=table.atp, vsatp=table.atp, hstatus=1 << 8, mstatus=FS_DIRTY, vsstatus=FS_DIRTY,
                      prv=prv, v=v, pc=va, **values | {f"x{DISTANCE}": ALIAS})
        hold_equal(prepare, counts, size=RAM)
    check()


@sizes(30, 500)
def test_a_small_pool_of_decoded_pages(count):
    """Room for one or two pages: decoded code is forgotten over and over."""
    @examples(count)
    @given(modifying_blocks(), patch_values, runs, st.integers(1, 2))
    def check(blocks, values, counts, pages):
        hold_equal(lambda bench: install(bench, lay_out(blocks), **values, mstatus=FS_DIRTY), [*counts, 400],
                   pool_bytes=pages * PAGE_BYTES)
    check()


def test_more_pages_than_the_pool_holds():
    """Twenty pages that call each other in turn, in a pool for three: every round decodes them all again."""
    def prepare(bench):
        install(bench, b"")
        for page in range(20):
            following = PROGRAM + (page + 1) % 20 * PAGE
            bench.put(f"addi x10, x10, {page}\nli x5, {following:#x}\njr x5\n", PROGRAM + page * PAGE)
    bench = hold_equal(prepare, [500, 1], pool_bytes=3 * PAGE_BYTES)
    assert bench.hart.x[10] > 190


def test_a_pool_without_room_for_a_page_is_refused():
    with pytest.raises(ValueError, match="page"):
        Bench("interpreter", pool_bytes=PAGE_BYTES - 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_host_writes_code(engine):
    """Memory.write is seen by decoded code: a loop is changed under the hart."""
    bench = Bench(engine)
    symbols = bench.put("loop: addi x10, x10, 1\nj loop\n")
    bench.run(100)
    bench.memory.write(symbols["loop"], INSTRUCTIONS["addi"].encode(rd=11, rs1=11, imm=1).to_bytes(4, "little"))
    before = bench.hart.x[10]
    bench.run(100)
    assert (bench.hart.x[10], bench.hart.x[11]) == (before, 50)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("instruction, result", [("amoadd.d a0, a1, (s0)", 0x13_0000_0013), ("sc.d a0, a1, (s0)", 0)])
def test_an_atomic_that_changes_code_of_its_own_page_writes_rd(engine, instruction, result):
    bench = Bench(engine)
    bench.put(f"""
        la s0, target
        li a0, -1
        li a1, {1 << 32 | 1 << 15:#x}
        jal target
        lr.d a2, (s0)
        {instruction}
        j .
        .balign 8
    target:
        nop
        nop
        ret
    """)
    bench.run(20)
    assert (bench.hart.x[10], bench.hart.x[0]) == (result, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_page_tables_that_lie_among_code(engine):
    """The hardware sets A and D in a PTE whose bytes have been run as code: the change is seen when they run again."""
    bench = Bench(engine, size=RAM)
    table = PageTable(bench.memory, 8, Allocator())
    leaf = table.map(0x1000, BASE + 0x8000, V | R | W)             # neither accessed nor dirty
    low = bench.word(leaf) & 0xFFFF_FFFF                            # of a floating-point instruction, illegal with FS=0
    bench.put(f"""
        li x5, {leaf:#x}
        la x1, 1f
        jr x5
    1:  li x6, 0x1000
        li x7, {1 << 17 | 1 << 11:#x}       # MPRV, MPP=S
        csrw mstatus, x7
        sd x8, (x6)
        csrw mstatus, zero
        la x1, 2f
        jr x5
    2:  j .
    """)
    bench.put("csrr x20, mtval\njr x1\n", BASE + 0x1000)
    bench.set(mtvec=BASE + 0x1000, satp=table.atp, menvcfg=1 << 61)
    bench.run(10)
    assert bench.hart.x[20] == low
    bench.run(40)
    assert bench.word(leaf) & 0xFFFF_FFFF == bench.hart.x[20] == low | 0xC0


WATCHED = """
_start:
    la      s0, tohost
    li      s1, 0x00150513                  # addi a0, a0, 1
    li      s2, 0x00008067                  # ret
    li      a0, 0
    {store}                                 # beside what is watched: its page may be entered in a TLB
    {store}
    sw      s1, 256(s0)
    sw      s2, 260(s0)
    fence.i
    addi    t0, s0, 256
    jalr    t0                              # a0 = 1: now there is decoded code beside what is watched
    li      s1, 0x00250513                  # addi a0, a0, 2
    sw      s1, 256(s0)
    fence.i
    jalr    t0                              # a0 = 3
    {store}
    slli    a0, a0, 1
    ori     a0, a0, 1
    sd      a0, (s0)
1:  addi    s3, s3, 1
    j       1b
    .balign 4096
tohost: .dword 0
    .zero   1024
"""


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("store", ["sd a0, 128(s0)", "fsd fa0, 128(s0)"])
def test_a_page_may_be_watched_and_hold_data_and_code(name, store):
    board = Board(engine=name)
    board.machine.hart.mstatus = 3 << 13
    board.load(load(assemble(WATCHED.format(store=store), 0x8000_0000).to_elf()))
    outcome = board.run(1000)
    assert (outcome.ended.value, outcome.status) == ("exit", 3)
    assert board.machine.hart.x[19] == 0, "the store ends the run at once"
