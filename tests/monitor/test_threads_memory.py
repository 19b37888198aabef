"""Harts at the same time, each on a thread of the host: what one stores, translates and writes as code, others see as the manual
says.
"""
import pytest

from tests.monitor.harts import ENGINES, both, words


@pytest.mark.parametrize("on", ENGINES)
def test_atomics_of_two_harts_lose_nothing(on):
    turns = 20_000
    run = both(f"""
    MEET
    li s2, {turns}
1:  addi t0, s1, 64
    amoadd.d zero, s10, (t0)
    addi t0, s1, 256            # a lock, and what it guards
4:  amoswap.w.aq t1, s10, (t0)
    bnez t1, 4b
    ld t1, 64(t0)
    addi t1, t1, 1
    sd t1, 64(t0)
    amoswap.w.rl zero, zero, (t0)
    addi t0, s1, 384
5:  ld t1, (t0)
    addi t2, t1, 1
    mv t3, t1
    amocas.d t3, t2, (t0)
    bne t3, t1, 5b
    addi t0, s1, 448            # a pair
6:  ld t2, (t0)
    ld t3, 8(t0)
    addi t4, t2, 1
    addi t5, t3, 3
    mv a2, t2
    mv a3, t3
    mv a4, t4
    mv a5, t5
    amocas.q a2, a4, (t0)
    bne a2, t2, 6b
    bne a3, t3, 6b
    addi t0, s1, 512
    amomax.d zero, s2, (t0)
    addi s2, s2, -1
    bnez s2, 1b
    MEET
    li a0, 0
""", on=on)
    assert words(run, 8) == [2 * turns, 0, 0, 0, 2 * turns, 2 * turns, 2 * turns, turns]
    assert run.vm.memory.word(0x8080_0000 + 7 * 64 + 8) == 6 * turns


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("size", ["w", "d"])
def test_a_store_conditional_fails_where_another_hart_has_stored_since(on, size):
    """Each adds to a counter that both have, and to a word of its own in one doubleword with the other's."""
    turns = 50_000
    run = both(f"""
    MEET
    li s2, {turns}
    addi s3, s1, 64
    slli s4, s0, 2
    add s4, s4, s1
    addi s4, s4, 128
1:  lr.{size} t1, (s3)
    addi t1, t1, 1
    sc.{size} t2, t1, (s3)
    bnez t2, 1b
2:  lr.w t1, (s4)
    addi t1, t1, 1
    sc.w t2, t1, (s4)
    bnez t2, 2b
    addi s2, s2, -1
    bnez s2, 1b
    MEET
    li a0, 0
""", on=on)
    assert words(run, 2) == [2 * turns, turns | turns << 32]


@pytest.mark.parametrize("on", ENGINES)
def test_fence_orders_stores_before_loads(on):
    """Store buffering: with a FENCE in between, two harts never both read the old value."""
    run = both("""
    slli s4, s0, 6
    add s4, s4, s1
    addi s4, s4, 128            # mine
    xori t0, s0, 1
    slli t0, t0, 6
    add s5, t0, s1
    addi s5, s5, 128            # the other's
    li s2, 1000
1:  MEET
    sd s2, (s4)
    fence rw, rw
    ld s6, (s5)
    sd s6, 8(s4)                # what I saw
    MEET
    bnez s0, 2f
    ld t0, 8(s4)
    ld t1, 8(s5)
    beq t0, s2, 2f
    beq t1, s2, 2f
    ld t0, 64(s1)               # both saw what was before
    addi t0, t0, 1
    sd t0, 64(s1)
2:  addi s2, s2, -1
    bnez s2, 1b
    li a0, 0
""", on=on)
    assert words(run, 1) == [0]


@pytest.mark.parametrize("on", ENGINES)
def test_time_is_one(on):
    """What a hart reads is not before what another has read and told it."""
    run = both("""
    MEET
    li s2, 20000
    addi s3, s1, 128
    bnez s0, 2f
1:  rdtime t0
    fence rw, w
    sd t0, (s3)
    addi s2, s2, -1
    bnez s2, 1b
    j 4f
2:  ld t0, (s3)
    fence r, rw
    rdtime t1
    bgeu t1, t0, 3f
    addi s4, s4, 1
3:  addi s2, s2, -1
    bnez s2, 2b
    sd s4, 64(s1)
4:  MEET
    li a0, 0
""", on=on)
    assert words(run, 1) == [0]


# Hart 0 writes a function anew, "li a0, n; ret", hart 1 calls it, for half a second.  {publish} is what hart 0 does before it
# says so, {fetch} what hart 1 does before it calls; {away} is how far the next function is away.
REWRITE = """
    li s3, 0x80900000 + 0x400   # the function
    li s4, 1
    li s6, 2047
    li s8, {away}
    rdtime s9
    li t0, 5000000
    add s9, s9, t0
    MEET
1:  and s7, s4, s6              # n
    bnez s0, 2f
    slli t0, s7, 20
    li t1, 0x513                # addi a0, zero, n
    or t0, t0, t1
    sw t0, (s3)
    li t1, 0x8067
    sw t1, 4(s3)
    {publish}
    fence rw, w
    sd s4, 128(s1)
3:  ld t0, 192(s1)              # called
    bne t0, s4, 3b
    {beside}
    rdtime t0
    bltu t0, s9, 4f
    li s4, -1
    sd s4, 128(s1)
    j 5f
2:  ld t0, 128(s1)
    bltz t0, 5f
    bne t0, s4, 2b
    fence r, rw
    {fetch}
    jalr s3
    sub t0, a0, s7
    snez t0, t0
    add s5, s5, t0
    fence rw, w
    sd s4, 192(s1)
4:  addi s4, s4, 1
    add s3, s3, s8
    li t0, 0x81F00000           # the last page
    bltu s3, t0, 1b
    li s3, 0x80900000 + 0x400
    j 1b
5:  bnez s0, 6f
    ld s4, 192(s1)
    sd s4, 256(s1)              # how often
    j 7f
6:  sd s5, 64(s1)
7:  MEET
    li a0, 0
"""
REMOTE_FENCE_I = """
    fence rw, w
    li a7, 0x52464E43
    li a6, 0
    li a0, 2
    li a1, 0
    ecall
"""
CALL_TOO = "    fence.i\n    jalr s3\n"
DATA_BESIDE = "    li t0, 0x80900000\n    sd s4, (t0)\n    sd s4, 0x7C0(t0)\n    sd s4, 0x408(s3)\n"


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("publish, fetch, beside, away", [
    ("", "fence.i", "", 0), (REMOTE_FENCE_I, "", "", 0), ("", "fence.i", DATA_BESIDE, 0), (CALL_TOO, "fence.i", CALL_TOO, 0),
    (CALL_TOO, "fence.i", DATA_BESIDE, 0), ("", "fence.i", "", 4096), ("", "fence.i", DATA_BESIDE, 68)],
    ids=["own fence", "remote fence", "data beside", "called by both", "all", "new pages", "new blocks"])
def test_what_another_hart_has_written_is_fetched_after_fence_i(on, publish, fetch, beside, away):
    run = both(REWRITE.format(publish=publish, fetch=fetch, beside=beside, away=away), on=on, memory=32 << 20)
    wrong, _, _, often = words(run, 4)
    assert wrong == 0 and often > 10


PAGING = """
    li t0, 0x80A00000           # root: the gigabyte at 2 GiB is itself; at 1 GiB leads to tables
    li t1, 0x80000000 >> 2 | 0xCF
    sd t1, 16(t0)
    li t1, 0x80A01000 >> 2 | 1
    sd t1, 8(t0)
    li t0, 0x80A01000
    li t1, 0x80A02000 >> 2 | 1
    sd t1, (t0)
    MEET
    li t0, 0x80A00000 >> 12 | 8 << 60
    csrw satp, t0
    sfence.vma
"""


@pytest.mark.parametrize("on", ENGINES)
def test_remote_sfence_vma_is_done_when_the_call_returns(on):
    """Hart 0 leads a page to one place or the other, hart 1 reads it."""
    run = both(PAGING + """
    li s3, 0x80A02000           # the PTE of 0x40000000
    li s4, 0x80B00000
    li t0, 1
    sd t0, (s4)
    li t1, 4096
    add t1, t1, s4
    sd zero, (t1)
    li s2, 300
    li s7, 0x40000000
1:  bnez s0, 2f
    andi t0, s2, 1              # the page with that number
    xori t0, t0, 1
    slli t0, t0, 12
    add t0, t0, s4
    srli t0, t0, 2
    ori t0, t0, 0xC7
    sd t0, (s3)
    fence rw, rw
    li a7, 0x52464E43
    li a6, 1
    li a0, 2
    li a1, 0
    li a2, 0
    li a3, 0
    ecall
    sd s2, 128(s1)
3:  ld t0, 192(s1)
    bne t0, s2, 3b
    j 4f
2:  ld t0, (s7)                 # keeps it where translations are kept; before the first it is not there
    ld t0, 128(s1)
    bne t0, s2, 2b
    ld t1, (s7)
    andi t0, s2, 1
    xor t0, t0, t1
    add s5, s5, t0
    sd s2, 192(s1)
4:  addi s2, s2, -1
    bnez s2, 1b
    sd s5, 64(s1)
    MEET
    csrw satp, zero
    sfence.vma
    li a0, 0
""".replace("1:  bnez s0, 2f", """
    li t0, 0x80B00000 >> 2 | 0xC7
    sd t0, (s3)
    MEET
1:  bnez s0, 2f""", 1), on=on)
    assert words(run, 1) == [0]
    assert run.vm.exits["ecall from VS-mode"] >= 300


@pytest.mark.parametrize("on", ENGINES)
def test_an_ipi_wakes_a_hart_that_waits(on):
    """Back and forth: an interrupt that were lost would be waited for."""
    run = both("""
    csrwi sie, 2
    MEET
    li s2, 300
    bnez s0, 2f
1:  li a7, 0x735049             # IPI to the other
    li a6, 0
    li a0, 2
    srl a0, a0, s0
    li a1, 0
    ecall
2:  csrr t0, sip
    andi t0, t0, 2
    bnez t0, 3f
    wfi
    j 2b
3:  csrci sip, 2
    addi s2, s2, -1
    bnez s2, 1b
    beqz s0, 4f
    li a7, 0x735049             # the last answer
    li a6, 0
    li a0, 1
    li a1, 0
    ecall
4:  li a0, 0
""", on=on)
    assert run.outcome.status == 0
