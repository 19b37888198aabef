"""Pseudo-instructions: the one table of them, as the manual prints it ("RISC-V Assembly Programmer's Handbook").

Left what is written, right what it stands for; operands on the left are replaced in the text on the right.  The
disassembler reads the rows of a single instruction from right to left and takes the first that fits: special rows come
before general ones.  `symbol` is any address; `%pcrel_lo(.-4)` is the rest of the one whose upper part was made before.
"""
from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from rvhyp.isa.instruction import INSTRUCTIONS, Kind
from rvhyp.isa.text.syntax import Operand, parse_syntax, shape_of, signed, syntax_of

TABLE = """
nop                     addi zero, zero, 0
li rd, imm              addi rd, zero, imm
mv rd, rs               addi rd, rs, 0
not rd, rs              xori rd, rs, -1
neg rd, rs              sub rd, zero, rs
negw rd, rs             subw rd, zero, rs
sext.w rd, rs           addiw rd, rs, 0
sext.b rd, rs           slli rd, rs, 56 ; srai rd, rd, 56
sext.h rd, rs           slli rd, rs, 48 ; srai rd, rd, 48
zext.b rd, rs           andi rd, rs, 255
zext.h rd, rs           slli rd, rs, 48 ; srli rd, rd, 48
zext.w rd, rs           add.uw rd, rs, zero
seqz rd, rs             sltiu rd, rs, 1
snez rd, rs             sltu rd, zero, rs
sltz rd, rs             slt rd, rs, zero
sgtz rd, rs             slt rd, zero, rs
sgt rd, rs, rt          slt rd, rt, rs
sgtu rd, rs, rt         sltu rd, rt, rs

beqz rs, offset         beq rs, zero, offset
bnez rs, offset         bne rs, zero, offset
blez rs, offset         bge zero, rs, offset
bgez rs, offset         bge rs, zero, offset
bltz rs, offset         blt rs, zero, offset
bgtz rs, offset         blt zero, rs, offset
bgt rs, rt, offset      blt rt, rs, offset
ble rs, rt, offset      bge rt, rs, offset
bgtu rs, rt, offset     bltu rt, rs, offset
bleu rs, rt, offset     bgeu rt, rs, offset

j offset                jal zero, offset
jal offset              jal ra, offset
ret                     jalr zero, 0(ra)
jr rs                   jalr zero, 0(rs)
jr imm(rs)              jalr zero, imm(rs)
jr rs, imm              jalr zero, imm(rs)
jalr rs                 jalr ra, 0(rs)
jalr imm(rs)            jalr ra, imm(rs)
jalr rd, rs             jalr rd, 0(rs)
jalr rd, rs, imm        jalr rd, imm(rs)
call symbol             auipc ra, %pcrel_hi(symbol) ; jalr ra, %pcrel_lo(.-4)(ra)
call rd, symbol         auipc rd, %pcrel_hi(symbol) ; jalr rd, %pcrel_lo(.-4)(rd)
tail symbol             auipc t1, %pcrel_hi(symbol) ; jalr zero, %pcrel_lo(.-4)(t1)
jump symbol, rt         auipc rt, %pcrel_hi(symbol) ; jalr zero, %pcrel_lo(.-4)(rt)
la rd, symbol           auipc rd, %pcrel_hi(symbol) ; addi rd, rd, %pcrel_lo(.-4)
lla rd, symbol          auipc rd, %pcrel_hi(symbol) ; addi rd, rd, %pcrel_lo(.-4)

fence                   fence iorw, iorw
fence.tso               fence.tso rw, rw
pause                   fence w, 0
ntl.p1                  add zero, zero, sp
ntl.pall                add zero, zero, gp
ntl.s1                  add zero, zero, tp
ntl.all                 add zero, zero, t0
c.ntl.p1                c.add zero, sp
c.ntl.pall              c.add zero, gp
c.ntl.s1                c.add zero, tp
c.ntl.all               c.add zero, t0
sfence.vma              sfence.vma zero, zero
sfence.vma rs           sfence.vma rs, zero
sinval.vma              sinval.vma zero, zero
sinval.vma rs           sinval.vma rs, zero
hfence.vvma             hfence.vvma zero, zero
hfence.vvma rs          hfence.vvma rs, zero
hfence.gvma             hfence.gvma zero, zero
hfence.gvma rs          hfence.gvma rs, zero
hinval.vvma             hinval.vvma zero, zero
hinval.vvma rs          hinval.vvma rs, zero
hinval.gvma             hinval.gvma zero, zero
hinval.gvma rs          hinval.gvma rs, zero

scall                   ecall
sbreak                  ebreak
unimp                   csrrw zero, cycle, zero
rdcycle rd              csrrs rd, cycle, zero
rdtime rd               csrrs rd, time, zero
rdinstret rd            csrrs rd, instret, zero
frcsr rd                csrrs rd, fcsr, zero
frrm rd                 csrrs rd, frm, zero
frflags rd              csrrs rd, fflags, zero
fscsr rs                csrrw zero, fcsr, rs
fscsr rd, rs            csrrw rd, fcsr, rs
frsr rd                 csrrs rd, fcsr, zero
fssr rs                 csrrw zero, fcsr, rs
fssr rd, rs             csrrw rd, fcsr, rs
fsrm rs                 csrrw zero, frm, rs
fsrm rd, rs             csrrw rd, frm, rs
fsrmi imm               csrrwi zero, frm, imm
fsrmi rd, imm           csrrwi rd, frm, imm
fsflags rs              csrrw zero, fflags, rs
fsflags rd, rs          csrrw rd, fflags, rs
fsflagsi imm            csrrwi zero, fflags, imm
fsflagsi rd, imm        csrrwi rd, fflags, imm
csrr rd, csr            csrrs rd, csr, zero
csrw csr, rs            csrrw zero, csr, rs
csrs csr, rs            csrrs zero, csr, rs
csrc csr, rs            csrrc zero, csr, rs
csrwi csr, imm          csrrwi zero, csr, imm
csrsi csr, imm          csrrsi zero, csr, imm
csrci csr, imm          csrrci zero, csr, imm
csrw csr, imm           csrrwi zero, csr, imm
csrs csr, imm           csrrsi zero, csr, imm
csrc csr, imm           csrrci zero, csr, imm

fmv.h fd, fs            fsgnj.h fd, fs, fs
fmv.s fd, fs            fsgnj.s fd, fs, fs
fmv.d fd, fs            fsgnj.d fd, fs, fs
fneg.h fd, fs           fsgnjn.h fd, fs, fs
fneg.s fd, fs           fsgnjn.s fd, fs, fs
fneg.d fd, fs           fsgnjn.d fd, fs, fs
fabs.h fd, fs           fsgnjx.h fd, fs, fs
fabs.s fd, fs           fsgnjx.s fd, fs, fs
fabs.d fd, fs           fsgnjx.d fd, fs, fs
fgt.h rd, fs, ft        flt.h rd, ft, fs
fgt.s rd, fs, ft        flt.s rd, ft, fs
fgt.d rd, fs, ft        flt.d rd, ft, fs
fge.h rd, fs, ft        fle.h rd, ft, fs
fge.s rd, fs, ft        fle.s rd, ft, fs
fge.d rd, fs, ft        fle.d rd, ft, fs
fgtq.h rd, fs, ft       fltq.h rd, ft, fs
fgtq.s rd, fs, ft       fltq.s rd, ft, fs
fgtq.d rd, fs, ft       fltq.d rd, ft, fs
fgeq.h rd, fs, ft       fleq.h rd, ft, fs
fgeq.s rd, fs, ft       fleq.s rd, ft, fs
fgeq.d rd, fs, ft       fleq.d rd, ft, fs
fmv.x.s rd, fs          fmv.x.w rd, fs
fmv.s.x fd, rs          fmv.w.x fd, rs

c.nop                   c.addi zero, 0
"""


class Pseudo(NamedTuple):
    """A row: `name operands` stands for the instructions of `expansion`."""

    name: str
    operands: tuple[Operand, ...]
    expansion: tuple[tuple[str, str], ...]          # (mnemonic, text of its operands)

    @property
    def variables(self) -> tuple[str, ...]:
        """What stands for something of the caller's: names and, in an address, the register."""
        return tuple(name for operand in self.operands for name in (operand.field, operand.base) if name)

    def expand(self, values: dict[str, str]) -> list[tuple[str, str]]:
        """The instructions with the variables replaced by the caller's text."""
        return [(name, _NAME.sub(lambda m: values.get(m[0], m[0]), operands)) for name, operands in self.expansion]

    def __str__(self) -> str:
        return f"{self.name} {', '.join(map(str, self.operands))}".rstrip()


_NAME = re.compile(r"(?<![%\w])[a-z]+\d?\b")


def _row(left: str, right: str) -> Pseudo:
    name, _, operands = left.partition(" ")
    steps = [step.strip().partition(" ") for step in right.split(";")]
    return Pseudo(name, parse_syntax(operands), tuple((step, rest) for step, _, rest in steps))


@cache
def rows() -> list[Pseudo]:
    """All rows, in order.

    Two kinds are made from the registry: accesses to a symbol, for every load and store; and an immediate where the
    mnemonic is that of registers (`add a0, a0, 1`), for every instruction that has such a form.
    """
    table = [_row(*re.split(r"\s{2,}", line.strip(), maxsplit=1)) for line in TABLE.splitlines() if line]
    for record in INSTRUCTIONS.values():
        name, last = record.name, record.operands.rpartition(" ")[2]
        immediate = INSTRUCTIONS.get(f"{name}i") or INSTRUCTIONS.get(f"{name[:-1]}i{name[-1]}")     # sltu: sltiu
        if immediate and last in ("rs1", "rs2"):
            operands = record.operands.replace("rs1, rs2", "rs, imm").replace("csr, rs1", "csr, imm")
            table.append(_row(f"{name} {operands}", f"{immediate.name} {operands}"))
        if record.operands == "rd, imm(rs1)" and record.kind is Kind.LOAD:
            table.append(_row(f"{record.name} rd, symbol",
                             f"auipc rd, %pcrel_hi(symbol) ; {record.name} rd, %pcrel_lo(.-4)(rd)"))
        elif record.operands.endswith(", imm(rs1)") and record.kind in (Kind.LOAD, Kind.STORE):
            value = "fs" if "fs2" in record.fields else "fd" if "fd" in record.fields else "rs"
            table.append(_row(f"{record.name} {value}, symbol, rt",
                             f"auipc rt, %pcrel_hi(symbol) ; {record.name} {value}, %pcrel_lo(.-4)(rt)"))
    return [row for row in table if row.name not in INSTRUCTIONS
            or shape_of(row.operands) != shape_of(syntax_of(INSTRUCTIONS[row.name]))]


@cache
def pseudos() -> dict[str, list[Pseudo]]:
    """The rows by mnemonic."""
    table = {}
    for row in rows():
        table.setdefault(row.name, []).append(row)
    return table


@lru_cache(maxsize=1 << 14)
def li(rd: str, value: int) -> tuple[tuple[str, str], ...]:
    """The shortest usual sequence that puts a constant, modulo 2**64, into a register."""
    steps, source = [], "zero"
    for name, imm in _constant(signed(value)):
        steps.append((name, f"{rd}, {imm}" if name == "lui" else f"{rd}, {source}, {imm}"))
        source = rd
    return tuple(steps)


def _constant(value: int) -> list[tuple[str, int]]:
    """Steps (mnemonic, immediate), each from the step before: the shortest of what can end with addi, slli or srli."""
    sequences = [_from_top(value)]
    zeros = (value & -value).bit_length() - 1
    if zeros > 0:
        sequences.append([*_from_top(value >> zeros), ("slli", zeros)])
    if value > 0:
        zeros = 64 - value.bit_length()
        for shifted_out in (0, (1 << zeros) - 1):
            sequences.append([*_from_top(signed(value << zeros | shifted_out)), ("srli", zeros)])
    return min(sequences, key=len)


def _from_top(value: int) -> list[tuple[str, int]]:
    """Upper bits first, then shift and add the lower ones, 12 at a time."""
    low = signed(value, 12)
    if value == low:
        return [("addi", low)]
    last = low != 0
    if value == signed(value, 32):
        return [("lui", (value - low >> 12) & 0xFFFFF), ("addiw", low)][:1 + last]
    rest = signed(value - low)
    zeros = (rest & -rest).bit_length() - 1
    head = rest >> zeros
    if zeros > 12 and head != signed(head, 12) and head << 12 == signed(head << 12, 32):
        head, zeros = head << 12, zeros - 12        # lui alone makes it
    return [*_from_top(head), ("slli", zeros), ("addi", low)][:None if last else -1]
