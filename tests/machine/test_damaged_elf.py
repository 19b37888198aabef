"""Damaged and hostile ELF files: they load, or are refused with BadInput, in bounded time and memory."""
import random
import struct
import time
import tracemalloc

import pytest
from elf_file import BASE, CODE, GLOBAL, SYMBOLS, elf, segment
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Program, load, load_elf, place
from rvhyp.machine.ram import Memory, Ram
from rvhyp.machine.symbols import Symbols


def test_damaged_symbols_never_fail_a_load():
    """Every field of the section headers and the symbol table, each with nonsense."""
    good = elf(symbols=SYMBOLS)
    shoff, = struct.unpack_from("<Q", good, 40)
    symtab, = struct.unpack_from("<Q", good, shoff + 64 + 24)
    spots = [(shoff + 64 + at, size) for at, size in ((0, 4), (4, 4), (24, 8), (32, 8), (40, 4))]
    spots += [(shoff + 128 + 24, 8), (shoff + 128 + 32, 8), (40, 8), (58, 2), (60, 2), (62, 2)]
    spots += [(symtab + 24 + at, size) for at, size in ((0, 4), (4, 1), (6, 2), (8, 8))]
    for at, size in spots:
        for value in (0, 1, 2, 3, 0x7F, 0xFF, len(good), (1 << 8 * size - 1) - 1, (1 << 8 * size) - 1):
            data = bytearray(good)
            data[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            program = load_elf(bytes(data))
            assert program.segments[0].data == CODE
            assert all(isinstance(program.symbol_at(va), str | None) for va in (0, BASE, BASE + 0x1010))


def test_symbol_bombs():
    """Names by the hundred thousand, each the tail of one long string, would be gigabytes."""
    strings = b"\0" + b"a" * 4000 + b"\0"
    table = b"".join(struct.pack("<IBBHQQ", 1 + n % 4000, GLOBAL, 0, 1, n, 0) for n in range(200_000))
    tracemalloc.start()
    symbols = Symbols(table, strings)
    names = symbols.by_name
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < len(names) < 100 and peak < 16 << 20
    assert symbols.nearest(1) is not None


def test_segment_bombs():
    """Many segments that load the same bytes of the file at different addresses."""
    segments = [segment()] + [segment(BASE + (n + 1) * 0x1000, b"", memsz=64, filesz=64, offset=0) for n in range(500)]
    assert load_elf(elf(segments)).segments[-1].data[:4] == b"\x7fELF"
    huge = [segment(data=bytes(1 << 20))]
    huge += [segment(BASE + (n << 21), b"", memsz=1 << 20, filesz=1 << 20, offset=64) for n in range(1, 60)]
    with pytest.raises(BadInput, match="repeat the same bytes"):
        load_elf(elf(huge))


def mutations(good, rng):
    """Damaged copies of a file: bits, bytes, fields of the headers, cuts, repeats."""
    interesting = [0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x8000_0000, 1 << 31, 1 << 60, 1 << 63, (1 << 64) - 1, len(good),
                   len(good) - 1, BASE, BASE + 0x1000]
    while True:
        data = bytearray(good)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            size = rng.choice((1, 2, 4, 8))
            at = rng.randrange(rng.choice((64, 176, len(data)))) // size * size
            value = rng.choice(interesting) if rng.random() < 0.7 else rng.getrandbits(64)
            data[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        if rng.random() < 0.15:
            del data[rng.randrange(len(data)):]
        yield bytes(data)


def test_three_thousand_damaged_files_load_or_are_refused():
    """BadInput or success, nothing else; in bounded time and memory."""
    rng, good, outcomes = random.Random(42), elf(symbols=SYMBOLS), {"loaded": 0}
    tracemalloc.start()
    start, slowest = time.perf_counter(), 0.0
    for _, data in zip(range(3000), mutations(good, rng), strict=False):
        begin = time.perf_counter()
        memory = Memory([Ram(BASE, 1 << 20)])
        try:
            program = load_elf(data)
            place(program, memory)
            assert isinstance(program, Program) and memory.contains(program.entry, 2)
            assert all(memory.read(s.pa, len(s.data)) == s.data for s in program.segments)
            assert isinstance(program.symbols, dict) and isinstance(program.symbol_at(BASE + 17), str | None)
            outcomes["loaded"] += 1
        except BadInput as refused:
            kind = refused.what[:20]
            outcomes[kind] = outcomes.get(kind, 0) + 1
        memory.close()
        slowest = max(slowest, time.perf_counter() - begin)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcomes["loaded"] > 500 and len(outcomes) > 15, outcomes
    assert peak < 8 << 20 and slowest < 2 and time.perf_counter() - start < 60


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_load_or_are_refused(data, is_elf):
    try:
        load(b"\x7fELF\x02\x01\x01" + data if is_elf else data)
    except BadInput as refused:
        assert str(refused)
