"""Zicbom, Zicboz, Zicbop: cache-block operations (Unprivileged ISA, chapter "CMO").

Memory is coherent here, so that management checks what it must and does nothing, and a prefetch is the HINT that it looks like.
"""
from rvhyp.isa.instruction import Extension, Kind

zicbom = Extension("Zicbom", "cache-block management").instruction
zicboz = Extension("Zicboz", "cache-block zero").instruction
zicbop = Extension("Zicbop", "cache-block prefetch").instruction


@zicbom("cbo.inval (rs1)", "000000000000 rs1 010 00000 0001111", Kind.MEMORY)
def cbo_inval(hart, rs1):
    return hart.cbo_inval(rs1)


@zicbom("cbo.clean (rs1)", "000000000001 rs1 010 00000 0001111", Kind.MEMORY)
def cbo_clean(hart, rs1):
    return hart.cbo_clean(rs1)


@zicbom("cbo.flush (rs1)", "000000000010 rs1 010 00000 0001111", Kind.MEMORY)
def cbo_flush(hart, rs1):
    return hart.cbo_clean(rs1)


@zicboz("cbo.zero (rs1)", "000000000100 rs1 010 00000 0001111", Kind.MEMORY)
def cbo_zero(hart, rs1):
    return hart.cbo_zero(rs1)


zicbop("prefetch.i imm(rs1)", "imm[11:5] 00000 rs1 110 00000 0010011", Kind.FENCE, of="ori")(None)
zicbop("prefetch.r imm(rs1)", "imm[11:5] 00001 rs1 110 00000 0010011", Kind.FENCE, of="ori")(None)
zicbop("prefetch.w imm(rs1)", "imm[11:5] 00011 rs1 110 00000 0010011", Kind.FENCE, of="ori")(None)
