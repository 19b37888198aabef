"""Packages: they unpack into their folder and nowhere else."""
import os
import tarfile

import pytest

from rvhyp.guests.packages import ROOT, Owner, Tree, control
from rvhyp.machine.errors import BadInput
from tests.guests.debs import deb, needs_dpkg, raw_deb

pytestmark = needs_dpkg


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return Tree(root)


def member(name, kind=tarfile.REGTYPE, target="", mode=0o644, uid=0, gid=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid, info.gid = kind, target, mode, uid, gid
    return info


def test_files_links_and_what_dpkg_lists(tmp_path, tree):
    names = tree.unpack(deb(tmp_path, "small", {"usr/bin/tool": b"#!", "usr/bin/other": ("link", "tool")}))
    assert (tree.root / "usr/bin/tool").read_bytes() == b"#!" and os.readlink(tree.root / "usr/bin/other") == "tool"
    assert sorted(names) == ["/.", "/usr", "/usr/bin", "/usr/bin/other", "/usr/bin/tool"]
    assert set(tree.owners.values()) == {ROOT}


def test_control_files(tmp_path):
    assert b"Package: small\n" in control(deb(tmp_path, "small", {}))["control"]


def test_owners_and_rights_are_kept_whoever_unpacks(tmp_path, tree):
    tree.unpack(raw_deb(tmp_path, "owned", [(member("./bin/su", mode=0o4755, gid=8), b"x")]))
    assert (tree.root / "bin/su").stat().st_mode & 0o7777 == 0o4755 and tree.owners["bin/su"] == Owner(0, 8)
    assert tree.all_owners() == {"bin": ROOT, "bin/su": Owner(0, 8)}


def test_a_folder_that_is_a_link_stays_one(tmp_path, tree):
    """As /lib to usr/lib."""
    (tree.root / "usr/lib").mkdir(parents=True)
    tree.link("lib", "usr/lib")
    tree.unpack(deb(tmp_path, "old", {"lib/ld.so": b"x"}))
    assert (tree.root / "lib").is_symlink() and (tree.root / "usr/lib/ld.so").read_bytes() == b"x"
    assert tree.owners["usr/lib/ld.so"] == ROOT


@pytest.mark.parametrize("members", [
    [(member("../../evil"), b"x")],
    [(member("./out", tarfile.SYMTYPE, "/"), b""), (member("./out/evil"), b"x")],
    [(member("./out", tarfile.SYMTYPE, "../../.."), b""), (member("./out/evil"), b"x")],
    [(member("./evil", tarfile.SYMTYPE, "/etc/hostname"), b""), (member("./evil"), b"x")],
])
def test_nothing_leaves_the_folder(tmp_path, tree, members):
    tree.unpack(raw_deb(tmp_path, "bad", members))
    assert (tree.root / "evil").read_bytes() == b"x" and not (tree.root / "evil").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"root", "bad_1_all.deb"}


def test_a_link_in_a_loop_is_one_message(tmp_path, tree):
    with pytest.raises(BadInput, match="too many links"):
        tree.unpack(raw_deb(tmp_path, "loop", [(member("./a", tarfile.SYMTYPE, "a"), b""), (member("./a/b"), b"x")]))


def test_devices_are_left_to_the_kernel(tmp_path, tree):
    tree.unpack(raw_deb(tmp_path, "device", [(member("./dev/null", tarfile.CHRTYPE), b"")]))
    assert not (tree.root / "dev/null").exists()


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:300], lambda data: data[:-40],
                                    lambda data: data[:200] + bytes(60) + data[260:], lambda data: b"text"])
def test_a_damaged_package_is_one_message(tmp_path, tree, damage):
    path = deb(tmp_path, "damaged", {"file": os.urandom(5000)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput, match=r"damaged_1\.0_riscv64\.deb: is damaged"):
        tree.unpack(path)
        control(path)
