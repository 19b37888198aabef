"""A: atomic instructions (Unprivileged ISA, chapter 14): Zalrsc and Zaamo, for words and doublewords; Zabha, for bytes and
halfwords; Zacas, compare-and-swap; Zawrs, waiting for a reservation to be lost.

One loop makes all widths of each, as the manual defines them in one row.  A body sees `old`, `rs2` and `rd`, the register's
value before, sign-extended from the width, so that one function serves all.
"""
from rvhyp.isa.instruction import Extension, Kind
from rvhyp.isa.word import lt_s, select, sext32

instruction = Extension("A", "atomic memory operations and load-reserved/store-conditional").instruction
zabha = Extension("Zabha", "byte and halfword atomic memory operations").instruction
zacas = Extension("Zacas", "atomic compare-and-swap").instruction
zabha_zacas = Extension("Zabha and Zacas", "byte and halfword compare-and-swap", when="zabha and zacas").instruction
zawrs = Extension("Zawrs", "wait on reservation set").instruction


@instruction("lr.w rd, (rs1)", "00010 aq rl 00000 rs1 010 rd 0101111", Kind.LOAD_RESERVED, 4)
def lr_w(value):
    return sext32(value)


@instruction("lr.d rd, (rs1)", "00010 aq rl 00000 rs1 011 rd 0101111", Kind.LOAD_RESERVED, 8)
def lr_d(value):
    return value


instruction("sc.w rd, rs2, (rs1)", "00011 aq rl rs2 rs1 010 rd 0101111", Kind.STORE_CONDITIONAL, 4)(None)
instruction("sc.d rd, rs2, (rs1)", "00011 aq rl rs2 rs1 011 rd 0101111", Kind.STORE_CONDITIONAL, 8)(None)


def amo(name, funct5, narrow=zabha, wide=instruction):
    """Register name.b, .h, .w and .d with one body, for the extensions of the narrow and of the wide ones."""
    def register(body):
        for define, suffix, funct3, size in ((narrow, "b", "000", 1), (narrow, "h", "001", 2),
                                             (wide, "w", "010", 4), (wide, "d", "011", 8)):
            define(f"{name}.{suffix} rd, rs2, (rs1)", f"{funct5} aq rl rs2 rs1 {funct3} rd 0101111", Kind.AMO, size)(body)
        return body
    return register


@amo("amoswap", "00001")
def amoswap(old, rs2):
    return rs2


@amo("amoadd", "00000")
def amoadd(old, rs2):
    return old + rs2


@amo("amoxor", "00100")
def amoxor(old, rs2):
    return old ^ rs2


@amo("amoand", "01100")
def amoand(old, rs2):
    return old & rs2


@amo("amoor", "01000")
def amoor(old, rs2):
    return old | rs2


@amo("amomin", "10000")
def amomin(old, rs2):
    return select(lt_s(old, rs2), old, rs2)


@amo("amomax", "10100")
def amomax(old, rs2):
    return select(lt_s(rs2, old), old, rs2)


@amo("amominu", "11000")
def amominu(old, rs2):
    return select(old < rs2, old, rs2)


@amo("amomaxu", "11100")
def amomaxu(old, rs2):
    return select(rs2 < old, old, rs2)


@amo("amocas", "00101", zabha_zacas, zacas)
def amocas(old, rs2, rd):
    return select(old == rd, rs2, old)


@zacas("amocas.q rd, rs2, (rs1)", "00101 aq rl rs2[4:1] 0 rs1 100 rd[4:1] 0 0101111", Kind.MEMORY)
def amocas_q(hart, rs1, rs2_field, rd_field):
    """Of pairs of registers, the even one low."""
    return hart.amocas_q(rs1, rs2_field, rd_field)


@zawrs("wrs.nto", "000000001101 00000 000 00000 1110011", Kind.SYSTEM)
def wrs_nto(hart):
    return hart.wrs_nto()


zawrs("wrs.sto", "000000011101 00000 000 00000 1110011", Kind.FENCE)(None)      # its short time is over at once
