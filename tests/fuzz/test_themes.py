"""Targets with dishes of their own: programs do what their target is about, and what they leave depends on it."""
from collections import Counter

import numpy as np
import pytest

from rvhyp.fuzz import lockstep, pages
from rvhyp.fuzz.batches import TABLE, Bench, Work
from rvhyp.fuzz.campaign import Campaign, Plan
from rvhyp.fuzz.coverage import feature
from rvhyp.fuzz.example import Example, lines_of
from rvhyp.fuzz.harness import image
from rvhyp.fuzz.layout import G_TABLES, HS_TABLES, PMPCFG0, R_WITHOUT, SLOTS, UNSAID, slot_code
from rvhyp.fuzz.lockstep import commits_of
from rvhyp.fuzz.oracles import ORACLES, Engine, Oracle, Spike
from rvhyp.fuzz.state import CSR_PLACE, FS_DIRTY, MPP_M
from rvhyp.fuzz.targets import ISA, TARGETS
from rvhyp.fuzz.themes import interrupts
from rvhyp.isa.csr import HSTATUS_SPVP
from tests.firmware.peers import needs_spike

COUNT = 48


def results(batch, records):
    """Digests of a batch with other records."""
    data = Engine("interpreter", ISA).run(image(batch.code.tobytes(), records.tobytes(), batch.slot), TABLE, 100_000_000)
    return np.frombuffer(data, np.uint64).reshape(SLOTS, -1)[:batch.count, 0]


def closed(records):
    """PMP as the harness has it: nothing may be stored to code."""
    records[:, CSR_PLACE["pmpcfg0"]] = PMPCFG0


def with_h(records):
    records[:, R_WITHOUT] = 0


def not_delegated(records):
    for name in ("mideleg", "hideleg"):
        records[:, CSR_PLACE[name]] = 0


def without_sstc(records):
    for name in ("menvcfg", "henvcfg"):
        records[:, CSR_PLACE[name]] &= np.uint64((1 << 63) - 1)


def enabled(records):
    """mstateen and hstateen refuse nothing."""
    for name in UNSAID:
        records[:, CSR_PLACE[name]] = UNSAID[name]


def other_privilege(records):
    """HLV and HSV in the name of VU, not VS, or the other way round."""
    records[:, CSR_PLACE["hstatus"]] ^= np.uint64(HSTATUS_SPVP.mask)


@pytest.mark.parametrize("target, change, share", [
    ("code", closed, 0.3), ("pmp", closed, 0.4), ("csr", enabled, 0.05), ("nohyp", with_h, 0.9),
    ("interrupts", not_delegated, 0.4),
    ("timer", without_sstc, 0.4), ("gstage", other_privilege, 0.2)])
def test_what_a_program_leaves_depends_on_what_its_target_is_about(target, change, share):
    batch = TARGETS[target].maker(3).batch(0, COUNT)
    before = results(batch, batch.records)
    changed = batch.records.copy()
    change(changed)
    different = (before != results(batch, changed)).mean()
    assert share < different <= 1 and np.array_equal(before, results(batch, batch.records))


def run_lines(target, count):
    """(example, commit) of all that some programs retire, harness and all."""
    batch = TARGETS[target].maker(5).batch(0, count)
    for number in range(count):
        example = Example.of(batch, number)
        for commit in commits_of("interpreter", ISA, example.image()):
            yield example, commit


def test_changed_code_is_run_in_every_mode():
    modes = Counter()
    for example, commit in run_lines("code", 9):
        code, at = example.code(), commit.pc % 1024
        if not commit.is_harness and at < len(code):
            size = 4 if commit.bits & 3 == 3 else 2
            modes[commit.prv] += int.from_bytes(code[at:at + size], "little") != commit.bits
    assert all(modes[prv] > 0 for prv in (0, 1, 3)), modes


@pytest.mark.parametrize("target, instructions", [
    ("user", ("c.addi16sp", "wrs.nto", "wrs.sto")), ("timer", ("wfi",)), ("code", ("cbo.zero", "fence.i")),
    ("gstage", ("hfence.vvma",))])
def test_what_is_rare_retires(target, instructions):
    result = Bench(Plan(target, seed=5, measures=True), ()).run(Work(0, 256))
    reached = [str(feature(number)) for number in result.reached.features.tolist()]
    for name in instructions:
        assert any(each.startswith(f"{name} in ") and each.endswith("retired") for each in reached), name


@pytest.mark.parametrize("target", ["remap", "guest-remap", "gstage"])
def test_programs_that_fence_by_asid_have_no_global_pages(target):
    batch = TARGETS[target].maker(5).batch(0, 256)
    entries = {value for n in range(256) for at, value in Example.of(batch, n).pokes if HS_TABLES <= at < G_TABLES}
    assert entries and not any(value & pages.G for value in entries)


def test_a_wait_ends_when_its_timer_is_due():
    (words,) = [each.words for each in interrupts.sleeping() if each.name == "wfi mtimecmp"]
    picked = [word.bits | word.operands[0][1][0] if word.operands else word.bits for word in words]
    lines = lines_of(b"".join(bits.to_bytes(4, "little") for bits in picked))
    state = {"mepc": slot_code(0), "mstatus": MPP_M | FS_DIRTY, "pmpcfg0": PMPCFG0}
    example = Example(0, 0, lines, (0,) * 32, (0,) * 32, state)
    commits = [commit for commit in commits_of("interpreter", ISA, example.image()) if not commit.is_harness]
    assert [commit.effects.split()[1] for commit in commits if commit.effects.startswith("x28")][-1] == f"{0x80:#018x}"


@needs_spike
@pytest.mark.parametrize("grain", [1, 4])
def test_regions_of_pmp_have_a_granularity(monkeypatch, grain):
    def make(name, runner):
        monkeypatch.setitem(ORACLES, name, Oracle(name, name, runner, False, 1024, 1))
    make("coarse", lambda isa: Engine("interpreter", isa, {"pmp-grain": grain}))
    make("coarse-spike", lambda isa: Spike(isa, f"--pmpgranularity={4 << grain}"))
    report = Campaign(Plan("pmp", seed=5, engine="coarse", oracles=("coarse-spike",), examples=256, seconds=None)).run()
    assert report.compared == {"coarse-spike": 256} and report.found == []
    engines = [Engine("interpreter", ISA, {"pmp-grain": each}) for each in (0, grain)]
    batch = TARGETS["pmp"].maker(5).batch(0, 256)
    assert len({each.run(image(batch.code.tobytes(), batch.records.tobytes()), TABLE, 100_000_000) for each in engines}) == 2


@pytest.mark.long
def test_interrupts_of_every_level_are_taken():
    causes = {name: set() for name in ("mcause", "scause", "vscause")}
    for _, commit in run_lines("interrupts", 40):
        name = lockstep.TRAP_READS.get(commit.bits, "") if commit.is_harness else ""
        if name in causes and (value := int(commit.effects.split()[-1], 16)) >> 63:
            causes[name].add(value % 64)
    assert len(causes["mcause"]) >= 3 and len(causes["scause"]) >= 4 and len(causes["vscause"]) >= 2, causes
