# Floating point: results and the flags they raise.

    .equ NX, 1                          # inexact
    .equ UF, 2                          # underflow
    .equ OF, 4                          # overflow
    .equ DZ, 8                          # division by zero
    .equ NV, 16                         # invalid

    .equ ZERO,     0x0000000000000000
    .equ MINUS_0,  0x8000000000000000
    .equ TINIEST,  0x0000000000000001
    .equ TINY,     0x0010000000000000   # the smallest that is normal
    .equ HALF,     0x3fe0000000000000
    .equ ONE,      0x3ff0000000000000
    .equ MINUS_1,  0xbff0000000000000
    .equ TWO,      0x4000000000000000
    .equ TWO_5,    0x4004000000000000
    .equ MINUS_2_5, 0xc004000000000000
    .equ THREE,    0x4008000000000000
    .equ HUGE,     0x7fefffffffffffff   # the largest that is finite
    .equ INFINITY, 0x7ff0000000000000
    .equ QUIET,    0x7ff8000000000000   # a NaN, the one that operations give
    .equ SIGNAL,   0x7ff0000000000001   # a NaN that operations complain about

    .macro float1 operation, value, result, flags
    li      t0, \value
    fmv.d.x fa0, t0
    fsflags zero
    \operation fa2, fa0
    fmv.x.d t2, fa2
    frflags t3
    expect  t2, \result
    expect  t3, \flags
    .endm

    .macro float2 operation, left, right, result, flags
    li      t0, \left
    fmv.d.x fa0, t0
    li      t1, \right
    fmv.d.x fa1, t1
    fsflags zero
    \operation fa2, fa0, fa1
    fmv.x.d t2, fa2
    frflags t3
    expect  t2, \result
    expect  t3, \flags
    .endm

    .macro compare operation, left, right, result, flags
    li      t0, \left
    fmv.d.x fa0, t0
    li      t1, \right
    fmv.d.x fa1, t1
    fsflags zero
    \operation t2, fa0, fa1
    frflags t3
    expect  t2, \result
    expect  t3, \flags
    .endm

    .macro to_integer operation, value, mode, result, flags
    li      t0, \value
    fmv.d.x fa0, t0
    fsflags zero
    \operation t2, fa0, \mode
    frflags t3
    expect  t2, \result
    expect  t3, \flags
    .endm

    .macro class value, number
    li      t0, \value
    fmv.d.x fa0, t0
    fclass.d t2, fa0
    expect  t2, 1 << \number
    .endm

    check   "floating-point sums and products"
    float2  fadd.d, ONE, TWO, THREE, 0
    float2  fadd.d, 0x3fb999999999999a, 0x3fc999999999999a, 0x3fd3333333333334, NX
    float2  fsub.d, ONE, ONE, ZERO, 0
    float2  fsub.d, INFINITY, INFINITY, QUIET, NV
    float2  fadd.d, SIGNAL, ONE, QUIET, NV
    float2  fadd.d, QUIET + 5, ONE, QUIET, 0
    float2  fmul.d, HUGE, TWO, INFINITY, OF | NX
    float2  fmul.d, TINY, HALF, 0x0008000000000000, 0
    float2  fmul.d, TINIEST, HALF, ZERO, UF | NX
    float2  fmul.d, MINUS_1, ZERO, MINUS_0, 0
    passed

    check   "floating-point quotients and roots"
    float2  fdiv.d, ONE, THREE, 0x3fd5555555555555, NX
    float2  fdiv.d, ONE, ZERO, INFINITY, DZ
    float2  fdiv.d, ZERO, ZERO, QUIET, NV
    float1  fsqrt.d, TWO, 0x3ff6a09e667f3bcd, NX
    float1  fsqrt.d, MINUS_1, QUIET, NV
    float1  fsqrt.d, MINUS_0, MINUS_0, 0
    passed

    check   "fused multiplication and addition"
    li      t0, ONE + 1
    fmv.d.x fa0, t0
    li      t0, MINUS_1 + 2
    fmv.d.x fa1, t0
    fsflags zero
    fmadd.d fa2, fa0, fa0, fa1          # rounded once: 2**-104; rounded twice: 0
    fmv.x.d t2, fa2
    frflags t3
    expect  t2, 0x3970000000000000
    expect  t3, 0
    fnmadd.d fa2, fa0, fa0, fa1
    fmv.x.d t2, fa2
    expect  t2, 0xb970000000000000
    passed

    check   "floating-point minimum and comparisons"
    float2  fmin.d, ZERO, MINUS_0, MINUS_0, 0
    float2  fmax.d, MINUS_0, ZERO, ZERO, 0
    float2  fmin.d, QUIET, ONE, ONE, 0
    float2  fmax.d, SIGNAL, ONE, ONE, NV
    compare feq.d, ZERO, MINUS_0, 1, 0
    compare feq.d, QUIET, QUIET, 0, 0
    compare feq.d, SIGNAL, ONE, 0, NV
    compare flt.d, QUIET, ONE, 0, NV
    compare flt.d, MINUS_1, ONE, 1, 0
    compare fle.d, ONE, ONE, 1, 0
    passed

    check   "floating point to integers"
    to_integer fcvt.w.d, TWO_5, rne, 2, NX
    to_integer fcvt.w.d, MINUS_2_5, rtz, -2, NX
    to_integer fcvt.w.d, MINUS_2_5, rdn, -3, NX
    to_integer fcvt.w.d, TWO_5, rup, 3, NX
    to_integer fcvt.w.d, TWO_5, rmm, 3, NX
    to_integer fcvt.w.d, THREE, rne, 3, 0
    to_integer fcvt.w.d, QUIET, rne, 0x7fffffff, NV
    to_integer fcvt.w.d, HUGE, rne, 0x7fffffff, NV
    to_integer fcvt.wu.d, MINUS_1, rne, 0, NV
    to_integer fcvt.wu.d, 0x41f0000000000000, rne, -1, NV
    to_integer fcvt.l.d, INFINITY, rne, 0x7fffffffffffffff, NV
    to_integer fcvt.lu.d, 0x43e0000000000000, rne, 1 << 63, 0
    li      t0, 1 << 53 | 1
    fsflags zero
    fcvt.d.l fa0, t0
    fmv.x.d t2, fa0
    frflags t3
    expect  t2, 0x4340000000000000
    expect  t3, NX
    passed

    check   "rounding modes"
    .irp mode, 0, 1, 2, 3, 4
    fsrmi   \mode
    li      t0, ONE
    fmv.d.x fa0, t0
    li      t0, THREE
    fmv.d.x fa1, t0
    fdiv.d  fa2, fa0, fa1
    fmv.x.d t2, fa2
    expect  t2, 0x3fd5555555555555 - (\mode == 3)     # up is one more: true is -1
    .endr
    fsrmi   5                           # there is no such mode: an instruction that asks for it is illegal
    catch   1f
    fdiv.d  fa2, fa0, fa1
1:  expect  a0, ILLEGAL_INSTRUCTION
    passed

    check   "singles in boxes"
    li      t0, 0x3f800000              # 1.0, but without the ones above it: not a number
    fmv.d.x fa0, t0
    fadd.s  fa1, fa0, fa0
    fmv.x.w t2, fa1
    expect  t2, 0x7fc00000
    fmv.w.x fa0, t0
    fmv.x.d t2, fa0
    expect  t2, 0xffffffff3f800000
    fadd.s  fa1, fa0, fa0
    fmv.x.d t2, fa1
    expect  t2, 0xffffffff40000000
    fcvt.d.s fa2, fa1
    fmv.x.d t2, fa2
    expect  t2, TWO
    la      s0, page_a
    fsw     fa1, (s0)
    flw     fa3, (s0)
    fmv.x.d t2, fa3
    expect  t2, 0xffffffff40000000
    passed

    check   "classes of floating-point numbers"
    class   0xfff0000000000000, 0       # minus infinity
    class   MINUS_1, 1
    class   0x8000000000000001, 2
    class   MINUS_0, 3
    class   ZERO, 4
    class   TINIEST, 5
    class   ONE, 6
    class   INFINITY, 7
    class   SIGNAL, 8
    class   QUIET, 9
    passed

    check   "floating point off"
    li      t0, SSTATUS_FS
    csrc    sstatus, t0
    catch   1f
    fmv.d.x fa0, zero
1:  expect  a0, ILLEGAL_INSTRUCTION
    catch   2f
    frflags t0
2:  expect  a0, ILLEGAL_INSTRUCTION
    li      t0, FS_INITIAL
    csrs    sstatus, t0
    fmv.d.x fa0, zero                   # now the registers are dirty, which two fields say
    csrr    t1, sstatus
    li      t0, SSTATUS_FS
    and     t2, t1, t0
    expect_equal t2, t0
    srli    t1, t1, 63
    expect  t1, 1
    passed
