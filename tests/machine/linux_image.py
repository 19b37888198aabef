"""Linux Images made by hand."""
import struct


def image(text_offset=0x20_0000, image_size=0x30_0000, flags=0, size=200):
    """As boot-image-header.rst has it; `size` bytes in all."""
    header = struct.pack("<8sQQQIIQQII", b"MZ", text_offset, image_size, flags, 2, 0, 0, 0x5643534952, 0x05435352, 0)
    return (header + bytes(range(256)))[:size]
