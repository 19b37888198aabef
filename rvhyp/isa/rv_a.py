"""A: atomic instructions (Unprivileged ISA, chapter 14): Zalrsc and Zaamo, for words and doublewords.

One loop makes the .w and .d form of each, as the manual defines them in one row.  A .w body sees `old` and `rs2`
sign-extended from 32 bits, so that one function serves both widths.
"""
from rvhyp.isa.instruction import Extension, Kind
from rvhyp.isa.word import lt_s, select, sext32

instruction = Extension("A", "atomic memory operations and load-reserved/store-conditional").instruction


@instruction("lr.w rd, (rs1)", "00010 aq rl 00000 rs1 010 rd 0101111", Kind.LOAD_RESERVED, 4)
def lr_w(value):
    return sext32(value)


@instruction("lr.d rd, (rs1)", "00010 aq rl 00000 rs1 011 rd 0101111", Kind.LOAD_RESERVED, 8)
def lr_d(value):
    return value


instruction("sc.w rd, rs2, (rs1)", "00011 aq rl rs2 rs1 010 rd 0101111", Kind.STORE_CONDITIONAL, 4)(None)
instruction("sc.d rd, rs2, (rs1)", "00011 aq rl rs2 rs1 011 rd 0101111", Kind.STORE_CONDITIONAL, 8)(None)


def amo(name, funct5):
    """Register name.w and name.d with one body."""
    def register(body):
        for suffix, funct3, size in (("w", "010", 4), ("d", "011", 8)):
            instruction(f"{name}.{suffix} rd, rs2, (rs1)",
                        f"{funct5} aq rl rs2 rs1 {funct3} rd 0101111", Kind.AMO, size)(body)
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
