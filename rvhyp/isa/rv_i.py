"""RV64I: the base integer instruction set (Unprivileged ISA, chapters 2 and 4) and Zifencei."""
from rvhyp.isa.instruction import Extension, Kind
from rvhyp.isa.word import ge_s, lt_s, sext, sext32, sra, word, zext, zext32

instruction = Extension("I", "base integer instructions").instruction
zifencei = Extension("Zifencei", "instruction-fetch fence").instruction


@instruction("lui rd, imm", "imm[31:12] rd 0110111")
def lui(imm):
    return imm


@instruction("auipc rd, imm", "imm[31:12] rd 0010111")
def auipc(pc, imm):
    return pc + imm


# Jumps and branches.

instruction("jal rd, offset", "offset[20|10:1|11|19:12] rd 1101111", Kind.JAL)(None)


@instruction("jalr rd, imm(rs1)", "imm[11:0] rs1 000 rd 1100111", Kind.JALR)
def jalr(rs1, imm):
    return (rs1 + imm) & ~1


@instruction("beq rs1, rs2, offset", "offset[12|10:5] rs2 rs1 000 offset[4:1|11] 1100011", Kind.BRANCH)
def beq(rs1, rs2):
    return rs1 == rs2


@instruction("bne rs1, rs2, offset", "offset[12|10:5] rs2 rs1 001 offset[4:1|11] 1100011", Kind.BRANCH)
def bne(rs1, rs2):
    return rs1 != rs2


@instruction("blt rs1, rs2, offset", "offset[12|10:5] rs2 rs1 100 offset[4:1|11] 1100011", Kind.BRANCH)
def blt(rs1, rs2):
    return lt_s(rs1, rs2)


@instruction("bge rs1, rs2, offset", "offset[12|10:5] rs2 rs1 101 offset[4:1|11] 1100011", Kind.BRANCH)
def bge(rs1, rs2):
    return ge_s(rs1, rs2)


@instruction("bltu rs1, rs2, offset", "offset[12|10:5] rs2 rs1 110 offset[4:1|11] 1100011", Kind.BRANCH)
def bltu(rs1, rs2):
    return rs1 < rs2


@instruction("bgeu rs1, rs2, offset", "offset[12|10:5] rs2 rs1 111 offset[4:1|11] 1100011", Kind.BRANCH)
def bgeu(rs1, rs2):
    return rs1 >= rs2


# Loads and stores.

@instruction("lb rd, imm(rs1)", "imm[11:0] rs1 000 rd 0000011", Kind.LOAD, 1)
def lb(value):
    return sext(value, 8)


@instruction("lh rd, imm(rs1)", "imm[11:0] rs1 001 rd 0000011", Kind.LOAD, 2)
def lh(value):
    return sext(value, 16)


@instruction("lw rd, imm(rs1)", "imm[11:0] rs1 010 rd 0000011", Kind.LOAD, 4)
def lw(value):
    return sext32(value)


@instruction("ld rd, imm(rs1)", "imm[11:0] rs1 011 rd 0000011", Kind.LOAD, 8)
def ld(value):
    return value


@instruction("lbu rd, imm(rs1)", "imm[11:0] rs1 100 rd 0000011", Kind.LOAD, 1)
def lbu(value):
    return value


@instruction("lhu rd, imm(rs1)", "imm[11:0] rs1 101 rd 0000011", Kind.LOAD, 2)
def lhu(value):
    return value


@instruction("lwu rd, imm(rs1)", "imm[11:0] rs1 110 rd 0000011", Kind.LOAD, 4)
def lwu(value):
    return value


instruction("sb rs2, imm(rs1)", "imm[11:5] rs2 rs1 000 imm[4:0] 0100011", Kind.STORE, 1)(None)
instruction("sh rs2, imm(rs1)", "imm[11:5] rs2 rs1 001 imm[4:0] 0100011", Kind.STORE, 2)(None)
instruction("sw rs2, imm(rs1)", "imm[11:5] rs2 rs1 010 imm[4:0] 0100011", Kind.STORE, 4)(None)
instruction("sd rs2, imm(rs1)", "imm[11:5] rs2 rs1 011 imm[4:0] 0100011", Kind.STORE, 8)(None)


# Register-immediate.

@instruction("addi rd, rs1, imm", "imm[11:0] rs1 000 rd 0010011")
def addi(rs1, imm):
    return rs1 + imm


@instruction("slti rd, rs1, imm", "imm[11:0] rs1 010 rd 0010011")
def slti(rs1, imm):
    return word(lt_s(rs1, imm))


@instruction("sltiu rd, rs1, imm", "imm[11:0] rs1 011 rd 0010011")
def sltiu(rs1, imm):
    return word(rs1 < imm)


@instruction("xori rd, rs1, imm", "imm[11:0] rs1 100 rd 0010011")
def xori(rs1, imm):
    return rs1 ^ imm


@instruction("ori rd, rs1, imm", "imm[11:0] rs1 110 rd 0010011")
def ori(rs1, imm):
    return rs1 | imm


@instruction("andi rd, rs1, imm", "imm[11:0] rs1 111 rd 0010011")
def andi(rs1, imm):
    return rs1 & imm


@instruction("slli rd, rs1, shamt", "000000 shamt[5:0] rs1 001 rd 0010011")
def slli(rs1, shamt):
    return rs1 << shamt


@instruction("srli rd, rs1, shamt", "000000 shamt[5:0] rs1 101 rd 0010011")
def srli(rs1, shamt):
    return rs1 >> shamt


@instruction("srai rd, rs1, shamt", "010000 shamt[5:0] rs1 101 rd 0010011")
def srai(rs1, shamt):
    return sra(rs1, shamt)


@instruction("addiw rd, rs1, imm", "imm[11:0] rs1 000 rd 0011011")
def addiw(rs1, imm):
    return sext32(rs1 + imm)


@instruction("slliw rd, rs1, shamt", "0000000 shamt[4:0] rs1 001 rd 0011011")
def slliw(rs1, shamt):
    return sext32(rs1 << shamt)


@instruction("srliw rd, rs1, shamt", "0000000 shamt[4:0] rs1 101 rd 0011011")
def srliw(rs1, shamt):
    return sext32(zext32(rs1) >> shamt)


@instruction("sraiw rd, rs1, shamt", "0100000 shamt[4:0] rs1 101 rd 0011011")
def sraiw(rs1, shamt):
    return sra(sext32(rs1), shamt)


# Register-register.

@instruction("add rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011")
def add(rs1, rs2):
    return rs1 + rs2


@instruction("sub rd, rs1, rs2", "0100000 rs2 rs1 000 rd 0110011")
def sub(rs1, rs2):
    return rs1 - rs2


@instruction("sll rd, rs1, rs2", "0000000 rs2 rs1 001 rd 0110011")
def sll(rs1, rs2):
    return rs1 << (rs2 & 63)


@instruction("slt rd, rs1, rs2", "0000000 rs2 rs1 010 rd 0110011")
def slt(rs1, rs2):
    return word(lt_s(rs1, rs2))


@instruction("sltu rd, rs1, rs2", "0000000 rs2 rs1 011 rd 0110011")
def sltu(rs1, rs2):
    return word(rs1 < rs2)


@instruction("xor rd, rs1, rs2", "0000000 rs2 rs1 100 rd 0110011")
def xor(rs1, rs2):
    return rs1 ^ rs2


@instruction("srl rd, rs1, rs2", "0000000 rs2 rs1 101 rd 0110011")
def srl(rs1, rs2):
    return rs1 >> (rs2 & 63)


@instruction("sra rd, rs1, rs2", "0100000 rs2 rs1 101 rd 0110011")
def sra_(rs1, rs2):
    return sra(rs1, rs2 & 63)


@instruction("or rd, rs1, rs2", "0000000 rs2 rs1 110 rd 0110011")
def or_(rs1, rs2):
    return rs1 | rs2


@instruction("and rd, rs1, rs2", "0000000 rs2 rs1 111 rd 0110011")
def and_(rs1, rs2):
    return rs1 & rs2


@instruction("addw rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0111011")
def addw(rs1, rs2):
    return sext32(rs1 + rs2)


@instruction("subw rd, rs1, rs2", "0100000 rs2 rs1 000 rd 0111011")
def subw(rs1, rs2):
    return sext32(rs1 - rs2)


@instruction("sllw rd, rs1, rs2", "0000000 rs2 rs1 001 rd 0111011")
def sllw(rs1, rs2):
    return sext32(rs1 << (rs2 & 31))


@instruction("srlw rd, rs1, rs2", "0000000 rs2 rs1 101 rd 0111011")
def srlw(rs1, rs2):
    return sext32(zext(rs1, 32) >> (rs2 & 31))


@instruction("sraw rd, rs1, rs2", "0100000 rs2 rs1 101 rd 0111011")
def sraw(rs1, rs2):
    return sra(sext32(rs1), rs2 & 31)


# Fences and environment.

instruction("fence pred, succ", "fm[3:0] pred[3:0] succ[3:0] rs1 000 rd 0001111", Kind.FENCE)(None)
zifencei("fence.i", "imm[11:0] rs1 001 rd 0001111", Kind.FENCE)(None)


@instruction("ecall", "000000000000 00000 000 00000 1110011", Kind.SYSTEM)
def ecall(hart):
    return hart.ecall()


@instruction("ebreak", "000000000001 00000 000 00000 1110011", Kind.SYSTEM)
def ebreak(hart):
    return hart.ebreak()
