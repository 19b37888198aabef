"""Zicond: integer conditional operations (Unprivileged ISA, chapter "Zicond")."""
from rvhyp.isa.instruction import Extension
from rvhyp.isa.word import select, u64

instruction = Extension("Zicond", "integer conditional operations").instruction


@instruction("czero.eqz rd, rs1, rs2", "0000111 rs2 rs1 101 rd 0110011")
def czero_eqz(rs1, rs2):
    return select(rs2 == 0, u64(0), rs1)


@instruction("czero.nez rd, rs1, rs2", "0000111 rs2 rs1 111 rd 0110011")
def czero_nez(rs1, rs2):
    return select(rs2 == 0, rs1, u64(0))
