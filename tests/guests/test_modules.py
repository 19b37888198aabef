"""Kernel modules: which are needed, in which order, and without their signatures."""
import lzma

import pytest

from rvhyp import assemble
from rvhyp.guests import modules
from rvhyp.machine.errors import BadInput

SIGNATURE = b"signed" * 10 + bytes(8) + (60).to_bytes(4, "big") + b"~Module signature appended~\n"


def module(*info):
    """An ELF file with a section .modinfo."""
    import struct
    body = b"".join(each.encode() + b"\0" for each in info)
    strings = b"\0.modinfo\0.shstrtab\0"
    header = struct.Struct("<16sHHIQQQIHHHHHH")
    section = struct.Struct("<IIQQQQIIQQ")
    at = header.size
    return (header.pack(b"\x7fELF\2\1\1", 1, 243, 1, 0, 0, at + len(body) + len(strings), 0, 64, 0, 0, 64, 3, 2) + body + strings
            + section.pack(*[0] * 10) + section.pack(1, 1, 0, 0, at, len(body), 0, 0, 1, 0)
            + section.pack(10, 3, 0, 0, at + len(body), len(strings), 0, 0, 1, 0))


@pytest.fixture
def folder(tmp_path):
    for name, info in {"virtio_net": ["depends=net_failover", "alias=virtio:d00000001v*"], "net_failover": ["depends=failover"],
                       "failover": [], "9p": ["depends=9pnet,netfs"], "9pnet": ["depends=netfs"], "netfs": [],
                       "with-dash": ["depends="], "unwanted": []}.items():
        (tmp_path / f"{name}.ko.xz").write_bytes(lzma.compress(module(*info) + SIGNATURE))
    return tmp_path


def test_what_they_depend_on_comes_along(folder):
    found = modules.select(folder, ["virtio_net", "9p", "with_dash", "builtin"])
    assert list(found) == ["9p", "9pnet", "failover", "net_failover", "netfs", "virtio_net", "with_dash"]


def test_signatures_are_gone(folder):
    found = modules.select(folder, ["failover"])["failover"]
    assert found.data == module()
    assert modules.unsigned(module()) == module()


def test_dependencies_are_listed_as_modprobe_loads_them(folder):
    """From the last to the first."""
    found = modules.select(folder, ["virtio_net", "9p"])
    lines = modules.dependencies(found).splitlines()
    assert "virtio_net.ko: net_failover.ko failover.ko" in lines and "9p.ko: 9pnet.ko netfs.ko" in lines and "netfs.ko:" in lines
    assert modules.aliases(found) == "alias virtio:d00000001v* virtio_net\n"


def test_an_elf_without_modinfo_depends_on_nothing(tmp_path):
    (tmp_path / "odd.ko").write_bytes(assemble("nop").to_elf())
    assert modules.select(tmp_path, ["odd"])["odd"].depends == ()


@pytest.mark.parametrize("name, data", [("bad.ko.xz", b"text"), ("bad.ko.xz", lzma.compress(module())[:-9]), ("bad.ko", b"text")])
def test_damaged(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match="damaged"):
        modules.select(tmp_path, ["bad"])
