"""HTIF: commands as riscv-tests, newlib programs and boot loaders give them."""
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.text import assemble
from rvhyp.machine import board as boards
from rvhyp.machine.devices.htif import CHUNK, MAX_WRITE, Htif
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load
from rvhyp.machine.ram import Memory, Ram

BASE, SIZE = 0x8000_0000, 0x4000
TOHOST, FROMHOST, BLOCK, TEXT = BASE + 0x1000, BASE + 0x1040, BASE + 0x2000, BASE + 0x3000
READ, WRITE = 1 << 56, 1 << 56 | 1 << 48
EBADF, EFAULT, ENOSYS = -9, -14, -38


class Board:
    """Memory and an HTIF; `told` is what came out, in order."""

    def __init__(self, tohost=TOHOST, fromhost=FROMHOST, size=SIZE):
        self.memory, self.told = Memory([Ram(BASE, size)]), []
        self.htif = Htif(self.memory, tohost, fromhost, self.told.append, self.told.append)

    def give(self, value):
        """The program stores a command; what is in fromhost then."""
        self.memory.set_word(TOHOST, value)
        self.htif.handle(value)
        assert self.memory.word(TOHOST) == 0, "the host clears tohost"
        return self.memory.word(FROMHOST)

    def system_call(self, number, *arguments, block=BLOCK):
        """The result, signed."""
        words = [number, *arguments, *[0] * 7][:8]
        self.memory.write(block, struct.pack("<8Q", *(word & (1 << 64) - 1 for word in words)))
        self.memory.set_word(FROMHOST, 0)
        assert self.give(block) == 1, "the answer to a system call"
        result = self.memory.word(block)
        return result - (result >> 63 << 64)


@pytest.fixture
def board():
    return Board()


@pytest.mark.parametrize("value, status", [(1, 0), (3, 1), (1337 << 1 | 1, 1337), ((1 << 48) - 1, (1 << 47) - 1)])
def test_exit(board, value, status):
    assert board.give(value) == 0, "an exit is not answered"
    assert board.told == [status]


def test_zero_is_no_command(board):
    board.htif.handle(0)
    assert board.told == [] and board.memory.word(FROMHOST) == 0


def test_console_output_needs_no_answer(board):
    for byte in b"hi":
        assert board.give(WRITE | byte) == 0
    board.give(WRITE | 0xABC41)
    assert board.told == [b"h", b"i", b"A"]


def test_console_input_comes_when_there_is_some(board):
    assert board.give(READ) == 0
    board.htif.receive(b"xy")
    assert board.memory.word(FROMHOST) == READ | 0x100 | ord("x") and board.htif.waiting == 1
    board.give(READ)
    assert board.memory.word(FROMHOST) & 0xFF == ord("x"), "the last answer was not taken yet"
    board.memory.set_word(FROMHOST, 0)
    board.htif.poll()
    assert board.memory.word(FROMHOST) == READ | 0x100 | ord("y")


def test_input_waits_for_the_program(board):
    board.htif.receive(b"z")
    assert board.memory.word(FROMHOST) == 0 and board.htif.waiting == 1
    assert board.give(READ) == READ | 0x100 | ord("z") and board.htif.waiting == 0


@pytest.mark.parametrize("fd", [1, 2])
def test_write(board, fd):
    board.memory.write(TEXT, b"hello, world")
    assert board.system_call(64, fd, TEXT, 5) == 5 and board.told == [b"hello"]
    assert board.system_call(64, fd, TEXT, 0) == 0


@pytest.mark.parametrize("number, arguments, result", [
    (64, (0, TEXT, 1), EBADF), (64, (3, TEXT, 1), EBADF), (64, (-1, TEXT, 1), EBADF),
    (64, (1, 0, 1), EFAULT), (64, (1, BASE + SIZE - 1, 2), EFAULT), (64, (1, TEXT, 1 << 63), EFAULT),
    (64, (1, -1, 1), EFAULT), (64, (1, -8, 16), EFAULT), (64, (1, BASE - 1, 4), EFAULT),
    (63, (0, TEXT, 1), ENOSYS), (1 << 60, (), ENOSYS), (2011, (TEXT, 64), ENOSYS),
])
def test_calls_that_fail(board, number, arguments, result):
    assert board.system_call(number, *arguments) == result and board.told == []


@pytest.mark.parametrize("code, status", [(0, 0), (7, 7), (-1, 0xFFFF_FFFF)])
def test_exit_as_a_system_call(board, code, status):
    board.system_call(93, code)
    assert board.told == [status]


@pytest.mark.parametrize("block", [2, 0x1000, BASE - 8, BASE + SIZE - 56, BASE + SIZE, (1 << 48) - 2])
def test_blocks_outside_memory_are_answered(board, block):
    assert board.give(block) == 1 and board.told == []


def test_long_writes_are_cut_short():
    board = Board(size=32 << 20)
    assert board.system_call(64, 1, BASE, 32 << 20) == MAX_WRITE
    assert sum(map(len, board.told)) == MAX_WRITE and max(map(len, board.told)) == CHUNK
    board.told.clear()
    text = bytes(range(251)) * 400
    board.memory.write(BASE + SIZE + 1, text)
    assert board.system_call(64, 1, BASE + SIZE + 1, len(text)) == len(text)
    assert b"".join(board.told) == text


def test_identify(board):
    for device, what, name in ((0, 255, b"syscall_proxy"), (0, 0, b"syscall"), (1, 255, b"bcd"), (1, 1, b"write"),
                               (1, 9, b""), (7, 255, b"")):
        board.memory.write(TEXT, b"\xff" * 65)
        board.memory.set_word(FROMHOST, 0)
        command = device << 56 | 255 << 48
        assert board.give(command | TEXT << 8 | what) == command | 1
        assert board.memory.read(TEXT, 65) == name.ljust(64, b"\0") + b"\xff"
    assert board.give(255 << 48 | 0xFF) != 0, "nowhere to write the name to"


@pytest.mark.parametrize("value", [2 << 56 | 1, 5 << 48, 1 << 56 | 7 << 48, (1 << 64) - 1 - (1 << 48)])
def test_unknown_commands_are_ignored(board, value):
    assert board.give(value) == 0 and board.told == []
    board.htif.receive(b"x")
    assert board.memory.word(FROMHOST) == 0, "it was no read either"


def test_without_fromhost():
    board = Board(fromhost=None)
    board.memory.write(BLOCK, struct.pack("<8Q", 64, 1, TEXT, 3, 0, 0, 0, 0))
    board.htif.handle(BLOCK)
    board.htif.handle(READ)
    board.htif.receive(b"x")
    assert board.told == [b"\0\0\0"] and board.memory.word(BLOCK) == 3


def test_words_outside_memory():
    board = Board(tohost=0x1000, fromhost=BASE + SIZE - 4)
    board.htif.handle(WRITE | 0x41)
    board.htif.handle(READ)
    board.htif.receive(b"x")
    board.htif.handle(3)
    assert board.told == [b"A", 1]


def test_a_program_that_takes_no_answers_costs_no_memory(board):
    board.memory.set_word(FROMHOST, 1)
    for _ in range(3000):
        board.htif.handle(BLOCK)
        board.htif.handle(READ)
    assert len(board.htif._answers) + len(board.htif._reads) < 1000


words = st.integers(0, (1 << 64) - 1) | st.integers(BASE - 9, BASE + SIZE + 9) | st.sampled_from([64, 93, 1, 2])


@given(st.lists(words, min_size=8, max_size=8), st.lists(words, max_size=8), st.binary(max_size=4))
def test_no_program_can_raise(block, commands, data):
    board = Board()
    board.memory.write(BLOCK, struct.pack("<8Q", *block))
    board.htif.receive(data)
    for command in [BLOCK, *commands]:
        board.htif.handle(command)
    assert all(isinstance(item, bytes | int) for item in board.told)


@pytest.mark.parametrize("tohost", [(1 << 64) - 8, (1 << 64) - 1])
def test_a_tohost_at_the_end_of_the_address_space_is_refused(tohost):
    program = load(assemble(f".globl tohost\n.equ tohost, {tohost:#x}\n_start: j .\n", BASE).to_elf(), "program")
    assert program.tohost == tohost
    with pytest.raises(BadInput, match="tohost"):
        boards.Board(engine="interpreter").load(program)
