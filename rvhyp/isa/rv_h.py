"""H: the hypervisor extension's instructions (Privileged ISA, chapter "Hypervisor Extension").

HLV, HLVX and HSV access memory as the guest would: two-stage translation at privilege hstatus.SPVP.  Their address
is rs1 exactly.
"""
from rvhyp.isa.instruction import Extension, Kind
from rvhyp.isa.word import sext, sext32

instruction = Extension("H", "hypervisor").instruction


@instruction("hlv.b rd, (rs1)", "0110000 00000 rs1 100 rd 1110011", Kind.LOAD, 1, guest="hlv")
def hlv_b(value):
    return sext(value, 8)


@instruction("hlv.bu rd, (rs1)", "0110000 00001 rs1 100 rd 1110011", Kind.LOAD, 1, guest="hlv")
def hlv_bu(value):
    return value


@instruction("hlv.h rd, (rs1)", "0110010 00000 rs1 100 rd 1110011", Kind.LOAD, 2, guest="hlv")
def hlv_h(value):
    return sext(value, 16)


@instruction("hlv.hu rd, (rs1)", "0110010 00001 rs1 100 rd 1110011", Kind.LOAD, 2, guest="hlv")
def hlv_hu(value):
    return value


@instruction("hlv.w rd, (rs1)", "0110100 00000 rs1 100 rd 1110011", Kind.LOAD, 4, guest="hlv")
def hlv_w(value):
    return sext32(value)


@instruction("hlv.wu rd, (rs1)", "0110100 00001 rs1 100 rd 1110011", Kind.LOAD, 4, guest="hlv")
def hlv_wu(value):
    return value


@instruction("hlv.d rd, (rs1)", "0110110 00000 rs1 100 rd 1110011", Kind.LOAD, 8, guest="hlv")
def hlv_d(value):
    return value


@instruction("hlvx.hu rd, (rs1)", "0110010 00011 rs1 100 rd 1110011", Kind.LOAD, 2, guest="hlvx")
def hlvx_hu(value):
    return value


@instruction("hlvx.wu rd, (rs1)", "0110100 00011 rs1 100 rd 1110011", Kind.LOAD, 4, guest="hlvx")
def hlvx_wu(value):
    return value


instruction("hsv.b rs2, (rs1)", "0110001 rs2 rs1 100 00000 1110011", Kind.STORE, 1, guest="hlv")(None)
instruction("hsv.h rs2, (rs1)", "0110011 rs2 rs1 100 00000 1110011", Kind.STORE, 2, guest="hlv")(None)
instruction("hsv.w rs2, (rs1)", "0110101 rs2 rs1 100 00000 1110011", Kind.STORE, 4, guest="hlv")(None)
instruction("hsv.d rs2, (rs1)", "0110111 rs2 rs1 100 00000 1110011", Kind.STORE, 8, guest="hlv")(None)


@instruction("hfence.vvma rs1, rs2", "0010001 rs2 rs1 000 00000 1110011", Kind.SYSTEM)
def hfence_vvma(hart, rs1_field, rs1, rs2_field, rs2):
    return hart.hfence_vvma(rs1_field, rs1, rs2_field, rs2)


@instruction("hfence.gvma rs1, rs2", "0110001 rs2 rs1 000 00000 1110011", Kind.SYSTEM)
def hfence_gvma(hart, rs1_field, rs1, rs2_field, rs2):
    return hart.hfence_gvma(rs1_field, rs1, rs2_field, rs2)


@instruction("hinval.vvma rs1, rs2", "0010011 rs2 rs1 000 00000 1110011", Kind.SYSTEM)
def hinval_vvma(hart, rs1_field, rs1, rs2_field, rs2):
    return hart.hfence_vvma(rs1_field, rs1, rs2_field, rs2)


@instruction("hinval.gvma rs1, rs2", "0110011 rs2 rs1 000 00000 1110011", Kind.SYSTEM)
def hinval_gvma(hart, rs1_field, rs1, rs2_field, rs2):
    return hart.hfence_gvma(rs1_field, rs1, rs2_field, rs2)
