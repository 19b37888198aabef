"""Small ELF64 files for tests, made with struct, any field of which may be wrong."""
import struct

BASE = 0x8000_0000
EXEC, DYN = 2, 3
R, W, X = 4, 2, 1
CODE = bytes(range(64))
DATA = b"data"
LOCAL, GLOBAL = 0x00, 0x10


def segment(pa=BASE, data=CODE, va=None, memsz=None, flags=R | X, kind=1, **fields):
    """A program header with its bytes; fields of the header may be forced."""
    return {"type": kind, "flags": flags, "vaddr": pa if va is None else va, "paddr": pa, "data": data,
            "memsz": len(data) if memsz is None else memsz, **fields}


def elf(segments=None, symbols=(), entry=BASE, kind=EXEC, **header):
    """An ELF64 file: header, program headers, segments, symbols (name, value, info, section), section headers.

    Fields of the file header (`machine=62`) may be forced.
    """
    if segments is None:
        segments = [segment(), segment(BASE + 0x1000, DATA, memsz=0x100, flags=R | W)]
    phnum = len(segments)
    body, headers = b"", b""
    for s in segments:
        s = {"offset": 64 + 56 * phnum + len(body), "filesz": len(s["data"]), **s}
        body += s["data"]
        headers += struct.pack("<IIQQQQQQ", s["type"], s["flags"], s["offset"], s["vaddr"], s["paddr"], s["filesz"],
                               s["memsz"], 4096)
    strings, table = b"\0", bytes(24)
    for name, value, info, section in symbols:
        table += struct.pack("<IBBHQQ", len(strings), info, 0, section, value, 0)
        strings += name.encode() + b"\0"
    at = 64 + len(headers) + len(body)
    sections = bytes(64) + struct.pack("<IIQQQQIIQQ", 1, 2, 0, 0, at, len(table), 2, 1, 8, 24)
    sections += struct.pack("<IIQQQQIIQQ", 9, 3, 0, 0, at + len(table), len(strings), 0, 0, 1, 0)
    fields = {"ident": b"\x7fELF\x02\x01\x01" + bytes(9), "type": kind, "machine": 243, "version": 1, "entry": entry,
              "phoff": 64 if phnum else 0, "shoff": at + len(table) + len(strings), "flags": 1, "ehsize": 64,
              "phentsize": 56, "phnum": phnum, "shentsize": 64, "shnum": 3, "shstrndx": 2, **header}
    return struct.pack("<16sHHIQQQIHHHHHH", *fields.values()) + headers + body + table + strings + sections


SYMBOLS = [
    ("_start", BASE, GLOBAL, 1), ("loop", BASE + 16, LOCAL, 1), ("again", BASE + 16, GLOBAL | 2, 1),
    ("tohost", BASE + 0x1010, GLOBAL, 2), ("fromhost", BASE + 0x1018, GLOBAL, 2),
    ("begin_signature", BASE + 0x1020, GLOBAL, 2), ("end_signature", BASE + 0x1040, GLOBAL, 2),
    ("stack_size", BASE + 8, GLOBAL, 0xFFF1),
    # No names of anything in the program:
    ("elsewhere", 0, GLOBAL, 0), ("", BASE, GLOBAL, 1),
    ("$xrv64i2p1", BASE + 16, LOCAL, 1), (".Lhere", BASE + 20, LOCAL, 1),
    ("start.c", 0, LOCAL | 4, 0xFFF1), (".text", BASE, LOCAL | 3, 1),
]
