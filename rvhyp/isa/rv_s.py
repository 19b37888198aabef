"""Privileged instructions (Privileged ISA, chapters 3 and 12): trap return, wait for interrupt, fences, Svinval.

`rs1_field` and `rs2_field` are register numbers: x0 means "all", whatever a register holds.
"""
from rvhyp.isa.instruction import Extension, Kind

instruction = Extension("S", "machine and supervisor mode").instruction
svinval = Extension("Svinval", "fine-grained address-translation cache invalidation").instruction


@instruction("sret", "0001000 00010 00000 000 00000 1110011", Kind.SYSTEM)
def sret(hart):
    return hart.sret()


@instruction("mret", "0011000 00010 00000 000 00000 1110011", Kind.SYSTEM)
def mret(hart):
    return hart.mret()


@instruction("wfi", "0001000 00101 00000 000 00000 1110011", Kind.SYSTEM)
def wfi(hart):
    return hart.wfi()


@instruction("sfence.vma rs1, rs2", "0001001 rs2 rs1 000 00000 1110011", Kind.SYSTEM)
def sfence_vma(hart, rs1_field, rs1, rs2_field, rs2):
    return hart.sfence_vma(rs1_field, rs1, rs2_field, rs2)


# An eager invalidation between SFENCE.W.INVAL and SFENCE.INVAL.IR is legal, so SINVAL.VMA is SFENCE.VMA.

@svinval("sinval.vma rs1, rs2", "0001011 rs2 rs1 000 00000 1110011", Kind.SYSTEM)
def sinval_vma(hart, rs1_field, rs1, rs2_field, rs2):
    return hart.sfence_vma(rs1_field, rs1, rs2_field, rs2)


@svinval("sfence.w.inval", "0001100 00000 00000 000 00000 1110011", Kind.SYSTEM)
def sfence_w_inval(hart):
    return hart.sfence_inval()


@svinval("sfence.inval.ir", "0001100 00001 00000 000 00000 1110011", Kind.SYSTEM)
def sfence_inval_ir(hart):
    return hart.sfence_inval()
