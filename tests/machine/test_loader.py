"""ELF files and Linux Images: what loads, and what every kind of bad file is told."""
import os
import re
import struct
import threading

import pytest
from elf_file import BASE, CODE, DATA, DYN, GLOBAL, LOCAL, SYMBOLS, R, W, X, elf, segment
from linux_image import image

from rvhyp.machine import elf as elf_format
from rvhyp.machine import source
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Segment, load, load_elf, place
from rvhyp.machine.ram import PAGE, Memory, Ram


@pytest.fixture
def memory():
    memory = Memory([Ram(BASE, 4 * PAGE)])
    yield memory
    memory.close()


def bad(data, memory=None, name="x.elf"):
    """The message of a file that is refused."""
    with pytest.raises(BadInput) as refused:
        program = load_elf(data, name)
        place(program, memory)
    assert refused.value.where == name and refused.value.do and "\n" not in str(refused.value)
    return str(refused.value)


def test_a_program_is_placed(memory):
    memory.write(BASE, b"\xff" * 4 * PAGE)
    program = load_elf(elf(), "x.elf")
    place(program, memory)
    assert program.entry == BASE and program.name == "x.elf"
    assert memory.read(BASE, 65) == CODE + b"\xff"
    assert memory.read(BASE + 0x1000, 0x101) == DATA + bytes(0xFC) + b"\xff"
    assert [tuple(s) for s in program.segments] == [(BASE, BASE, CODE, 64, R | X),
                                                    (BASE + 0x1000, BASE + 0x1000, DATA, 0x100, R | W)]


def test_from_a_file(tmp_path):
    path = tmp_path / "hello.elf"
    path.write_bytes(elf(symbols=SYMBOLS))
    for given_path in (path, str(path)):
        program = load_elf(given_path)
        assert program.name == str(path) and program.segments[0].data == CODE and "_start" in program.symbols


def test_from_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(elf()))
    writer.start()
    assert load_elf(path).segments[1].data == DATA
    writer.join()


def test_symbols():
    program = load_elf(elf(symbols=SYMBOLS))
    assert program.symbols == {"_start": BASE, "loop": BASE + 16, "again": BASE + 16, "tohost": BASE + 0x1010,
                               "fromhost": BASE + 0x1018, "begin_signature": BASE + 0x1020,
                               "end_signature": BASE + 0x1040, "stack_size": BASE + 8}
    assert (program.tohost, program.fromhost) == (BASE + 0x1010, BASE + 0x1018)
    assert (program.begin_signature, program.end_signature) == (BASE + 0x1020, BASE + 0x1040)


@pytest.mark.parametrize("va, text", [
    (BASE, "_start"), (BASE + 1, "_start+0x1"), (BASE + 15, "_start+0xf"), (BASE + 16, "again"),
    (BASE + 63, "again+0x2f"), (BASE + 64, None), (BASE + 0x1000, None), (BASE + 0x1010, "tohost"), (0, None),
    (BASE + 0x10FF, "end_signature+0xbf"), (BASE + 0x1100, None), ((1 << 64) - 1, None),
])
def test_symbol_at(va, text):
    """A name serves its own segment; a number such as a stack size names no place."""
    assert load_elf(elf(symbols=SYMBOLS)).symbol_at(va) == text


def test_no_symbols():
    for header in ({"shoff": 0}, {"shoff": 0, "shnum": 0, "shentsize": 0}, {"shentsize": 56}):
        program = load_elf(elf(symbols=SYMBOLS, **header))
        assert program.symbols == {} and program.symbol_at(BASE) is None and program.tohost is None


@pytest.mark.parametrize("symbols, size", [(SYMBOLS[:1], 3 * 64), (SYMBOLS, 15 * 24),
                                           ([("_start", BASE, GLOBAL, 1), ("x" * 400, 0, LOCAL, 1)], 409)])
def test_huge_symbol_tables_are_not_read(symbols, size, monkeypatch):
    """The limit is for each of sections, symbols and strings."""
    monkeypatch.setattr(elf_format, "MAX_TABLE", size)
    assert "_start" in load_elf(elf(symbols=symbols)).symbols
    monkeypatch.setattr(elf_format, "MAX_TABLE", size - 1)
    assert load_elf(elf(symbols=symbols)).symbols == {}


def test_global_names_before_local_ones():
    table = [("same", 1, LOCAL | 2, 1), ("same", 2, GLOBAL, 1), ("same", 3, GLOBAL, 1)]
    assert load_elf(elf(symbols=table)).symbols == {"same": 2}


def test_loads_by_physical_address(memory):
    high = 0xFFFF_FFFF_8000_0000
    program = load_elf(elf([segment(BASE + 0x1000, va=high)], [("tohost", high + 8, GLOBAL, 1)], entry=high + 4))
    place(program, memory)
    assert program.entry == BASE + 0x1004 and memory.read(BASE + 0x1000, 64) == CODE
    assert program.tohost == BASE + 0x1008 and program.symbol_at(high + 9) == "tohost+0x1"
    for entry, where in ((high, BASE + 0x1000), (high + 62, BASE + 0x103E), (BASE + 0x1000, BASE + 0x1000),
                         (BASE + 0x103E, BASE + 0x103E)):
        assert load_elf(elf([segment(BASE + 0x1000, va=high)], entry=entry)).entry == where


def test_position_independent_programs_are_moved_to_ram(memory):
    program = load_elf(elf([segment(0)], [("tohost", 8, GLOBAL, 1), ("size", 9, GLOBAL, 0xFFF1)], entry=4, kind=DYN))
    place(program, memory)
    assert (program.entry, program.tohost, program.symbols["size"]) == (BASE + 4, BASE + 8, 9)
    assert program.segments[0].pa == program.segments[0].va == BASE and program.symbol_at(BASE + 9) == "tohost+0x1"
    assert memory.read(BASE, 64) == CODE
    linked = load_elf(elf([segment(BASE + 0x1000)], entry=BASE + 0x1000, kind=DYN))
    assert linked.entry == linked.segments[0].pa == BASE + 0x1000


def test_segments_without_bytes_have_no_place_in_the_file(memory):
    bss = segment(BASE + 0x1000, b"", memsz=64, flags=R | W, offset=1 << 40)
    empty = segment(BASE, b"", memsz=0, offset=1 << 40)
    place(load_elf(elf([segment(), bss, empty])), memory)


def test_segments_may_touch():
    program = load_elf(elf([segment(), segment(BASE + 64), segment((1 << 64) - 64)]))
    assert [s.pa for s in program.segments] == [BASE, BASE + 64, (1 << 64) - 64]


def test_many_sections():
    """e_shnum 0: the number is in the first section header."""
    data = bytearray(elf(symbols=SYMBOLS, shnum=0))
    shoff, = struct.unpack_from("<Q", data, 40)
    assert load_elf(bytes(data)).symbols == {}
    struct.pack_into("<Q", data, shoff + 32, 3)
    assert "_start" in load_elf(bytes(data)).symbols


@pytest.mark.parametrize("data, text", [
    (b"", "is empty"),
    (b"\x7f", "is not an ELF file"),
    (b"hello, world", "is not an ELF file; give an ELF64 program"),
    (b"#!/bin/sh\n", "is a script"),
    (b"\x1f\x8b" + bytes(100), "gunzip it"),
    (b"\x7fELF", "is truncated: the ELF header would end at byte 52, the file has 4"),
    (elf()[:63], "is truncated: the ELF header would end at byte 64"),
    (elf()[:64], "is truncated: the program header table would end at byte 176, the file has 64"),
    (elf(shoff=0)[:200], "is truncated: a segment would end at byte 240"),
    (elf(ident=b"\x7fELF\x01\x01\x01" + bytes(9)), "is a 32-bit program; build it for rv64"),
    (elf(ident=b"\x7fELF\x02\x02\x01" + bytes(9), machine=243 << 8), "is big-endian"),
    (elf(ident=b"\x7fELF\x01\x02\x01" + bytes(9), machine=8 << 8), "is a program for MIPS"),
    (elf(ident=b"\x7fELF\x02\x00\x01" + bytes(9)), "damaged ELF header"),
    (elf(machine=62), "is a program for x86-64; build it for RISC-V"),
    (elf(machine=183), "is a program for AArch64"),
    (elf(machine=999), "is a program for machine number 999"),
    (elf(kind=1), "object file that was not linked; link it"),
    (elf(kind=4), "core dump"), (elf(kind=77), "no known ELF type"),
    (elf([]), "no loadable segment"), (elf([], phentsize=0), "no loadable segment"),
    (elf([segment(kind=4)]), "no loadable segment"),
    (elf([segment(data=b"")]), "no loadable segment"),
    (elf([segment(), segment(0, b"/lib/ld.so\0", kind=3)]), "needs a dynamic linker"),
    (elf(phentsize=32), "program headers of 32 bytes"),
    (elf([segment(offset=1 << 63)]), "is truncated: a segment"),
    (elf([segment(filesz=1 << 62, memsz=1 << 62)]), "repeat the same bytes|truncated"),
    (elf([segment(memsz=8)]), "the segment at 0x80000000 has more bytes in the file than in memory"),
    (elf([segment((1 << 64) - 64, memsz=65)]), "64-bit address space"),
    (elf([segment(), segment(BASE + 63)]), "0x80000000 to 0x8000003f and 0x8000003f to 0x8000007e overlap"),
    (elf([segment(), segment(BASE + 0x100, memsz=0x1000), segment(BASE + 0x200, DATA)]), "overlap"),
    (elf(entry=BASE + 64), "entry point 0x80000040 is in no executable segment"),
    (elf(entry=BASE + 0x1000), "is in no executable segment"), (elf(entry=0), "is in no executable segment"),
    (elf(entry=BASE + 1), "entry point 0x80000001 is odd"),
])
def test_bad_files(data, text):
    assert re.search(text, bad(data))


@pytest.mark.parametrize("segments, text", [
    ([segment(), segment(BASE + 4 * PAGE, DATA)],
     "the segment at 0x80004000 to 0x80004003 is outside RAM, which is 0x80000000 to 0x80003fff; give it --memory 32K"),
    ([segment(memsz=1 << 30)], "give it --memory 1G, or link it lower"),
    ([segment(memsz=(1 << 30) + 1)], "give it --memory 2G"),
    ([segment(memsz=1 << 60)], "is outside RAM.*; link it at 0x80000000"),
    ([segment(), segment(0x1_0000, DATA)], "the segment at 0x10000 to 0x10003 is outside RAM.*; link it at 0x80000000"),
])
def test_segments_outside_ram(segments, text, memory):
    assert re.search(text, bad(elf(segments), memory))
    assert memory.read(BASE, 4 * PAGE) == bytes(4 * PAGE), "nothing was written"


def test_a_segment_may_span_regions():
    memory = Memory([Ram(BASE, PAGE), Ram(BASE + PAGE, PAGE)])
    place(load_elf(elf([segment(BASE + PAGE - 32, memsz=PAGE)], entry=BASE + PAGE - 32)), memory)
    assert memory.read(BASE + PAGE - 32, 64) == CODE
    assert "0x80000fff and 0x80001000 to" in bad(elf([segment(0x1000)], entry=0x1000), memory)
    assert "absent" in bad(elf(), Memory())


def test_unreadable_files(tmp_path, monkeypatch):
    for path, text in ((tmp_path, "is a directory"), (tmp_path / "absent", "No such file"),
                       ("/dev/zero", "is a device"), ("a\0b", "cannot be a path"),
                       (tmp_path / ("n" * 300), "File name too long")):
        assert text in bad(path, name="x.elf")
    monkeypatch.setattr(source, "MAX_SIZE", 1 << 20)
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate((1 << 20) + 1)
    assert "is larger than 1 MiB" in bad(sparse)


def test_endless_pipes(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MAX_SIZE", 1 << 20)
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def pour():
        try:
            path.write_bytes(bytes(1 << 25))
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=pour)
    writer.start()
    assert "is larger than" in bad(path)
    writer.join()


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = tmp_path / "x.elf"
    path.write_bytes(elf())
    with source.Source(path) as file:
        os.truncate(path, 100)
        with pytest.raises(BadInput, match="truncated"):
            file.read(90, 20, "a segment")


def test_short_reads(tmp_path, monkeypatch):
    """Some file systems give less than they are asked for."""
    path, pread = tmp_path / "x.elf", os.pread
    path.write_bytes(elf(symbols=SYMBOLS))
    monkeypatch.setattr(source.os, "pread", lambda fd, size, at: pread(fd, min(size, 7), at))
    program = load_elf(path)
    assert program.segments[0].data == CODE and "_start" in program.symbols


def test_files_are_closed(tmp_path):
    path = tmp_path / "x.elf"
    for data in (elf(), b"", b"no", elf(machine=62)):
        path.write_bytes(data)
        before = len(os.listdir("/proc/self/fd"))
        try:
            load_elf(path)
        except BadInput:
            pass
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("call, error", [("open", PermissionError(13, "Permission denied")),
                                         ("pread", OSError(5, "Input/output error"))])
def test_files_the_host_does_not_give(call, error, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    path = tmp_path / "x.elf"
    path.write_bytes(elf())
    monkeypatch.setattr(source.os, call, fail)
    assert f"cannot be read ({error.strerror})" in bad(path, name="x.elf")


def test_linux_image():
    """At 2 MiB-aligned RAM plus text_offset, with as much memory as the header asks for."""
    program = load(image(), "Image", BASE + 0x1000)
    assert program.entry == BASE + 0x40_0000
    assert program.segments == [Segment(program.entry, program.entry, image(), 0x30_0000, R | W | X)]
    assert load(image(image_size=0)).segments[0].memsz == 200
    memory = Memory([Ram(BASE, 8 << 20)])
    place(program, memory)
    assert memory.read(program.entry, 200) == image()
    assert load(elf()).segments[0].data == CODE, "an ELF file is loaded as one"


@pytest.mark.parametrize("data, text", [(image(size=60), "truncated Linux Image"), (image(flags=1), "big-endian"),
                                        (image(image_size=1 << 60), "damaged header"), (b"MZ", "not an ELF file"),
                                        (b"", "is empty")])
def test_bad_images(data, text):
    with pytest.raises(BadInput, match=text):
        load(data)
