"""cpio archives: what a reader of the format finds is what was put in."""
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.guests.cpio import Archive

NAMES = ("name", "inode", "mode", "uid", "gid", "links", "mtime", "size", "major", "minor", "rmajor", "rminor", "length", "check")


def entries(data):
    """A reader of "newc": (name, fields, contents) of each entry."""
    at, found = 0, []
    while True:
        assert data[at:at + 6] == b"070701"
        fields = dict(zip(NAMES[1:], (int(data[n:n + 8], 16) for n in range(at + 6, at + 110, 8)), strict=True))
        name = data[at + 110:at + 110 + fields["length"] - 1].decode()
        assert data[at + 110 + fields["length"] - 1] == 0
        at += -(-(110 + fields["length"]) // 4) * 4
        contents = data[at:at + fields["size"]]
        at += -(-fields["size"] // 4) * 4
        if name == "TRAILER!!!":
            assert at == len(data)
            return found
        found.append((name, fields, contents))


words = st.text("abcdef._-", min_size=1, max_size=9).filter(lambda word: word not in (".", ".."))
names = st.lists(words, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(names, st.binary(max_size=50)))
def test_round_trip(files):
    files = {name: data for name, data in files.items() if not any(other.startswith(f"{name}/") for other in files)}
    archive = Archive()
    for name, data in files.items():
        archive.file(name, data, 0o640)
    found = entries(archive.to_bytes())
    assert {name: contents for name, fields, contents in found if stat.S_ISREG(fields["mode"])} == files
    seen = set()
    for name, fields, _ in found:
        folder = name.rpartition("/")[0]
        assert not folder or folder in seen             # the kernel makes no folders that are not there
        seen.add(name)
        assert fields["uid"] == fields["gid"] == fields["mtime"] == 0
    assert len(seen) == len(found) == len({fields["inode"] for _, fields, _ in found})


def test_links_and_devices():
    archive = Archive()
    archive.link("bin", "usr/bin")
    archive.device("dev/console", 5, 1)
    (_, link, target), _, (_, device, _) = entries(archive.to_bytes())
    assert stat.S_ISLNK(link["mode"]) and target == b"usr/bin"
    assert stat.S_ISCHR(device["mode"]) and (device["rmajor"], device["rminor"]) == (5, 1)


def test_the_same_name_twice():
    archive = Archive()
    archive.file("a", b"")
    with pytest.raises(ValueError, match="twice"):
        archive.file("a", b"")
