"""Where two runs of one program part: their commit logs side by side, up to the first line that differs."""
from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from rvhyp.fuzz.layout import H_TRAP, HARNESS, HS_H_TRAP, HS_TRAP, PAD, TRAP, VS_TRAP
from rvhyp.fuzz.oracles import ORACLES, SECONDS, Engine, Failed, Spike
from rvhyp.isa.csr import CSR_NUMBERS
from rvhyp.isa.instruction import INSTRUCTIONS
from rvhyp.isa.text import disassemble
from rvhyp.isa.text.assembly import Assembly

CONTEXT, KEPT = 6, 64                   # lines shown before the first difference; and looked at
LIMIT = 200_000                         # instructions logged at most
PER_TRAP = 5000                         # instructions that Spike counts for a trap
_LINE = re.compile(r"core +0: (\d) (0x[0-9a-f]{16}) \((0x[0-9a-f]+)\) ?(.*)")
TRAP_READS = {INSTRUCTIONS["csrrs"].encode(rd=5, csr=CSR_NUMBERS[name], rs1=0): name
              for name in (*TRAP, *H_TRAP, *HS_TRAP, *HS_H_TRAP, *VS_TRAP)}     # csrr t0, mcause and so on
SYSTEM = 0x73                           # opcode
_CSR = re.compile(r" ?c\d+_\w+ 0x[0-9a-f]+")
_MVIP = re.compile(r"c777_mvip 0x[0-9a-f]+ ?")      # Spike logs it with mip, whether there is Smaia or not


@dataclass(frozen=True)
class Commit:
    """A retired instruction: privilege, pc, its bits, and what it wrote, as the logs have it."""

    prv: int
    pc: int
    bits: int
    effects: str

    @property
    def is_harness(self) -> bool:
        return HARNESS <= self.pc < PAD

    def __str__(self) -> str:
        return f"{'US?M'[self.prv]} {self.pc:#x}: {disassemble(self.bits):32} {self.effects}"


@dataclass
class Parting:
    """The last commits of the program that both made, and the first of each that the other did not."""

    before: list[Commit] = field(default_factory=list)
    traps: list[Commit] = field(default_factory=list)       # what the harness read of a trap behind these
    ours: Commit | None = None
    theirs: Commit | None = None

    def lines(self, ours: str, theirs: str) -> list[str]:
        """For people."""
        width = max(len(ours), len(theirs))
        return [*(f"{'both':{width}}  {commit}" for commit in (*self.before[-CONTEXT:], *self.traps)),
                f"{ours:{width}}  {self.ours or 'ends here'}", f"{theirs:{width}}  {self.theirs or 'ends here'}"]

    @property
    def instruction(self) -> Commit | None:
        """The last instruction of the program itself up to where they part: most often the one to blame."""
        if self.ours is not None and not self.ours.is_harness:
            return self.ours
        return self.before[-1] if self.before else self.ours


def parse(line: str) -> Commit | None:
    """A line of a commit log; None if it is something else."""
    m = _LINE.match(line)
    if m is None:
        return None
    pc, effects = int(m[2], 16), _MVIP.sub("", re.sub(r"\s+", " ", m[4]))
    return Commit(int(m[1]), pc, int(m[3], 16), effects.strip())


def is_shown(commit: Commit) -> bool:
    """Whether it is the program's, or the harness reads in it what a trap left."""
    return not commit.is_harness or commit.bits in TRAP_READS


def agreed(commit: Commit) -> Commit:
    """A commit without what the manual leaves open: as `common` in harness.py, on one line of a log."""
    if commit.is_harness:
        name, value = TRAP_READS[commit.bits], int(commit.effects.split()[-1], 16)
        if name.endswith("cause") and value in (4, 6):
            value += 1
        if name.endswith("tinst") and value & ~0x20 != 0x3000:
            value = 0
        return replace(commit, pc=HARNESS, effects=f"{name} {value:#x}")
    if commit.bits & 0x7F == SYSTEM:        # views are logged as what they are views of, or as themselves
        return replace(commit, effects=_CSR.sub("", commit.effects))
    return commit


def commits_of(name: str, isa: str, image: Assembly) -> list[Commit]:
    """What an oracle retires of an image, from its first program on.  `Failed` if it cannot log."""
    runner = ORACLES[name].make(isa)
    if isinstance(runner, Engine):
        from rvhyp.machine.commitlog import CommitLog
        lines: list[str] = []
        board = runner.board(image)
        CommitLog(board.machine, lines.append)
        board.run(LIMIT, SECONDS)
        board.machine.memory.close()
    elif isinstance(runner, Spike):
        with tempfile.TemporaryDirectory(prefix="rvhyp-fuzz-") as folder:
            elf, log = Path(folder, "batch.elf"), Path(folder, "log")
            elf.write_bytes(image.to_elf())
            subprocess.run(runner.command("--log-commits", f"--log={log}", f"--instructions={LIMIT * PER_TRAP}", str(elf)),
                           capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
            lines = log.read_text().splitlines()
    else:
        raise Failed(f"{name} writes no commit log")
    commits = [commit for commit in map(parse, lines) if commit is not None]
    start = next((n for n, commit in enumerate(commits) if commit.pc == image.symbols["next"]), len(commits))
    return list(filter(is_shown, commits[start:]))


def parting(ours: str, theirs: str, isa: str, image: Assembly) -> Parting | None:
    """Where the runs of two oracles part; None if they retire the same."""
    before: list[Commit] = []
    for one, other in zip_longest(commits_of(ours, isa, image), commits_of(theirs, isa, image)):
        if one is None or other is None or agreed(one) != agreed(other):
            own = [commit for commit in before if not commit.is_harness][-KEPT:]
            return Parting(own, [commit for commit in before[-3:] if commit.is_harness], one, other)
        before.append(one)
    return None
