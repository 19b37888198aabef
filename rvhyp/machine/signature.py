"""Signatures: the memory between a test's symbols begin_signature and end_signature, as text to compare (riscv-arch-test)."""
from __future__ import annotations

from pathlib import Path

from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Program
from rvhyp.machine.ram import Memory, OutsideMemory

BEGIN, END = "begin_signature", "end_signature"
GRANULARITY = 16                        # bytes in a line, as Spike's +signature-granularity has it by default


def has_signature(program: Program) -> bool:
    """Whether a program has both symbols."""
    return BEGIN in program.symbols and END in program.symbols


def write_signature(path: Path, program: Program, memory: Memory, granularity: int = GRANULARITY) -> None:
    """Write a signature to a file, making the folders above it.  BadInput as `signature`, and if it cannot be written."""
    text = signature(program, memory, granularity)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror})", str(path)) from error


def signature(program: Program, memory: Memory, granularity: int = GRANULARITY) -> str:
    """Lines of `granularity` bytes in hexadecimal, the byte of the highest address first; what is missing in the last is 0.

    BadInput if the program has no signature, or not in memory.
    """
    if not has_signature(program):
        raise BadInput(f"has no symbols {BEGIN} and {END}", program.name, "link it with the script of its test suite")
    begin, end = (program.physical(program.symbols[name]) for name in (BEGIN, END))
    try:
        data = memory.read(begin, end - begin)
    except (OutsideMemory, ValueError) as error:
        raise BadInput(f"its signature, {begin:#x} to {end:#x}, is not in memory", program.name) from error
    data += bytes(-len(data) % granularity)
    return "".join(data[at:at + granularity][::-1].hex() + "\n" for at in range(0, len(data), granularity))
