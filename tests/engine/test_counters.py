"""Performance counters on both engines: what they count, in which modes, and overflow at the very instruction (Privileged ISA,
"Hardware Performance Monitor", "Sscofpmf", "Smcntrpmf")."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.cause import INTERRUPT, LCOFI
from tests.engine.programs import MODES, gate_settings, install, modes, program, registers, slices, soups
from tests.engine.support import BASE, ENGINES, Bench, examples, hold_equal, hold_sliced, sizes

CYCLES, INSTRUCTIONS, TRAPS = 1, 2, 16
OF, MINH, SINH, UINH, VSINH, VUINH = (1 << n for n in range(63, 57, -1))
ALL = (1 << 64) - 1
MIE, BIT = 1 << 3, 1 << LCOFI
HANDLER = BASE + 0x100
INHIBIT = {"M": MINH, "HS": SINH, "U": UINH, "VS": VSINH, "VU": VUINH}
both = pytest.mark.parametrize("engine", ENGINES)


def counting(engine: str, handler: str = "j .\n", isa: str | None = None, **state) -> Bench:
    """A loop of three instructions, and a handler for all modes."""
    bench = Bench(engine, isa=isa)
    bench.put("1: addi a0, a0, 1\naddi a1, a1, 1\nj 1b\n")
    bench.put(handler, HANDLER)
    return bench.set(mtvec=HANDLER, stvec=HANDLER, vstvec=HANDLER, **state)


# What is counted.

@both
@pytest.mark.parametrize("event, counts", [(0, 0), (CYCLES, 20), (INSTRUCTIONS, 20), (TRAPS, 0), (3, 0), (1 << 55 | 1, 0)])
def test_events(engine, event, counts):
    bench = counting(engine, mhpmevent3=event, mhpmevent31=event, mhpmcounter3=0, mhpmcounter31=100)
    bench.run(1)                                            # set() writes as an instruction does, which itself is not counted
    start = bench.csr("mhpmcounter3"), bench.csr("mhpmcounter31")
    bench.run(20)
    assert start == (0, 100) and (bench.csr("mhpmcounter3"), bench.csr("hpmcounter31")) == (counts, 100 + counts)


@both
def test_traps_are_an_event(engine):
    """Exceptions and interrupts; what traps does not retire."""
    bench = counting(engine, handler="csrw mie, zero\nli a5, 1\ncsrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0\nmret\n",
                     mhpmevent4=TRAPS, mhpmcounter4=5, mie=1 << 1, mip=1 << 1, mstatus=MIE)
    bench.put("nop\necall\nebreak\nj .\n")
    bench.run(40)
    assert bench.csr("mhpmcounter4") == 8 and bench.hart.traps == 3


@both
@pytest.mark.parametrize("name", ["mcycle", "minstret", "mhpmcounter3"])
def test_a_counter_that_is_written_reads_that_at_the_next_instruction(engine, name):
    """(section "Hardware Performance Monitor": the written value is what the next instruction sees)"""
    bench = Bench(engine).set(mhpmevent3=INSTRUCTIONS)
    bench.put(f"li t0, 77\ncsrw {name}, t0\ncsrr a0, {name}\nnop\ncsrr a1, {name}\n")
    bench.run(5)
    assert [int(bench.hart.x[n]) for n in (10, 11)] == [77, 79]


@both
@pytest.mark.parametrize("bit, name", [(0, "mcycle"), (2, "minstret"), (3, "mhpmcounter3"), (31, "mhpmcounter31")])
def test_inhibited_counters_stand_still(engine, bit, name):
    bench = counting(engine, mhpmevent3=INSTRUCTIONS, mhpmevent31=CYCLES, mcountinhibit=1 << bit)
    bench.set(**{name: 1000})
    bench.run(10)
    assert bench.csr(name) == 1000
    others = {"mcycle", "minstret", "mhpmcounter3", "mhpmcounter31"} - {name}
    before = {other: bench.csr(other) for other in others}
    bench.run(10)
    assert all(bench.csr(other) == value + 10 for other, value in before.items())
    bench.set(mcountinhibit=0)
    bench.run(7)
    assert bench.csr(name) == 1007


# In which modes.

@both
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name, configuration, event", [
    ("mcycle", "mcyclecfg", 0), ("minstret", "minstretcfg", 0), ("mhpmcounter5", "mhpmevent5", INSTRUCTIONS)])
def test_filters(engine, mode, name, configuration, event):
    """Each inhibits counting in its own mode and in no other (H-CSR-031)."""
    prv, v = MODES[mode]
    for inhibited, bit in INHIBIT.items():
        bench = counting(engine, **{configuration: bit | event})
        bench.set(prv=prv, v=v)
        bench.run(0)
        before = bench.csr(name)
        bench.run(12)
        assert bench.csr(name) - before == 12 * (inhibited != mode)


@both
def test_a_return_counts_in_the_mode_it_leaves_and_a_trap_handler_in_its_own(engine):
    """MRET to U, three instructions there, ECALL, which does not retire, and the handler."""
    bench = counting(engine, mhpmevent3=INSTRUCTIONS | MINH, mhpmevent4=INSTRUCTIONS | UINH, mepc=BASE + 0x40)
    bench.put("mret\n")
    bench.put("nop\nnop\nnop\necall\n", BASE + 0x40)
    before = bench.csr("mhpmcounter3"), bench.csr("mhpmcounter4")
    bench.run(4 + 6)
    assert (bench.csr("mhpmcounter3") - before[0], bench.csr("mhpmcounter4") - before[1]) == (3, 1 + 6)


@both
def test_a_trap_counts_in_the_mode_it_came_from(engine):
    bench = counting(engine, mhpmevent3=TRAPS | MINH, mhpmevent4=TRAPS | UINH, prv=0)
    bench.put("ecall\n")
    bench.run(3)
    assert (bench.csr("mhpmcounter3"), bench.csr("mhpmcounter4")) == (1, 0)


# Overflow.

@both
@pytest.mark.parametrize("event", [CYCLES, INSTRUCTIONS])
@pytest.mark.parametrize("distance", [2, 3, 17, 250])
@pytest.mark.parametrize("slice_length", [1, 1000])
def test_an_overflow_interrupts_at_its_instruction(engine, event, distance, slice_length):
    bench = counting(engine, mhpmevent7=event, mie=BIT, mstatus=MIE)
    bench.set(mhpmcounter7=1 - distance)
    for done in range(0, distance + 5, slice_length):
        bench.run(min(slice_length, distance + 5 - done))
    assert bench.csr("mcause") == INTERRUPT | LCOFI and bench.csr("mepc") == BASE + distance % 3 * 4
    assert bench.csr("mhpmevent7") == event | OF and bench.csr("mip") == BIT and bench.csr("scountovf") == 1 << 7


@both
def test_only_the_first_overflow_interrupts(engine):
    """With OF set there is none; LCOFIP is software's to clear (section "Sscofpmf")."""
    bench = counting(engine, mhpmevent3=INSTRUCTIONS | OF)
    bench.set(mhpmcounter3=-5)
    bench.run(20)
    assert bench.csr("mhpmcounter3") < 20 and bench.csr("mip") == 0
    bench.set(mhpmevent3=INSTRUCTIONS)
    bench.set(mhpmcounter3=-5)
    bench.run(20)
    assert bench.csr("mip") == BIT and bench.csr("mhpmevent3") == INSTRUCTIONS | OF
    bench.set(mip=0)
    bench.run(5)
    assert bench.csr("mip") == 0


@both
def test_writing_0_is_no_overflow(engine):
    bench = Bench(engine).set(mhpmevent3=INSTRUCTIONS)
    bench.put("csrw mhpmcounter3, zero\nnop\nnop\nj .\n")
    bench.run(5)
    assert bench.csr("mip") == 0 and bench.csr("mhpmevent3") == INSTRUCTIONS and bench.csr("mhpmcounter3") == 4


@both
@pytest.mark.parametrize("value, after", [(-1, 1), (-2, 2)])
def test_a_counter_written_just_below_its_end(engine, value, after):
    """The writing instruction does not count: so many more, and not one fewer."""
    bench = Bench(engine).set(mhpmevent3=INSTRUCTIONS)
    bench.put(f"li t0, {value}\ncsrw mhpmcounter3, t0\nnop\nnop\nnop\nj .\n")
    bench.run(2 + after - 1)
    assert bench.csr("mip") == 0
    bench.run(1)
    assert bench.csr("mip") == BIT


@both
def test_two_counters_overflow_at_once_and_a_third_later(engine):
    bench = counting(engine, mhpmevent3=INSTRUCTIONS, mhpmevent4=CYCLES, mhpmevent5=INSTRUCTIONS)
    bench.set(mhpmcounter3=-10)
    bench.set(mhpmcounter4=-10)
    bench.set(mhpmcounter5=-12)
    bench.run(11)
    assert bench.csr("scountovf") == 1 << 3 | 1 << 4
    bench.run(2)
    assert bench.csr("scountovf") == 7 << 3


@both
def test_an_overflow_by_a_trap_is_looked_at_before_its_handler(engine):
    """A trap of U into HS overflows a counter, whose interrupt is M's: it is taken before the handler's first instruction."""
    bench = counting(engine, mhpmevent3=TRAPS, mhpmcounter3=-1, mie=BIT, medeleg=ALL, prv=0)
    bench.set(mtvec=HANDLER + 0x40)
    bench.put("nop\necall\n")
    bench.put("j .\n", HANDLER + 0x40)
    bench.run(6)
    assert bench.csr("mcause") == INTERRUPT | LCOFI and bench.csr("mepc") == HANDLER and bench.csr("scause") == 8
    assert bench.csr("mhpmcounter3") == 1 and bench.csr("mhpmevent3") == TRAPS | OF      # the interrupt, too, is a trap


@both
@pytest.mark.parametrize("isa", ["rv64imafdch_zihpm", "rv64imafdch"])
def test_without_sscofpmf_counters_wrap_silently(engine, isa):
    bench = counting(engine, isa=isa, mhpmevent3=INSTRUCTIONS | ALL << 56, mie=ALL, mip=ALL, mideleg=ALL, hideleg=ALL)
    bench.set(mhpmcounter3=-5)
    bench.set(mie=BIT, mstatus=MIE)
    bench.run(20)
    assert bench.csr("mhpmevent3") == INSTRUCTIONS and bench.csr("mhpmcounter3") < 20 and bench.hart.traps == 0
    for name in ("mip", "mie", "mideleg", "hideleg", "sip", "sie", "vsip", "vsie"):
        assert not bench.csr(name) & BIT, name


@both
def test_the_overflow_interrupt_goes_to_vs_only_with_shlcofideleg(engine):
    """(H-BASE-008, H-INT-023)"""
    for isa, bits in (("rv64imafdch_sscofpmf", 0), ("rv64imafdch_sscofpmf_shlcofideleg", BIT)):
        bench = Bench(engine, isa=isa).set(mideleg=ALL, hideleg=ALL, mip=BIT, mie=BIT)
        assert bench.csr("hideleg") & BIT == bench.csr("vsip") & BIT == bench.csr("vsie") & BIT == bits
        assert bench.csr("sip") & BIT == bench.csr("sie") & BIT == BIT


@both
@pytest.mark.parametrize("mode, expected", [("M", 0b111000), ("HS", 0b011000), ("VS", 0b001000)])
def test_scountovf_shows_what_may_be_seen(engine, mode, expected):
    """mcounteren masks it below M, hcounteren too with V=1; both gate nothing (H-CSR-030)."""
    prv, v = MODES[mode]
    bench = Bench(engine).set(**{f"mhpmevent{n}": OF for n in (3, 4, 5)}, mcounteren=3 << 3, hcounteren=5 << 3, prv=prv, v=v)
    bench.put("csrr a0, scountovf\n")
    bench.run(1)
    assert bench.hart.traps == 0 and bench.hart.x[10] == expected


@both
@pytest.mark.parametrize("slice_length", [1, 30])
def test_a_trap_into_a_mode_that_counts_brings_the_overflow_nearer(engine, slice_length):
    """A counter that stands still in U goes on in HS, and overflows three instructions after the trap, in the same slice."""
    bench = counting(engine, handler="nop\n" * 20, mhpmevent3=INSTRUCTIONS | UINH | MINH, medeleg=ALL, mie=BIT, prv=0)
    bench.set(mhpmcounter3=-3, mtvec=HANDLER + 0x80)
    bench.put("nop\nnop\necall\n")
    bench.put("j .\n", HANDLER + 0x80)
    for _ in range(30 // slice_length):
        bench.run(slice_length)
    assert bench.csr("mcause") == INTERRUPT | LCOFI and bench.csr("mepc") == HANDLER + 3 * 4


@both
def test_filters_of_virtual_modes_are_those_of_h(engine):
    """VSINH and VUINH are read-only zero without H."""
    bench = Bench(engine).set(mhpmevent3=ALL, mcyclecfg=ALL)
    bench.set(misa=0)
    assert bench.csr("mhpmevent3") == OF | MINH | SINH | UINH and bench.csr("mcyclecfg") == MINH | SINH | UINH
    bench.set(mhpmevent3=ALL, misa=1 << 7)
    assert not bench.csr("mhpmevent3") & (VSINH | VUINH)


@sizes(60, 1500)
def test_anything_with_counters(count):
    """Random programs in every mode, counters of all events close to their ends, filters, overflow interrupts on."""
    events = st.builds(lambda event, filters: event | filters << 58,
                       st.sampled_from((0, CYCLES, INSTRUCTIONS, TRAPS)), st.sampled_from((0, 0, 1, 2, 4, 8, 16, 24, 63)))
    counters = st.fixed_dictionaries({f"mhpmevent{n}": events for n in (3, 4, 30)} | {"mcyclecfg": events, "minstretcfg": events}
                                     | {f"mhpmcounter{n}": st.integers(-60, 0) for n in (3, 4, 30)})

    @examples(count)
    @given(soups, registers(), modes, gate_settings(), counters, slices)
    def check(words, values, mode, gates, counters, counts):
        gates["mie"] |= BIT
        state = values | gates | counters | {"prv": mode[0], "v": mode[1]}
        hold_equal(lambda bench: install(bench, program(words), **state), counts)
        hold_sliced(lambda bench: install(bench, program(words), **state), counts)
    check()
