"""Extensions that few programs use: one program of each on Spike and on the interpreter, with the same results and flags."""
import struct
from random import Random

import pytest

from rvhyp.isa import config
from rvhyp.isa.instruction import EXTENSIONS, INSTRUCTIONS, Kind
from rvhyp.isa.text import assemble
from tests.engine.programs import FLOATS, INTEGERS
from tests.engine.support import BASE, Bench
from tests.firmware.peers import needs_spike, on_spike

OF_OTHER_TESTS = {"I", "Zifencei", "Zicsr", "M", "A", "F", "D", "C", "S", "Svinval", "H", "Zicbop", "Zcb", "Zcmop"}
WITH_INSTRUCTIONS = {each.extension.name for each in INSTRUCTIONS.values()}
NEW = [name for name in EXTENSIONS if name in WITH_INSTRUCTIONS - OF_OTHER_TESTS]
KINDS = {Kind.ALU, Kind.FP, Kind.AMO, Kind.MEMORY}
ISA = "_".join(name for name in config.DEFAULT.replace("h_", "_", 1).split("_")
               if name not in ("zicntr", "ziccid", "shlcofideleg", "svadu"))
CASES = 24                              # of each instruction
RESULTS, RESULT_BYTES, SIZE = BASE + (1 << 20), 48, 1 << 21
A0, A1, A2, A3, S2, T2 = 10, 11, 12, 13, 18, 7

# s0 points to operands, s1 to results, t2 to 64 bytes that atomics and blocks work on.
BEGIN = """
_start:
    li t0, 0x6000
    csrs mstatus, t0
    la s0, operands
    li s1, {results}
    j code
    .balign 64
memory: .zero 64
    .balign 8
.globl tohost
tohost: .dword 0
fromhost: .dword 0
.globl begin_signature
begin_signature = {results}
.globl end_signature
end_signature = {results} + {bytes}
code:
"""
BEFORE = """
    la t2, memory
    ld a0, 0(s0)
    ld a1, 8(s0)
    ld a2, 16(s0)
    ld a3, 24(s0)
    sd a2, 0(t2)
    sd a3, 8(t2)
    fld fa0, 0(s0)
    fld fa1, 8(s0)
    fld fa2, 16(s0)
    fld fa3, 24(s0)
    ld s2, 32(s0)
    not s3, s2
    lw t0, 40(s0)
    csrw fcsr, t0
"""
AFTER = """
    sd a0, 0(s1)
    fsd fa0, 8(s1)
    csrr t0, fcsr
    sd t0, 16(s1)
    ld t0, 0(t2)
    sd t0, 24(s1)
    ld t0, 8(t2)
    sd t0, 32(s1)
    sd a1, 40(s1)
    addi s0, s0, 48
    addi s1, s1, 48
"""
END = """
    la t0, tohost
    li t1, 1
    sd t1, 0(t0)
end: j end
    .balign 8
operands:
"""


def encoded(record, random):
    """A word with results in a0 or fa0, operands from a1 or fa1 on; an address in t2."""
    values = {"rd": A0, "fd": A0, "rs1": A1, "fs1": A1, "rs2": A2, "fs2": A2, "fs3": A3,
              "rm": random.choice((7, 7, 0, 1, 2, 3, 4))}
    if record.kind not in (Kind.ALU, Kind.FP):
        values |= {"rs1": T2, "rs2": S2}
    for name, field in record.fields.items():
        values.setdefault(name, random.randrange(field.bounds[1] + 1) if name not in ("aq", "rl") else 0)
    return record.encode(**{name: values[name] for name in record.fields})


def operand(record, random):
    """64 bits that matter to it."""
    if record.kind is Kind.FP:
        suffixes = record.name.split(".")[1:]
        return random.choice(random.choice([FLOATS[{"h": 16, "s": 32, "d": 64}.get(s, 64)] for s in suffixes] + [INTEGERS]))
    return random.choice((*INTEGERS, random.getrandbits(64), random.getrandbits(64)))


def cases(extension):
    """The code of all cases, and their operands."""
    random, code, data = Random(extension), [], b""
    for record in INSTRUCTIONS.values():
        if record.extension.name != extension or record.kind not in KINDS:
            continue
        for _ in range(CASES if record.fields else 1):
            some = [operand(record, random) for _ in range(5)]
            if record.kind in (Kind.AMO, Kind.MEMORY) and random.getrandbits(1):
                some[0], some[1] = some[2], some[3]             # so that comparisons succeed
            code += [BEFORE, f".word {encoded(record, random)}", AFTER]
            data += struct.pack("<6Q", *some, random.randrange(5) << 5)
    return "\n".join(code), data


@needs_spike
@pytest.mark.parametrize("extension", NEW)
def test_results_are_those_of_spike(extension, tmp_path):
    code, data = cases(extension)
    count = len(data) // 48
    if not count:
        pytest.skip("it has nothing but hints")
    source = BEGIN.format(results=RESULTS, bytes=RESULT_BYTES * count) + code + END + "\n".join(
        f".dword {word}" for word, in struct.iter_unpack("<Q", data))
    program = assemble(source, BASE)
    (tmp_path / "program.elf").write_bytes(program.to_elf())
    signature = tmp_path / "signature"
    run = on_spike(tmp_path / "program.elf", f"--isa={ISA}", "-m4", f"+signature={signature}", "+signature-granularity=8",
                   timeout=60)
    assert run.status == 0
    expected = [int(line, 16) for line in signature.read_text().split()]
    assert len(expected) == 6 * count
    bench = Bench(size=SIZE)
    for address, contents in program.segments:
        bench.put(contents, address)
    bench.run(40 * count + 100)
    assert bench.hart.pc == program.symbols["end"]
    results = [bench.word(RESULTS + 8 * n) for n in range(6 * count)]
    for n in range(count):
        theirs, ours = (words[6 * n:6 * n + 6] for words in (expected, results))
        assert ours == theirs, (n, list(map(hex, ours)), list(map(hex, theirs)), data[48 * n:48 * n + 48].hex())
