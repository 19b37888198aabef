"""A folder of the host in a Linux guest, by 9p: what either writes the other reads, and nothing outside of it is reached."""
import os

import pytest

from rvhyp.guests import store
from rvhyp.guests.initramfs import AT_START, INIT
from tests.cli.terminal import Session
from tests.guests.shell import PROMPT, command

pytestmark = pytest.mark.long
MOUNT = b"mount -t 9p -o trans=virtio,version=9p2000.L share /mnt"


@pytest.fixture
def folder(tmp_path):
    """A folder with a file and links that lead out, beside a file that is not the guest's."""
    (tmp_path / "secret").write_bytes(b"secret\n")
    shared = tmp_path / "shared"
    (shared / "sub").mkdir(parents=True)
    (shared / "file").write_bytes(b"".join(b"%d\n" % n for n in range(50_000)))
    (shared / "out").symlink_to("../secret")
    (shared / "far").symlink_to(tmp_path / "secret")
    (shared / "up").symlink_to("..")
    (shared / "in").symlink_to("sub")
    return shared


def run(debian, option, *commands):
    """Mount the folder, give commands, and power off; what each said, and its status."""
    with Session("run", debian, "--share", option, "--timeout", "300") as session:
        session.expect(PROMPT, 120)
        results = [command(session, each) for each in (MOUNT, *commands)]
        session.send(b"poweroff\n")
        session.expect(b"Power down")
        assert session.end() == 0
    assert results[0][1] == 0, results[0]
    return results[1:]


def test_a_folder_is_read_and_written(prepared, folder, tmp_path):
    debian = prepared("debian")
    results = run(debian, str(folder),
                  b"seq 0 49999 | cmp /mnt/file -",
                  b"seq 1 20000 > /mnt/sub/new; mkdir -p /mnt/a/b; mv /mnt/sub/new /mnt/a/b/moved; rm /mnt/in",
                  b"echo more >> /mnt/a/b/moved; chmod 600 /mnt/a/b/moved; ln -s b/moved /mnt/a/link; cat /mnt/a/link | wc -l",
                  b"cat /mnt/out", b"cat /mnt/far", b"cat /mnt/up/secret", b"echo mine > /mnt/out", b"rm -r /mnt/up; sync")
    assert [status for _, status in results[:3]] == [0, 0, 0] and b"\n20001\n" in results[2][0]
    assert not any(b"\nsecret\n" in said for said, _ in results)
    moved = folder / "a/b/moved"
    assert moved.read_bytes() == b"".join(b"%d\n" % n for n in range(1, 20_001)) + b"more\n"
    assert moved.stat().st_mode & 0o777 == 0o600
    assert os.readlink(folder / "a/link") == "b/moved" and not list((folder / "sub").iterdir())
    assert {path.name for path in folder.iterdir()} == {"a", "far", "file", "out", "sub"}
    assert (tmp_path / "secret").read_bytes() == b"secret\n"
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "shared"}


def test_a_read_only_folder_is_read_and_stays_as_it_is(prepared, folder, tmp_path):
    def state():
        return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
                for path in sorted(tmp_path.rglob("*"))}

    before = state()
    results = run(prepared("debian"), f"{folder},ro", b"seq 0 49999 | cmp /mnt/file -", b"cat /mnt/out",
                  b"echo x > /mnt/file", b"echo x > /mnt/new", b"mkdir /mnt/d", b"rm /mnt/file", b"mv /mnt/file /mnt/sub",
                  b"chmod 777 /mnt/file", b"ln -s x /mnt/l", b"truncate -s 0 /mnt/file", b"touch /mnt/file")
    assert results[0][1] == 0 and all(status != 0 for _, status in results[1:]), results
    assert state() == before


# One process locks bytes 10 to 14, and another asks for bytes of these, for others, and who has them.
LOCKS = rb"""
use Fcntl; $| = 1;
sub ask { my ($file, $what, $start, $size) = @_;
    my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, $start, $size, 0);
    return fcntl($file, $what, $lock) ? (unpack("s s x4 q q i", $lock))[0] == F_UNLCK ? "free" : "yes" : "no" }
open(A, "+<", "/mnt/file"); print ask(*A, F_SETLK, 10, 5), "\n";
unless (fork) { open(B, "+<", "/mnt/file");
    print join(" ", ask(*B, F_SETLK, 12, 1), ask(*B, F_SETLK, 20, 5), ask(*B, F_GETLK, 14, 1), ask(*B, F_GETLK, 15, 1)), "\n";
    exit }
wait; close(A); open(A, "+<", "/mnt/file"); print ask(*A, F_SETLK, 0, 0), "\n";
"""


def test_programs_of_a_guest_lock_each_other_out(prepared, folder):
    """By flock(2) and by fcntl(2), with programs of Debian's root file system."""
    (folder / "locks.pl").write_bytes(LOCKS)
    root = store.folder() / prepared("debian-root") / "root.ext4"
    with Session("run", prepared("debian"), "--share", str(folder), "--disk", f"{root},ro", "--timeout", "300") as session:
        session.expect(PROMPT, 120)
        assert command(session, b"mkdir /r; mount -t ext4 -o ro,noload /dev/vda /r; mount --bind /mnt /r/mnt")[1] == 0
        assert command(session, MOUNT.replace(b"/mnt", b"/r/mnt"))[1] == 0
        said, status = command(session, b"chroot /r perl /mnt/locks.pl")
        assert status == 0 and b"\nyes\nno yes yes free\nyes\n" in said
        assert command(session, b"chroot /r flock -n /mnt/file true")[1] == 0
        assert command(session, b"chroot /r flock -n /mnt/file flock -n /mnt/file true")[1] == 1
        assert command(session, b"chroot /r flock -n -s /mnt/file flock -n -s /mnt/file true")[1] == 0
        session.send(b"poweroff\n")
        session.expect(b"Power down")
        assert session.end() == 0


def test_debian_on_a_disk_mounts_a_folder(prepared, initrd_with, folder):
    """Its file system has no modules; the initial RAM disk loads those of what the guest has."""
    root = store.folder() / prepared("debian-root") / "root.ext4"
    initrd = initrd_with("init", INIT.format(name="debian-root", modules=" ".join(AT_START)))
    with Session("run", "debian-root", "--initrd", initrd, "--disk", f"{root},overlay={folder.parent}/over", "--share",
                 str(folder), "--rng", "5", "--timeout", "300") as session:
        session.expect(b"login: ", 120)
        session.send(b"root\n")
        session.expect(b"# ")
        said, status = command(session, MOUNT + b"; cat /sys/devices/virtual/misc/hw_random/rng_current; head -n 3 /mnt/file")
        assert status == 0 and b"\nvirtio_rng.0\n0\n1\n2\n" in said
        session.send(b"poweroff\n")
        session.expect(b"Power down")
        assert session.end() == 0
