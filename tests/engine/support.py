"""A bare machine under test: a program in RAM, any state of the hart, runs of exact lengths, and all of the state to compare."""
from __future__ import annotations

import zlib
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from rvhyp.engine.decoded import decoded
from rvhyp.engine.interpreter import Interpreter
from rvhyp.engine.reference import Reference
from rvhyp.engine.translator.engine import Translator
from rvhyp.hart.state import (
    COUNT,
    REASON_BUDGET,
    REASON_MMIO,
    REASON_NAMES,
    REASON_TRAP_LOOP,
    REASON_WATCH,
    REASON_WFI,
)
from rvhyp.isa.csr import CSR_NUMBERS, CSRS
from rvhyp.isa.text import assemble
from rvhyp.machine.machine import Machine
from rvhyp.machine.ram import Ram

BASE = 0x8000_0000
SIZE = 1 << 18
POOL_BYTES = 1 << 22
ENGINES = ("interpreter", "reference")
NAPOT_RWX = 0x1F                        # pmpcfg of an entry that opens all memory with pmpaddr all ones

# Words of the record that make up the state, besides what CSRs show.
HIDDEN = ("pc", "prv", "v", "reservation", "wires", "software_interrupts", "skipped_cycles", "mtimecmp",
          "counters_running", "counters_of_traps", "counters_due", "counters_full", "counters_filtered", "fp_gate",
          "pmp_count", "traps", "mmio_address", "mmio_size", "mmio_is_write", "mmio_value",
          "mmio_done")
STORED = tuple(dict.fromkeys(row.storage for row in CSRS.values() if row.storage))


def examples(count: int):
    """Settings of a Hypothesis test: the same examples every time."""
    return settings(max_examples=count, derandomize=True, deadline=None, database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])


def sizes(few: int, many: int):
    """Run a test with few examples, and under the marker `long` with many: it takes `count`."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.long)])


@cache
def _reference() -> Reference:
    return Reference()


@cache
def _translator(pool_bytes: int) -> Translator:
    return Translator(pool_bytes)


def make_engine(name: str, pool_bytes: int = POOL_BYTES):
    """An engine for one machine; the reference has nothing of its own to share, a translator's compiler takes long to start."""
    if name == "translator":
        return _translator(pool_bytes)
    return _reference() if name == "reference" else Interpreter(pool_bytes)


class Bench:
    """A machine with RAM at BASE on one engine; M-mode, pc at BASE.  Other modes may access all memory."""

    def __init__(self, engine: str = "interpreter", size: int = SIZE, pool_bytes: int = POOL_BYTES, isa: str | None = None,
                 choices: dict | None = None):
        more = {"choices": choices} | ({"isa": isa} if isa else {})
        self.machine = Machine([Ram(BASE, size)], engine=make_engine(engine, pool_bytes), **more)
        self.engine, self.hart, self.memory = engine, self.machine.hart, self.machine.memory
        self.rules = self.machine.engine.rules
        self.hart.pc = BASE
        self.set(pmpaddr0=-1, pmpcfg0=NAPOT_RWX)

    # State.

    def put(self, code: str | bytes, at: int = BASE) -> dict[str, int]:
        """Place a program or bytes; gives the symbols."""
        if isinstance(code, str):
            assembly = assemble(code, at)
            for section in assembly.sections:
                if section.data:
                    self.memory.write(section.address, bytes(section.data))
            return assembly.symbols
        self.memory.write(at, code)
        return {}

    def set(self, **values: int) -> Bench:
        """Set CSRs as software does, registers (x5=...), or words of the record (pc=..., prv=..., v=...)."""
        for name, value in values.items():
            value %= 1 << 64
            if name in CSRS:
                self.rules.csr_write(self.hart.address, CSRS[name].number, value)
            elif name[0] in "xf" and name[1:].isdigit():
                getattr(self.hart, name[0])[int(name[1:])] = value
            else:
                setattr(self.hart, name, value)
        return self

    def csr(self, name: str) -> int:
        """A CSR as software of M-mode reads it."""
        return int(self.rules.csr_read(self.hart.address, CSR_NUMBERS[name]))

    @property
    def instret(self) -> int:
        return self.machine.instret

    # Runs.

    def run(self, count: int) -> list[tuple[str, int]]:
        """Run `count` instructions: why the engine returned, each time, and after how many instructions.

        Device accesses are served by the machine's bus.  A WFI with nothing pending and a trap loop end the run.
        """
        hart, machine = self.hart, self.machine
        end, returns = machine.instret + count, []
        hart.quantum_end = end
        while True:
            reason = machine.run_hart()
            returns.append((REASON_NAMES[reason], machine.instret))
            if reason == REASON_MMIO:
                machine.serve(reason)
            elif reason in (REASON_BUDGET, REASON_TRAP_LOOP, REASON_WFI):
                return returns
            else:
                assert reason == REASON_WATCH, returns

    def run_asleep(self, count: int) -> list[tuple[str, int]]:
        """The same, but a WFI is slept through to the next timer event, and ends the run only where none will come."""
        end, returns = self.instret + count, []
        while True:
            returns += self.run(end - self.instret)
            if returns[-1][0] != "WFI" or not self.machine.skip_to_next_event():
                return returns

    # Observation.

    def state(self) -> dict[str, object]:
        """That of the machine."""
        return state_of(self.machine)

    def csrs(self) -> dict[str, int]:
        """Every CSR as M-mode reads it."""
        return {f"csr {name}": self.csr(name) for name in CSRS}

    def word(self, pa: int) -> int:
        return self.memory.word(pa)


def state_of(machine: Machine) -> dict[str, object]:
    """Registers, CSRs, modes, the number of retired instructions, a digest of memory."""
    hart = machine.hart
    state: dict[str, object] = {name: int(getattr(hart, name)) for name in HIDDEN}
    state["instret"] = machine.instret
    state |= {f"x{n}": int(hart.x[n]) for n in range(32)} | {f"f{n}": int(hart.f[n]) for n in range(32)}
    for name in STORED:
        words = getattr(hart, name)
        state[name] = list(map(int, words)) if COUNT[name] > 1 else int(words)
    state["memory"] = [zlib.crc32(region.view) for region in machine.memory.regions]
    return state


def difference(a: dict, b: dict) -> dict:
    """What differs between two states: (in a, in b) by name, in hexadecimal."""
    def text(value):
        return hex(value) if isinstance(value, int) else str(value)
    return {name: (text(a[name]), text(b[name])) for name in a if a[name] != b[name]}


def hold_equal(prepare, slices: list[int], **options) -> Bench:
    """Run what `prepare(bench)` sets up on both engines, slice by slice; after each, states and reasons must be equal.

    Gives the reference's bench.
    """
    benches = [Bench(engine, **options) for engine in ENGINES]
    for bench in benches:
        prepare(bench)
    for number, count in enumerate(slices):
        returns = [bench.run(count) for bench in benches]
        states = [bench.state() for bench in benches]
        assert not difference(*states), (f"after slice {number}", difference(*states), returns)
        assert returns[0] == returns[1], f"after slice {number}"
    assert not difference(*(bench.csrs() for bench in benches))
    return benches[1]


def hold_sliced(prepare, slices: list[int], engine: str = "interpreter", **options) -> None:
    """Whether a run is cut in slices makes no difference to where it ends."""
    whole, sliced = Bench(engine, **options), Bench(engine, **options)
    prepare(whole)
    prepare(sliced)
    whole.run_asleep(sum(slices))
    for count in slices:
        if sliced.run_asleep(count)[-1][0] == "WFI":                # nothing will come: it ends the whole run, too
            break
    assert not difference(whole.state(), sliced.state())
    assert not difference(whole.csrs(), sliced.csrs())


def hold_translated(prepare, slices: list[int], limits=(40, 5, 12, 1), **options) -> Bench:
    """Run what `prepare(bench)` sets up by the interpreter, and with all that it has run translated before: after each slice,
    states and reasons must be equal.  `limits`: instructions of regions at most, by turns of the pages.

    Gives the translating bench; `bench.translated` is the number of regions.
    """
    learning, plain, bench = (Bench("translator", **options) for _ in range(3))
    for each in (learning, plain, bench):
        prepare(each)
    for count in slices:
        learning.run(count)
    bench.translated = bench.machine.engine.translate_all(bench.hart, decoded(learning.hart), limits)
    for number, count in enumerate(slices):
        returns = [each.run(count) for each in (plain, bench)]
        states = [each.state() for each in (plain, bench)]
        assert not difference(*states), (f"after slice {number}", difference(*states), returns)
        assert returns[0] == returns[1], f"after slice {number}"
    assert not difference(*(each.csrs() for each in (plain, bench)))
    return bench
