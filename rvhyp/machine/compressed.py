"""Kernels as they are shipped: compressed with gzip, xz or, where this Python has it (3.14), zstd."""
from __future__ import annotations

import lzma
import zlib

from rvhyp.machine.errors import BadInput
from rvhyp.machine.source import MAX_SIZE, Source

MAGICS = {b"\x1f\x8b\x08": "gzip", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
LONGEST_MAGIC = max(map(len, MAGICS))


def kind_of(start: bytes) -> str | None:
    """What compressed a file that starts so; None if nothing did."""
    return next((kind for magic, kind in MAGICS.items() if start.startswith(magic)), None)


def unpack(data: bytes, kind: str, name: str) -> bytes:
    """The contents; what follows them (padding, a signature) is ignored.

    BadInput if they are damaged or larger than MAX_SIZE.
    """
    try:
        if kind == "gzip":
            decompressor = zlib.decompressobj(wbits=31)
            unpacked = decompressor.decompress(data, MAX_SIZE + 1)
        else:
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ) if kind == "xz" else _zstd(name)
            unpacked = decompressor.decompress(data, MAX_SIZE + 1)
    except BadInput:
        raise
    except Exception as error:                          # each library has its own
        raise BadInput(f"is damaged: {kind} says {str(error) or type(error).__name__}", name, "copy or build it again") from error
    if len(unpacked) > MAX_SIZE:
        raise BadInput(f"has more than {MAX_SIZE >> 20} MiB when unpacked", name, "give a smaller one")
    if not decompressor.eof:
        raise BadInput(f"is truncated: the {kind} data has no end", name, "copy or build it again")
    return unpacked


def _zstd(name: str):
    try:
        from compression import zstd
    except ImportError as error:
        raise BadInput("is compressed with zstd, which Python can unpack from 3.14 on", name, "unpack it (zstd -d)") from error
    return zstd.ZstdDecompressor()


def unpacked(file: Source) -> Source:
    """The file itself, or what is in it if it is compressed."""
    kind = kind_of(file.read(0, min(file.size, LONGEST_MAGIC), "the start"))
    return file if kind is None else Source(unpack(file.read(0, file.size, "the data"), kind, file.name), file.name)
