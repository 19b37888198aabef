"""A corpus: what it keeps, how it is read whatever has become of its files, and how it is reduced."""
import hashlib
import json
import os
import shutil
from dataclasses import replace
from functools import cache
from multiprocessing import get_context

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rvhyp.fuzz.campaign import Campaign
from rvhyp.fuzz.corpus import LARGEST, MAGIC, Corpus, Entry, Unusable, cover, parse, replays
from rvhyp.fuzz.guide import POOL
from rvhyp.fuzz.layout import SLOTS
from rvhyp.fuzz.minimise import minimise
from rvhyp.fuzz.oracles import Engine
from rvhyp.fuzz.targets import ISA, TARGETS
from rvhyp.machine.errors import BadInput
from tests.engine.support import examples
from tests.fuzz.test_campaign import Crashing, Mutant, plan, register  # noqa: F401  (register is a fixture)


@cache
def maker(target):
    return TARGETS[target].maker(1)


def entry(number=3, target="supervisor", **more):
    batch = maker(target).batch(number, 1)
    return Entry(**{"target": target, "isa": ISA, "repeats": 1, "seed": 1, "number": number, "slot": number % SLOTS,
                    "code": batch.code.tobytes(), "record": batch.records.tobytes(), "genes": batch.genes.table().tobytes(),
                    "features": ("add in M: retired",)} | more)


def with_checksum(rest: bytes) -> bytes:
    return f"{MAGIC} 1 {hashlib.sha256(rest).hexdigest()}\n".encode() + rest


WHOLE = entry().to_bytes()
DOCUMENT = json.loads(WHOLE.partition(b"\n")[2])


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_file_is_read_as_it_was_written(target):
    assert parse(entry(5, target).to_bytes()) == entry(5, target)
    assert len(entry(5, target).to_bytes()) < 12288


def test_what_a_file_says_of_a_case_is_kept():
    assert parse(entry(oracle="spike", what="differs", genes=b"").to_bytes()) == entry(oracle="spike", what="differs", genes=b"")


@examples(150)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3), st.integers(0, 40)), min_size=1, max_size=4))
def test_a_damaged_file_is_never_taken_for_a_program(changes):
    data = WHOLE
    for at, new, gone in changes:
        data = data[:at] + new + data[at + gone:]
    try:
        assert parse(data) == entry() and data == WHOLE
    except Unusable:
        pass


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
                           max_leaves=6)


@examples(150)
@given(st.one_of(json_values, st.tuples(st.sampled_from([*DOCUMENT, *DOCUMENT["state"]]), json_values | st.just(...))))
@example(("csrs", None))
def test_a_file_with_a_right_checksum_may_still_hold_no_program(change):
    document = change
    if isinstance(change, tuple):
        document = DOCUMENT | {"state": dict(DOCUMENT["state"])}
        part = document if change[0] in document else document["state"]
        if change[1] is ...:
            del part[change[0]]
        else:
            part[change[0]] = change[1]
    try:
        parsed = parse(with_checksum(json.dumps(document).encode()))
    except Unusable:
        return
    assert parse(parsed.to_bytes()) == parsed


@pytest.mark.parametrize(("name", "value"), [
    ("code", ""), ("code", "00"), ("code", "00" * 1024), ("slot", 1024), ("repeats", 0), ("genes", "AAAA"),
    ("state", {"x": [0] * 31}), ("state", {"pokes": [[0x8001_0000, 1]]}), ("state", {"pokes": [[0x8004_0001, 1]]}),
    ("state", {"pokes": [[0x8004_0000, 1]] * 300}), ("state", {"f": [1 << 64] * 32}), ("state", {"csrs": {"mtvec": 1}}),
    ("state", {"weather": 1})])
def test_a_program_that_would_lead_the_harness_astray_is_refused(name, value):
    value = DOCUMENT[name] | value if isinstance(value, dict) else value
    with pytest.raises(Unusable, match="cannot be|no place for"):
        parse(with_checksum(json.dumps(DOCUMENT | {name: value}).encode()))


def test_a_file_of_a_version_with_less_state_can_be_read():
    state = {name: value for name, value in DOCUMENT["state"].items() if name not in ("traps", "data_seed")}
    assert parse(with_checksum(json.dumps(DOCUMENT | {"state": state}).encode())).code == entry().code


def test_each_file_that_cannot_be_used_is_named_and_the_rest_is(tmp_path):
    corpus = Corpus(tmp_path, "supervisor")
    corpus.write(entry())
    rest = WHOLE.partition(b"\n")[2]
    bad = {"short": WHOLE[:-1], "empty": b"", "text": b"#include <stdio.h>\n", "huge": b"x" * (LARGEST + 1),
           "junk": bytes(range(256)), "new": f"{MAGIC} 2 {hashlib.sha256(rest).hexdigest()}\n".encode() + rest,
           "other": entry(target="user").to_bytes()}
    for name, data in bad.items():
        (corpus.folder / name).write_bytes(data)
    (corpus.folder / "folder").mkdir()
    os.mkfifo(corpus.folder / "pipe")
    (corpus.folder / "gone").symlink_to("nowhere")
    (corpus.folder / ".x.tmp").write_bytes(b"a killed process left it")
    entries, messages = corpus.read()
    assert list(entries.values()) == [entry()]
    text = "\n".join(messages)
    assert len(messages) == len(bad) + 2 and all(str(corpus.folder / name) in text for name in [*bad, "folder", "pipe"])
    assert "of version 2" in text and "checksum is wrong" in text and "target user" in text
    assert all((corpus.folder / name).read_bytes() == data for name, data in bad.items())


def test_a_corpus_that_cannot_be_is_bad_input(tmp_path):
    (tmp_path / "user").write_text("a file")
    with pytest.raises(BadInput, match="cannot be made a folder"):
        Corpus(tmp_path, "user")


def write_some(folder, numbers):
    corpus = Corpus(folder, "supervisor")
    for number in numbers:
        corpus.write(entry(number))


def test_two_at_once_lose_nothing(tmp_path):
    fork = get_context("fork")
    writers = [fork.Process(target=write_some, args=(tmp_path, numbers)) for numbers in (range(0, 30), range(20, 50))]
    for writer in writers:
        writer.start()
    corpus = Corpus(tmp_path, "supervisor")
    while any(writer.is_alive() for writer in writers):
        assert corpus.read()[1] == []
    entries, messages = corpus.read()
    assert {each.number for each in entries.values()} == set(range(50)) and not messages
    assert not [path for path in corpus.folder.iterdir() if path.name.startswith(".")]


def test_programs_run_again_in_their_own_slots():
    same = {f"{number}": entry(number) for number in (3, 3 + SLOTS, 900, 901)}
    groups, names = replays(same, maker("supervisor").menu)
    assert [[program.slot for program in group] for group in groups] == [[3, 900, 901], [3]]
    assert [names[program.number] for group in groups for program in group] == ["3", "900", "901", str(3 + SLOTS)]
    assert all(program.genes for group in groups for program in group)


def test_genes_that_make_another_program_by_now_are_not_bred_from():
    groups, _ = replays({"old": replace(entry(3), genes=entry(4).genes)}, maker("supervisor").menu)
    assert groups[0][0].genes == b"" and groups[0][0].code == entry(3).code


@pytest.fixture
def twin(register):  # noqa: F811
    register("twin", lambda isa: Engine("interpreter", isa))


def test_a_later_run_begins_with_what_an_earlier_one_kept(twin, tmp_path):
    def run(**more):
        return Campaign(plan("twin", **{"target": "csr", "examples": 200, "corpus": str(tmp_path)} | more)).run()
    first = run()
    assert first.replayed == 0 and first.kept > 100
    again = run()
    assert again.replayed == first.kept and again.kept == 0
    assert ((first.guide.counts > 0) == (again.guide.counts > 0)).all()
    other = run(seed=6, guided=True, examples=1100)
    assert other.replayed == first.kept and other.kept > 10
    words = {program.genes for program in first.guide.credited()}
    pools = [{row.tobytes() for row in other.guide.pool(which).table()} for which in (0, 2)]
    assert not pools[0] and len(pools[1]) == POOL and len(pools[1] & words) == POOL // 2        # it breeds from them, too
    call = str(tmp_path), "csr", "interpreter", 1
    both = [get_context("fork").Process(target=minimise, args=call) for _ in range(2)]
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "csr", copy / "csr")
    for process in both:                                # at the same time: what one relies on the other does not delete
        process.start()
    for process in both:
        process.join()
    done = minimise(str(copy), *call[1:])
    assert done.programs == first.kept + other.kept and done.kept < 0.8 * done.programs
    assert done.features == (other.guide.counts > 0).sum() > (first.guide.counts > 0).sum()
    assert minimise(*call).features == done.features and minimise(*call).kept == done.kept
    after = run(examples=1)
    assert (after.guide.counts[other.guide.counts > 0] > 0).all()


def test_a_corpus_that_takes_no_more_does_not_end_a_campaign(twin, tmp_path, monkeypatch):
    def full(*arguments, **more):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr("tempfile.mkstemp", full)
    report = Campaign(plan("twin", examples=64, corpus=str(tmp_path))).run()
    assert report.programs == 64 and report.kept == 0
    assert len(report.messages) == 1 and "No space left" in report.messages[0]


def test_what_differed_runs_again_and_stays(register, twin, tmp_path):  # noqa: F811
    register("mutant", Mutant)
    first = Campaign(plan("mutant", examples=60, corpus=str(tmp_path)))
    first._hunt(0)
    numbers = {case.number for case in first.report.cases}
    kept = [each for each in Corpus(tmp_path, "user").read()[0].values() if each.oracle == "mutant"]
    assert numbers and {each.number for each in kept} == numbers
    minimise(str(tmp_path), "user", "interpreter", 1)
    again = Campaign(plan("mutant", seed=99, examples=1, corpus=str(tmp_path)))
    again._hunt(0)
    assert {each.name for each in kept} <= {case.entry for case in again.report.cases}


def test_a_program_of_the_corpus_that_ends_a_process_is_found_and_stays(register, twin, tmp_path):  # noqa: F811
    for number in (76, 77, 78):
        Corpus(tmp_path, "user").write(entry(number, "user"))
    register("crashing", lambda isa: Crashing(isa, lambda: os.kill(os.getpid(), 9)))
    report = Campaign(plan("crashing", examples=1, corpus=str(tmp_path))).run()
    assert [(case.entry, case.what) for case in report.found] == [(entry(77, "user").name, "the process ended by SIGKILL")]


def test_time_that_is_over_is_said(register, tmp_path):  # noqa: F811
    write_some(tmp_path, range(30))
    register("slow", lambda isa: Engine("reference", isa))
    campaign = Campaign(plan("slow", target="supervisor", examples=None, seconds=1e-9, corpus=str(tmp_path)))
    campaign._hunt(0)
    assert campaign.report.messages == ["time was over before 30 programs of the corpus had run again"]


def test_programs_for_another_isa_are_left_alone(twin, tmp_path):
    Corpus(tmp_path, "user").write(entry(1, "user", isa="rv64imafdch_sstc"))
    report = Campaign(plan("twin", examples=1, corpus=str(tmp_path))).run()
    assert report.replayed == 0 and "another --isa" in report.messages[0] and len(Corpus(tmp_path, "user").read()[0]) >= 1


@examples(100)
@given(st.dictionaries(st.text("abcdef", min_size=1), st.sets(st.integers(0, 20)), max_size=12),
       st.sets(st.text("abcdef", min_size=1)))
def test_a_cover_has_all_elements_and_no_set_for_nothing(sets, wanted):
    chosen = cover(sets, wanted)
    assert set().union(*(sets[name] for name in chosen)) == set().union(*sets.values())
    assert len(set(chosen)) == len(chosen) and wanted & sets.keys() <= set(chosen)
    seen = set()
    for name in chosen:
        assert name in wanted or sets[name] - seen
        seen |= sets[name]
