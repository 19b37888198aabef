"""Zicsr: control and status register instructions (Unprivileged ISA, chapter 6).

A body that takes `old` is a read-modify-write: it always reads, and writes only if its source field is not 0 (the
register number or the immediate, not the register's value).  One without `old` always writes, and reads only if rd is
not x0.
"""
from rvhyp.isa.instruction import Extension, Kind

instruction = Extension("Zicsr", "control and status register instructions").instruction


@instruction("csrrw rd, csr, rs1", "csr[11:0] rs1 001 rd 1110011", Kind.CSR)
def csrrw(rs1):
    return rs1


@instruction("csrrs rd, csr, rs1", "csr[11:0] rs1 010 rd 1110011", Kind.CSR)
def csrrs(old, rs1):
    return old | rs1


@instruction("csrrc rd, csr, rs1", "csr[11:0] rs1 011 rd 1110011", Kind.CSR)
def csrrc(old, rs1):
    return old & ~rs1


@instruction("csrrwi rd, csr, uimm", "csr[11:0] uimm[4:0] 101 rd 1110011", Kind.CSR)
def csrrwi(uimm):
    return uimm


@instruction("csrrsi rd, csr, uimm", "csr[11:0] uimm[4:0] 110 rd 1110011", Kind.CSR)
def csrrsi(old, uimm):
    return old | uimm


@instruction("csrrci rd, csr, uimm", "csr[11:0] uimm[4:0] 111 rd 1110011", Kind.CSR)
def csrrci(old, uimm):
    return old & ~uimm


# Extensions that are CSRs, or bits of them, and no instructions.
Extension("Sstc", "timer interrupts of S-mode and VS-mode")
Extension("Zihpm", "hardware performance counters")
Extension("Sscofpmf", "overflow and mode filters of performance counters")
Extension("Ssdbltrp", "double traps of S-mode and VS-mode go to M-mode")
Extension("Shlcofideleg", "delegation of counter overflow to guests")
Extension("Smcntrpmf", "mode filters of cycle and instret")
Extension("Smstateen", "state enable, for M-mode")
Extension("Ssstateen", "state enable, for a hypervisor and below")
