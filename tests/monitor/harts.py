"""Guests of two harts that run at the same time, for tests."""
from rvhyp.machine.machine import Ended
from tests.monitor.guest import Run, boot

ENGINES = ("interpreter", "translator")
SECONDS = 100                   # a hart that waits for ever would wait so long

# Both harts come to `both` with their number in s0 and the address of shared data in s1; s11 counts meetings.
BOTH = """
    mv s0, a0
    bnez a0, both
    li a7, 0x48534D             # HSM hart_start
    li a6, 0
    li a0, 1
    la a1, _start
    ecall
both:
    li s1, 0x80800000
    li s11, 0
    li s10, 1
"""
MEET = """
    addi s11, s11, 2
    fence rw, rw
    amoadd.d zero, s10, (s1)
90: ld t0, (s1)
    bltu t0, s11, 90b
    fence rw, rw
"""
# Hart 0 ends the guest with the status in a0; hart 1 waits.
END = """
    bnez s0, 91f
    j exit
91: wfi
    j 91b
"""


def both(source: str, *, on: str = "interpreter", **options) -> Run:
    """Run a program of two harts."""
    run = boot(BOTH + source.replace("MEET", MEET) + END, on=on, limit=None, seconds=SECONDS, threads=True, cpus=2, **options)
    assert run.outcome.ended is Ended.EXIT, run.outcome
    assert run.vm.report == ""
    return run


def words(run: Run, count: int) -> list[int]:
    """Shared doublewords, each in a 64-byte block of its own, from the second block on."""
    return [run.vm.memory.word(0x8080_0000 + 64 * n) for n in range(1, count + 1)]
