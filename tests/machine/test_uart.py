"""The 16550A, register by register, and as the drivers of Linux, U-Boot and xv6 use it."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.uart import Uart

RBR = THR = DLL = 0
IER = DLM = 1
IIR = FCR = 2
LCR, MCR, LSR, MSR, SCR = 3, 4, 5, 6, 7
NO_INTERRUPT, THR_EMPTY, RECEIVED, LINE_STATUS, TIMEOUT, MODEM = 1, 2, 4, 6, 12, 0
LOOP = 0x10


class Board:
    """A UART with what came out of it."""

    def __init__(self, is_piped=False):
        self.sent, self.irq, self.irqs = b"", False, 0
        self.uart = Uart(self.send, self.drive, is_piped)

    def send(self, data):
        self.sent += data

    def drive(self, level):
        assert level != self.irq, "the line is driven only when it changes"
        self.irq, self.irqs = level, self.irqs + level

    def __getitem__(self, offset):
        return self.uart.read(offset, 1)

    def __setitem__(self, offset, value):
        self.uart.write(offset, 1, value)

    def poll(self):
        """Spin on LSR as U-Boot does, then take a byte; None if there is none."""
        return self[RBR] if (self[LSR] | self[LSR]) & 1 else None


@pytest.fixture
def board():
    return Board()


def test_reset_state(board):
    assert [board[r] for r in (RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR)] == [0, 0, 1, 0, 0, 0x60, 0xB0, 0]
    assert not board.irq


def test_output(board):
    for byte in b"hi\xff":
        board[THR] = byte
        assert board[LSR] & 0x60 == 0x60
    assert board.sent == b"hi\xff"


def test_divisor_latch_hides_two_registers(board):
    board[IER] = 1
    board[LCR] = 0x83
    board[DLL], board[DLM] = 0x34, 0x12
    assert (board[DLL], board[DLM], board[LCR]) == (0x34, 0x12, 0x83)
    board[LCR] = 3
    assert board[IER] == 1 and board.sent == b"" and board[RBR] == 0


def test_scratch_and_masks(board):
    board[SCR] = 0xA5
    board[IER], board[MCR] = 0xFF, 0xEF
    assert (board[SCR], board[IER], board[MCR]) == (0xA5, 0x0F, 0x0F)
    board[LSR] = board[MSR] = 0xFF
    assert board[LSR] == 0x60 and board[MSR] & 0xF0 == 0xB0


@pytest.mark.parametrize("offset, size", [(8, 1), (0, 2), (0, 8), (8, 4), (0x100, 1)])
def test_accesses_that_fault(board, offset, size):
    with pytest.raises(BusError):
        board.uart.read(offset, size)
    with pytest.raises(BusError):
        board.uart.write(offset, size, 0x41)
    assert board.sent == b""


def test_wide_accesses_reach_one_register(board):
    board.uart.write(THR, 4, 0x4242_4241)
    assert board.sent == b"A" and board.uart.read(LSR, 4) == 0x60 and board[IER] == 0


def test_thr_empty_interrupt(board):
    board[IER] = 2
    assert board.irq and board[IIR] == THR_EMPTY
    assert not board.irq and board[IIR] == NO_INTERRUPT, "reading IIR resets it"
    board[IER] = 2
    assert not board.irq, "it was enabled before"
    board[THR] = 0x41
    assert board.irq and board[IIR] == THR_EMPTY and not board.irq
    board[IER] = 0
    board[IER] = 2
    assert board.irq, "enabling it anew causes one"
    board[IER] = 0
    assert not board.irq


def test_received_data_interrupt(board):
    board.uart.receive(b"ab")
    assert not board.irq
    board[IER] = 1
    assert board.irq and board[IIR] == RECEIVED and board[LSR] & 1
    assert board[RBR] == ord("a") and board.irq
    assert board[RBR] == ord("b") and not board.irq and board[IIR] == NO_INTERRUPT and not board[LSR] & 1
    board.uart.receive(b"c")
    assert board.irq and board[RBR] == ord("c") and not board.irq


@pytest.mark.parametrize("trigger, level", [(0x00, 1), (0x40, 4), (0x80, 8), (0xC0, 14)])
def test_trigger_levels(board, trigger, level):
    board[FCR], board[IER] = 1 | trigger, 1
    for count in range(1, 17):
        board.uart.receive(b"x")
        assert board[IIR] == 0xC0 | (RECEIVED if count >= level else TIMEOUT)


def test_iir_says_whether_fifos_are_on(board):
    board[FCR] = 0xC1
    assert board[IIR] == 0xC1
    board[FCR] = 0xC0
    assert board[IIR] == 0x01


def test_priorities(board):
    """Line status, received data, THR empty, modem status: each seen when those above are gone."""
    board[MCR] = LOOP
    board[MCR] = LOOP | 1
    board[THR], board[THR] = 1, 2                       # the second overruns the first
    board[IER] = 0xF
    seen = []
    for reset in (LSR, RBR, IIR, MSR):
        assert board.irq
        seen.append(board[IIR])
        board[reset]
    assert seen == [LINE_STATUS, RECEIVED, THR_EMPTY, MODEM]
    assert not board.irq and board[IIR] == NO_INTERRUPT


def test_loopback_data(board):
    board[FCR], board[MCR] = 1, LOOP
    for byte in range(17):
        board[THR] = byte
    assert board[LSR] == 0x63 and board[LSR] == 0x61, "overrun, until it is read"
    assert [board[RBR] for _ in range(17)] == [*range(16), 0]
    assert board.sent == b""


def test_loopback_without_fifo_keeps_the_last(board):
    board[MCR] = LOOP
    board[THR], board[THR] = 1, 2
    assert board[LSR] & 3 == 3 and board[RBR] == 2 and board[LSR] & 1 == 0


@pytest.mark.parametrize("before, fcr, left", [(1, 3, 0), (1, 7, 0), (1, 0, 0), (1, 2, 0), (1, 0xC1, 3), (1, 5, 3),
                                               (0, 1, 0), (0, 2, 1), (0, 0xC0, 1)])
def test_fifo_resets(board, before, fcr, left):
    """By the reset bit, and by turning the FIFOs on or off; the other bits count only while they are on."""
    board[FCR], board[MCR] = before, LOOP
    for byte in range(3):
        board[THR] = byte
    board[LSR]
    board[FCR] = fcr
    count = 0
    while board[LSR] & 1:
        board[RBR]
        count += 1
    assert count == left


def test_loopback_cuts_the_line_off(board):
    board[MCR] = LOOP
    board[IER] = 1
    board.uart.receive(b"x")
    assert not board.irq and not board[LSR] & 1 and board.uart.waiting == 1
    board[MCR] = 0
    assert board.irq and board[RBR] == ord("x")


@pytest.mark.parametrize("mcr, msr", [(0, 0), (1, 0x20), (2, 0x10), (4, 0x40), (8, 0x80), (0xA, 0x90), (0xF, 0xF0)])
def test_loopback_modem_lines(board, mcr, msr):
    board[MCR] = LOOP | mcr
    assert board[MSR] & 0xF0 == msr


def test_modem_status_deltas(board):
    board[MCR] = LOOP | 0xF
    assert board[MSR] == 0xF0, "ring came up: TERI is for its end"
    board[MCR] = LOOP | 0xB
    assert board[MSR] == 0xB4 and board[MSR] == 0xB0
    board[MCR] = LOOP
    assert board[MSR] == 0x0B
    board[IER] = 8
    assert not board.irq
    board[MCR] = LOOP | 1
    assert board.irq and board[IIR] == MODEM and board[MSR] == 0x22 and not board.irq


def test_polled_input_waits_until_the_guest_spins(board):
    board.uart.receive(b"ab")
    assert not board[LSR] & 1 and board[RBR] == 0, "one look at LSR and a blind read take nothing"
    assert not board[LSR] & 1 and board[LSR] & 1
    assert board[RBR] == ord("a")
    assert board.poll() == ord("b") and board.poll() is None


def test_piped_input_comes_by_the_line():
    """U-Boot's `md` looks for Ctrl-C after each line that it prints: one look, and one more before the next byte is sent."""
    board = Board(is_piped=True)
    board[FCR] = 1
    board.uart.receive(b"a long line of input\n")
    board.uart.receive(b"next\n")
    line = b""
    while not line.endswith(b"\n"):
        looks = next(n for n in range(1, 20) if board[LSR] & 1)
        assert looks == (16 if not line else 2 if len(line) == 16 else 1)
        line += bytes([board[RBR]])
    assert line == b"a long line of input\n"
    for _ in range(100):
        assert not (board[LSR] | board[LSR]) & 1
        board[THR] = 0x2E
    assert [bool(board[LSR] & 1) for _ in range(16)] == [False] * 15 + [True]
    assert bytes(board[RBR] for _ in range(5)) == b"next\n"


def test_piped_input_is_not_held_back_from_interrupts():
    board = Board(is_piped=True)
    board[FCR] = 1
    board.uart.receive(b"a\nb\n")
    board[IER] = 1
    assert board.irq and bytes(board[RBR] for _ in range(4)) == b"a\nb\n"


def test_piped_input_survives_a_driver_starting_up(board):
    """Linux polls LSR to print, resets the FIFOs, and reads LSR, RBR, IIR and MSR before it enables interrupts."""
    board.uart.receive(bytes(range(1, 41)))
    for byte in b"early output":
        assert board[LSR] == 0x60
        board[THR] = byte
    assert board.poll() == 1
    assert board[LSR] & 1 == 0 and board[LSR] & 1 == 1
    for fcr in (1, 7, 0):
        board[FCR] = fcr
    assert [board[register] for register in (LSR, RBR, IIR, MSR)] == [0x60, 0, 1, 0xB0]
    board[FCR] = 0x81
    board[IER] = 5
    got = []
    while board.irq:
        got.append(board[RBR])
    assert got == list(range(2, 41))


def test_linux_recognises_a_working_16550a(board):
    """Autoconfiguration, and the start-up tests for lost THR-empty interrupts (8250_port.c)."""
    board[MCR] = LOOP | 0x0A
    assert board[MSR] & 0xF0 == 0x90
    board[MCR] = 0
    board[FCR] = 1
    assert board[IIR] >> 6 == 3
    board[FCR] = 0
    board[IER] = 2
    first = board[IIR]
    board[IER] = 0
    board[IER] = 2
    second = board[IIR]
    assert not first & NO_INTERRUPT and not second & NO_INTERRUPT


operations = st.one_of(
    st.tuples(st.just("receive"), st.binary(max_size=20)),
    st.tuples(st.just("take"), st.none()),
    st.tuples(st.just("look"), st.sampled_from([IER, IIR, LCR, MCR, LSR, MSR, SCR])),
    st.tuples(st.just("fcr"), st.sampled_from([0, 1, 3, 7, 0xC1, 6])),
    st.tuples(st.just("ier"), st.integers(0, 15)),
    st.tuples(st.just("put"), st.integers(0, 255)),
)


@given(st.lists(operations, max_size=60))
def test_nothing_is_lost_or_reordered(steps):
    """Whatever a guest does between, it reads what was sent, in order; and the line says what IIR says."""
    board, sent, taken, put = Board(), b"", [], b""
    for what, argument in steps:
        if what == "receive":
            board.uart.receive(argument)
            sent += argument
        elif what == "take":
            byte = board.poll()
            assert (byte is not None) == (len(taken) < len(sent)), "spinning finds whatever was sent"
            if byte is not None:
                taken.append(byte)
        elif what == "look":
            board[argument]
        elif what == "put":
            board[THR] = argument
            put += bytes([argument])
        else:
            board[FCR if what == "fcr" else IER] = argument
        assert board.uart.waiting == len(sent) - len(taken)
        before, iir = board.irq, board[IIR] & 0xF
        assert (iir != NO_INTERRUPT) == before
        assert iir == NO_INTERRUPT or board[IER] & {RECEIVED: 1, TIMEOUT: 1, THR_EMPTY: 2}[iir]
    assert bytes(taken) == sent[:len(taken)] and board.sent == put


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7), st.integers(0, 255)), max_size=80), st.binary(max_size=40))
def test_any_driver_is_answered(steps, data):
    """Registers are bytes, the line follows IIR, and the FIFO is bounded, whatever is written where."""
    board = Board()
    board.uart.receive(data)
    for is_write, register, value in steps:
        if is_write:
            board[register] = value
        else:
            assert 0 <= board[register] <= 0xFF
        before = board.irq
        assert (board[IIR] & 1 == 0) == before
        assert len(board.uart._fifo) <= 16
