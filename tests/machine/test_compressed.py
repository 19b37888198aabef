"""Kernels that are compressed, and what damaged ones are told."""
import gzip
import lzma
import sys

import pytest
from elf_file import elf
from hypothesis import given, settings
from hypothesis import strategies as st
from linux_image import image

from rvhyp.machine import compressed
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import load

PACKERS = {"gzip": gzip.compress, "xz": lzma.compress}
if sys.version_info >= (3, 14):
    from compression import zstd
    PACKERS["zstd"] = zstd.compress


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("plain", [image(), elf()], ids=["Image", "ELF"])
def test_a_compressed_kernel_is_the_kernel(kind, plain, tmp_path):
    path = tmp_path / "kernel"
    path.write_bytes(PACKERS[kind](plain) + bytes(100))         # padded, as boot loaders want it
    assert load(path).segments == load(plain).segments


def refused(data, name="kernel"):
    with pytest.raises(BadInput) as error:
        load(data, name)
    assert error.value.where == name and error.value.do
    return error.value.what


@pytest.mark.parametrize("kind", PACKERS)
def test_truncated(kind):
    packed = PACKERS[kind](image())
    for size in (len(packed) // 2, len(packed) - 9):
        assert "truncated" in refused(packed[:size])


@pytest.mark.parametrize("kind", PACKERS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_is_damaged_is_one_message(kind, data):
    packed = bytearray(PACKERS[kind](image()))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        load(bytes(packed), "kernel")
    except BadInput as error:
        assert error.where == "kernel" and "\n" not in str(error)


def test_what_unpacks_to_more_than_memory_is_refused(monkeypatch):
    monkeypatch.setattr(compressed, "MAX_SIZE", 1 << 20)
    assert "more than 1 MiB" in refused(gzip.compress(bytes((1 << 20) + 1)))


@pytest.mark.skipif("zstd" in PACKERS, reason="this Python has zstd")
def test_zstd_where_python_has_none():
    assert "zstd" in refused(b"\x28\xb5\x2f\xfd" + bytes(100))
