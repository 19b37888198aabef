"""The commit log, held to Spike's line by line."""
import os
import subprocess
from pathlib import Path

import pytest

from rvhyp import Board, assemble, load
from rvhyp.bench.peers import find
from rvhyp.engine import ENGINES
from rvhyp.machine.commitlog import CommitLog
from tests.firmware.peers import needs_spike

ISA = ("rv64gch_zba_zbb_zbs_zbc_zbkb_zbkx_zfh_zfa_zicond_zicbom_zicboz_zabha_zacas_zawrs_zimop_zcb_zcmop_zicntr_"
       "sstc_svadu_svinval_svnapot_svpbmt_zicclsm")
# Where Spike differs, with the reason; what it logs there is replaced by what the manual says.
SPIKE_DIFFERS = [
    # mideleg bit 12 is read-only one only where GEILEN > 0 (hypervisor chapter, "mideleg"); Spike sets it always.
    (" c771_mideleg 0x00000000000014", " c771_mideleg 0x00000000000004"),
]
# Official tests whose log depends on more than the ISA.
SLICES = "Spike's reservations do not survive the end of its time slices of 5,000 steps"
TIMER = "it writes mip or sip: Spike's machine timer is due from the start (mtimecmp is 0), and mvip is written along"
MISA_C = "misa.C is writable on Spike; that it is not here is as legal"
NOT_COMPARED = {
    "rv64mi-p-breakpoint": "it uses a trigger (Sdtrig), of which we have none",
    "rv64mi-p-illegal": TIMER, "rv64si-p-wfi": TIMER,
    "rv64mi-p-mcsr": "it reads marchid, which tells implementations apart",
    "rv64mi-p-ma_fetch": MISA_C, "rv64si-p-ma_fetch": MISA_C, "rv64ua-p-lrsc": SLICES, "rv64ua-v-lrsc": SLICES,
}
GROUPS = tuple(f"rv64{group}-" for group in (
    "ui", "um", "ua", "uc", "uf", "ud", "uzba", "uzbb", "uzbc", "uzbkb", "uzbkx", "uzbs", "uzfh", "uziccid", "uzicond", "si",
    "ssvnapot", "mi", "mzicbo")) + ("hypervisor-", "hypervisor-svadu-")
SUITES = os.environ.get("RVHYP_SUITES")


def spike_log(path: Path, entry: int, folder: Path) -> list[str]:
    """Spike's lines from the entry on."""
    log = folder / "spike.log"
    subprocess.run([find("spike"), f"--isa={ISA}", "--log-commits", f"--log={log}", str(path)], capture_output=True, timeout=60)
    text = log.read_text()
    for theirs, ours in SPIKE_DIFFERS:
        text = text.replace(theirs, ours)
    lines = text.splitlines()
    return lines[next(n for n, line in enumerate(lines) if line[12:30] == f"{entry:#018x}"):]


def our_log(elf: bytes | Path, engine: str = "interpreter", limit: int = 200_000) -> list[str]:
    """Our lines to the store to tohost, which ends the run."""
    board, lines = Board(engine=engine), []
    program = load(elf)
    board.load(program)
    CommitLog(board.machine, lines.append)
    assert board.run(limit).ended.value == "exit", lines[-1]
    return [line.rstrip("\n") for line in lines]


def differences(path: Path, folder: Path) -> list[str]:
    """Our first line that is not Spike's, and Spike's; empty if all lines to the end of the program are the same."""
    ours = our_log(path)
    theirs = spike_log(path, load(path).entry, folder)[:len(ours)]
    assert len(ours) > 10 and len(ours) == len(theirs)
    return next(([mine, other] for mine, other in zip(ours, theirs, strict=True) if mine != other), [])


HARNESS = """
_start:
    la t0, trap
    csrw mtvec, t0
    li t0, 0x6000
    csrs mstatus, t0
    la s0, data
{body}
done:
    la t0, tohost
    li t1, 1
    sd t1, (t0)
1:  j 1b
    .balign 4
trap:                           # steps over what trapped
    csrr t4, mepc
    lbu t5, (t4)
    andi t5, t5, 3
    addi t5, t5, -3
    bnez t5, 1f
    addi t4, t4, 2
1:  addi t4, t4, 2
    csrw mepc, t4
    mret
    .balign 64
tohost: .dword 0
fromhost: .dword 0
data: .dword 0x0123456789abcdef, 2, 3, 0x4000000000000000
"""
BODIES = {
    "a FENCE writes no register, whatever its reserved fields": """
        .word 0x0029838f
        .word 0x0000138f
        fence rw, rw
    """,
    "arithmetic": """
        li a0, -5
        mul a1, a0, a0
        c.addi a1, 1
        add x0, a0, a1
        div a2, a1, a0
        lui a3, 0x80000
        subw a4, a3, a0
    """,
    "loads and stores": """
        ld a0, (s0)
        lb a1, 1(s0)
        lhu a2, 2(s0)
        sd a0, 8(s0)
        sb a0, 16(s0)
        sh a0, 18(s0)
        c.sw a1, 4(s0)
        sw x0, (s0)
    """,
    "misaligned": """
        ld a0, 1(s0)
        sd a0, 3(s0)
        lw a1, 5(s0)
        sh a1, 7(s0)
    """,
    "atomics": """
        lr.d a0, (s0)
        sc.d a1, a0, (s0)
        sc.d a1, a0, (s0)
        sc.d x0, a0, (s0)
        amoadd.w a2, a0, (s0)
        amoswap.d x0, s0, (s0)
        amomax.d a3, a0, (s0)
    """,
    "compare and swap": """
        addi s1, s0, 16
        li a1, 7
        amocas.w a0, s0, (s0)
        amocas.d a0, s0, (s0)
        amocas.d a0, s0, (s0)
        amocas.q a2, a0, (s1)
        amocas.q a2, a0, (s1)
        amoadd.b a0, s0, (s0)
        amocas.h a0, s0, (s0)
    """,
    "cache blocks": """
        cbo.zero (s0)
        cbo.clean (s0)
        cbo.inval (s0)
        prefetch.r 0(s0)
        addi s1, s0, 8
        cbo.zero (s1)
        wrs.nto
        mop.r.0 a0, s0
        c.mop.1
    """,
    "half precision": """
        flh fa0, (s0)
        fadd.h fa1, fa0, fa0
        fcvt.s.h fa2, fa1
        fli.d fa3, 2.0
        fround.d fa4, fa3
        fmaxm.s fa5, fa2, fa2
        fsh fa1, 8(s0)
        czero.eqz a0, s0, s0
    """,
    "floating point": """
        fld fa0, (s0)
        fld fa1, 24(s0)
        fadd.d fa2, fa0, fa1
        fdiv.d fa3, fa1, fa0
        fsqrt.s fa4, fa0
        fcvt.w.d a0, fa1
        fsd fa2, 8(s0)
        fmv.x.d a1, fa3
        feq.d a2, fa0, fa1
        fscsr x0
        fsrmi 2
        fadd.s fa5, fa4, fa4
    """,
    "first use of floating point": """
        li t0, 0x4000
        csrc mstatus, t0
        li t0, 0x2000
        csrs mstatus, t0
        fmv.d.x fa0, s0
        csrc mstatus, t0
        csrs mstatus, t0
        fsflagsi 0
    """,
    "CSRs": """
        csrw mscratch, s0
        csrrs a0, mscratch, x0
        csrrci a0, mscratch, 8
        csrw sstatus, s0
        csrw sie, s0
        csrw mepc, s0
        csrrwi a1, medeleg, 3
        csrw vsstatus, s0
        csrw hstatus, x0
        csrw hgatp, x0
        csrw satp, x0
        csrw htimedelta, s0
        csrw pmpaddr0, s0
    """,
    "traps": """
        ecall
        ebreak
        c.ebreak
        .word 0
        ld a0, (x0)
        csrw 0x7ff, x0
        nop
    """,
    "other modes": """
        la a0, 3f
        csrw vsepc, a0
        la a0, 2f
        csrw mepc, a0
        li a0, 0x1800
        csrc mstatus, a0
        li a0, -1
        csrw pmpaddr0, a0
        li a0, 31
        csrw pmpcfg0, a0
        li a0, 1 << 39 | 0x800
        csrs mstatus, a0
        mret
        2: nop
        csrr a0, sstatus
        csrw sscratch, s0
        sret
        3: nop
        ecall
    """,
}


def program(name: str) -> bytes:
    return assemble(HARNESS.format(body=BODIES[name]), 0x8000_0000).to_elf()


@needs_spike
@pytest.mark.parametrize("name", BODIES)
def test_lines_are_those_of_spike(name, tmp_path):
    path = tmp_path / "program.elf"
    path.write_bytes(program(name))
    assert differences(path, tmp_path) == []


@pytest.mark.parametrize("name", BODIES)
def test_engines_log_the_same(name):
    assert our_log(program(name)) == our_log(program(name), "reference")


def test_a_logged_run_is_the_same_run():
    """As many instructions, the same end."""
    logged = our_log(program("atomics"))
    board = Board()
    board.load(load(program("atomics")))
    assert board.run().ended.value == "exit" and board.machine.instret == len(logged)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_logged_run_notices_a_trap_loop(engine):
    board, lines = Board(engine=engine), []
    board.load(load(assemble("_start: nop\n .word 0\n", 0x8000_0000).to_elf()))
    CommitLog(board.machine, lines.append)
    assert board.run(seconds=20).ended.value == "trap loop" and len(lines) == 1


@needs_spike
@pytest.mark.long
@pytest.mark.skipif(not SUITES, reason="RVHYP_SUITES is not set")
def test_official_tests_log_as_on_spike(tmp_path):
    from rvhyp.conformance.discover import discover
    tests = [test for test in discover([Path(SUITES) / "riscv-tests" / "isa"]) if test.name.startswith(GROUPS)]
    assert len(tests) > 200
    found = {test.name: differences(test.path, tmp_path) for test in tests if test.name not in NOT_COMPARED}
    assert {name: lines for name, lines in found.items() if lines} == {}
