"""Zfa: additional floating-point instructions (Unprivileged ISA, chapter "Zfa"), for every format there is."""
import math
import struct

from rvhyp.isa.instruction import Extension, Kind
from rvhyp.isa.rv_fd import FMT, SUFFIX, box, unbox
from rvhyp.isa.word import select, u64

EXTENSION = {32: Extension("Zfa", "additional floating-point instructions"),
             64: Extension("Zfa and D", "the same in double precision", when="zfa and d"),
             16: Extension("Zfa and Zfh", "the same in half precision", when="zfa and zfh")}

# What FLI can load; "min" is the smallest positive normal number.
CONSTANTS = (-1.0, "min", 2.0**-16, 2.0**-15, 2.0**-8, 2.0**-7, 0.0625, 0.125,
             0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875,
             1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0,
             8.0, 16.0, 128.0, 256.0, 2.0**15, 2.0**16, math.inf, math.nan)
SMALLEST_NORMAL = {16: 2.0**-14, 32: 2.0**-126, 64: 2.0**-1022}
LARGEST_POWER = {16: 2.0**15}               # of two: what is above it is infinity in half precision


def constant_bits(width, constant):
    """The register with a constant in a format."""
    number = SMALLEST_NORMAL[width] if constant == "min" else constant
    number = math.inf if number > LARGEST_POWER.get(width, number) else number
    layout = {16: "<e", 32: "<f", 64: "<d"}[width]
    return u64(box(width, int.from_bytes(struct.pack(layout, number), "little")))


def define(width):
    """All instructions of one format."""
    s = SUFFIX[width]
    constants = [constant_bits(width, constant) for constant in CONSTANTS]

    def get(register):
        return unbox(width, register)

    def instruction(syntax, encoding, body):
        EXTENSION[width].instruction(syntax, encoding.replace("fmt", FMT[width]), Kind.FP)(body)

    def chosen(number):
        """The constant of a number, known only when the instruction runs."""
        result = constants[0]
        for index, bits in enumerate(constants):
            result = select(number == index, bits, result)
        return result

    instruction(f"fli.{s} fd, constant", "11110 fmt 00001 constant 000 fd 1010011", lambda constant: chosen(constant))
    instruction(f"fminm.{s} fd, fs1, fs2", "00101 fmt fs2 fs1 010 fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.minm(width, get(fs1), get(fs2))))
    instruction(f"fmaxm.{s} fd, fs1, fs2", "00101 fmt fs2 fs1 011 fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.maxm(width, get(fs1), get(fs2))))
    instruction(f"fround.{s} fd, fs1, rm", "01000 fmt 00100 fs1 rm fd 1010011",
                lambda fp, fs1: box(width, fp.integral(width, get(fs1), 0)))
    instruction(f"froundnx.{s} fd, fs1, rm", "01000 fmt 00101 fs1 rm fd 1010011",
                lambda fp, fs1: box(width, fp.integral(width, get(fs1), 1)))
    instruction(f"fleq.{s} rd, fs1, fs2", "10100 fmt fs2 fs1 100 rd 1010011",
                lambda fp, fs1, fs2: fp.leq(width, get(fs1), get(fs2)))
    instruction(f"fltq.{s} rd, fs1, fs2", "10100 fmt fs2 fs1 101 rd 1010011",
                lambda fp, fs1, fs2: fp.ltq(width, get(fs1), get(fs2)))


for _width in (32, 64, 16):
    define(_width)


@EXTENSION[64].instruction("fcvtmod.w.d rd, fs1, rtz", "11000 01 01000 fs1 001 rd 1010011", Kind.FP)
def fcvtmod_w_d(fp, fs1):
    return fp.to_int_modular(64, fs1)
