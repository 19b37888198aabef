"""B and its kin: bit manipulation (Unprivileged ISA, chapter "B": Zba, Zbb, Zbc, Zbs; "Scalar cryptography": Zbkb, Zbkc, Zbkx).

Some instructions are in two of these extensions, so there is one set of them for each combination.
"""
from rvhyp.isa.instruction import Extension
from rvhyp.isa.word import clz, cpop, lt_s, select, sext, sext32, u64, zext, zext32

zba = Extension("Zba", "address generation").instruction
zbb = Extension("Zbb", "basic bit manipulation").instruction
zbb_zbkb = Extension("Zbb, Zbkb", "logic with negation, rotation, byte reversal", when="zbb or zbkb").instruction
zbkb = Extension("Zbkb", "bit manipulation for cryptography").instruction
zbc_zbkc = Extension("Zbc, Zbkc", "carry-less multiplication", when="zbc or zbkc").instruction
zbc = Extension("Zbc", "reversed carry-less multiplication").instruction
zbkx = Extension("Zbkx", "crossbar permutation").instruction
zbs = Extension("Zbs", "single bits").instruction


# Zba: an index, scaled and perhaps zero-extended, added to a base.

for _shift in (1, 2, 3):
    zba(f"sh{_shift}add rd, rs1, rs2", f"0010000 rs2 rs1 {_shift * 2:03b} rd 0110011")(
        lambda rs1, rs2, n=_shift: rs2 + (rs1 << n))
    zba(f"sh{_shift}add.uw rd, rs1, rs2", f"0010000 rs2 rs1 {_shift * 2:03b} rd 0111011")(
        lambda rs1, rs2, n=_shift: rs2 + (zext32(rs1) << n))


@zba("add.uw rd, rs1, rs2", "0000100 rs2 rs1 000 rd 0111011")
def add_uw(rs1, rs2):
    return rs2 + zext32(rs1)


@zba("slli.uw rd, rs1, shamt", "000010 shamt[5:0] rs1 001 rd 0011011")
def slli_uw(rs1, shamt):
    return zext32(rs1) << shamt


# Zbb: counting.

@zbb("clz rd, rs1", "0110000 00000 rs1 001 rd 0010011")
def clz_(rs1):
    return clz(rs1)


@zbb("clzw rd, rs1", "0110000 00000 rs1 001 rd 0011011")
def clzw(rs1):
    return clz(zext32(rs1)) - 32


def below_lowest(a):
    """Ones where a has its trailing zeros."""
    return ~a & (a - 1)


@zbb("ctz rd, rs1", "0110000 00001 rs1 001 rd 0010011")
def ctz(rs1):
    return cpop(below_lowest(rs1))


@zbb("ctzw rd, rs1", "0110000 00001 rs1 001 rd 0011011")
def ctzw(rs1):
    return cpop(below_lowest(rs1 | 1 << 32))


@zbb("cpop rd, rs1", "0110000 00010 rs1 001 rd 0010011")
def cpop_(rs1):
    return cpop(rs1)


@zbb("cpopw rd, rs1", "0110000 00010 rs1 001 rd 0011011")
def cpopw(rs1):
    return cpop(zext32(rs1))


# Zbb: comparison, extension, bytes.

@zbb("max rd, rs1, rs2", "0000101 rs2 rs1 110 rd 0110011")
def max_(rs1, rs2):
    return select(lt_s(rs1, rs2), rs2, rs1)


@zbb("maxu rd, rs1, rs2", "0000101 rs2 rs1 111 rd 0110011")
def maxu(rs1, rs2):
    return select(rs1 < rs2, rs2, rs1)


@zbb("min rd, rs1, rs2", "0000101 rs2 rs1 100 rd 0110011")
def min_(rs1, rs2):
    return select(lt_s(rs1, rs2), rs1, rs2)


@zbb("minu rd, rs1, rs2", "0000101 rs2 rs1 101 rd 0110011")
def minu(rs1, rs2):
    return select(rs1 < rs2, rs1, rs2)


@zbb("sext.b rd, rs1", "0110000 00100 rs1 001 rd 0010011")
def sext_b(rs1):
    return sext(rs1, 8)


@zbb("sext.h rd, rs1", "0110000 00101 rs1 001 rd 0010011")
def sext_h(rs1):
    return sext(rs1, 16)


LOW_BITS = 0x0101_0101_0101_0101            # bit 0 of each byte


@zbb("orc.b rd, rs1", "001010000111 rs1 101 rd 0010011")
def orc_b(rs1):
    """All ones in each byte that is not 0: what a byte adds to 127 reaches bit 7, if it is not there already."""
    low = 0x7F * LOW_BITS
    return ((((rs1 & low) + low | rs1) >> 7) & LOW_BITS) * 0xFF


# Zbb and Zbkb.

@zbb_zbkb("andn rd, rs1, rs2", "0100000 rs2 rs1 111 rd 0110011")
def andn(rs1, rs2):
    return rs1 & ~rs2


@zbb_zbkb("orn rd, rs1, rs2", "0100000 rs2 rs1 110 rd 0110011")
def orn(rs1, rs2):
    return rs1 | ~rs2


@zbb_zbkb("xnor rd, rs1, rs2", "0100000 rs2 rs1 100 rd 0110011")
def xnor(rs1, rs2):
    return ~(rs1 ^ rs2)


def rotated(a, count):
    """a rotated right by the low six bits of a count."""
    return a >> (count & 63) | a << (-count & 63)


def rotated_word(a, count):
    """The low 32 bits of a rotated right by the low five bits of a count: a shift of two copies in a row."""
    return sext32((zext32(a) | a << 32) >> (count & 31))


@zbb_zbkb("rol rd, rs1, rs2", "0110000 rs2 rs1 001 rd 0110011")
def rol(rs1, rs2):
    return rotated(rs1, -rs2)


@zbb_zbkb("rolw rd, rs1, rs2", "0110000 rs2 rs1 001 rd 0111011")
def rolw(rs1, rs2):
    return rotated_word(rs1, -rs2)


@zbb_zbkb("ror rd, rs1, rs2", "0110000 rs2 rs1 101 rd 0110011")
def ror(rs1, rs2):
    return rotated(rs1, rs2)


@zbb_zbkb("rorw rd, rs1, rs2", "0110000 rs2 rs1 101 rd 0111011")
def rorw(rs1, rs2):
    return rotated_word(rs1, rs2)


@zbb_zbkb("rori rd, rs1, shamt", "011000 shamt[5:0] rs1 101 rd 0010011")
def rori(rs1, shamt):
    return rotated(rs1, shamt)


@zbb_zbkb("roriw rd, rs1, shamt", "0110000 shamt[4:0] rs1 101 rd 0011011")
def roriw(rs1, shamt):
    return rotated_word(rs1, shamt)


def swapped(a, count, low):
    """Neighbouring groups of `count` bits exchanged; `low` masks the lower one of each pair."""
    return (a & low) << count | (a >> count) & low


def reversed_in_bytes(a):
    """The bits of each byte in reverse."""
    return swapped(swapped(swapped(a, 1, 0x55 * LOW_BITS), 2, 0x33 * LOW_BITS), 4, 0x0F * LOW_BITS)


@zbb_zbkb("rev8 rd, rs1", "011010111000 rs1 101 rd 0010011")
def rev8(rs1):
    return swapped(swapped(swapped(rs1, 8, 0x00FF_00FF_00FF_00FF), 16, 0x0000_FFFF_0000_FFFF), 32, 0x0000_0000_FFFF_FFFF)


# Zbkb.

@zbkb("brev8 rd, rs1", "011010000111 rs1 101 rd 0010011")
def brev8(rs1):
    return reversed_in_bytes(rs1)


@zbkb("pack rd, rs1, rs2", "0000100 rs2 rs1 100 rd 0110011")
def pack(rs1, rs2):
    return zext32(rs1) | rs2 << 32


@zbkb("packh rd, rs1, rs2", "0000100 rs2 rs1 111 rd 0110011")
def packh(rs1, rs2):
    return zext(rs1, 8) | zext(rs2, 8) << 8


@zbkb("packw rd, rs1, rs2", "0000100 rs2 rs1 100 rd 0111011")
def packw(rs1, rs2):
    return sext32(zext(rs1, 16) | rs2 << 16)


@zbb_zbkb("zext.h rd, rs1", "0000100 00000 rs1 100 rd 0111011", of="packw")
def zext_h(rs1):
    return zext(rs1, 16)


# Zbc: multiplication of polynomials over GF(2).

EVERY_FOURTH = 0x1111_1111_1111_1111


def carry_less(a, b):
    """The low 64 bits of the product.

    Multiplying numbers that have only every fourth bit counts, in every fourth bit, the ones that meet there.  That are at most
    15 below bit 60, so no count reaches the next one, and its lowest bit is what a carry-less multiplication leaves.
    """
    product = 0
    for at in range(4):
        total = 0
        for part in range(4):
            total = total ^ (a & EVERY_FOURTH << part) * (b & EVERY_FOURTH << (at - part) % 4)
        product = product | total & EVERY_FOURTH << at
    return product


def carry_less_reversed(a, b):
    """Bits 63 to 126 of the product: the low half of the product of the reversed operands, reversed."""
    return mirrored(carry_less(mirrored(a), mirrored(b)))


def mirrored(a):
    """All bits in reverse."""
    return rev8(reversed_in_bytes(a))


@zbc_zbkc("clmul rd, rs1, rs2", "0000101 rs2 rs1 001 rd 0110011")
def clmul(rs1, rs2):
    return carry_less(rs1, rs2)


@zbc_zbkc("clmulh rd, rs1, rs2", "0000101 rs2 rs1 011 rd 0110011")
def clmulh(rs1, rs2):
    return carry_less_reversed(rs1, rs2) >> 1


@zbc("clmulr rd, rs1, rs2", "0000101 rs2 rs1 010 rd 0110011")
def clmulr(rs1, rs2):
    return carry_less_reversed(rs1, rs2)


# Zbkx: rs1 is a table, rs2 indices into it; what is outside the table is 0.

def looked_up(table, indices, width):
    """The element of `width` bits that each index of `width` bits chooses."""
    result, count, ones = 0, 64 // width, (1 << width) - 1
    for at in range(0, 64, width):
        index = indices >> at & ones
        element = table >> (index & count - 1) * width & ones
        result = result | select(index < count, element, u64(0)) << at
    return result


@zbkx("xperm8 rd, rs1, rs2", "0010100 rs2 rs1 100 rd 0110011")
def xperm8(rs1, rs2):
    return looked_up(rs1, rs2, 8)


@zbkx("xperm4 rd, rs1, rs2", "0010100 rs2 rs1 010 rd 0110011")
def xperm4(rs1, rs2):
    return looked_up(rs1, rs2, 4)


# Zbs: one bit, chosen by a register or an immediate.

def single_bit(name, funct6, funct3):
    """Register name and name+"i" with one body of a word and the number of a bit."""
    def register(body):
        zbs(f"{name} rd, rs1, rs2", f"{funct6}0 rs2 rs1 {funct3} rd 0110011")(lambda rs1, rs2: body(rs1, rs2 & 63))
        zbs(f"{name}i rd, rs1, shamt", f"{funct6} shamt[5:0] rs1 {funct3} rd 0010011")(lambda rs1, shamt: body(rs1, shamt))
        return body
    return register


@single_bit("bclr", "010010", "001")
def bclr(a, n):
    return a & ~(1 << n)


@single_bit("bext", "010010", "101")
def bext(a, n):
    return a >> n & 1


@single_bit("binv", "011010", "001")
def binv(a, n):
    return a ^ 1 << n


@single_bit("bset", "001010", "001")
def bset(a, n):
    return a | 1 << n
