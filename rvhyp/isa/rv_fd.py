"""F, D and Zfh: single, double and half precision (Unprivileged ISA, chapters 21, 22 and "Zfh").

The extensions differ only in the format, so one definition makes all forms.  Registers hold 64 bits: what is narrower is
NaN-boxed.  `fp` is the floating-point unit at the rounding mode in effect; it takes and gives bit patterns of a format (16, 32 or
64 bits wide), accrues fflags, and returns the canonical NaN where the result is one.
"""
from rvhyp.isa.instruction import Extension, Kind
from rvhyp.isa.word import select, sext, u64, zext

EXTENSION = {32: Extension("F", "single-precision floating point"),
             64: Extension("D", "double-precision floating point"),
             16: Extension("Zfh", "half-precision floating point")}
TRANSFERS = {**EXTENSION, 16: Extension("Zfhmin", "half-precision loads, stores, moves and conversions")}
HALF_AND_DOUBLE = Extension("Zfhmin and D", "conversions of half and double precision", when="zfhmin and d")
SUFFIX = {16: "h", 32: "s", 64: "d"}
LETTER = {16: "h", 32: "w", 64: "d"}
FMT = {16: "10", 32: "00", 64: "01"}
MEMORY_WIDTH = {16: "001", 32: "010", 64: "011"}
CANONICAL_NAN = {16: 0x7E00, 32: 0x7FC0_0000}


def boxes(width):
    """The bits above a format in a register, all ones."""
    return (1 << 64) - (1 << width)


def unbox(width, value):
    """The bits of a format in a register: one that is not NaN-boxed properly counts as the canonical NaN."""
    if width == 64:
        return value
    return select((value & boxes(width)) == boxes(width), zext(value, width), u64(CANONICAL_NAN[width]))


def box(width, bits):
    """The register that holds the bits of a format."""
    return bits if width == 64 else bits | boxes(width)


def sign(width):
    """The sign bit of a format."""
    return 1 << (width - 1)


def instruction(width, name, operands, encoding, body, kind=Kind.FP, size=0, extensions=EXTENSION):
    """Register one form; `fmt` in the encoding is the format's code."""
    encoding = encoding.replace("fmt", FMT[width])
    extensions[width].instruction(f"{name} {operands}", encoding, kind, size)(body)


def define(width):
    """All instructions of one format."""
    s = SUFFIX[width]

    def get(register):
        return unbox(width, register)

    # Loads and stores.
    letter, funct3 = LETTER[width], MEMORY_WIDTH[width]
    instruction(width, f"fl{letter}", "fd, imm(rs1)", f"imm[11:0] rs1 {funct3} fd 0000111",
                lambda value: box(width, value), Kind.LOAD, width // 8, extensions=TRANSFERS)
    instruction(width, f"fs{letter}", "fs2, imm(rs1)", f"imm[11:5] fs2 rs1 {funct3} imm[4:0] 0100111",
                None, Kind.STORE, width // 8, extensions=TRANSFERS)

    # Arithmetic, rounded.
    two, one = "fd, fs1, fs2, rm", "fd, fs1, rm"
    instruction(width, f"fadd.{s}", two, "00000 fmt fs2 fs1 rm fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.add(width, get(fs1), get(fs2))))
    instruction(width, f"fsub.{s}", two, "00001 fmt fs2 fs1 rm fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.sub(width, get(fs1), get(fs2))))
    instruction(width, f"fmul.{s}", two, "00010 fmt fs2 fs1 rm fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.mul(width, get(fs1), get(fs2))))
    instruction(width, f"fdiv.{s}", two, "00011 fmt fs2 fs1 rm fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.div(width, get(fs1), get(fs2))))
    instruction(width, f"fsqrt.{s}", one, "01011 fmt 00000 fs1 rm fd 1010011",
                lambda fp, fs1: box(width, fp.sqrt(width, get(fs1))))

    # Fused multiply-add: rs1*rs2+rs3, with the product or the addend negated (a change of sign never rounds).
    fused = "fd, fs1, fs2, fs3, rm"
    instruction(width, f"fmadd.{s}", fused, "fs3 fmt fs2 fs1 rm fd 1000011", lambda fp, fs1, fs2, fs3: box(
        width, fp.fma(width, get(fs1), get(fs2), get(fs3))))
    instruction(width, f"fmsub.{s}", fused, "fs3 fmt fs2 fs1 rm fd 1000111", lambda fp, fs1, fs2, fs3: box(
        width, fp.fma(width, get(fs1), get(fs2), get(fs3) ^ sign(width))))
    instruction(width, f"fnmsub.{s}", fused, "fs3 fmt fs2 fs1 rm fd 1001011", lambda fp, fs1, fs2, fs3: box(
        width, fp.fma(width, get(fs1) ^ sign(width), get(fs2), get(fs3))))
    instruction(width, f"fnmadd.{s}", fused, "fs3 fmt fs2 fs1 rm fd 1001111", lambda fp, fs1, fs2, fs3: box(
        width, fp.fma(width, get(fs1) ^ sign(width), get(fs2), get(fs3) ^ sign(width))))

    # Sign injection, minimum, maximum.
    plain = "fd, fs1, fs2"
    magnitude = sign(width) - 1
    instruction(width, f"fsgnj.{s}", plain, "00100 fmt fs2 fs1 000 fd 1010011", lambda fs1, fs2: box(
        width, (get(fs1) & magnitude) | (get(fs2) & sign(width))))
    instruction(width, f"fsgnjn.{s}", plain, "00100 fmt fs2 fs1 001 fd 1010011", lambda fs1, fs2: box(
        width, (get(fs1) & magnitude) | (~get(fs2) & sign(width))))
    instruction(width, f"fsgnjx.{s}", plain, "00100 fmt fs2 fs1 010 fd 1010011", lambda fs1, fs2: box(
        width, get(fs1) ^ (get(fs2) & sign(width))))
    instruction(width, f"fmin.{s}", plain, "00101 fmt fs2 fs1 000 fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.min(width, get(fs1), get(fs2))))
    instruction(width, f"fmax.{s}", plain, "00101 fmt fs2 fs1 001 fd 1010011",
                lambda fp, fs1, fs2: box(width, fp.max(width, get(fs1), get(fs2))))

    # Comparison and classification, into an integer register.
    compare = "rd, fs1, fs2"
    instruction(width, f"feq.{s}", compare, "10100 fmt fs2 fs1 010 rd 1010011",
                lambda fp, fs1, fs2: fp.eq(width, get(fs1), get(fs2)))
    instruction(width, f"flt.{s}", compare, "10100 fmt fs2 fs1 001 rd 1010011",
                lambda fp, fs1, fs2: fp.lt(width, get(fs1), get(fs2)))
    instruction(width, f"fle.{s}", compare, "10100 fmt fs2 fs1 000 rd 1010011",
                lambda fp, fs1, fs2: fp.le(width, get(fs1), get(fs2)))
    instruction(width, f"fclass.{s}", "rd, fs1", "11100 fmt 00000 fs1 001 rd 1010011",
                lambda fp, fs1: fp.classify(width, get(fs1)))

    # Conversion to and from integers: name of the integer format, its code in rs2, bits, signedness.
    for name, code, bits, signed in (("w", "00000", 32, 1), ("wu", "00001", 32, 0),
                                     ("l", "00010", 64, 1), ("lu", "00011", 64, 0)):
        instruction(width, f"fcvt.{name}.{s}", "rd, fs1, rm", f"11000 fmt {code} fs1 rm rd 1010011",
                    lambda fp, fs1, bits=bits, signed=signed: fp.to_int(width, get(fs1), bits, signed))
        instruction(width, f"fcvt.{s}.{name}", "fd, rs1, rm", f"11010 fmt {code} rs1 rm fd 1010011",
                    lambda fp, rs1, bits=bits, signed=signed: box(width, fp.from_int(width, rs1, bits, signed)))

    # Moves of bits, which do not look at NaN boxes.
    instruction(width, f"fmv.x.{letter}", "rd, fs1", "11100 fmt 00000 fs1 000 rd 1010011",
                (lambda fs1: fs1) if width == 64 else (lambda fs1: sext(fs1, width)), extensions=TRANSFERS)
    instruction(width, f"fmv.{letter}.x", "fd, rs1", "11110 fmt 00000 rs1 000 fd 1010011",
                lambda rs1: box(width, rs1), extensions=TRANSFERS)


def define_conversion(extension, to, width):
    """Conversion from a format `width` to another; rs2 has the code of the source."""
    extension.instruction(f"fcvt.{SUFFIX[to]}.{SUFFIX[width]} fd, fs1, rm", f"01000 {FMT[to]} 000{FMT[width]} fs1 rm fd 1010011",
                          Kind.FP)(lambda fp, fs1: box(to, fp.convert(to, width, unbox(width, fs1))))


for _width in (32, 64, 16):
    define(_width)
for _extension, _one, _other in ((EXTENSION[64], 32, 64), (TRANSFERS[16], 16, 32), (HALF_AND_DOUBLE, 16, 64)):
    define_conversion(_extension, _one, _other)
    define_conversion(_extension, _other, _one)
