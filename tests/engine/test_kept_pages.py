"""What a look at the TLB found is kept for the accesses that follow, as long as it holds (rvhyp.engine.translator.groups)."""
import pytest

from rvhyp.engine.decoded import decoded
from rvhyp.engine.translator.blocks import discover
from rvhyp.engine.translator.flow import Flow
from rvhyp.engine.translator.strides import strides
from rvhyp.hart.state import KEPT
from rvhyp.isa.text import assemble
from tests.engine.paging import FRAMES, PAGE, TABLES, A, D, PageTable, R, V, W, X
from tests.engine.support import BASE, Bench, difference, hold_translated

DATA = 0x4000_0000                      # a virtual address
KERNEL = V | R | W | X | A | D
SLICES = [997, 1003, 4000, 9000]


def near(code: str) -> set[str]:
    """The symbols of a program at whose instructions accesses are taken to stay near."""
    assembly = assemble(code, BASE)
    page = bytes(assembly.sections[0].data).ljust(PAGE, b"\0")
    region = discover(page, [0], (1 << 64) - 1, 150)
    slots = strides(region, Flow(region))
    return {name for name, at in assembly.symbols.items() if at - BASE >> 1 in slots}


def test_what_moves_little_in_a_loop_is_near_and_what_memory_leads_to_is_not():
    assert near("""
    start:
    outer:      li      a3, 8
    bucket:     ld      a0, 0(a0)               # from outside of the inner loop: not known
    inner:
    fixed:      ld      a4, 0(s0)
    element:    lw      a5, 0(a1)
                slli    a6, a3, 3
                add     a6, a6, s1
    indexed:    sd      a5, 0(a6)
    column:     ld      a7, 0(a2)
    chased:     ld      a0, 8(a0)
    spilled:    ld      t0, 16(sp)
    through:    ld      t1, 0(t0)
                addi    a1, a1, 4
                addi    a2, a2, 2000
                addi    a3, a3, -1
                bnez    a3, inner
                j       outer
    """) == {"inner", "fixed", "element", "indexed", "spilled", "through"}


def prepare_paging(bench: Bench, code: str, spaces: int, beside: int = 0) -> None:
    """In S-mode: code and page tables where they are, in each address space; s2, s3 are PTEs of two frames for DATA, whose own
    PTE is at s1.  `beside` is the number of the frame of the page behind DATA; behind that is the first again.
    """
    bench.put(code)
    memory, free = bench.memory, [TABLES]

    def allocate(pages: int) -> int:
        free[0] += PAGE * pages
        return free[0] - PAGE * pages
    tables = [PageTable(memory, 8, allocate) for _ in range(spaces)]
    for number, table in enumerate(tables):
        for at in range(BASE, BASE + 0x30000, PAGE):
            table.map(at, at, KERNEL)
        pte = table.map(DATA, FRAMES + PAGE * number, KERNEL)
        table.map(DATA + PAGE, FRAMES + PAGE * beside, KERNEL)
        table.map(DATA + 2 * PAGE, FRAMES, KERNEL)
    for number in range(2):
        memory.set_word(FRAMES + PAGE * number, 3 + 10 * number)
        memory.set_word(FRAMES + PAGE * number + PAGE - 64, 7 + 10 * number)
    ptes = [FRAMES + PAGE * number >> 12 << 10 | KERNEL for number in range(2)]
    bench.set(satp=tables[0].atp | 1 << 44, prv=1, x9=pte, x18=ptes[1], x19=ptes[0], x8=tables[0].atp | 1 << 44,
              x20=tables[-1].atp | 2 << 44)


REMAPPED = """
outer:  li      t1, 20
        li      a0, 0x40000000
inner:  ld      a1, 0(a0)
        add     a2, a2, a1
        addi    t1, t1, -1
        bnez    t1, inner
        sd      s2, 0(s1)
        mv      t2, s2
        mv      s2, s3
        mv      s3, t2
        sfence.vma FENCED
        j       outer
"""


@pytest.mark.parametrize("fenced", ["a0, zero", "zero, zero"])
def test_a_page_that_is_mapped_elsewhere_is_not_kept_behind_its_fence(fenced):
    bench = hold_translated(lambda bench: prepare_paging(bench, REMAPPED.replace("FENCED", fenced), 1), SLICES)
    assert bench.translated


SWITCHED = """
outer:  li      t1, 20
        li      a0, 0x40000000
inner:  ld      a1, 0(a0)
        add     a2, a2, a1
        addi    t1, t1, -1
        bnez    t1, inner
        csrw    satp, s4
        mv      t2, s4
        mv      s4, s0
        mv      s0, t2
        j       outer
"""


def test_pages_of_another_address_space_are_not_kept():
    assert hold_translated(lambda bench: prepare_paging(bench, SWITCHED, 2), SLICES).translated


WRITTEN = """
        la      s1, made
        li      s2, 0x00150513          # addi a0, a0, 1
        li      s3, 0x00100000          # ... 2, 3, 4
outer:  li      t1, COUNT
        addi    t2, s1, -BEFORE
inner:  sw      s2, 0(t2)
        addi    t2, t2, 4
        addi    t1, t1, -1
        bnez    t1, inner
        fence.i
        jalr    s1
        add     s2, s2, s3
        j       outer
        .balign 4096
        .zero   4096
made:   .zero   16
        ret
"""


@pytest.mark.parametrize("before", [0, 64])
def test_stores_to_a_page_with_code_since_then_are_noticed(before):
    """Only the code that stores is translated before it runs: the page it stores to is not known to have code, and is kept with
    the one before it where the stores begin there."""
    learning, plain, bench = (Bench("translator") for _ in range(3))
    for each in (learning, plain, bench):
        each.put(WRITTEN.replace("COUNT", str(4 + before // 4)).replace("BEFORE", str(before)))
    learning.run(SLICES[0])
    engine = bench.machine.engine
    assert engine.translate(bench.hart, BASE, decoded(learning.hart)[BASE], 40)
    for count in SLICES:
        assert plain.run(count) == bench.run(count)
        assert not difference(plain.state(), bench.state())


ACROSS = """
        li      s1, 0x40001000
outer:  li      t1, 32
        addi    a0, s1, -64
inner:  ld      a1, 0(a0)               # a group of 32 bytes
        ld      a2, 8(a0)
        add     a3, a1, a2
        sd      a3, 16(a0)
        sd      a1, 24(a0)
        addi    a0, a0, 4
        addi    t1, t1, -1
        bnez    t1, inner
        j       outer
"""


def longest(bench: Bench) -> int:
    """Of what is kept, the most bytes in which an access may begin."""
    return max(int(bench.hart.kept_limit[place]) for place in range(KEPT))


def test_groups_that_run_over_the_end_of_a_page():
    bench = hold_translated(lambda bench: prepare_paging(bench, ACROSS, 1), SLICES)
    assert bench.translated and 0 < longest(bench) <= PAGE


def test_pages_that_are_beside_each_other_in_memory_too_are_kept_together():
    bench = hold_translated(lambda bench: prepare_paging(bench, ACROSS, 1, beside=1), SLICES)
    assert bench.translated and PAGE < longest(bench) <= 2 * PAGE


SECOND = """
outer:  li      t1, 1200
        li      a0, 0x40000000
inner:  ld      a1, 0(a0)
        add     a2, a2, a1
        addi    a0, a0, 8
        addi    t1, t1, -1
        bnez    t1, inner
        sd      s3, 8(s1)               # the page behind DATA is the first frame now, then the second again
        mv      t2, s2
        mv      s2, s3
        mv      s3, t2
        li      a3, 0x40001000
        sfence.vma a3, zero
        j       outer
"""


def test_a_page_is_not_kept_with_the_one_before_it_behind_its_fence():
    assert hold_translated(lambda bench: prepare_paging(bench, SECOND, 1, beside=1), SLICES).translated
