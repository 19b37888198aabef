"""Who may access which CSR: every number, from every mode, for every setting of the gates (sections of the manual on CSR
addresses and on virtual-instruction exceptions), in compiled code and in plain Python."""
import random

import pytest

from rvhyp.hart.csrs import csr_access
from rvhyp.isa.csr import CSRS
from rvhyp.isa.instruction import INSTRUCTIONS
from tests.engine.programs import MODES
from tests.engine.support import BASE, ENGINES, Bench
from tests.hart.csr_model import ALL, COUNTERS, IMPLEMENTED, OF_64_PMP_ENTRIES, STIMECMP, VSTIMECMP, Gates, access

CSRRS = INSTRUCTIONS["csrrs"]
HANDLER = BASE + 0x100


def settings(count: int) -> list[Gates]:
    """Everything open, everything closed, H off, and random ones."""
    chosen = [Gates(mcounteren=ALL, hcounteren=ALL, scounteren=ALL, stce=1, h_stce=1), Gates(fs=0, vs_fs=0, tvm=1, vtvm=1),
              Gates(h=0)]
    chance = random.Random(count)

    def bits():
        return chance.choice((0, ALL >> 32, chance.getrandbits(32), chance.getrandbits(32)))
    while len(chosen) < count:
        bit = chance.getrandbits
        chosen.append(Gates(chance.choice((1, 1, 1, 0)), chance.choice((0, 1, 3)), chance.choice((0, 2, 3)), bit(1), bit(1),
                            bits() | 2 * bit(1), bits() | 2 * bit(1), bits(), bit(1), bit(1), bit(1), bit(1), bit(4), bit(4)))
    return chosen


SETTINGS = [pytest.param(gates, marks=[] if n < 16 else pytest.mark.long, id=str(n)) for n, gates in enumerate(settings(200))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gates", SETTINGS)
def test_all_numbers(gates, mode):
    """In the interpreter.  csrrs with x0 reads, with a register that holds 0 it also writes."""
    bench = Bench()
    bench.set(mtvec=HANDLER, **gates.state())
    bench.put("j .\n", HANDLER)                             # so that one instruction retires: a trap does not
    prv, v = MODES[mode]
    hart = bench.hart
    for number in range(4096):
        for is_write in (False, True):
            bits = CSRRS.encode(rd=10, csr=number, rs1=5 * is_write)
            bench.memory.write(BASE, bits.to_bytes(4, "little"))
            hart.pc, hart.prv, hart.v = BASE, prv, v
            hart.quantum_end = bench.instret + 1
            traps = hart.traps
            bench.machine.run_hart()
            got = int(hart.mcause) if hart.traps != traps else 0
            cause, _ = access(number, is_write, mode, gates)
            assert got == cause, f"{number:#x} {'write' if is_write else 'read'}"
            if cause:
                assert hart.mtval == bits and hart.mstatus >> 38 & 1 == 0
            if got:
                hart.mstatus = int(hart.mstatus) & ~(3 << 11 | 1 << 39)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gates", SETTINGS)
def test_the_register_that_is_reached(gates, mode):
    """In plain Python: the CSR, or with V=1 its VS twin."""
    bench = Bench("reference")
    bench.set(**gates.state())
    bench.hart.prv, bench.hart.v = MODES[mode]
    bench.machine.run_hart()                                # no instruction: what depends on the mode is recomputed
    others = random.Random(1).sample(sorted({*range(4096)} - IMPLEMENTED), 60)
    for number in sorted(IMPLEMENTED) + others:
        for is_write in (0, 1):
            bench.hart.fault = 0
            reached = csr_access(bench.hart, number, is_write)
            cause, expected = access(number, bool(is_write), mode, gates)
            found = int(bench.hart.trap_cause) if bench.hart.fault else 0
            assert (found, int(reached) * (not cause)) == (cause, expected), hex(number)


def test_the_model_and_the_rows_name_the_same_csrs():
    assert {row.number for row in CSRS.values()} == IMPLEMENTED | OF_64_PMP_ENTRIES


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [0xC00, 0xC01, 0xC02, 0xC03, 0xC1F, STIMECMP, VSTIMECMP])
def test_machine_mode_is_behind_no_gate(engine, number):
    """M-mode ignores every counter enable and STCE (H-ACC-027)."""
    bench = Bench(engine)
    bench.put(CSRRS.encode(rd=10, csr=number, rs1=0).to_bytes(4, "little"))
    bench.run(1)
    assert bench.hart.traps == 0 and number in {*COUNTERS, STIMECMP, VSTIMECMP}
