"""Interrupts, timers and waiting on both engines: at the very instruction, however the run is cut in slices."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.cause import INTERRUPT, MSI, MTI, SSI, STI, VSSI, VSTI
from tests.engine.devices import DEVICE, DEVICE_SIZE, Recorder, Wires
from tests.engine.programs import MODES, gate_settings, install, modes, program, registers, slices, soups, words_of
from tests.engine.support import BASE, ENGINES, Bench, examples, hold_equal, hold_sliced, sizes

MIE, SIE, SUPERVISOR = 1 << 3, 1 << 1, 1 << 1 | 1 << 5 | 1 << 9
STCE, NEVER = 1 << 63, (1 << 64) - 1
HANDLER = BASE + 0x100
COUNTING = "1: addi a0, a0, 1\naddi a1, a1, 1\nj 1b\n"
both = pytest.mark.parametrize("engine", ENGINES)


def counting(engine: str, handler: str = "j .\n", **state) -> Bench:
    """A loop of three instructions that counts, and a handler for all modes."""
    bench = Bench(engine)
    bench.put(COUNTING)
    bench.put(handler, HANDLER)
    return bench.set(mtvec=HANDLER, stvec=HANDLER, vstvec=HANDLER, **state)


# A timer fires when so many instructions have retired, and not one later.

TIMERS = {
    "mtimecmp": dict(mie=1 << MTI, mstatus=MIE),
    "stimecmp": dict(mie=1 << STI, mstatus=SIE, mideleg=1 << STI, menvcfg=STCE, prv=1),
    "vstimecmp": dict(mie=1 << VSTI, vsstatus=SIE, hideleg=1 << VSTI, menvcfg=STCE, henvcfg=STCE, prv=1, v=1),
}
EPC = {"mtimecmp": "mepc", "stimecmp": "sepc", "vstimecmp": "vsepc"}
CAUSES = {"mtimecmp": ("mcause", MTI), "stimecmp": ("scause", STI), "vstimecmp": ("vscause", STI)}


@both
@pytest.mark.parametrize("timer", TIMERS)
@pytest.mark.parametrize("ticks, cycles_per_tick", [(1, 1), (1, 2), (2, 7), (3, 100), (5, 33), (40, 1)])
@pytest.mark.parametrize("slice_length", [1, 2, 1000])
def test_a_timer_fires_at_its_instruction(engine, timer, ticks, cycles_per_tick, slice_length):
    bench = counting(engine, **{timer: ticks}, **TIMERS[timer], cycles_per_tick=cycles_per_tick)
    due = ticks * cycles_per_tick
    total = due + 5
    for done in range(0, total, slice_length):
        bench.run(min(slice_length, total - done))
    register, code = CAUSES[timer]
    assert bench.csr(register) == INTERRUPT | code
    assert bench.csr(EPC[timer]) == BASE + due % 3 * 4
    assert bench.hart.x[10] == (due + 2) // 3
    assert bench.instret == total


@both
@pytest.mark.parametrize("start, compare", [
    (0, 3), (-2, 3), (-2, 0), (1 << 63, (1 << 63) + 3), (100, 3), (100, 100), (-1, NEVER)])
def test_the_clock_of_a_guest_starts_anywhere(engine, start, compare):
    """htimedelta moves it, modulo 2**64; a comparator is reached when time is equal or above, unsigned (H-INT-013)."""
    bench = counting(engine, **TIMERS["vstimecmp"], vstimecmp=compare, htimedelta=start, cycles_per_tick=10)
    start, compare = start % (1 << 64), compare % (1 << 64)
    due = 0 if start >= compare else (compare - start) * 10
    bench.run(due + 1)
    assert bench.csr("vsepc") == BASE + due % 3 * 4 and bench.csr("vscause") == INTERRUPT | STI


@both
def test_a_guest_clock_that_wraps_fires_after_it_has(engine):
    """While time is beyond the comparator the interrupt is pending; when it has wrapped it is not, until it comes round."""
    bench = counting(engine, handler="csrw sie, zero\nsret\n", **TIMERS["vstimecmp"],
                     vstimecmp=5, htimedelta=-3, cycles_per_tick=10)
    bench.run(10)                                                   # pending at the start: taken, and disabled
    assert bench.csr("vscause") == INTERRUPT | STI and bench.csr("mip") == 1 << VSTI
    bench.set(vscause=0)
    bench.run(25)
    assert bench.csr("mip") == 0
    bench.set(vsie=1 << STI)
    bench.run(44)
    assert bench.csr("vscause") == 0
    bench.run(2)
    assert bench.csr("vscause") == INTERRUPT | STI and bench.instret == 81


@both
@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_a_program_moves_its_own_timer(engine, count):
    """A handler that sets the next event: an interrupt every 50 instructions of virtual time."""
    bench = counting(engine, **TIMERS["stimecmp"], stimecmp=5, cycles_per_tick=10, handler="""
        csrr t0, stimecmp
        addi t0, t0, 5
        csrw stimecmp, t0
        addi a2, a2, 1
        sret
    """)
    bench.set(mcounteren=2)
    for done in range(0, 1000, count):
        bench.run(min(count, 1000 - done))
    assert bench.hart.x[12] == 19 and bench.hart.x[10] == (1000 - 19 * 5 + 2) // 3


@sizes(80, 2500)
def test_anything_with_timers(count):
    """Random programs in every mode with all timers close by, in slices; nothing but an equal time can make equal states."""
    clocks = st.fixed_dictionaries({
        "cycles_per_tick": st.integers(1, 20), "mtimecmp": st.integers(0, 60), "stimecmp": st.integers(0, 60),
        "vstimecmp": st.integers(0, 60), "htimedelta": st.sampled_from((0, 0, 5, -5)),
        "wires": st.sampled_from((0, 0, 1 << 11, 1 << 9))})

    @examples(count)
    @given(soups, registers(), modes, gate_settings(), clocks, slices)
    def check(words, values, mode, gates, clocks, counts):
        gates["menvcfg"] |= STCE
        state = values | gates | clocks | {"prv": mode[0], "v": mode[1]}
        hold_equal(lambda bench: install(bench, program(words), **state), counts)
        hold_sliced(lambda bench: install(bench, program(words), **state), counts)
    check()


# Devices: an access leaves the engine before it happens, and happens once.

device_words = st.sampled_from(("lb", "lbu", "lh", "lw", "lwu", "ld", "sb", "sh", "sw", "sd", "fld", "fsw", "flw", "c.lw", "c.sd",
                                "lr.w", "amoadd.d", "sc.w", "hlv.w", "hlvx.hu", "hsv.d", "addi")).flatmap(words_of)


@sizes(50, 1500)
def test_device_accesses(count):
    """Of every size and alignment, refused ones too: each is made once, whatever the slices."""
    @examples(count)
    @given(st.lists(device_words, min_size=8, max_size=25), registers(), slices, st.tuples(*[
        st.integers(0, DEVICE_SIZE - 1).map(lambda n: DEVICE + n) | st.integers(0, 64).map(lambda n: DEVICE + 8 * n)] * 3))
    def check(words, values, counts, pointers):
        values |= dict(zip(("x2", "x8", "x9"), pointers, strict=True))
        recorders = []

        def prepare(bench):
            recorders.append(Recorder())
            bench.machine.bus.attach(DEVICE, DEVICE_SIZE, recorders[-1], "recorder")
            install(bench, program(words), **values, mstatus=3 << 13)
        hold_equal(prepare, [*counts, 150])
        assert recorders[0].accesses == recorders[1].accesses
        hold_sliced(prepare, counts)
        assert recorders[2].accesses == recorders[3].accesses
    check()


def with_wires(engine: str, source: str, **state) -> Bench:
    bench = counting(engine, **state)
    bench.machine.bus.attach(DEVICE, DEVICE_SIZE, Wires(bench), "wires")
    bench.put(f"li s0, {DEVICE:#x}\nli s1, 1\n{source}\n" + "addi a0, a0, 1\n" * 30 + "j .\n")
    return bench


@both
@pytest.mark.parametrize("slice_length", [1, 40])
def test_an_interrupt_that_a_store_to_a_device_raises_is_taken_at_once(engine, slice_length):
    bench = with_wires(engine, f"sw s1, {8 * MSI}(s0)", mie=1 << MSI, mstatus=MIE)
    for _ in range(40 // slice_length):
        bench.run(slice_length)
    assert bench.csr("mcause") == INTERRUPT | MSI and bench.hart.x[10] == 0


@both
def test_an_interrupt_that_a_device_lowers_again_is_not_taken(engine):
    bench = with_wires(engine, f"sd zero, {8 * MSI}(s0)\ncsrsi mstatus, {MIE}", mie=1 << MSI, wires=1 << MSI)
    bench.run(30)
    assert bench.csr("mcause") == 0 and bench.hart.x[10] > 0


@both
def test_a_timer_that_a_store_to_a_device_sets_fires_in_time(engine):
    bench = with_wires(engine, "sd s1, 0(s0)", mie=1 << MTI, mstatus=MIE, mtimecmp=NEVER, cycles_per_tick=10)
    bench.run(35)
    assert bench.csr("mcause") == INTERRUPT | MTI and bench.hart.x[10] == 10 - 3


@both
def test_a_device_access_at_the_end_of_a_run_does_not_lengthen_it(engine):
    """The access of the last instruction is made, and the next run begins after it."""
    bench = with_wires(engine, f"ld a1, {8 * MSI}(s0)")
    assert bench.run(3) == [("MMIO", 2), ("budget", 3)]
    bench.hart.quantum_end = bench.instret + 1000
    bench.machine.run_hart()
    bench.put("ld a1, 0(s0)\nj .\n")
    bench.set(pc=BASE)
    bench.hart.quantum_end = bench.instret + 1000
    assert bench.machine.run_hart() == 3                            # leaves for the device, with 1,000 instructions to go
    bench.machine.serve(3)
    before = bench.instret
    assert bench.run(2)[-1] == ("budget", before + 2)               # but only two are wanted now


# Waiting.

@both
@pytest.mark.parametrize("mode", ["M", "HS", "VS"])
def test_wfi_leaves_the_engine_until_something_is_pending(engine, mode):
    prv, v = MODES[mode]
    code = VSSI if v else SSI
    bench = Bench(engine).set(prv=prv, v=v, mie=1 << code, mideleg=1 << code, hideleg=1 << code)
    bench.put("addi a0, a0, 1\nwfi\naddi a0, a0, 1\nj .\n")
    assert bench.run(10) == [("WFI", 2)]
    bench.set(mip=1 << code)                                        # enabled, but the mode's own SIE or MIE is not: not taken
    assert bench.run(10) == [("budget", 12)] and bench.hart.x[10] == 2


@both
@pytest.mark.parametrize("mode", ["M", "HS", "VS"])
@pytest.mark.parametrize("delegated", [0, 1 << STI])
def test_wfi_with_something_pending_is_no_wait(engine, mode, delegated):
    """Whatever level the interrupt belongs to, and though it is not taken (H-INT-019)."""
    prv, v = MODES[mode]
    bench = Bench(engine).set(prv=prv, v=v, mie=1 << STI, mideleg=delegated, mip=1 << STI, mtvec=HANDLER, stvec=HANDLER)
    bench.put("wfi\naddi a0, a0, 1\nj .\n")
    bench.put("j .\n", HANDLER)
    assert bench.run(10)[-1] == ("budget", 10)


@both
def test_wfi_at_the_end_of_a_run_still_waits(engine):
    bench = Bench(engine).set(mie=1 << MTI, mtimecmp=1000)
    bench.put("nop\nwfi\nj .\n")
    assert bench.run(2) == [("WFI", 2)]


@both
def test_wfi_that_time_has_overtaken_is_over(engine):
    """The timer is due just when WFI has retired: nothing waits, now or later."""
    bench = Bench(engine).set(mie=1 << MTI, mtimecmp=1)
    bench.put("nop\n" * 99 + "wfi\ncsrw mie, zero\ncsrw mie, zero\nj .\n")
    assert bench.run(120) == [("budget", 120)]


@both
def test_an_interrupt_ends_a_wait_after_wfi(engine):
    """xepc is that of the instruction after it (H-INT-020), and virtual time has jumped."""
    bench = counting(engine, **TIMERS["mtimecmp"], mtimecmp=500)
    bench.put("nop\nwfi\nnop\nj .\n")
    bench.run_asleep(10)
    assert bench.csr("mepc") == BASE + 8 and bench.csr("time") == 500 and bench.instret == 10


# When interrupts are looked at.

@both
@pytest.mark.parametrize("enable", ["csrsi mstatus, 8", "csrs mie, s1", "csrw mideleg, zero"])
def test_a_csr_write_that_lets_an_interrupt_through_is_followed_by_it(engine, enable):
    bench = counting(engine, mip=1 << SSI, mie=1 << SSI, mstatus=MIE, mideleg=1 << SSI)
    bench.set(**{"csrsi mstatus, 8": dict(mstatus=0, mideleg=0), "csrs mie, s1": dict(mie=0, mideleg=0)}.get(enable, {}))
    bench.put(f"c.li s1, {1 << SSI}\n{enable}\naddi a0, a0, 1\nj .\n")
    bench.run(10)
    assert bench.csr("mcause") == INTERRUPT | SSI and bench.csr("mepc") == BASE + 6
    assert bench.hart.x[10] == 0


@both
@pytest.mark.parametrize("instruction, epc", [("mret", "mepc"), ("sret", "sepc")])
def test_a_return_that_lets_an_interrupt_through_is_followed_by_it(engine, instruction, epc):
    """No instruction of the mode returned to is retired (H-INT-010)."""
    bench = counting(engine, mip=1 << SSI, mie=1 << SSI, mideleg=0, mstatus=0, **{epc: BASE + 0x40})
    bench.put(f"{instruction}\n")
    bench.put("addi a0, a0, 1\nj .\n", BASE + 0x40)
    bench.run(5)
    assert bench.csr("mcause") == INTERRUPT | SSI and bench.csr("mepc") == BASE + 0x40 and bench.hart.x[10] == 0


@both
def test_a_timer_is_taken_before_the_fetch_of_its_instruction_faults(engine):
    """A jump to nowhere, and the timer due after it: the interrupt comes first, with the target as epc."""
    bench = counting(engine, handler="csrr a1, mcause\nj .\n", **TIMERS["mtimecmp"], mtimecmp=1, cycles_per_tick=2)
    bench.put("li t0, 0x1000\njr t0\n")
    bench.run(4)
    assert bench.hart.x[11] == INTERRUPT | MTI and bench.csr("mepc") == 0x1000


@both
def test_a_run_ends_before_the_fetch_of_the_next_instruction_faults(engine):
    bench = counting(engine)
    bench.put("li t0, 0x1000\njr t0\n")
    assert bench.run(2) == [("budget", 2)] and bench.hart.pc == 0x1000 and bench.csr("mcause") == 0


@both
def test_a_trap_loop_is_noticed(engine):
    """A handler that cannot be fetched: nothing will ever retire."""
    bench = Bench(engine).set(mtvec=0x1000)
    bench.put("ecall\n")
    assert bench.run(100) == [("trap loop", 0)]
