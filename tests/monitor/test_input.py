"""Input for a hart that does not look at its devices: for one that waits, whatever timer is set, and for one that computes."""
import pytest

from rvhyp import Board, assemble, load
from rvhyp.machine.console import Input
from tests.monitor.guest import BASE, EXIT, boot, engine

UART, PLIC, UART_SOURCE = 0x1000_0000, 0x0C00_0000, 10
S, M = (1, "s", 9), (0, "m", 11)        # context of the PLIC, letter of the CSRs, external interrupt
TIMER = 5


class Late(Input):
    """Somebody who types a letter only when it was asked for many times: more than the program looks at its devices."""

    def __init__(self):
        super().__init__(0)
        self.asked = 0

    def read(self, timeout: float = 0) -> bytes:
        self.asked += 1
        return b"x" if self.asked == 10 else b""


def program(body: str, context: int, letter: str, external: int) -> str:
    """The UART raises an external interrupt when it receives something.

    `body` goes to `received` when that is pending, whereby the program ends with the byte; if it goes on, it ends with 1.
    """
    return f"""
    li t0, {UART}
    li t1, 1
    sb t1, 1(t0)
    li t0, {PLIC}
    sw t1, {4 * UART_SOURCE}(t0)
    li t1, {1 << UART_SOURCE}
    li t0, {PLIC + 0x2000 + 0x80 * context}
    sw t1, 0(t0)
    li t0, {PLIC + 0x20_0000 + 0x1000 * context}
    sw zero, 0(t0)
    li s1, {1 << external}
    {body}
    li a0, 1
    j exit
received:
    li t0, {UART}
    lbu a0, 0(t0)
    j exit
""".replace("@", letter)


WAIT = f"""
    li s0, 1000
1:  rdtime t0
    addi t0, t0, 1000
    csrw stimecmp, t0
    li t0, {1 << TIMER}
    or t0, t0, s1
    csrs @ie, t0
    wfi
    csrr t0, @ip
    and t0, t0, s1
    bnez t0, received
    addi s0, s0, -1
    bnez s0, 1b
"""
COMPUTE = """
    li s0, 10000000
1:  csrr t0, @ip
    and t0, t0, s1
    bnez t0, received
    addi s0, s0, -1
    bnez s0, 1b
"""


@pytest.mark.parametrize("body", [WAIT, COMPUTE])
def test_a_guest_gets_input_that_it_does_not_ask_for(body):
    runs = [boot(program(body, *S), input=Late()) for _ in range(2)]
    assert {run.outcome.status for run in runs} == {ord("x")}
    assert len({run.hypervisor.machine.instret for run in runs}) == 1


@pytest.mark.parametrize("body", ["li t0, -1\n    csrw menvcfg, t0\n" + WAIT, COMPUTE])
def test_a_program_on_the_board_gets_input_that_it_does_not_ask_for(body):
    board = Board(16 << 20, engine=engine(), input=Late())
    board.load(load(assemble("_start:\n" + program(body, *M) + EXIT, BASE, "program").to_elf(), "program"))
    assert board.run(100_000_000).status == ord("x")


def test_time_does_not_jump_past_input():
    run = boot(program(WAIT, *S), input=Late())
    assert run.hypervisor.machine.now() < 30_000                # the timer's period times twenty looks
