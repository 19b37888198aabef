"""The translating engine at work: what is hot gets translated, what changes is forgotten, and nothing that fails does harm."""
import os
import signal
import time
from collections import Counter

import pytest

from rvhyp.engine.decoded import decoded, word
from rvhyp.engine.translator import engine as translating
from rvhyp.engine.translator.arena import Arena
from rvhyp.engine.translator.compiler import compile_text
from rvhyp.engine.translator.engine import Page, Translator
from rvhyp.engine.translator.worker import Demands, Product, Request, make
from rvhyp.isa.instruction import INSTRUCTIONS
from rvhyp.isa.text import assemble
from rvhyp.machine.machine import Machine
from rvhyp.machine.ram import Ram

BASE = 0x8000_0000
LOOP = """
_start:
    li      a0, 0
loop:
    addi    a0, a0, 1
    xor     a1, a1, a0
    slli    a2, a1, 3
    bne     a0, s0, loop
done:
    j       done
"""
ADD_TWO = INSTRUCTIONS["addi"].encode(rd=10, rs1=10, imm=2).to_bytes(4, "little")


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """An engine with a store of its own, that translates at once."""
    made = Translator()                                 # the core comes from the real cache
    monkeypatch.setenv("RVHYP_CACHE", str(tmp_path))
    monkeypatch.setattr(translating, "WORTHWHILE", 1)
    monkeypatch.setattr(translating, "SEEN", 1)
    yield Translator()
    made.compiler.close()


def machine(engine, code: str = LOOP) -> Machine:
    made = Machine([Ram(BASE, 1 << 20)], engine=engine)
    for section in assemble(code, BASE).sections:
        if section.data:
            made.memory.write(section.address, bytes(section.data))
    made.hart.pc = BASE
    made.hart.x[8] = (1 << 64) - 2                      # s0: the loop does not end
    return made


def run_until(condition, made: Machine, seconds: float = 60) -> None:
    """Run until something has happened; a failure if it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        made.run(200_000)


def is_translated(made: Machine, symbol: str = "loop") -> bool:
    """Does the uop of a symbol lead to translated code?"""
    engine, address = made.engine, assemble(LOOP, BASE).symbols[symbol]
    page = engine._page(made.hart, engine.rules.code_page(made.hart.address, address & ~0xFFF))
    arena = made.hart.code_arena
    return arena.low <= word(page.address + 16 * ((address & 0xFFF) >> 1)) < arena.high


def test_a_hot_loop_is_translated_and_counts_the_same(engine):
    made, plain = machine(engine), machine("interpreter")
    run_until(lambda: is_translated(made), made)
    assert engine.figures()["made"] == 1
    made.run(1_000_003)
    plain.run(made.instret)
    assert [int(made.hart.x[n]) for n in range(32)] == [int(plain.hart.x[n]) for n in range(32)]
    assert int(made.hart.pc) == int(plain.hart.pc)


COUNTED = """
_start:
    li      s0, 1000
loop:
    addi    a0, a0, 1
    bne     a0, s0, loop
    csrr    a1, mscratch
    li      a2, 7
    wfi
"""


def test_translated_code_counts_what_it_retires_if_it_is_asked_to():
    """All but the two instructions that only the interpreter runs."""
    learning, made, plain = (machine(each, COUNTED) for each in (Translator(), Translator(counted=True), Translator()))
    learning.run()
    slots = decoded(learning.hart)[BASE]
    for each in (made, plain):
        assert each.engine.translate(each.hart, BASE, slots, 150)
        each.hart.quantum_end = 10_000              # one slice: the end of one is the interpreter's
        each.run_hart()
        each.engine.compiler.close()
    assert made.instret == plain.instret == 1 + 2000 + 3
    assert (int(made.hart.translated_retired), int(plain.hart.translated_retired)) == (made.instret - 2, 0)


INTO = """
_start:
    la      t0, middle
loop:
    addi    a1, a1, 1
middle:
    addi    a0, a0, 1
    xor     a2, a2, a0
    jr      t0
"""


def test_code_that_is_translated_but_entered_elsewhere_is_translated_from_there(engine):
    made, plain = machine(engine, INTO), machine("interpreter", INTO)
    loop = assemble(INTO, BASE).symbols["loop"] - BASE >> 1
    run_until(lambda: engine.figures()["made"] == 2, made)
    page, = engine._pages[made.hart].values()
    assert min(page.entries()) <= loop < max(page.entries())
    plain.run(made.instret)
    assert int(made.hart.x[12]) == int(plain.hart.x[12])


AWAY = """
_start:
    la      t0, away
loop:
    li      t1, 5
inner:
    addi    t1, t1, -1
    bnez    t1, inner
    LEAVE
    .balign ALIGNMENT
away:
    .rept   20
    nop
    .endr
    j       loop
"""


@pytest.mark.parametrize("leave, alignment", [("j away", "4"), ("jr t0", "4"), ("jr t0", "4096"), ("j away", "4096")])
def test_where_a_slice_ends_behind_an_exit_translated_code_is_not_what_would_run(leave, alignment):
    code = AWAY.replace("LEAVE", leave).replace("ALIGNMENT", alignment)
    made, loop = machine(Translator(), code), assemble(code, BASE).symbols["loop"] - BASE >> 1
    assert made.engine.translate(made.hart, BASE, [loop], 4) == 1
    for count, expected in ((2 + 33 * 100 + 20, 0), (2 + 33 * 200 + 6, 1), (2 + 33 * 300 + 32, 0)):
        made.hart.in_region, made.hart.quantum_end = 0, count
        made.run_hart()
        assert made.instret == count and int(made.hart.in_region) == expected
    made.engine.compiler.close()


@pytest.mark.parametrize("looks, interpreted, expected", [(24, 24, False), (25, 25, True), (1000, 30, False), (200, 30, True),
                                                          (1_000_000, 200, True)])
def test_no_process_is_started_for_little(looks, interpreted, expected):
    engine = Translator()
    engine.looks, engine.translated_looks = looks, looks - interpreted
    assert engine._is_worth_a_process() is expected


def test_a_region_is_entered_at_the_heads_of_its_loops():
    """Where a slice ends there, the next one begins there."""
    nested = "outer: li a1, 9\ninner: addi a1, a1, -1\nbnez a1, inner\naddi a0, a0, -1\nbnez a0, outer\n"
    code = bytes(assemble(nested, 0).sections[0].data)
    inner = assemble(nested, 0).symbols["inner"] >> 1
    request = Request(code.ljust(4096, b"\0"), 0, [0], frozenset(), Demands((1 << 64) - 1, 0))
    assert make(request).entries == [0, inner]
    assert make(request._replace(taken=frozenset({inner}))).entries == [0]


def test_translating_ahead_waits_for_what_the_compiler_is_busy_with(engine):
    """An answer to another request is not taken for its own."""
    made = machine(engine)
    run_until(lambda: engine.compiler.is_busy, made)
    other = machine(engine, COUNTED)
    assert engine.translate(other.hart, BASE, [0, 2, 3, 5], 150)
    page, = engine._pages[other.hart].values()
    assert all(each.product.fits(page.bytes()) for each in page.translations)


def test_a_fence_writes_no_register_whatever_its_reserved_fields_say():
    """Nothing of it is stored where a later block is left."""
    code = bytearray(assemble("fence.i\nj next\nnext: sw s1, 0(sp)\nret\n", 0).sections[0].data)
    code[0:4] = INSTRUCTIONS["fence.i"].encode(imm=0, rs1=0, rd=17).to_bytes(4, "little")
    assert make(Request(bytes(code).ljust(4096, b"\0"), 0, [0], frozenset(), Demands((1 << 64) - 1, 0)))


def test_what_else_is_hot_in_a_page_is_translated_with_it():
    """Places that control does not come to from the first; those that have been translated are left alone."""
    apart = "one: addi a0, a0, -1\nbnez a0, one\nret\ntwo: addi a1, a1, -1\nbnez a1, two\nret\n"
    code, symbols = bytes(assemble(apart, 0).sections[0].data), assemble(apart, 0).symbols
    one, two = symbols["one"] >> 1, symbols["two"] >> 1
    request = Request(code.ljust(4096, b"\0"), one, [one, two], frozenset(), Demands((1 << 64) - 1, 0), others=(two,))
    assert make(request).entries == [one, two] and make(request).has(two)
    assert not make(request._replace(taken=frozenset({two}))).has(two)


def test_what_a_new_region_covers_is_not_hot_any_more():
    page = Page(0, 0, 0, heat=Counter({3: 5, 40: 2}))
    page.add(Product([3], [(3, 8)], b"", b"", 0, 2))
    assert page.heat == {40: 2}


def test_code_that_calls_something_outside_is_refused():
    with pytest.raises(ValueError, match="refers to other by relocation"):
        compile_text("declare void @other()\ndefine void @region() { call void @other() ret void }", "region")


def test_a_later_engine_finds_it_in_the_store(engine):
    made = machine(engine)
    run_until(lambda: is_translated(made), made)
    later = Translator()
    again = machine(later)
    again.run(100_000)
    assert is_translated(again)
    assert (later.figures()["made"], later.figures()["regions"]) == (0, 1)


def test_what_the_host_writes_over_is_forgotten_and_not_put_back(engine):
    made = machine(engine)
    run_until(lambda: is_translated(made), made)
    at = assemble(LOOP, BASE).symbols["loop"]
    made.memory.write(at, ADD_TWO)
    assert not is_translated(made)
    before = int(made.hart.x[10])
    made.run(400_000)
    assert int(made.hart.x[10]) - before == 200_000


def test_a_process_that_dies_does_no_harm(engine):
    """It is started again some times; then the run goes on without."""
    made = machine(engine)
    killed: set[int] = set()

    def kill():
        process = engine.compiler._process
        if process and process.pid not in killed:
            killed.add(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        for pages in engine._pages.values():
            for page in pages.values():
                page.refused.clear()
        return engine.compiler.is_dead
    run_until(kill, made)
    assert "died" in engine.figures()["trouble"] and len(killed) == 3
    made.run(100_000)
    assert not is_translated(made)


def test_a_fork_has_a_process_of_its_own(engine):
    made = machine(engine)
    run_until(lambda: is_translated(made), made)
    process = engine.compiler._process
    child = os.fork()
    if child == 0:
        engine.compiler.close()
        other = machine(engine, LOOP.replace("xor", "or"))
        end = time.monotonic() + 60
        while engine.figures()["made"] < 2 and time.monotonic() < end:
            other.run(200_000)
        os._exit(0 if engine.figures()["made"] == 2 and engine.compiler._process.pid != process.pid else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert process.poll() is None


REWRITTEN = """
_start:
    la      s1, site
    li      s2, 0x00050513              # addi a0, a0, 0
    li      s3, 1
outer:
    andi    t0, s3, 1023                # another constant each time
    slli    t0, t0, 20
    add     t0, t0, s2
    sw      t0, 0(s1)
    fence.i
    li      t1, 300000
inner:
site:
    addi    a0, a0, 0
    xor     a1, a1, a0
    addi    t1, t1, -1
    bnez    t1, inner
    addi    s3, s3, 1
    j       outer
"""


def test_a_full_arena_begins_anew(engine, monkeypatch):
    monkeypatch.setattr(translating, "Arena", lambda: Arena(4096))
    made, plain = machine(engine, REWRITTEN), machine("interpreter", REWRITTEN)
    run_until(lambda: engine.figures()["regions"] >= 4, made)       # each has room for itself alone
    assert made.hart.code_arena.high - made.hart.code_arena.low == 4096
    plain.run(made.instret)
    assert [int(made.hart.x[n]) for n in range(32)] == [int(plain.hart.x[n]) for n in range(32)]


def test_an_arena_is_never_writable_and_executable():
    arena = Arena(3 * 4096)
    at = arena.add(b"\xc3")
    rights = {line.split()[1] for line in open("/proc/self/maps")
              if int(line.partition("-")[0], 16) <= at < int(line.split()[0].partition("-")[2], 16)}
    assert rights == {"r-xp"}
    assert arena.add(bytes(2 * 4096)) == at + 4096 and arena.add(b"\xc3") is None
    arena.clear()
    assert arena.add(b"\xc3") == at


def test_code_that_is_written_anew_without_end(engine, monkeypatch):
    """What was translated is forgotten with each new version; the result is as if nothing had been, and little is kept."""
    monkeypatch.setattr(translating, "CROWD", 3)
    monkeypatch.setattr("rvhyp.engine.translator.hot.MANY", 4)
    made, plain = machine(engine, REWRITTEN), machine("interpreter", REWRITTEN)
    run_until(lambda: engine.figures()["made"] >= 6, made)
    plain.run(made.instret)
    assert [int(made.hart.x[n]) for n in range(32)] == [int(plain.hart.x[n]) for n in range(32)]
    page, = engine._pages[made.hart].values()
    assert len(page.translations) <= 4 and len(engine._hot._pages) <= 4
