"""Translation contexts and TLBs: nothing leaks from one address space to another, however many there are."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.paging import FULL, Allocator, PageTable, U
from tests.engine.support import BASE, ENGINES, Bench, examples, hold_equal, sizes

RAM = 1 << 19
VA = 0x40_0000
FRAMES = [BASE + 0x8000 + n * 4096 for n in range(8)]
MPRV_S = 1 << 17 | 1 << 11              # loads and stores of M-mode are made as S-mode would
SUPERVISOR = FULL & ~U


def spaces(bench: Bench, count: int, user: int = 0) -> list[int]:
    """Tables in which VA leads to a frame of its own, that holds the number of the space: the values of satp without ASID."""
    allocate, roots = Allocator(), []
    for number in range(count):
        table = PageTable(bench.memory, 8, allocate)
        table.map(VA, FRAMES[number], SUPERVISOR | user)
        bench.memory.set_word(FRAMES[number], number + 1)
        roots.append(table.atp)
    return roots


@pytest.mark.parametrize("engine", ENGINES)
def test_more_address_spaces_than_context_ids(engine):
    """600 ASIDs of two spaces in turn, twice over: each load sees its own space."""
    bench = Bench(engine, size=RAM)
    even, odd = spaces(bench, 2)
    bench.put(f"""
            li s0, {VA:#x}
            li s1, {even:#x}
            li s2, {odd:#x}
            li s3, {1 << 44:#x}
            li t0, {MPRV_S:#x}
            csrw mstatus, t0
            li s4, 2
    again:  li s5, 300
            mv t1, s1
            mv t2, s2
            add t2, t2, s3
    1:      csrw satp, t1
            ld a0, (s0)
            add a1, a1, a0
            csrw satp, t2
            ld a0, (s0)
            add a2, a2, a0
            add t1, t1, s3
            add t1, t1, s3
            add t2, t2, s3
            add t2, t2, s3
            addi s5, s5, -1
            bnez s5, 1b
            addi s4, s4, -1
            bnez s4, again
            j .
    """)
    bench.run(8000)
    assert (bench.hart.x[11], bench.hart.x[12]) == (600, 1200)


@pytest.mark.parametrize("count", [4000])
def test_the_contexts_of_a_guest_never_take_those_of_its_host(count):
    """HS reads through HLV in {count} address spaces of the guest: its own loads and fetches stay its own."""
    bench = Bench("interpreter", size=RAM)
    host, guest = spaces(bench, 2)
    table = PageTable(bench.memory, 8, Allocator(BASE + 0x40000))
    table.map(VA, FRAMES[0], SUPERVISOR)                            # says 1
    for page in range(2):
        table.map(BASE + page * 4096, BASE + page * 4096, SUPERVISOR)
    bench.put(f"""
            li s0, {VA:#x}
            li s1, {guest:#x}
            li s3, {1 << 44:#x}
            li s5, {count}
    1:      csrw vsatp, s1
            hlv.d a0, (s0)
            ld a1, (s0)
            add a2, a2, a0
            add a3, a3, a1
            add s1, s1, s3
            addi s5, s5, -1
            bnez s5, 1b
            j .
    """)
    bench.set(satp=table.atp, prv=1, hstatus=1 << 8)
    bench.run(count * 9)
    assert (bench.hart.x[12], bench.hart.x[13]) == (2 * count, count)


def test_the_contexts_of_loads_never_take_those_of_fetches():
    """M-mode with MPRV loads as U of thousands of spaces; what it fetches stays physical, and U then fetches through tables."""
    bench = Bench("interpreter", size=RAM)
    table = PageTable(bench.memory, 8, Allocator(BASE + 0x40000))
    table.map(BASE, FRAMES[3], FULL)                                # U has other code at this address
    bench.put("addi a5, a5, 1\necall\n", FRAMES[3])
    bench.put(f"""
            li s1, {table.atp:#x}
            li s3, {1 << 44:#x}
            li s5, 3000
            la t2, handler
            csrw mtvec, t2
            li t1, {BASE:#x}
            j 1f
            .balign 4096
    handler:
            j back
    1:      csrw satp, s1
            li t0, {1 << 17:#x}
            csrw mstatus, t0
            ld a1, (t1)
            csrw mepc, t1
            mret
    back:   add s1, s1, s3
            addi s5, s5, -1
            bnez s5, 1b
            j .
    """)
    bench.run(3000 * 14)
    assert (bench.hart.x[15], bench.hart.x[21]) == (3000, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_pages_that_share_a_tlb_entry(engine):
    """Loads, stores and jumps in turn at addresses 4 MiB apart."""
    bench = Bench(engine, size=RAM)
    table = PageTable(bench.memory, 8, Allocator())
    for number in range(3):
        table.map(VA + (number << 22), FRAMES[number], SUPERVISOR)
        table.map(VA + 0x1000 + (number << 22), FRAMES[3 + number], SUPERVISOR)
        bench.put(f"addi a{number}, a{number}, 1\nld t0, (s{number + 2})\nadd t0, t0, s1\nsd t0, (s{number + 2})\n"
                  f"jr a{4 + number}\n", FRAMES[3 + number])
        bench.set(**{f"x{18 + number}": VA + (number << 22), f"x{14 + number}": VA + 0x1000 + ((number + 1) % 3 << 22)})
    bench.set(x9=1, satp=table.atp, prv=1, pc=VA + 0x1000)
    bench.run(5 * 30)
    assert [int(bench.hart.x[10 + n]) for n in range(3)] == [10, 10, 10]
    assert [bench.word(frame) for frame in FRAMES[:3]] == [10, 10, 10]


@pytest.mark.parametrize("engine", ENGINES)
def test_fences_are_exhausting_too(engine):
    """Every fence gives its contexts new ids: a thousand of them, with a PTE changed before each."""
    bench = Bench(engine, size=RAM)
    spaces(bench, 2)
    table = PageTable(bench.memory, 8, Allocator(BASE + 0x40000))
    leaf = table.map(VA, FRAMES[0], SUPERVISOR)
    other = bench.word(leaf) + (1 << 10)                            # the frame after it
    bench.put(f"""
            li s0, {VA:#x}
            li s1, {leaf:#x}
            li s2, {other:#x}
            li s3, {bench.word(leaf):#x}
            li s4, {MPRV_S:#x}
            li s5, 600
    1:      sd s2, (s1)
            sfence.vma
            csrs mstatus, s4
            ld a0, (s0)
            csrc mstatus, s4
            add a1, a1, a0
            sd s3, (s1)
            sfence.vma s0, zero
            csrs mstatus, s4
            ld a0, (s0)
            csrc mstatus, s4
            add a2, a2, a0
            addi s5, s5, -1
            bnez s5, 1b
            j .
    """)
    bench.set(satp=table.atp, mstatus=1 << 11)
    bench.run(600 * 14 + 40)
    assert (bench.hart.x[11], bench.hart.x[12]) == (1200, 600)


@sizes(30, 500)
def test_random_walks_between_spaces(count):
    """Two VMIDs, the same ASIDs in host and guests, HS, U, VS and VU in turn, without a fence: loads say where they landed."""
    steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)), min_size=3, max_size=25)

    @examples(count)
    @given(steps, st.lists(st.integers(1, 60), min_size=2, max_size=5))
    def check(steps, counts):
        expected = sum(1 << 8 * (space + 4 * vmid * (mode > 1)) for mode, space, vmid in steps)

        def prepare(bench):
            roots = spaces(bench, 4, U)
            g_roots = []
            allocate = Allocator(BASE + 0x40000)
            for vmid in range(2):
                g_stage = PageTable(bench.memory, 8, allocate, is_wide=True)
                for page in range(0x10000, 0x20000, 4096):
                    g_stage.map(BASE + page, BASE + page)
                for number in range(4):
                    g_stage.map(FRAMES[number], FRAMES[number + 4 * vmid])
                g_roots.append(g_stage.atp | vmid << 44)
            for number, frame in enumerate(FRAMES):
                bench.memory.set_word(frame, 1 << 8 * number)
            lines = [f"li s0, {VA:#x}", "li a0, 0", f"li t0, {1 << 18:#x}", "csrw vsstatus, t0"]
            for mode, space, vmid in steps:
                prv, v = ((1, 0), (0, 0), (1, 1), (0, 1))[mode]
                lines += [f"li t0, {roots[space] | space << 44:#x}", f"csrw {'vsatp' if v else 'satp'}, t0",
                          f"li t0, {g_roots[vmid]:#x}", "csrw hgatp, t0",
                          f"li t0, {1 << 17 | prv << 11 | v << 39 | 1 << 18:#x}", "csrw mstatus, t0",       # MPRV, MPP, MPV, SUM
                          "ld t1, (s0)", "add a0, a0, t1"]
            bench.put("\n".join([*lines, "j ."]))
        bench = hold_equal(prepare, [*counts, 900], size=RAM)
        assert bench.hart.x[10] == expected
    check()
