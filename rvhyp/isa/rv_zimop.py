"""Zimop and Zcmop: may-be-operations, which write 0, or nothing, until an extension gives them a meaning (Unprivileged ISA,
chapter "Zimop")."""
from rvhyp.isa.instruction import Extension
from rvhyp.isa.word import u64

zimop = Extension("Zimop", "may-be-operations").instruction
zcmop = Extension("Zcmop", "compressed may-be-operations").compressed

for _n in range(32):
    _bits = f"{_n:05b}"
    zimop(f"mop.r.{_n} rd, rs1", f"1 {_bits[0]} 00 {_bits[1:3]} 0111 {_bits[3:]} rs1 100 rd 1110011")(lambda: u64(0))

for _n in range(8):
    _bits = f"{_n:03b}"
    zimop(f"mop.rr.{_n} rd, rs1, rs2", f"1 {_bits[0]} 00 {_bits[1:]} 1 rs2 rs1 100 rd 1110011")(lambda: u64(0))

for _n in range(1, 16, 2):
    zcmop(f"c.mop.{_n}", f"011 0 {_n:05b} 00000 01", "addi rd=0, rs1=0, imm=0")
