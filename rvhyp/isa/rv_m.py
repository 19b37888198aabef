"""M: integer multiplication and division (Unprivileged ISA, chapter 13)."""
from rvhyp.isa.instruction import Extension
from rvhyp.isa.word import div_s, div_u, lt_s, mulhs, mulhu, rem_s, rem_u, select, sext32, u64, zext32

instruction = Extension("M", "integer multiplication and division").instruction

ALL_ONES = u64(-1)
MOST_NEGATIVE = u64(1 << 63)


@instruction("mul rd, rs1, rs2", "0000001 rs2 rs1 000 rd 0110011")
def mul(rs1, rs2):
    return rs1 * rs2


@instruction("mulh rd, rs1, rs2", "0000001 rs2 rs1 001 rd 0110011")
def mulh(rs1, rs2):
    return mulhs(rs1, rs2)


@instruction("mulhsu rd, rs1, rs2", "0000001 rs2 rs1 010 rd 0110011")
def mulhsu(rs1, rs2):
    return mulhu(rs1, rs2) - select(lt_s(rs1, u64(0)), rs2, u64(0))


@instruction("mulhu rd, rs1, rs2", "0000001 rs2 rs1 011 rd 0110011")
def mulhu_(rs1, rs2):
    return mulhu(rs1, rs2)


def divide(a, b):
    """Signed quotient with the results the manual gives for x/0 and overflow (table "Semantics for division")."""
    overflow = (a == MOST_NEGATIVE) & (b == ALL_ONES)
    quotient = div_s(a, select((b == 0) | overflow, u64(1), b))
    return select(b == 0, ALL_ONES, quotient)


def remainder(a, b):
    """Signed remainder; x rem 0 is x, and everything rem -1 is 0."""
    by_minus_one = b == ALL_ONES
    result = rem_s(a, select((b == 0) | by_minus_one, u64(1), b))
    return select(b == 0, a, result)


@instruction("div rd, rs1, rs2", "0000001 rs2 rs1 100 rd 0110011")
def div(rs1, rs2):
    return divide(rs1, rs2)


@instruction("divu rd, rs1, rs2", "0000001 rs2 rs1 101 rd 0110011")
def divu(rs1, rs2):
    return select(rs2 == 0, ALL_ONES, div_u(rs1, select(rs2 == 0, u64(1), rs2)))


@instruction("rem rd, rs1, rs2", "0000001 rs2 rs1 110 rd 0110011")
def rem(rs1, rs2):
    return remainder(rs1, rs2)


@instruction("remu rd, rs1, rs2", "0000001 rs2 rs1 111 rd 0110011")
def remu(rs1, rs2):
    return select(rs2 == 0, rs1, rem_u(rs1, select(rs2 == 0, u64(1), rs2)))


@instruction("mulw rd, rs1, rs2", "0000001 rs2 rs1 000 rd 0111011")
def mulw(rs1, rs2):
    return sext32(rs1 * rs2)


@instruction("divw rd, rs1, rs2", "0000001 rs2 rs1 100 rd 0111011")
def divw(rs1, rs2):
    return sext32(divide(sext32(rs1), sext32(rs2)))


@instruction("divuw rd, rs1, rs2", "0000001 rs2 rs1 101 rd 0111011")
def divuw(rs1, rs2):
    return sext32(divu(zext32(rs1), zext32(rs2)))


@instruction("remw rd, rs1, rs2", "0000001 rs2 rs1 110 rd 0111011")
def remw(rs1, rs2):
    return sext32(remainder(sext32(rs1), sext32(rs2)))


@instruction("remuw rd, rs1, rs2", "0000001 rs2 rs1 111 rd 0111011")
def remuw(rs1, rs2):
    return sext32(remu(zext32(rs1), zext32(rs2)))
