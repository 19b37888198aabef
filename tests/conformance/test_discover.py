"""Which files are tests, what they are called, and which are selected."""
import os
import struct

import pytest

from rvhyp.conformance.discover import discover, select
from rvhyp.machine.errors import BadInput


def head(machine=243, bits=64, kind=2, size=64) -> bytes:
    """The start of an ELF file."""
    return struct.pack("<4sBBB9xHH", b"\x7fELF", {32: 1, 64: 2}[bits], 1, 1, kind, machine).ljust(size, b"\0")[:size]


@pytest.fixture
def tree(tmp_path):
    """Makes files of a folder."""
    def tree(**files):
        for name, data in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path
    return tree


def names(tests):
    return [test.name for test in tests]


def test_executables_are_found_in_order(tree):
    folder = tree(b=head(), a=head(kind=3), sub__c=head(), sub__deeper__a=head())
    assert names(discover([folder])) == ["a", "b", "sub/c", "sub/deeper/a"]


def test_other_files_are_no_tests(tree):
    folder = tree(a=head(), a_DOT_dump=head(), text=b"text", empty=b"", host=head(machine=62), object=head(kind=1),
                  core=head(kind=4), lib_DOT_so=head(), x_DOT_o=head(), _DOT_hidden=head(), _DOT_git__b=head(), almost=b"\x7fEL")
    os.mkfifo(folder / "pipe")
    os.symlink("/no/such", folder / "dangling")
    assert names(discover([folder])) == ["a", "dangling"]       # what cannot be read may have been a test


@pytest.mark.parametrize("size", [4, 10, 18, 19])
def test_a_file_cut_short_is_not_lost(tree, size):
    assert names(discover([tree(a=head(), b=head(size=size))])) == ["a", "b"]


def test_a_file_without_permission_is_not_lost(tree, monkeypatch):
    folder = tree(a=head(), b=head())
    real = open

    def refusing(path, *arguments, **options):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)
    monkeypatch.setattr("builtins.open", refusing)
    assert names(discover([folder])) == ["a", "b"]


def test_32_bit_programs_are_skipped(tree):
    tests = discover([tree(a=head(bits=32), b=head())])
    assert [test.skip for test in tests] == ["a 32-bit program", ""]


def test_a_named_file_always_counts(tree):
    folder = tree(a=b"text", b_DOT_dump=head())
    assert names(discover([folder / "b.dump", folder / "a"])) == ["a", "b.dump"]


def test_each_file_counts_once(tree):
    folder = tree(a=head(), sub__b=head())
    os.symlink(folder / "a", folder / "again")
    found = discover([folder, folder / "sub", folder / "a", folder / "sub" / ".." / "a"])
    assert [os.path.realpath(test.path) for test in found] == [str(folder / "a"), str(folder / "sub" / "b")]


def test_links_to_folders_are_not_followed(tree):
    folder = tree(a=head())
    os.symlink(folder, folder / "loop")
    assert names(discover([folder])) == ["a"]


def test_same_names_in_two_folders(tree):
    folder = tree(x__a=head(), y__a=head(), y__b=head())
    found = discover([folder / "x", folder / "y"])
    assert names(found) == sorted([f"{folder}/x/a", f"{folder}/y/a", "b"])
    assert names(select(found, ["a"])) == [f"{folder}/x/a", f"{folder}/y/a"]


def test_names_that_are_no_text(tree):
    folder = tree(a=head())
    with open(os.fsencode(folder) + b"/b\xff\n", "wb") as file:
        file.write(head())
    assert names(discover([folder])) == ["a", "b\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("path", ["missing", "empty", "texts"])
def test_nothing_found(tree, path):
    folder = tree(texts__a=b"text")
    (folder / "empty").mkdir()
    with pytest.raises(BadInput, match="no such file or folder" if path == "missing" else "no RISC-V ELF file found"):
        discover([folder / path])


def test_folder_that_cannot_be_read(tree, monkeypatch):
    folder = tree(a=head())

    def refusing(path):
        raise PermissionError(13, "Permission denied", str(path))
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(BadInput, match=r"cannot be read \(Permission denied\)"):
        discover([folder])


@pytest.fixture
def tests(tree):
    names = "rv64ui-p-add", "rv64ui-v-add", "rv64um-p-mul", "sub__rv64ui-p-sub"
    return discover([tree(**dict.fromkeys(names, head()))])


@pytest.mark.parametrize(("wanted", "unwanted", "expected"), [
    ([], [], ["rv64ui-p-add", "rv64ui-v-add", "rv64um-p-mul", "sub/rv64ui-p-sub"]),
    (["rv64ui-*"], [], ["rv64ui-p-add", "rv64ui-v-add", "sub/rv64ui-p-sub"]),
    (["rv64ui-p-add", "*mul"], [], ["rv64ui-p-add", "rv64um-p-mul"]),
    (["rv64ui-*"], ["*-v-*", "sub/*"], ["rv64ui-p-add"]),
    ([], ["rv64ui-*"], ["rv64um-p-mul"]),
    ([], ["nothing"], ["rv64ui-p-add", "rv64ui-v-add", "rv64um-p-mul", "sub/rv64ui-p-sub"]),
    (["rv64u[im]-p-???"], ["*-add"], ["rv64um-p-mul", "sub/rv64ui-p-sub"]),
])
def test_selection(tests, wanted, unwanted, expected):
    assert names(select(tests, wanted, unwanted)) == expected


@pytest.mark.parametrize(("wanted", "unwanted", "message"), [
    (["RV64UI-*"], [], "--select RV64UI-.*: no test of 4 has a name like this; names are like rv64ui-p-add"),
    (["*", "typo"], [], "--select typo: no test of 4"),
    ([], ["*"], "none of 4 tests is selected"),
    (["*-v-*"], ["*-v-*"], "none of 4 tests is selected"),
])
def test_empty_selections(tests, wanted, unwanted, message):
    with pytest.raises(BadInput, match=message):
        select(tests, wanted, unwanted)
