"""Superinstructions: sequences that run in one handler, found by profiling (tools/profile_sequences.py).

debian (weight 12): busybox-static 1:1.37.0-6+b9,
    linux-image-6.12.117+deb13-riscv64 6.12.117-1
debian-sid (weight 4): busybox-static 1:1.38.0-3+b1,
    linux-binary-7.2.13+deb14-riscv64 7.2.13-1,
    linux-image-7.2.13+deb14-riscv64 7.2.13-1,
    linux-modules-7.2.13+deb14-riscv64 7.2.13-1
u-boot (weight 4): u-boot-qemu 2025.01-3+deb13u1
bytecode (weight 1): firmware/bench
hash (weight 1): firmware/bench
matmul (weight 1): firmware/bench
nbody (weight 1): firmware/bench
sha (weight 1): firmware/bench
sort (weight 1): firmware/bench
spmv (weight 1): firmware/bench
statemachine (weight 1): firmware/bench
"""

# Those that are not the beginning of a longer one, the best first.  What they begin with are sequences too.
LONGEST = """
add.2+beq.2.local addi.2+addi.2+bne.4.local:20 fmadd.d.4.dyn+fsd.2:01 addi.2+bne.4.local fsd.2+addi.2+addi.2
sd.4+sd.4+sd.4+sd.4+sd.4+sd.4+sd.4+sd.4 fld.2+fld.2+fmadd.d.4.dyn:02+fsd.2:01+addi.2+addi.2+bne.4.local:20 add.2+bne.4.local
sd.2+addi.2+addi.2 srliw.4+addw.4 addi.2+jalr.2 ld.2+beq.2.local:10+ld.2:20+bne.4.local:10 fld.2+slli.2 slli.2+add.2:10+fld.2:10
slli.4+srli.4 add.2+fld.2:10 auipc.4+jalr.4:10 addi.4+jal.2.local or.2+addi.2 ld.2+addi.4+bltu.4.local:20 xor.4+ld.4
addi.4+bltu.4.local add.2+bgeu.4.local+ld.2:20+addi.4:30+bltu.4.local:20 ld.4+or.4 sd.4+xor.4
fmadd.d.4.dyn+addi.2+addi.2+bne.4.local:20 slliw.4+slliw.4 add.2+ld.2:10+jalr.2:10
lw.2+fld.2+slli.2:20+add.2:10+fld.2:10+fmadd.d.4.dyn:01+addi.2+addi.2 beq.2.local+addi.4 addi.2+bgeu.4.local:10 mul.4+add.2:01
addi.2+bltu.4.local+slli.2+add.2:10 ld.2+jalr.2:10 bltu.4.local+slli.2+add.2:10+ld.2:10 slli.2+add.2:10+ld.2:10+jalr.2:10
or.4+and.4+or.2:12+addi.2 add.2+addi.2 srli.4+srli.4+slli.2 ld.4+xor.4
add.2+lw.2+addi.2+bltu.4.local:02+slli.2:30+add.2:10+ld.2:10+jalr.2:10 addi.4+addi.2+bne.4.local:20 sd.4+ld.4 sd.4+srli.4
sd.4+addi.2 add.2+add.2+bltu.4.local subw.4+slli.4:10+srli.4:10+add.2:10+bltu.4.local addiw.2+addi.2+mul.4 addi.2+mul.4
mul.4+mulhu.4+add.2:02+sltu.4:13+add.2:30 mulhu.4+add.2+sltu.4:10+add.2:30+add.2:12
add.2+sub.4:10+sltiu.4:10+and.4:01+sltu.4+or.4:12 add.2+sltu.4:10+add.2+add.2:12+sub.4:10
sub.4+sltiu.4:10+and.4:01+sltu.4+or.4:12+add.2:01 sltu.4+add.2+add.2:12+sub.4:10
ld.4+ld.2+addiw.2+addi.2+mul.4:30+mulhu.4+add.2:02+sltu.4:13 add.2+addi.4+addi.2+bne.4.local:20 sltiu.4+and.4:01+sltu.4+or.4:12
and.4+sltu.4+or.4:12 or.4+add.2:01+add.2+bltu.4.local sltu.4+or.4:10
add.2+add.2+sub.4:10+sltiu.4:10+and.4:01+sltu.4+or.4:12+add.2:01 lw.2+lw.2+mul.4:12+add.2:01+addi.4+addi.2+bne.4.local:20
addw.4+srliw.4+slliw.4 sltu.4+sltu.4 and.4+or.2:10+addi.2 or.2+slli.2 beq.2.local+ld.2 sd.4+add.2+bne.4.local
addi.2+sd.2:10+sd.2:20+addi.2:30 ld.4+addi.2+beq.2.local:20+addi.4+jal.2.local addi.2+addi.4 xor.4+xor.2 addi.2+jal.2.local
ld.2+addi.2 sd.4+bne.4.local and.4+xori.4 slli.4+srli.4:10+add.2:10+bltu.4.local sw.4+addi.2 srli.4+add.2:10+bltu.4.local
slliw.4+addw.4+xor.4 bgeu.4.local+ld.2+addi.4 or.4+srliw.4+slliw.4+xor.4
add.2+bltu.4.local+subw.4+slli.4:10+srli.4:10+add.2:10+bltu.4.local or.4+slliw.4+and.4:10+srliw.4+or.4:02+and.4:20+or.2:12+addi.2
beq.4.local+addi.4 xor.4+slliw.4 add.4+lbu.4:10+andi.2:10 ld.4+addw.4 xor.4+srliw.4+slliw.4:20+addw.4:12
ld.2+ld.2+add.2:12+add.2:10+beq.4.local:01+sltu.4:20+sd.2:03+addi.2 lbu.4+bne.2.local:10 sd.2+jal.2.local ld.4+xor.2
add.2+slli.4:10 beq.4.local+bne.4.local slli.2+add.2:10+sd.2:10+jal.2.local and.4+srliw.4+or.4:02+and.4:20+or.2:12+addi.2
fmul.d.4.dyn+fld.4+fadd.d.4.dyn:02+fmul.d.4.dyn addi.4+beq.4.local:01 add.2+jal.2.local lw.2+addi.2+sw.4:02+addi.2+bltu.4.local:30
addi.4+bne.4.local:10 lw.2+srliw.4:10+slliw.4:20+or.4:12+slliw.4+and.4:10+srliw.4+or.4:02 addi.4+slli.2 or.4+sd.4:01
or.4+xor.4+srliw.4 add.4+jalr.2 add.2+sd.2:10 fsub.d.4.dyn+fsub.d.4.dyn+fsub.d.4.dyn
lw.2+ld.4+addi.2+addi.4+slli.2+add.2:10+sd.2:10+jal.2.local fsub.d.4.dyn+fsub.d.4.dyn+fmul.d.4.dyn
fsub.d.4.dyn+fmul.d.4.dyn+fmul.d.4.dyn ld.2+bne.4.local:10 fadd.d.4.dyn+fmul.d.4.dyn fmul.d.4.dyn+fmul.d.4.dyn+fld.4
fld.4+fld.4+fld.4+fsub.d.4.dyn:30+fsub.d.4.dyn:30+fsub.d.4.dyn:30+fmul.d.4.dyn:33+fmul.d.4.dyn:33 ld.4+ld.4+ld.4+ld.4
ld.2+ld.2+addi.2+jalr.2:30 addw.4+addw.4+addw.4+addw.4 add.2+addiw.2 lbu.4+addi.2+beq.2.local:20+beq.4.local:30+bne.4.local
fsd.2+fmul.d.4.dyn srliw.4+slliw.4+addw.4:12+addw.4 or.4+addw.4+srliw.4+xor.4 ld.4+addiw.2 addiw.2+add.2+mul.4+sltu.4:03
fsd.4+addi.4+bne.4.local:10 subw.4+slli.4:10+srli.4:10+add.2:10+ld.4:10+ld.4+addiw.2+add.2 add.2+mul.4+sltu.4
srli.2+add.2:10+add.4:01 andi.2+bne.4.local:10 sd.4+or.4 xor.4+slli.4 and.4+xor.4 bne.4.local+addi.4 addi.2+bne.2.local
add.2+add.4:01+jalr.2 add.2+ld.2+beq.2.local:10+ld.2:20+bne.4.local:10 fadd.d.4.dyn+fadd.d.4.dyn:10 fadd.d.4.dyn+fsqrt.d.4.dyn:10
srliw.4+slli.4+or.2:12 sd.4+sd.4+addi.4+bltu.4.local:10 sd.2+add.2 sd.4+xori.4 add.2+or.4
add.2+ld.4+addi.2+addi.2:30+bltu.4.local:03 sub.4+sltiu.4:10+and.4:01+sltu.4+or.2:12 xori.4+sd.4 addi.2+bltu.4.local+lw.2
srliw.4+srliw.4+slliw.4 slliw.4+srliw.4 addiw.4+addi.2+bgeu.4.local:12+add.4+lbu.4:10+andi.2:10+bne.4.local:10+addi.4 slliw.4+ld.4
or.4+addw.4+srliw.4+slliw.4 sltu.4+add.2+sd.4+add.2:20+bne.4.local fadd.d.4.dyn+fld.2+fsd.2:02+fmul.d.4.dyn
fmul.d.4.dyn+fld.2+fdiv.d.4.dyn:02+fmul.d.4.dyn:01
fld.4+fadd.d.4.dyn+fmul.d.4.dyn+fadd.d.4.dyn:21+fadd.d.4.dyn:10+fsqrt.d.4.dyn:10+fld.2+fmul.d.4.dyn:32 fld.2+fsd.2+fmul.d.4.dyn
fdiv.d.4.dyn+fmul.d.4.dyn:01+fmul.d.4.dyn:01 fmul.d.4.dyn+fmul.d.4.dyn:01+fadd.d.4.dyn:01+fld.2+fsd.2:02 sub.4+sltu.4:01
fmul.d.4.dyn+fadd.d.4.dyn:01+fld.2+fsd.2:02 sltiu.4+and.4:01+sltu.4+or.2:12 and.4+sltu.4+or.2:12 sltu.4+or.2:10
fld.2+fdiv.d.4.dyn+fmul.d.4.dyn:01+fmul.d.4.dyn:01+fadd.d.4.dyn:01+fld.2+fsd.2:02+fmul.d.4.dyn
add.4+sub.4:10+sltiu.4:10+and.4:01+sltu.4+or.2:12 bltu.4.local+slli.2+srli.2:10+add.2:10+add.4:01+jalr.2
addw.4+or.4+srliw.4+slliw.4 ld.2+add.2 addiw.4+bgeu.4.local:10 add.2+sd.4 ld.2+bne.2.local:10 xor.4+xor.4+xor.4+xor.4
lw.2+addiw.4+bgeu.4.local:12+ld.2+bne.2.local:10 beq.2.local+beq.4.local+bne.4.local
ld.4+sub.4:10+sltu.4:21+add.2:10+sd.4:03+add.2:20+bne.4.local beq.4.local+lbu.4+addi.2+beq.2.local:20+beq.4.local:30+bne.4.local
slli.2+slli.2 srliw.4+slliw.4+or.4:21+xor.4 addw.4+slliw.4+or.4:01 slli.4+srli.2:10 addw.4+srliw.4+xor.4+slliw.4
srliw.4+slliw.4+xor.4 addw.2+addi.2+bltu.4.local:20+lw.2 slliw.4+and.4:10+srliw.4+or.4:02+and.4:20+or.2:12+addi.2
mulhu.4+add.2+sltu.4:10+add.2:30+add.4:12+sub.4:10+sltiu.4:10+and.4:01 sltiu.4+and.4:10+addi.2+mulhu.4+add.2 lw.2+slli.2:10
and.4+addi.2+mulhu.4+add.2+sltu.4:10 sd.2+sd.2+jal.2.local addi.2+mulhu.4+add.2
mul.4+sltu.4+sltu.4+sltiu.4:20+and.4:12+addi.2+mulhu.4+add.2 bgeu.4.local+ld.2+sd.2+sd.2:02+jal.2.local
add.2+sltu.4:10+add.2+add.4:12+sub.4:10+sltiu.4:10 srli.4+xor.2:01+slli.4:10+xor.2:21
bltu.4.local+lw.2+srliw.4:10+slliw.4:20+or.4:12+slliw.4+and.4:10 sub.4+sub.4:10
slli.4+xor.2:01+srli.4:10+xor.2:21+slli.4:10+xor.2:21 lb.4+lb.4+lb.4+lb.4
sltu.4+add.2+add.4:12+sub.4:10+sltiu.4:10+and.4:01+sltu.4+or.2:12 srliw.4+srliw.4+srliw.4
ld.2+beq.2.local:10+ld.2:20+add.2:03+bne.4.local:20 slliw.4+or.4:01+xor.4 srliw.4+slliw.4+slliw.4 sd.2+sd.2+sd.2+sd.2+sd.2
sd.2+sd.2+addi.2 slliw.4+xor.4+or.4:02 srliw.4+or.4+and.4:20+or.2:12+addi.2+bltu.4.local:20 lw.4+lw.4
addw.4+xor.4+srliw.4:10+slliw.4:20+addw.4:12 sd.2+addi.2+addi.4+jal.2.local xor.2+xor.4+xor.4
srliw.4+slliw.4+or.4:12+slliw.4+and.4:10+srliw.4+or.4:02+and.4:20 ld.4+lw.2:10 slli.2+or.2:10 lw.2+jal.2.local xori.4+ld.4+sd.4
sd.4+sd.4+ld.4 or.4+add.2 ld.4+and.4 addi.4+sltu.4 addi.4+addi.4+addi.2+sd.2:10+sd.2:20
addw.2+or.4+addw.4+srliw.4+slliw.4+or.4:21+xor.4 slli.2+or.4:10+sd.4 ld.4+ld.4+sd.4 xor.4+xori.4+and.4 addi.2+add.2+add.2+add.2
add.2+add.2+add.2+add.2+add.2+add.2 srliw.4+xor.4+slliw.4 slli.2+lbu.4 lbu.4+or.2+slli.2 bgeu.4.local+add.2 addi.2+blt.4.local
add.2+ld.2:10+beq.2.local:10 ld.4+addi.2+sd.4:02+addi.2+blt.4.local:30 xori.4+and.4+ld.4 slliw.4+or.4:10+slliw.4+and.4:10
slli.2+srli.2:10+add.2:10 xori.4+xor.4 slliw.4+sraiw.4:10 xori.4+and.2:10 and.4+ld.4+xori.4 beq.4.local+ld.4 xor.4+or.4+addw.4
mul.4+srli.2:10+andi.2:10+add.2:10+ld.2:10+beq.2.local:10+ld.2:20 or.4+slli.4 slli.4+slli.4+add.2:10
fmul.d.4.dyn+fsub.d.4.dyn:01+fsd.4:01+addi.4+bne.4.local:10 slli.4+add.2:10+add.2+ld.2:10 add.2+add.2+ld.2:10+ld.4:30
mulhu.4+mul.4+bge.4.local add.2+ld.2:10+ld.4+mulhu.4:21 beq.4.local+sltu.4+sd.4 ld.2+ld.4+mulhu.4:21+mul.4:32 mul.4+bge.4.local
ld.4+mulhu.4:01+mul.4:02 srli.4+add.2 blt.4.local+slli.4+slli.4+add.2:10+add.2:30+ld.2:10+ld.4:30+mulhu.4:21
fsd.4+fmul.d.4.dyn+fsub.d.4.dyn:01+fsd.4:01+addi.4+bne.4.local:10 beq.4.local+sltu.4+sd.2+addi.2+addi.2+bne.4.local:02
andi.2+bne.2.local:10 fld.4+fsd.4+fmul.d.4.dyn+fld.4+fsub.d.4.dyn:02+fsd.4:01+fmul.d.4.dyn+fsub.d.4.dyn:01
fsub.d.4.dyn+fsd.4:01+addi.4+bne.4.local:10 xor.2+add.2:01+add.4+add.4:20+addi.2+addi.2+add.2+add.2 xor.4+addw.4+or.4
addw.4+xor.4+or.4+srliw.4+slliw.4+xor.4 sd.4+slli.4+srli.4 xor.4+srliw.4+addw.4+slliw.4 slliw.4+or.4:01+addw.4
ld.4+srli.4+srli.4+slli.2 slli.2+or.4 slli.2+add.2:01 addi.2+addi.2+bne.4.local beq.4.local+slli.4 or.4+srli.4
sltiu.4+bne.2.local:10 srli.4+xor.4 add.2+sltiu.4+bne.2.local:10 or.4+or.4+or.4+or.4 addi.4+sltiu.4:10 xori.4+xori.4+xori.4
add.4+ld.4:10+add.4 ld.2+sd.2 ld.4+addi.2+addi.2+bltu.4.local:03+bgeu.4.local:03+ld.2+sd.2
addi.4+add.2:01+bgeu.4.local:20+ld.2:20+addi.4:30+bltu.4.local:20+add.2+ld.4 addi.2+addi.2+bltu.4.local
ld.2+ld.4+sub.4:20+sub.4:12+beq.4.local:01 fmul.d.4.dyn+fsub.d.4.dyn:01+fld.4+fsd.4:02+fmul.d.4.dyn+fld.4+fsub.d.4.dyn:02+fsd.4:01
add.2+auipc.4+jalr.4:10 bgeu.4.local+addw.2+addi.2+bltu.4.local:20+lw.2+srliw.4:10+slliw.4:20+or.4:12 or.4+ld.4+or.4 lw.4+add.2
srli.4+or.4 beq.2.local+addi.2 sw.4+sw.4+sw.4 ld.2+ld.2+ld.4+ld.4+ld.4+ld.4+ld.4+ld.4 xor.4+add.2:01
ld.2+ld.2+ld.2+ld.2+ld.2+ld.2+ld.2 ld.4+bgeu.4.local:01 sd.4+sd.4+sd.4+sd.4+sd.4+sd.4+addi.4 addi.2+ld.2
srli.2+andi.2:10+add.2:10+ld.2:10+beq.2.local:10+ld.2:20 addi.2+beq.4.local addw.4+addw.4+addw.4+srliw.4 addw.2+addw.4
sb.4+sb.4+sb.4+sb.4+addi.2 srliw.4+slliw.4+or.2:12 addw.4+slliw.4+ld.4 auipc.4+ld.4:10+xor.2 xor.2+slli.4:10+xor.4:12+mulhu.4:10
fld.4+fmul.d.4.dyn+fmul.d.4.dyn:01+fsub.d.4.dyn:31+fld.4+fsd.4:02+fmul.d.4.dyn+fld.4 slli.4+xor.4:10+mulhu.4:10
slli.4+xor.4:10+srli.4:10+auipc.4+ld.4:10+xor.2:03+slli.4:10+xor.4:12 xor.4+mulhu.4:10 mul.4+auipc.4
fsub.d.4.dyn+fsd.4:01+fmul.d.4.dyn+fsub.d.4.dyn:01+fsd.4:01+addi.4+bne.4.local:10 auipc.4+addi.4:10+add.2:10+sub.2:10+lbu.4:10
addi.4+add.2+sub.2:10 lbu.4+sb.4:01+addi.2+add.4+bne.4.local:21 add.2+sub.2:10 sub.2+lbu.4:10+sb.4:01+addi.2
addi.2+add.4+bne.4.local:21 mulhu.4+srli.2:10+mul.4:10+auipc.4+addi.4:10+add.2:10+sub.2:10+lbu.4:10 or.4+xori.4
sb.4+addi.2+add.4+bne.4.local:21 srli.4+slli.2+or.2:12+xor.4+add.2:21 lbu.4+bne.4.local:10 sub.4+sub.2:10 ld.2+xor.4+ld.4
addi.4+bgeu.4.local+add.2:02+mul.4:30+srli.2:10+andi.2:10+add.2:10 ld.2+xor.4+xor.4 slli.2+or.2:01 and.2+or.2:01 xor.2+ld.2
sub.4+slli.2:10+add.4:01 xor.4+and.4+and.4 xor.2+srliw.4+slli.4+or.2:21 or.2+xor.2:01+xor.4
beq.4.local+lbu.4+addi.2+andi.2:20+bne.2.local:10 srli.2+mul.4:10+srli.2:10 add.4+add.4+addi.2+addi.2+add.2+add.2+add.2
xor.2+slli.4:10+xor.4:12+slli.2:30+srli.2:10+mul.4:10+srli.2:10+andi.2:10 andi.2+add.2:10+ld.2:10 xor.2+addi.2 slli.2+or.4:10+or.4
xor.4+and.4+xori.4 and.4+and.4+xor.2:21+add.2:01+add.4+add.4:20+addi.2+addi.2 bne.2.local+ld.2+ld.2 sltu.4+and.2:01
lbu.4+lbu.4+lbu.4 and.4+xor.2:01+add.2:01 andi.2+beq.2.local:10 add.2+add.4+add.4:20+addi.2 lbu.4+addi.4+add.4:02+lbu.4:10
add.4+lw.4+srli.4 add.4+addi.2+addi.2+add.2+add.2+add.2 xor.2+xor.4+and.4:10+and.4+xor.2:21+add.2:01+add.4+add.4:20
srli.4+slli.4+or.2:21+srli.4+slli.4 slli.4+or.2:01+srli.4 or.2+xor.2:10+srli.4 or.2+srli.4+slli.4 xor.2+srli.4+xor.2:21+add.2:10
lw.4+lwu.4+add.4:20+lw.4+srli.4:30+slli.4+or.2:21+srli.4 srli.4+slli.4+or.2:12+xor.2:10 srli.4+xor.2:01+add.2:10
add.2+srliw.4+slli.4+or.2:21+srliw.4+slli.4+or.2:12+xor.2:10 xor.2+srliw.4+xor.2:21+add.2:10 xor.2+add.2:10+srliw.4
srliw.4+xor.2:01+add.2:10 sub.4+add.2 srliw.4+slli.4+or.2:21+srliw.4+slli.4+or.2:12+xor.2:10 ld.4+sd.4+sd.4+sd.4
andi.2+beq.4.local:10 slli.4+or.2:10+xor.2:10+srli.4+xor.2:21+add.2:10+srliw.4+slli.4
slli.4+or.2:01+srliw.4+slli.4+or.2:12+xor.2:10 sltu.4+sd.2+addi.2+addi.2 or.2+xor.2:10+srliw.4+xor.2:21
fsd.4+fmul.d.4.dyn+fld.4+fsub.d.4.dyn:02+fsd.4:01 lbu.4+lbu.4+addi.2+addi.2 add.2+slli.2
fld.4+fsub.d.4.dyn+fsd.4:01+fmul.d.4.dyn+fsub.d.4.dyn:01+fsd.4:01 add.2+slli.4
or.2+srliw.4+slli.4+or.2:12+xor.2:10+srliw.4+xor.2:21+add.2:10 fsub.d.4.dyn+fld.4+fsd.4:02+fmul.d.4.dyn+fld.4+fsub.d.4.dyn:02
bge.4.local+slli.4+add.2:10 srli.4+ld.2 slli.4+xor.4:10+slli.2 slli.2+srli.2:10+mul.4:10
fadd.d.4.dyn+fsd.2:01+fld.4+fmul.d.4.dyn+fmul.d.4.dyn:01+fsub.d.4.dyn:31+fld.4+fsd.4:02 xor.4+srli.4+xor.2:21+slli.4:10+xor.4:12
bne.4.local+jal.2.local beq.2.local+add.2 fmul.d.4.dyn+fld.4+fsub.d.4.dyn:02+fsd.4:01+fmul.d.4.dyn+fsub.d.4.dyn:01+fsd.4:01+addi.4
addi.2+addi.2+add.2+add.2+add.2 addi.4+sd.2+add.2:02 ld.4+ld.4+addi.4
"""


def _sequences() -> list[tuple[str, ...]]:
    longest = [tuple(text.split("+")) for text in LONGEST.split()]
    return list(dict.fromkeys(each[:count] for each in longest for count in range(2, len(each) + 1)))


SEQUENCES: list[tuple[str, ...]] = _sequences()
