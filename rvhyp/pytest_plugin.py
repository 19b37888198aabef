"""For pytest: fixtures that run programs on the bare board and under the monitor, and ELF tests as test items.

    def test_sum(rvhyp_machine):
        machine = rvhyp_machine("_start: li a0, 2\\n addi a0, a0, 3\\n ebreak")
        assert machine.run_to_trap()
        assert machine["a0"] == 5 and machine["mcause"] == 3

    def test_hello(rvhyp_guest):
        guest = rvhyp_guest("hello")
        assert guest.run() == 0 and "Hello" in guest.output and guest.exits["ecall from VS-mode"]

    pytest --rvhyp-conformance riscv-tests/isa

A program is assembly text, a path, the bytes of an ELF file, or a `Program`; a guest may be one of ours by name.  Of a test
that fails, the report shows what its programs printed and where they stand.  Installing rvhyp makes all this known to pytest.
"""
from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest

MAX_INSTRUCTIONS, SECONDS = 10_000_000, 30.0
_RUNS, _RULES, _EXPECTED = pytest.StashKey[list](), pytest.StashKey(), pytest.StashKey()


class _Run:
    """A program in a test; `output` is what it printed."""

    title = ""

    def __init__(self):
        self._printed = bytearray()

    @property
    def output(self) -> str:
        return self._printed.decode(errors="replace")


class BoardRun(_Run):
    """A program on the bare board: `machine["a0"]` is a register, CSR or pc; `board` has everything else."""

    title = "machine"

    def __init__(self, program, memory: int, engine: str, **options):
        super().__init__()
        from rvhyp import Board
        self.board = Board(memory, engine=_engine(engine), output=self._printed.extend, **options)
        self.program = program
        self.board.load(program)

    def run(self, max_instructions: int = MAX_INSTRUCTIONS, seconds: float = SECONDS):
        """Run on; an `Outcome`, which says how it ended and with which status."""
        return self.board.run(max_instructions, seconds)

    def run_to_trap(self, max_instructions: int = MAX_INSTRUCTIONS) -> bool:
        """Run on to the next trap, which is then taken, into whatever mode; False if the program ended first, or at the limit."""
        machine, hart = self.board.machine, self._hart
        end, before = machine.instret + max_instructions, hart.traps
        hart.stop_at_traps = 1
        try:
            while machine.outcome is None and machine.instret < end and hart.traps == before:
                hart.quantum_end = end
                machine.serve(machine.run_hart())
        finally:
            hart.stop_at_traps = 0
        return hart.traps != before

    @property
    def _hart(self):
        return self.board.machine.hart

    def __getitem__(self, name: str) -> int:
        """A register by either of its names, a CSR, or pc.  KeyError if there is none of this name."""
        from rvhyp.isa.csr import CSR_NUMBERS
        from rvhyp.isa.fields import F_NAMES, X_NAMES
        for letter, names, values in (("x", X_NAMES, self._hart.x), ("f", F_NAMES, self._hart.f)):
            for number, each in enumerate(names):
                if name in (each, f"{letter}{number}"):
                    return int(values[number])
        if name == "pc":
            return int(self._hart.pc)
        return self.board.machine.engine.rules.csr_read(self._hart.address, CSR_NUMBERS[name])

    def read(self, pa: int, size: int) -> bytes:
        """Bytes of RAM."""
        return self.board.machine.memory.read(pa, size)

    def where(self) -> str:
        """Mode and place, for the report of a failure."""
        from rvhyp.isa.cause import mode_name
        pc = self["pc"]
        symbol = self.program.symbol_at(pc)
        return f"{mode_name(self._hart.prv, self._hart.v)}-mode at {pc:#x}{f' <{symbol}>' if symbol else ''}"


class GuestRun(_Run):
    """A guest under the monitor; `hypervisor` and `vm` are the real ones: hooks, exits, memory."""

    title = "guest"

    def __init__(self, program, name: str, memory: int, engine: str, cpus: int, input: bytes, bootargs: str):
        super().__init__()
        from rvhyp import Hypervisor, VmConfig
        from rvhyp.machine.console import Input
        self._input = tempfile.TemporaryFile()
        self._input.write(input)
        self._input.seek(0)
        config = VmConfig(name, program, memory, cpus, self._printed.extend, Input(self._input.fileno()), bootargs)
        self.hypervisor = Hypervisor([config], _engine(engine))
        self.vm, = self.hypervisor.vms

    def run(self, max_instructions: int = MAX_INSTRUCTIONS, seconds: float = SECONDS) -> int | None:
        """Run on; the guest's status, or None if a limit was reached first."""
        self.hypervisor.run(max_instructions, seconds)
        return self.vm.status

    @property
    def exits(self) -> Counter[str]:
        """Traps into HS, by cause."""
        return self.vm.exits

    @property
    def stopped(self) -> str:
        """The report of a guest that the monitor stopped; else nothing."""
        return self.vm.report

    def where(self) -> str:
        """The report of a stopped guest, or where its harts stand."""
        from rvhyp.monitor.report import mode_of, place_of
        if self.vm.is_over:
            return self.stopped or f"ended with status {self.vm.status}"
        self.hypervisor.stand_still()
        return ", ".join(f"hart {vcpu.number} in {mode_of(vcpu)}-mode at {place_of(vcpu, vcpu['sepc'])}"
                         for vcpu in self.vm.vcpus)


def _engine(name: str):
    from rvhyp import make_engine
    return make_engine(name)


def _program(source, base: int):
    """What a test gave, as a program: text is assembled for its place."""
    from rvhyp import Program, assemble, load
    if isinstance(source, Program):
        return source
    if isinstance(source, (bytes, bytearray)):
        return load(bytes(source))
    return load(source) if isinstance(source, Path) else load(assemble(source, base).to_elf())


@pytest.fixture
def rvhyp_machine(request):
    """A function that puts a program on a bare board: `machine = rvhyp_machine(program, memory=128 << 20, isa=...)`."""
    def make(program, memory: int = 128 << 20, engine: str = "auto", **options) -> BoardRun:
        from rvhyp.machine.memory_map import RAM_BASE
        return _keep(request.node, BoardRun(_program(program, RAM_BASE), memory, engine, **options))
    return make


@pytest.fixture
def rvhyp_guest(request):
    """A function that gives a program to the monitor as a guest: `guest = rvhyp_guest(program, input=b"typed\\n", cpus=1)`."""
    def make(program, memory: int = 128 << 20, engine: str = "auto", cpus: int = 1, input: bytes = b"", bootargs: str = ""
             ) -> GuestRun:
        import firmware
        from rvhyp.machine.memory_map import RAM_BASE
        name = request.node.name
        if isinstance(program, str) and program in firmware.names():
            name, program = program, firmware.load(program)
        return _keep(request.node, GuestRun(_program(program, RAM_BASE + 0x20_0000), name, memory, engine, cpus, input, bootargs))
    return make


def _keep(item, run):
    item.stash.setdefault(_RUNS, []).append(run)
    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Add to the report of a failure what the test's programs did."""
    report = yield
    if report.when == "call" and report.failed:
        for run in item.stash.get(_RUNS, []):
            report.sections.append((f"rvhyp {run.title}", f"{run.where()}\n{run.output}"))
    return report


# Programs in the style of riscv-tests as test items.

def pytest_addoption(parser):
    group = parser.getgroup("rvhyp", "RISC-V programs on rvhyp")
    group.addoption("--rvhyp-conformance", action="store_true",
                    help="Collect RISC-V ELF files: each is a test in the style of riscv-tests.")
    group.addoption("--rvhyp-rules", metavar="FILE", help="How to run which of them, as of rvhyp conformance --rules.")
    group.addoption("--rvhyp-expected", metavar="FILE", help="Those known to fail, as of rvhyp conformance --expected.")
    group.addoption("--rvhyp-engine", metavar="NAME", default="auto", help="What executes instructions.  [default: auto]")


def pytest_configure(config):
    """Read rules and expectations once; what is wrong with them is an error of usage."""
    if not config.getoption("--rvhyp-conformance"):
        return
    from rvhyp.conformance.expectations import DEFAULT_RULES, Expectations, Rules
    from rvhyp.engine import ENGINES
    from rvhyp.machine.errors import BadInput
    engine, expected = config.getoption("--rvhyp-engine"), config.getoption("--rvhyp-expected")
    if engine not in ("auto", *ENGINES):
        raise pytest.UsageError(f"--rvhyp-engine {engine}: there are {', '.join(('auto', *ENGINES))}")
    try:
        config.stash[_RULES] = Rules.read(config.getoption("--rvhyp-rules") or DEFAULT_RULES)
        config.stash[_EXPECTED] = Expectations.read(expected) if expected else Expectations()
    except BadInput as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collect_file(file_path, parent):
    """Every file that begins as a RISC-V executable does."""
    if parent.config.getoption("--rvhyp-conformance"):
        from rvhyp.conformance.discover import test_in
        if test := test_in(file_path, file_path.parent):
            return ElfFile.from_parent(parent, path=file_path, test=test)
    return None


class ElfFile(pytest.File):
    """A file with one test."""

    def __init__(self, test, **more):
        super().__init__(**more)
        self._test = test

    def collect(self):
        return [ElfItem.from_parent(self, name=self._test.name, test=self._test)]


class ElfFailure(Exception):
    """What is wrong with a test, in the words of `rvhyp conformance`."""


class ElfItem(pytest.Item):
    """One ELF test."""

    def __init__(self, test, **more):
        super().__init__(**more)
        self._test = test

    def runtest(self):
        from rvhyp.conformance.expectations import Verdict
        from rvhyp.conformance.report import Report
        from rvhyp.conformance.result import Status
        from rvhyp.conformance.runner import Job, run_test
        expectations = self.config.stash[_EXPECTED]
        job = Job(self._test, self.config.stash[_RULES].config(self._test))
        result = run_test(job, self.config.getoption("--rvhyp-engine"))
        if result.status is Status.SKIP:
            pytest.skip(result.detail)
        report = Report(result.parts(), expectations, result.seconds)
        if result.output:
            self.add_report_section("call", "console", result.output)
        if not report.is_good:
            raise ElfFailure("\n".join(map(report.line, report.unexpected)))
        if result.status is not Status.PASS and report.verdicts[result.name] is Verdict.EXPECTED_FAILURE:
            pytest.xfail(str(expectations.find(result)))

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, ElfFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, self.name
