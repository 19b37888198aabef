"""Harts that choose as Spike does, or as its options tell it to: the same traps and the same fields of CSRs as there."""
import pytest

from rvhyp.isa.text import assemble
from tests.engine.support import BASE, Bench
from tests.firmware.peers import needs_spike, on_spike

ISA = "rv64imafdch_zicsr_zifencei_zicntr"
RESULTS, WORDS, SIZE = BASE + (1 << 20), 4, 1 << 21
NONE = -1                                       # in place of a cause
MPRV_S = 1 << 17 | 1 << 11

HEAD = """
    .option norvc
_start:
    la t0, handler
    csrw mtvec, t0
    li s1, {results}
    li t0, 0x6000
    csrs mstatus, t0
    la t0, root                     # nothing is mapped
    srli t0, t0, 12
    li s2, 8 << 60
    or s2, s2, t0
    la s3, data
    li s4, {mprv}
    li s5, 3 << 11
    li s6, 0x4000000000             # an address that nothing maps
    csrr a0, misa
    j code
    .balign 4
handler:                            # nothing of it may be translated: MPRV goes first
    csrrc s7, mstatus, s4
    csrr s8, mcause
    csrr s9, mtval
    csrr s10, mtinst
    csrr s11, mepc
    addi s11, s11, 4
    csrw mepc, s11
    csrs mstatus, s5                # MRET stays in M
    mret
    .balign 4096
root: .zero 4096
data: .zero 4096
.globl tohost
tohost: .dword 0
fromhost: .dword 0
.globl begin_signature
begin_signature = {results}
.globl end_signature
end_signature = {results} + {bytes}
code:
"""
PROBE = """
    li s8, {none}
    li s9, 0
    li s10, 0
    li a0, 0x77
    {source}
    csrc mstatus, s4
    sd s8, 0(s1)
    sd s9, 8(s1)
    sd s10, 16(s1)
    sd a0, 24(s1)
    addi s1, s1, 32
"""
END = """
    la t0, tohost
    li t1, 1
    sd t1, 0(t0)
end: j end
"""


def as_guest_of_nobody(instruction: str) -> str:
    """The access with MPRV: by satp, where nothing is mapped."""
    return f"csrw satp, s2\ncsrs mstatus, s4\n{instruction}"


FIELDS = [
    *(f"csrc mstatus, s5\nli t0, {old} << 11\ncsrs mstatus, t0\ncsrr t0, mstatus\nli t1, 3 << 11\nnot t1, t1\nand t0, t0, t1\n"
      f"li t1, 2 << 11\nor t0, t0, t1\ncsrw mstatus, t0\ncsrr a0, mstatus\nand a0, a0, s5" for old in (0, 1, 3)),
    *(f"li t0, {8 << 60 | 3 << 44 | 0x77}\ncsrw vsatp, t0\nli t0, {mode << 60 | 5 << 44 | 0x99}\ncsrw vsatp, t0\ncsrr a0, vsatp"
      for mode in (0, 5, 8, 9, 10, 11)),
    *(f"li t0, {mode << 60 | 0x3FFF << 44 | 0x98}\ncsrw hgatp, t0\ncsrr a0, hgatp\ncsrw hgatp, zero" for mode in (0, 8, 9, 10)),
    *(f"li t0, {mode << 60 | 0xFFFF << 44 | 0x98}\ncsrw satp, t0\ncsrr a0, satp\ncsrw satp, zero" for mode in (7, 8, 9, 10)),
    "li t0, -1\ncsrw menvcfg, t0\ncsrr a0, menvcfg\nsrli a0, a0, 61\ncsrw menvcfg, zero",
    *(f"csrrw a0, {name}, s4\ncsrr a0, {name}" for name in ("stimecmp", "vstimecmp")),
    "li t0, -1\ncsrw hgeie, t0\ncsrr a0, hgeie", "ebreak",
]
ACCESSES = [
    *(source for name in ("ld a0", "lw a0", "lhu a0", "sd a1", "sh a1") for source in (
        f"{name}, 1(s3)", f"addi t0, s3, 1\n{as_guest_of_nobody(name + ', (t0)')}")),
    "fld fa0, 1(s3)", "fsw fa0, 2(s3)\naddi a0, zero, 3", "hlv.d a0, (s3)", "addi t0, s3, 1\nhlv.d a0, (t0)\nli a0, 0",
    *(f"addi t0, s3, 2\n{source}" for source in ("lr.w a0, (t0)", "sc.w a0, a1, (t0)", "amoadd.w a0, a1, (t0)")),
    *(as_guest_of_nobody(f"{source}, (s6)") for source in ("lr.w a0", "sc.w a0, a1", "amoor.w a0, a1", "ld a0")),
]


def with_pmp(config: int, address: str, offset: int) -> str:
    """A load with MPRV, by entry 0 alone or entry 1 where entry 0 has no match."""
    return (f"csrw satp, zero\nla t0, {address}\nsrli t0, t0, 2\ncsrw pmpaddr1, t0\nli t0, {config << 8}\ncsrw pmpcfg0, t0\n"
            f"li t0, {offset}\nadd t0, t0, s3\ncsrs mstatus, s4\nlb a0, (t0)")


PMP = [
    *(f"csrw pmpcfg0, zero\nli t0, {value}\ncsrw pmpaddr0, t0\nli t0, {config}\ncsrw pmpcfg0, t0\ncsrr a0, pmpaddr0"
      for value in (0, -1, 0x1234_5678_9ABC, 0x2000_0007) for config in (0, 0x0F, 0x17, 0x1F)),
    *(f"li t0, {config}\ncsrw pmpcfg0, t0\ncsrr a0, pmpcfg0" for config in (0x0F, 0x17, 0x1F, 0)),
    *(with_pmp(config, f"data + {end}", offset) for config in (0x0F, 0x09, 0x17, 0x1F) for end in (64, 0x824)
      for offset in (0, 60, 64, 0x800, 0x820)),
]
FEW, ALL = (tuple(f"csrr a0, {name}" for name in names) for names in (
    ("pmpcfg0", "pmpcfg2", "pmpaddr0", "pmpaddr15"), ("pmpcfg4", "pmpcfg14", "pmpaddr16", "pmpaddr63")))  # Spike: 0 of no entry
AS_SPIKE = {"mpp-reserved": "user", "vsatp-unsupported-mode": "warl", "tinst": "zero"}
TRAPPING = {"misaligned": "trap", "misaligned-priority": "high"}


@needs_spike
@pytest.mark.parametrize("probes, extensions, options, chosen", [
    (FIELDS + ACCESSES, "_zicclsm_sstc_svadu_svpbmt", [], {"misaligned-atomic": "access-fault"}),
    (FIELDS + ACCESSES, "", [], TRAPPING),
    ([*PMP, *FEW], "_zicclsm", [], {}),
    ([*PMP, *FEW, *ALL], "_zicclsm", ["--pmpregions=64", "--pmpgranularity=64"], {"pmp-entries": 64, "pmp-grain": 4}),
    ([*PMP, *FEW], "_zicclsm", ["--pmpgranularity=4096"], {"pmp-grain": 10}),
    ([*PMP[:16], *FEW, *ALL], "_zicclsm", ["--pmpregions=0"], {"pmp-entries": 0})], ids=range(6))
def test_traps_and_fields_are_those_of_spike(probes, extensions, options, chosen, tmp_path):
    count = len(probes)
    head = HEAD.format(results=RESULTS, bytes=8 * WORDS * count, mprv=MPRV_S)
    open_memory = "li t0, -1\ncsrw pmpaddr0, t0\nli t0, 0x1f\ncsrw pmpcfg0, t0\n" if probes[0] == FIELDS[0] else ""
    program = assemble(head + open_memory + "\n".join(PROBE.format(none=NONE, source=source) for source in probes) + END, BASE)
    (tmp_path / "program.elf").write_bytes(program.to_elf())
    signature = tmp_path / "signature"
    run = on_spike(tmp_path / "program.elf", f"--isa={ISA}{extensions}", "-m4", *options, f"+signature={signature}",
                   "+signature-granularity=8", timeout=60)
    assert run.status == 0
    theirs = [int(line, 16) for line in signature.read_text().split()]
    bench = Bench(size=SIZE, isa=ISA + extensions, choices=AS_SPIKE | chosen).set(pmpcfg0=0, pmpaddr0=0)
    for address, contents in program.segments:
        bench.put(contents, address)
    bench.run(40 * count + 200)
    assert bench.hart.pc == program.symbols["end"]
    ours = [bench.word(RESULTS + 8 * n) for n in range(WORDS * count)]
    for n, source in enumerate(probes):
        pair = [[hex(word) for word in words[WORDS * n:WORDS * (n + 1)]] for words in (theirs, ours)]
        assert pair[0] == pair[1], source
