"""Running one test on a fresh board, and judging how it ended.

A test passes in one way only: by a store that makes `tohost` the exit command with code 0, which is the word 1.  Ending with
status 0 by other means (the test finisher, an exit system call passed through `tohost`) proves nothing: a program gone
astray may do that too.
"""
from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rvhyp.conformance.checks import Checks
from rvhyp.conformance.discover import Test
from rvhyp.conformance.result import Result, Status
from rvhyp.engine import make_engine
from rvhyp.engine.decoded import decoded
from rvhyp.isa import config
from rvhyp.isa.cause import ECALL_M, ECALL_S, ECALL_U, cause_name, mode_name
from rvhyp.isa.configuration import Configuration
from rvhyp.machine.board import DEFAULT_MEMORY, Board
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load_elf
from rvhyp.machine.machine import Ended, Outcome
from rvhyp.machine.ram import OutsideMemory
from rvhyp.machine.signature import GRANULARITY, has_signature, write_signature

MAX_INSTRUCTIONS, TIMEOUT = 10_000_000, 30.0
KEPT_OUTPUT = 1 << 14                   # bytes of a test's console, counted from the end

# What the environments of riscv-tests report for an exception that the test does not handle.  "p" sets bits in the number of
# the last test case begun, `ori TESTNUM, TESTNUM, 1337`, while a test that fails gets there by ECALL.  "v" ends by a failed
# assertion, or, if the exception was taken in M-mode, by calling wtf.
P_UNHANDLED = 1337 >> 1
V_ASSERTION, V_ASSERTION_CODE = "Assertion failed: ", 3 >> 1
V_WTF, V_WTF_CODE = "wtf", 841 >> 1


@dataclass(frozen=True)
class Config:
    """The machine a test runs on, and its limits; or why it is not run."""

    isa: str = config.DEFAULT
    choices: Configuration = Configuration()
    memory: int = DEFAULT_MEMORY
    max_instructions: int = MAX_INSTRUCTIONS
    timeout: float = TIMEOUT            # seconds
    skip: str = ""
    check: str = ""                     # pattern of the lines that report a check; "" for a program that reports none
    end: str = ".*"                     # pattern of the last line of such a program
    signatures: str = ""                # folder for the signatures of tests that have one; "" for none
    granularity: int = GRANULARITY
    traces: str = ""                    # folder for what failing tests leave to look at; "" for nothing


@dataclass(frozen=True)
class Job:
    """A test, and how it is to be run."""

    test: Test
    config: Config = Config()

    def result(self, status: Status, **fields) -> Result:
        return Result(self.test.name, self.test.path, status, **fields)

    @property
    def skip(self) -> str:
        return self.test.skip or self.config.skip

    @property
    def seconds(self) -> float:
        """The longest it may take: with traces, a failing test is run again three times."""
        return self.config.timeout * (4 if self.config.traces else 1)


class Tail:
    """The end of a console's output."""

    def __init__(self):
        self._data = bytearray()

    def __call__(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * KEPT_OUTPUT:
            del self._data[:-KEPT_OUTPUT]

    def __str__(self) -> str:
        return self._data[-KEPT_OUTPUT:].decode(errors="replace")


class Run:
    """One test on one board.

    Boards do not share an engine: decoded code of one lies in the pool of its engine, tied to its RAM.  Engines share the core.
    """

    def __init__(self, job: Job, engine: str, output: Tail):
        wanted = job.config
        self.config, self.output, self.name = wanted, output, job.test.name
        self.checks = Checks(wanted.check, wanted.end, output) if wanted.check else None
        self.board = Board(wanted.memory, wanted.isa, _engine(engine), self.checks or output, choices=wanted.choices)
        self.last_word = 0              # of tohost, when the run ended by a store to it
        self.program = load_elf(job.test.path)
        if self.program.tohost is None:
            raise BadInput("has no symbol tohost, through which a test reports", do="link it with its environment's script")
        self.board.load(self.program)
        try:
            is_clear = self.board.machine.memory.word(self.program.tohost) == 0
        except OutsideMemory as error:
            raise BadInput(f"its tohost, at {self.program.tohost:#x}, is outside RAM", do="link it lower") from error
        if not is_clear:
            raise BadInput("its tohost is not 0 before it begins", do="build it again")
        self._handle_store = self.board.machine.on_watch
        self.board.machine.on_watch = self._tohost_stored

    def _tohost_stored(self) -> None:
        word = self.board.machine.memory.word(self.program.tohost)
        self._handle_store()
        if self.board.machine.outcome is not None:
            self.last_word = word

    def translate(self, job: Job) -> None:
        """Have translated what another run of the test decodes: this one is too short for much of it to be found hot."""
        first = Run(job, "interpreter", Tail())
        first.board.run(self.config.max_instructions, self.config.timeout)
        machine = self.board.machine
        machine.engine.translate_all(machine.hart, decoded(first.board.machine.hart))

    def judge(self) -> dict:
        """Run; fields of the result."""
        judged = self._judge()
        if self.checks:
            judged["checks"] = tuple(self.checks.found)
            if judged["status"] is Status.PASS and self.checks.missing:
                judged |= {"status": Status.FAIL, "detail": self.checks.missing}
        return judged

    def _judge(self) -> dict:
        """How the program ended: `status`, `number` and `detail`."""
        outcome = self.board.run(self.config.max_instructions, self.config.timeout)
        if outcome.ended is Ended.EXIT:
            return self._judge_exit(outcome)
        if outcome.ended is Ended.TRAP_LOOP:
            return {"status": Status.TRAP, "detail": f"traps for ever, {self._position()}; {self._last_trap()}"}
        if outcome.ended is Ended.REBOOT:
            return {"status": Status.FAIL, "detail": f"reboots, {self._position()}"}
        limit = {Ended.INSTRUCTIONS: f"limit of {self.config.max_instructions:,} instructions",
                 Ended.SECONDS: f"limit of {self.config.timeout:g} seconds"}.get(outcome.ended, outcome.ended.value)
        return {"status": Status.TIMEOUT, "detail": f"{limit}, {self._position()}"}

    def write_signature(self) -> None:
        """Write the test's signature, if it has one and it is wanted."""
        if self.config.signatures and has_signature(self.program):
            path = Path(self.config.signatures, f"{self.name}.signature")
            write_signature(path, self.program, self.board.machine.memory, self.config.granularity)

    def _judge_exit(self, outcome: Outcome) -> dict:
        if not self.last_word & 1:
            return {"status": Status.FAIL, "detail": f"ended with status {outcome.status}, but not by an exit command in tohost"}
        code = self.last_word >> 1
        if code == 0:
            return {"status": Status.PASS}
        if unhandled := self._unhandled_exception(code):
            return {"status": Status.TRAP, "detail": unhandled}
        case = self.program.symbols.get(f"test_{code}")
        return {"status": Status.FAIL, "number": code, "detail": "" if case is None else f"test_{code} is at {case:#x}"}

    def _unhandled_exception(self, code: int) -> str:
        """What the test's environment says of an exception, if that is what it reports."""
        if code & P_UNHANDLED == P_UNHANDLED and int(self.board.machine.hart.mcause) not in (ECALL_U, ECALL_S, ECALL_M):
            return f"unhandled exception: {self._last_trap()}"
        if code == V_WTF_CODE and V_WTF in self.program.symbols:
            return f"unhandled exception in M-mode: {self._last_trap()}"
        if code == V_ASSERTION_CODE:
            said = [line for line in str(self.output).splitlines() if line.startswith(V_ASSERTION)]
            return said[-1] if said else ""
        return ""

    def _position(self) -> str:
        hart = self.board.machine.hart
        return f"in {mode_name(hart.prv, hart.v)}-mode at {self._place(int(hart.pc))}"

    def _last_trap(self) -> str:
        """The last trap into M-mode."""
        hart = self.board.machine.hart
        return f"{cause_name(int(hart.mcause))} at {self._place(int(hart.mepc))}, mtval {int(hart.mtval):#x}"

    def _place(self, va: int) -> str:
        symbol = self.program.symbol_at(va)
        return f"{va:#x} <{symbol}>" if symbol else f"{va:#x}"


def _engine(name: str):
    """An engine; translators share the process that compiles, which takes longer to start than a test."""
    if name != "translator":
        return make_engine(name)
    from rvhyp.engine.translator.engine import Translator
    return Translator(compiler=_compiler())


@cache
def _compiler():
    from rvhyp.engine.translator.process import Compiler
    return Compiler()


def run_test(job: Job, engine: str = "auto") -> Result:
    """Run a test in this process; on the translator with all of it translated.  Whatever goes wrong is its result."""
    if job.skip:
        return job.result(Status.SKIP, detail=job.skip)
    start = time.perf_counter()
    output, run = Tail(), None
    try:
        run = Run(job, engine, output)
        if engine == "translator":
            run.translate(job)
        judged = run.judge()
        run.write_signature()
    except BadInput as error:
        judged = {"status": Status.ERROR, "detail": str(BadInput(error.what, do=error.do))}
    except Exception:
        judged = {"status": Status.CRASH, "detail": traceback.format_exc()}
    instructions = run.board.machine.instret if run else 0
    return job.result(**judged, instructions=instructions, seconds=time.perf_counter() - start, output=str(output))
