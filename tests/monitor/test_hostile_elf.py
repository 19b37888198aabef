"""Damaged ELF files from the first byte to the last instruction: each is refused with BadInput, or runs to an Outcome."""
import faulthandler
import gc
import itertools
import re
import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp import BadInput, Board, Hypervisor, Outcome, VmConfig, assemble, load, make_engine
from tests.cli.terminal import rvhyp
from tests.engine.support import examples, sizes

MEMORY = 16 << 20
INSTRUCTIONS = 5_000
SECONDS = 60                            # after which sixteen examples count as a hang
PEAK = 256 << 20                        # bytes of resident memory that a thousand examples may add

# Programs with something of everything, so that a changed bit leads somewhere: pointers, calls, traps, atomics, floating point,
# console, paging, timers.
COMMON = """
    la   sp, stack_top
    la   t0, trap
    csrw {x}tvec, t0
    la   s0, table
    li   s1, 24
1:  ld   a0, 0(s0)
    mul  a1, a0, s1
    amoadd.d a2, a1, (s0)
    sd   a2, 8(s0)
    fcvt.d.l fa0, a2
    fsqrt.d fa1, fa0
    fsd  fa1, 16(s0)
    csrr a3, {x}status
    xor  a4, a3, a2
    sb   a4, 0(sp)
    call function
    addi s1, s1, -1
    bnez s1, 1b
    ebreak
    sfence.vma
    la   a0, root
    srli a0, a0, 12
    li   a1, 8 << 60
    or   a0, a0, a1
    csrw satp, a0
    ld   a1, 0(s0)
    fence.i
    csrw satp, zero
"""
TAIL = """
function:
    addi sp, sp, -16
    sd   ra, 8(sp)
    c.nop
    ld   ra, 8(sp)
    addi sp, sp, 16
    ret
    .balign 4
trap:
    csrr t0, {x}epc
    addi t0, t0, 2
    csrw {x}epc, t0
    {x}ret
    .data
    .balign 8
table: .dword 1, 2, 3, 0x80200000, 0xcf
text: .ascii "hello"
    .balign 4096
root: .dword 0, 0, 0x80000000 >> 2 | 0xcf
    .bss
    .balign 16
    .zero 4096
stack_top:
    .zero 16
"""
GUEST = "_start:" + COMMON + """
    li   a0, 5
    la   a1, text
    li   a2, 0
    li   a6, 0
    li   a7, 0x4442434E
    ecall
    csrr a0, time
    addi a0, a0, 50
    csrw stimecmp, a0
    li   a0, 1 << 5
    csrw sie, a0
    wfi
    li   a7, 8
    ecall
""" + TAIL
BARE = "_start: .globl tohost, fromhost\n li t0, 1 << 13\n csrs mstatus, t0\n" + COMMON + """
    li   t0, 0x10000000
    li   t1, 'x'
    sb   t1, 0(t0)
    li   t0, 0x2004000
    sd   zero, 0(t0)
    li   t0, 1 << 7
    csrw mie, t0
    wfi
    la   t0, tohost
    li   t1, 1
    sd   t1, 0(t0)
1:  j    1b
""" + TAIL + "    .data\n .balign 8\ntohost: .dword 0\nfromhost: .dword 0\n"


@cache
def good(name: str) -> bytes:
    """The ELF before it is damaged."""
    source, base, x = {"guest": (GUEST, 0x8020_0000, "s"), "bare": (BARE, 0x8000_0000, "m")}[name]
    return assemble(source.replace("{x}", x), base).to_elf()


@cache
def engine():
    return make_engine("interpreter")


# Damage.

FILE_HEADER = [(4, 1), (5, 1), (16, 2), (18, 2), (20, 4), (24, 8), (32, 8), (40, 8), (48, 4), (52, 2), (54, 2), (56, 2), (58, 2),
               (60, 2), (62, 2)]
PROGRAM_HEADER = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)]
SECTION_HEADER = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)]


def fields(data: bytes) -> list[tuple[int, int]]:
    """Offset and size of each field of the headers."""
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phnum, _, shnum = struct.unpack_from("<HHH", data, 56)
    return (FILE_HEADER + [(phoff + 56 * n + at, size) for n in range(phnum) for at, size in PROGRAM_HEADER]
            + [(shoff + 64 * n + at, size) for n in range(shnum) for at, size in SECTION_HEADER])


values = st.one_of(
    st.sampled_from((0, 1, 2, 4, 0x7F, 0xFF, 0xFFF, 0x1000, 0xFFFF, 1 << 20, 1 << 24, 1 << 31, 1 << 32, 1 << 40, 1 << 56, 1 << 63,
                     (1 << 64) - 1, (1 << 64) - 0x1000, 0x1000_0000, 0x8000_0000, 0x8020_0000, 0x80FF_F000)),
    st.integers(0, (1 << 64) - 1))


@st.composite
def damages(draw, name: str):
    """A file with one to six changes."""
    data = bytearray(good(name))
    places, segment = fields(data), struct.unpack_from("<56x8xQ16xQ", data, 8)        # offset and size of the code
    for _ in range(draw(st.integers(1, 6))):
        match draw(st.sampled_from(("field", "field", "code", "code", "code", "byte", "cut", "longer"))):
            case "field":
                at, size = draw(st.sampled_from(places))
                data[at:at + size] = (draw(values) & (1 << 8 * size) - 1).to_bytes(size, "little")
            case "code":
                at = segment[0] + draw(st.integers(0, segment[1] // 2 - 1)) * 2
                data[at:at + 2] = draw(st.integers(0, 0xFFFF)).to_bytes(2, "little")
            case "byte":
                at = draw(st.integers(0, len(data) - 1))
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[draw(st.integers(0, len(data))):]
                data = data or bytearray(1)
            case "longer":
                data += draw(st.binary(max_size=64))
    return bytes(data)


# Running.

def run_board(data: bytes) -> Outcome:
    board = Board(MEMORY, engine=engine())
    board.load(load(data, "damaged"))
    board.give_device_tree()
    return board.run(INSTRUCTIONS)


def run_hypervisor(data: bytes) -> Outcome:
    hypervisor = Hypervisor([VmConfig("damaged", load(data, "damaged"), MEMORY)], engine())
    outcome = hypervisor.run(INSTRUCTIONS)
    vm, = hypervisor.vms
    assert vm.status is not None or outcome.ended.value == "instruction limit"
    assert not vm.report or "damaged" in vm.report
    return outcome


RUNNERS = {"bare": run_board, "guest": run_hypervisor}


def resident_peak() -> int:
    """Bytes of resident memory at most since the last reset."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10


def reset_peak() -> int:
    """Forget the peak; bytes of resident memory now."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_peak()


@pytest.mark.parametrize("name", RUNNERS)
def test_the_undamaged_file_runs_to_its_end(name):
    outcome = RUNNERS[name](good(name))
    assert outcome.ended.value == "exit" and outcome.status == 0, outcome


@sizes(1100, 40_000)
@pytest.mark.parametrize("name", RUNNERS)
def test_a_damaged_file_is_refused_or_runs(name, count):
    """Also on the machine that it was not made for."""
    number = itertools.count()
    seen = {"refused": 0, "ran": 0, "ended": set()}
    engine()
    gc.collect()
    gc.freeze()                             # what is there now need not be looked at again
    before = reset_peak()

    @examples(count)
    @given(damages(name))
    def check(data):
        if next(number) % 16 == 0:
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            gc.collect()                    # machines hold their memory in cycles
        for run in RUNNERS.values():
            try:
                outcome = run(data)
            except BadInput as refused:
                assert str(refused).startswith("damaged: ") and "\n" not in str(refused)
                seen["refused"] += 1
            else:
                assert isinstance(outcome, Outcome)
                seen["ran"] += 1
                seen["ended"].add(outcome.ended)
    try:
        check()
    finally:
        faulthandler.cancel_dump_traceback_later()
        gc.unfreeze()
    assert resident_peak() - before < PEAK
    assert seen["ran"] > count / 2 and seen["refused"] > count / 2 and len(seen["ended"]) >= 3, seen


def test_damaged_files_at_the_command_line(tmp_path):
    """One line and status 2, or what the program's own end says; never a traceback."""
    @examples(8)
    @given(damages("guest"), st.sampled_from(("run", "bare")))
    def check(data, verb):
        path = tmp_path / "damaged.elf"
        path.write_bytes(data)
        result = rvhyp(verb, str(path), "--max-instructions", "100000", "--timeout", "20")
        text = result.stderr.decode()
        assert result.returncode in (0, 1, 2, 3, 124) and "Traceback" not in text and "internal error" not in text, text
        if result.returncode == 2:
            assert text.startswith("rvhyp: ") and text.count("\n") == 1, text
    check()
