"""The host-target interface: two words in RAM through which a program without devices talks to the host.

The program stores a command to `tohost`; the host clears it and answers in `fromhost`, when the program has cleared
that.  A command has its device in bits 63:56, the command in 55:48, the payload below (as riscv-isa-sim's fesvr):

    device 0, command 0    bit 0 set: exit with payload >> 1; else a proxy system call, payload is its block of words
    device 1, command 0    read a character: the answer is 0x100 | character, when there is one
    device 1, command 1    write a character
    any, command 255       identify: write the name of a command, or of the device, to memory

A system call block is eight words: number and arguments a0 to a6; the result replaces the number.
"""
from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable

from rvhyp.machine.ram import Memory, OutsideMemory

READ, WRITE, IDENTIFY = 0, 1, 255
SYS_WRITE, SYS_EXIT = 64, 93
EBADF, EFAULT, ENOSYS = 9, 14, 38       # errors are returned negated, as Linux does
IDENTITY_SIZE = 64
MAX_WRITE = 1 << 24                     # bytes of one system call; longer ones are cut short, as POSIX allows
CHUNK = 1 << 16
QUEUE = 256                             # answers kept for a program that does not take them; then the oldest are lost
NAMES = {0: {0: "syscall", IDENTIFY: "syscall_proxy"}, 1: {READ: "read", WRITE: "write", IDENTIFY: "bcd"}}


class Htif:
    """`tohost` and `fromhost` (may be None) are physical addresses; `write(bytes)` is the console, `stop(status)` ends.

    Nothing a program does raises: bad addresses give error results, unknown commands are ignored.
    """

    def __init__(self, memory: Memory, tohost: int, fromhost: int | None, write: Callable[[bytes], object],
                 stop: Callable[[int], None]):
        self._memory, self._tohost, self._fromhost = memory, tohost, fromhost
        self._send, self._stop = write, stop
        self._answers: deque[int] = deque(maxlen=QUEUE)
        self._reads: deque[int] = deque(maxlen=QUEUE)   # read commands without an answer yet
        self._input: deque[int] = deque()

    def handle(self, value: int) -> None:
        """The program has stored `value` to tohost."""
        if not value:
            return
        self._set_word(self._tohost, 0)
        device, command, payload = value >> 56, value >> 48 & 0xFF, value & (1 << 48) - 1
        if command == IDENTIFY:
            self._identify(device, payload)
            self._answer(value, 1)
        elif device == 0 and command == 0:
            if payload & 1:
                self._stop(payload >> 1)
            else:
                self._system_call(payload)
                self._answer(value, 1)
        elif device == 1 and command == WRITE:
            self._send(bytes((payload & 0xFF,)))
        elif device == 1 and command == READ:
            self._reads.append(value)
        self.poll()

    def receive(self, data: bytes) -> None:
        """Input from the host; it waits until the program reads."""
        self._input.extend(data)
        self.poll()

    def poll(self) -> None:
        """Deliver the next answer if the program has taken the last one.  To be called now and then."""
        while self._reads and self._input:
            self._answer(self._reads.popleft(), 0x100 | self._input.popleft())
        if self._answers and self._fromhost is not None:
            try:
                if self._memory.word(self._fromhost) == 0:
                    self._memory.set_word(self._fromhost, self._answers.popleft())
            except OutsideMemory:
                self._answers.clear()

    @property
    def waiting(self) -> int:
        """How many bytes of input the program has not asked for."""
        return len(self._input)

    def _answer(self, command: int, payload: int) -> None:
        """Answers name the device and the command they answer."""
        if self._fromhost is not None:
            self._answers.append(command >> 48 << 48 | payload)

    def _identify(self, device: int, payload: int) -> None:
        name = NAMES.get(device, {}).get(payload & 0xFF, "")
        try:
            self._memory.write(payload >> 8, name.encode().ljust(IDENTITY_SIZE, b"\0"))
        except OutsideMemory:
            pass

    def _system_call(self, block: int) -> None:
        try:
            number, a0, a1, a2, *_ = struct.unpack("<8Q", self._memory.read(block, 64))
        except OutsideMemory:
            return                                      # nowhere to put a result
        if number == SYS_EXIT:
            self._stop(a0 & 0xFFFF_FFFF)                # an int
            result = 0
        elif number == SYS_WRITE:
            result = self._sys_write(a0, a1, a2)
        else:
            result = -ENOSYS
        self._set_word(block, result & (1 << 64) - 1)

    def _sys_write(self, fd: int, buffer: int, length: int) -> int:
        """Bytes written, or a negated error; both outputs are the one console."""
        if fd not in (1, 2):
            return -EBADF
        if not self._memory.contains(buffer, length):
            return -EFAULT
        length = min(length, MAX_WRITE)
        for at in range(0, length, CHUNK):
            self._send(self._memory.read(buffer + at, min(CHUNK, length - at)))
        return length

    def _set_word(self, pa: int, value: int) -> None:
        try:
            self._memory.set_word(pa, value)
        except OutsideMemory:
            pass
