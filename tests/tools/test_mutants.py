"""The mutation score: faults are drawn from everything, applied once, and told by what becomes of them."""
import ast
import re

import pytest

from tests.firmware.peers import needs_spike
from tools.mutants import __main__ as command
from tools.mutants.faults import AREAS, LEAST, PACKAGE, ROOT, Faults, files

FAULTS = Faults()


def of(file, old, new, area="instructions"):
    """The fault that makes of one line of a file another."""
    source = (ROOT / file).read_bytes()
    mine = (fault for place in FAULTS.places[area] for fault in place if fault.file == file)
    return next(fault for fault in mine if fault.lines(source) == (old, new))


def test_a_fault_is_applied_once():
    for fault in FAULTS.draw(300, 7):
        source = (ROOT / fault.file).read_bytes()
        changed = fault.apply(source)
        one, other = fault.lines(source)
        assert one != other and fault.old in source.decode() and len(changed) == len(source) + len(fault.new) - len(fault.old)
        ast.parse(changed)
        with pytest.raises(ValueError, match="the source is not what it was"):
            fault.apply(b"\n" + source)


def test_the_drawing_follows_from_the_seed():
    drawn = FAULTS.draw(200, 5)
    assert drawn == Faults().draw(200, 5) and len(drawn) == 200
    assert len({(fault.file, fault.at, fault.kind, fault.old) for fault in drawn}) == 200
    assert len(set(drawn) & set(FAULTS.draw(200, 6))) < 50
    assert all(sum(fault.area == area for fault in drawn) >= LEAST for area in AREAS)


def test_every_rule_and_every_record_is_in_one_area():
    listed = [path for area in AREAS if area != "encodings" for path in files(area)]
    assert len(listed) == len(set(listed))
    defining = {path for folder in ("isa", "hart") for path in (PACKAGE / folder).rglob("*.py")
                if re.search(r"^@(rule|reads|writes)\b|^instruction\b|^csr\(", path.read_text(), re.MULTILINE)}
    assert defining <= set(listed)


def test_what_is_listed_is_in_the_source():
    """A line that changed is looked at again."""
    for each in command.apart():
        source = (ROOT / each.file).read_text()
        lines = [re.sub(r"\s*#.*", "", line.strip()) for line in source.splitlines()]
        assert each.why and each.line in ("", *lines) and (not each.within or f"def {each.within}(" in source)


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--again", "/nowhere"], ["--again", __file__]])
def test_bad_arguments_are_told(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert "error: " in capsys.readouterr().err


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    from tools.mutants.trial import Trials
    return Trials(3, tmp_path_factory.mktemp("batches"), 64)


@needs_spike
@pytest.mark.parametrize(("fault", "outcome"), [
    (("rvhyp/isa/rv_i.py", "return sra(sext32(rs1), rs2 & 31)", "return sra(sext32(rs1), rs2 | 31)"), "found"),
    (("rvhyp/isa/csr.py", 'csr(0x341, "mepc", ALL & ~1)', 'csr(0x340, "mepc", ALL & ~1)', "CSR rows"), "does not build"),
    pytest.param(("rvhyp/isa/rv_a.py", "return select(rs2 < old, old, rs2)", "return select(rs2 <= old, old, rs2)"), "same code",
                 marks=pytest.mark.long),
])
def test_what_becomes_of_a_fault(trials, fault, outcome):
    assert trials.run(of(*fault), 0.1).outcome == outcome


@needs_spike
def test_without_a_fault_nothing_is_found(trials):
    result = trials.run(None, 0.1)
    assert result.outcome == "survived" and len(result.tried) > 8


@needs_spike
@pytest.mark.long
def test_nearly_all_of_a_sample_are_found(capsys):
    assert command.main(["--count", "20", "--seed", "20", "--seconds", "60"]) == 0
    score = re.search(r"without what cannot be found: (\d+) of (\d+)", capsys.readouterr().out)
    assert int(score[2]) >= 10 and int(score[2]) - int(score[1]) <= 1
