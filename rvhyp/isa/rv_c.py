"""C and Zcb: compressed instructions (Unprivileged ISA, chapters 28 and "Zc*"), every one an expansion.

Encodings that the manual reserves are those excluded here; its HINTs expand to what they are: writes of x0.
"""
from rvhyp.isa.instruction import Extension

compressed = Extension("C", "compressed instructions").compressed

# Quadrant 0.
compressed("c.addi4spn rd', sp, uimm", "000 uimm[5:4|9:6|2|3] rd' 00", "addi rd=rd', rs1=2, imm=uimm",
           nonzero=("uimm",))
compressed("c.fld fd', uimm(rs1')", "001 uimm[5:3] rs1' uimm[7:6] fd' 00", "fld fd=fd', rs1=rs1', imm=uimm")
compressed("c.lw rd', uimm(rs1')", "010 uimm[5:3] rs1' uimm[2|6] rd' 00", "lw rd=rd', rs1=rs1', imm=uimm")
compressed("c.ld rd', uimm(rs1')", "011 uimm[5:3] rs1' uimm[7:6] rd' 00", "ld rd=rd', rs1=rs1', imm=uimm")
compressed("c.fsd fs2', uimm(rs1')", "101 uimm[5:3] rs1' uimm[7:6] fs2' 00", "fsd fs2=fs2', rs1=rs1', imm=uimm")
compressed("c.sw rs2', uimm(rs1')", "110 uimm[5:3] rs1' uimm[2|6] rs2' 00", "sw rs2=rs2', rs1=rs1', imm=uimm")
compressed("c.sd rs2', uimm(rs1')", "111 uimm[5:3] rs1' uimm[7:6] rs2' 00", "sd rs2=rs2', rs1=rs1', imm=uimm")

# Quadrant 1.
compressed("c.addi rd, imm", "000 imm[5] rd imm[4:0] 01", "addi rd=rd, rs1=rd, imm=imm")
compressed("c.addiw rd, imm", "001 imm[5] rd imm[4:0] 01", "addiw rd=rd, rs1=rd, imm=imm", nonzero=("rd",))
compressed("c.li rd, imm", "010 imm[5] rd imm[4:0] 01", "addi rd=rd, rs1=0, imm=imm")
compressed("c.addi16sp sp, imm", "011 imm[9] 00010 imm[4|6|8:7|5] 01", "addi rd=2, rs1=2, imm=imm", nonzero=("imm",))
compressed("c.lui rd, imm", "011 imm[17] rd imm[16:12] 01", "lui rd=rd, imm=imm", nonzero=("imm",), rd=2)
compressed("c.srli rd', shamt", "100 shamt[5] 00 rd' shamt[4:0] 01", "srli rd=rd', rs1=rd', shamt=shamt")
compressed("c.srai rd', shamt", "100 shamt[5] 01 rd' shamt[4:0] 01", "srai rd=rd', rs1=rd', shamt=shamt")
compressed("c.andi rd', imm", "100 imm[5] 10 rd' imm[4:0] 01", "andi rd=rd', rs1=rd', imm=imm")
compressed("c.sub rd', rs2'", "100 0 11 rd' 00 rs2' 01", "sub rd=rd', rs1=rd', rs2=rs2'")
compressed("c.xor rd', rs2'", "100 0 11 rd' 01 rs2' 01", "xor rd=rd', rs1=rd', rs2=rs2'")
compressed("c.or rd', rs2'", "100 0 11 rd' 10 rs2' 01", "or rd=rd', rs1=rd', rs2=rs2'")
compressed("c.and rd', rs2'", "100 0 11 rd' 11 rs2' 01", "and rd=rd', rs1=rd', rs2=rs2'")
compressed("c.subw rd', rs2'", "100 1 11 rd' 00 rs2' 01", "subw rd=rd', rs1=rd', rs2=rs2'")
compressed("c.addw rd', rs2'", "100 1 11 rd' 01 rs2' 01", "addw rd=rd', rs1=rd', rs2=rs2'")
compressed("c.j offset", "101 offset[11|4|9:8|10|6|7|3:1|5] 01", "jal rd=0, offset=offset")
compressed("c.beqz rs1', offset", "110 offset[8|4:3] rs1' offset[7:6|2:1|5] 01", "beq rs1=rs1', rs2=0, offset=offset")
compressed("c.bnez rs1', offset", "111 offset[8|4:3] rs1' offset[7:6|2:1|5] 01", "bne rs1=rs1', rs2=0, offset=offset")

# Quadrant 2.
compressed("c.slli rd, shamt", "000 shamt[5] rd shamt[4:0] 10", "slli rd=rd, rs1=rd, shamt=shamt")
compressed("c.fldsp fd, uimm(sp)", "001 uimm[5] fd uimm[4:3|8:6] 10", "fld fd=fd, rs1=2, imm=uimm")
compressed("c.lwsp rd, uimm(sp)", "010 uimm[5] rd uimm[4:2|7:6] 10", "lw rd=rd, rs1=2, imm=uimm", nonzero=("rd",))
compressed("c.ldsp rd, uimm(sp)", "011 uimm[5] rd uimm[4:3|8:6] 10", "ld rd=rd, rs1=2, imm=uimm", nonzero=("rd",))
compressed("c.jr rs1", "100 0 rs1 00000 10", "jalr rd=0, rs1=rs1, imm=0", nonzero=("rs1",))
compressed("c.mv rd, rs2", "100 0 rd rs2 10", "add rd=rd, rs1=0, rs2=rs2", nonzero=("rs2",))
compressed("c.ebreak", "100 1 00000 00000 10", "ebreak")
compressed("c.jalr rs1", "100 1 rs1 00000 10", "jalr rd=1, rs1=rs1, imm=0", nonzero=("rs1",))
compressed("c.add rd, rs2", "100 1 rd rs2 10", "add rd=rd, rs1=rd, rs2=rs2", nonzero=("rs2",))
compressed("c.fsdsp fs2, uimm(sp)", "101 uimm[5:3|8:6] fs2 10", "fsd fs2=fs2, rs1=2, imm=uimm")
compressed("c.swsp rs2, uimm(sp)", "110 uimm[5:2|7:6] rs2 10", "sw rs2=rs2, rs1=2, imm=uimm")
compressed("c.sdsp rs2, uimm(sp)", "111 uimm[5:3|8:6] rs2 10", "sd rs2=rs2, rs1=2, imm=uimm")

# Zcb.
compressed = Extension("Zcb", "simple code-size saving instructions").compressed
compressed("c.lbu rd', uimm(rs1')", "100 000 rs1' uimm[0|1] rd' 00", "lbu rd=rd', rs1=rs1', imm=uimm")
compressed("c.lhu rd', uimm(rs1')", "100 001 rs1' 0 uimm[1] rd' 00", "lhu rd=rd', rs1=rs1', imm=uimm")
compressed("c.lh rd', uimm(rs1')", "100 001 rs1' 1 uimm[1] rd' 00", "lh rd=rd', rs1=rs1', imm=uimm")
compressed("c.sb rs2', uimm(rs1')", "100 010 rs1' uimm[0|1] rs2' 00", "sb rs2=rs2', rs1=rs1', imm=uimm")
compressed("c.sh rs2', uimm(rs1')", "100 011 rs1' 0 uimm[1] rs2' 00", "sh rs2=rs2', rs1=rs1', imm=uimm")
compressed("c.zext.b rd'", "100 111 rd' 11 000 01", "andi rd=rd', rs1=rd', imm=255")
compressed("c.sext.b rd'", "100 111 rd' 11 001 01", "sext.b rd=rd', rs1=rd'")
compressed("c.zext.h rd'", "100 111 rd' 11 010 01", "zext.h rd=rd', rs1=rd'")
compressed("c.sext.h rd'", "100 111 rd' 11 011 01", "sext.h rd=rd', rs1=rd'")
compressed("c.zext.w rd'", "100 111 rd' 11 100 01", "add.uw rd=rd', rs1=rd', rs2=0")
compressed("c.not rd'", "100 111 rd' 11 101 01", "xori rd=rd', rs1=rd', imm=-1")
compressed("c.mul rd', rs2'", "100 111 rd' 10 rs2' 01", "mul rd=rd', rs1=rd', rs2=rs2'")
