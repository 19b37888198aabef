"""Guests made from Debian's packages: what runs without a network here, and the real ones, marked long."""
import os
import re
import struct
import subprocess

import pytest

from rvhyp.cli.opening import open_guests
from rvhyp.guests import recipes, rootfs, store
from rvhyp.guests.apt import MIRROR
from rvhyp.guests.cpio import Archive
from rvhyp.guests.packages import Owner, Tree
from rvhyp.guests.recipes import Work
from rvhyp.guests.store import Manifest
from rvhyp.machine.errors import BadInput
from tests.cli.terminal import Session, rvhyp
from tests.guests.debs import deb, needs_dpkg
from tests.guests.shell import PROMPT, command
from tests.guests.test_cpio import entries
from tests.guests.test_modules import module
from tests.machine.linux_image import image
from tests.processes import is_gone, wait_until

RELEASE = "6.12-riscv64"
AT = f"usr/lib/modules/{RELEASE}"


class PretendApt:
    """Packages that were made here."""

    suite, mirror = "trixie", MIRROR

    def __init__(self, debs):
        self.debs = {path.name.split("_")[0]: path for path in debs}

    def show(self, package):
        depends = {"linux-image-riscv64": "linux-base (= 1), linux-image-6.12-riscv64 (= 6.12-1)",
                   "linux-image-6.12-riscv64": "kmod, linux-binary-6.12-riscv64, initramfs-tools | dracut"}
        return {"Depends": depends[package]} if package in depends else {}

    def download(self, packages, what, with_dependencies=False):
        return [self.debs[name] for name in packages if name in self.debs]


@pytest.fixture
def work(tmp_path):
    debs = [deb(tmp_path, "linux-image-6.12-riscv64", {"usr/share/doc/x": b""}),
            deb(tmp_path, "linux-binary-6.12-riscv64", {
                f"{AT}/vmlinuz": image(), f"{AT}/kernel/drivers/virtio_mmio.ko": module("depends="),
                f"{AT}/kernel/fs/ext4.ko": module("depends=jbd2"), f"{AT}/kernel/fs/jbd2.ko": module(),
                f"{AT}/kernel/fs/other.ko": module()}),
            deb(tmp_path, "busybox-static", {"usr/bin/busybox": b"busybox"})]
    folder = tmp_path / "guest"
    folder.mkdir()
    return Work("debian", folder, PretendApt(debs), lambda what, percent: None)


@needs_dpkg
def test_kernel_and_initial_ram_disk(work):
    manifest = recipes.linux(work)
    assert (work.folder / manifest.kernel).read_bytes() == image()
    files = {name: contents for name, _, contents in entries((work.folder / manifest.initrd).read_bytes())}
    assert files["bin/busybox"] == b"busybox" and files["init"].startswith(b"#!/bin/busybox sh\n")
    assert {name for name in files if name.endswith(".ko")} == {f"lib/modules/{RELEASE}/{each}.ko"
                                                               for each in ("virtio_mmio", "ext4", "jbd2")}
    assert b"ext4.ko: jbd2.ko\n" in files[f"lib/modules/{RELEASE}/modules.dep"]
    assert sorted(path.name for path in work.folder.iterdir()) == ["Image", "initrd"]      # and nothing else


@needs_dpkg
def test_an_archive_without_a_kernel_is_one_message(work):
    work.apt.debs.pop("linux-binary-6.12-riscv64")
    with pytest.raises(BadInput, match="the archive has changed"):
        recipes.linux(work)
    work.apt.show = lambda package: {}
    with pytest.raises(BadInput, match="depends on no kernel"):
        recipes.linux(work)


@pytest.fixture
def root(tmp_path):
    accounts = {"usr/share/base-passwd/passwd.master": b"root:*:0:0:root:/root:/bin/sh\nbin:*:2:2:bin:/bin:/x\n",
                "usr/share/base-passwd/group.master": b"root:*:0:\nshadow:*:42:\n"}
    debs = [deb(tmp_path, "base-files", {"usr/share/base-files/profile": b"PS1=x\n", "usr/bin/x": b"", "var/run": None}),
            deb(tmp_path, "base-passwd", accounts, more="Multi-Arch: same\n")]
    tree = Tree(tmp_path / "root")
    tree.root.mkdir()
    versions = rootfs.unpack(tree, debs, lambda what, percent: None)
    rootfs.configure(tree, "debian-root", "trixie", MIRROR)
    assert versions == ["base-files 1.0", "base-passwd 1.0"]
    return tree


@needs_dpkg
def test_a_root_file_system_has_users_and_what_dpkg_knows(root):
    assert (root.root / "etc/passwd").read_text() == "root:x:0:0:root:/root:/bin/bash\nbin:x:2:2:bin:/bin:/x\n"
    assert (root.root / "etc/shadow").read_text().startswith("root::20000") and "bin:*:" in (root.root / "etc/shadow").read_text()
    assert root.owners["etc/shadow"] == Owner(0, 42) and (root.root / "etc/shadow").stat().st_mode & 0o777 == 0o640
    status = (root.root / "var/lib/dpkg/status").read_text()
    assert re.findall(r"^Package: (.*)\nStatus: (.*)$", status, re.MULTILINE) == [(name, "install ok unpacked")
                                                                                 for name in ("base-files", "base-passwd")]
    assert "/usr/bin/x\n" in (root.root / "var/lib/dpkg/info/base-files.list").read_text()
    assert (root.root / "var/lib/dpkg/info/base-passwd:riscv64.list").exists()
    assert os.readlink(root.root / "usr/sbin/init") == "../bin/busybox"
    assert os.readlink(root.root / "var/run") == "/run"


@needs_dpkg
def test_the_image_belongs_to_whom_the_packages_say(root, tmp_path):
    try:
        rootfs.make_image(root, tmp_path / "root.ext4", "root")
    except BadInput as error:
        pytest.skip(str(error))
    tool = rootfs.find_tool("debugfs", "e2fsprogs")
    said = subprocess.run([tool, "-R", "stat /etc/shadow", str(tmp_path / "root.ext4")], capture_output=True, text=True).stdout
    assert re.search(r"Mode:\s+0640", said) and re.search(r"User:\s+0\s+Group:\s+42", said)
    with open(tmp_path / "root.ext4", "rb") as file:
        file.seek(1024 + 0x38)
        assert struct.unpack("<H", file.read(2)) == (0xEF53,)
    assert (tmp_path / "root.ext4").stat().st_blocks * 512 < 100 << 20


# Running them by name.

@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RVHYP_CACHE", str(tmp_path / "cache"))

    def build(folder):
        (folder / "Image").write_bytes(image())
        archive = Archive()
        archive.file("init", b"")
        (folder / "initrd").write_bytes(archive.to_bytes())
        (folder / "root.ext4").write_bytes(b"disk")
        return Manifest("Image", "initrd", "console=ttyS0", disks=("root.ext4",))
    return store.make("debian", build)


def test_a_prepared_guest_brings_what_it_needs(cache):
    guest, = open_guests(["debian"], None, None, None)
    assert (guest.name, guest.memory, guest.bootargs) == ("debian", 512 << 20, "console=ttyS0")
    assert guest.program.is_image and guest.initrd == (cache / "initrd").read_bytes()
    assert guest.disks == (str(cache / "root.ext4"),)


def test_the_command_line_counts(cache, tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    guest, = open_guests(["debian"], 64 << 20, "", str(tmp_path / "mine"))
    assert (guest.memory, guest.bootargs, guest.initrd) == (64 << 20, "", b"mine")


def test_a_file_of_that_name_goes_first(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "debian").write_bytes(image(text_offset=0x40_0000))
    guest, = open_guests(["debian"], None, None, None)
    assert guest.program.entry == 0x8040_0000 and not guest.initrd


def test_a_guest_that_is_not_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("RVHYP_CACHE", str(tmp_path))
    with pytest.raises(BadInput, match="debian: is not prepared; rvhyp guests prepare debian"):
        open_guests(["debian"], None, None, None)
    with pytest.raises(BadInput, match="did you mean debian-sid"):
        open_guests(["debian-sit"], None, None, None)


def test_command():
    listed = rvhyp("guests", "list")
    assert listed.returncode == 0 and all(name.encode() in listed.stdout for name in recipes.RECIPES)
    for arguments, said in ((("prepare", "debain"), b"did you mean debian"), (("remove",), b"nothing to remove"),
                            (("prepare", "debian", "--keyring", "/nowhere.gpg"), b"no such file")):
        done = rvhyp("guests", *arguments)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count(b"\n") == 1, done.stderr


def test_a_signal_ends_apt_too_and_leaves_no_guest(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "apt-cache", "apt-config"):
        (programs / name).write_text(f"#!/bin/sh\ncase $1$2$3 in dump*) ;; *) echo $$ > {tmp_path}/pid; exec sleep 60;; esac\n")
        (programs / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "RVHYP_CACHE": str(tmp_path / "cache")}
    with Session("guests", "prepare", "u-boot", "--keyring", str(programs / "apt-get"), env=environment) as session:
        assert wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 20)
        session.process.terminate()
        assert session.end() == 143
        assert wait_until(lambda: is_gone(int((tmp_path / "pid").read_text())))
        assert b"terminated while preparing u-boot: " in session.process.stderr.read()
    assert not list((tmp_path / "cache/guests").glob("[!.]*/guest.json"))


# The real ones.

COMMANDS = b"uname -m; nproc\necho $((6*7)) > /tmp/x; cat /tmp/x\n" \
           b"ls /proc/1/exe && modprobe ext4 && grep ext4 /proc/filesystems\npoweroff\n"


@pytest.mark.long
@pytest.mark.parametrize("cpus", ["1", "4"])
@pytest.mark.parametrize("name", ["debian", "debian-sid"])
def test_linux_boots_works_and_powers_off(prepared, name, cpus):
    """Three times the same bytes, and the same number of instructions."""
    runs = []
    for _ in range(3):
        done = rvhyp("run", prepared(name), "--cpus", cpus, "--stats", "--timeout", "300", input=COMMANDS, timeout=400)
        assert done.returncode == 0, done.stderr
        runs.append((done.stdout, re.search(rb"^instructions (\d+)$", done.stderr, re.MULTILINE)[1]))
    text = runs[0][0].replace(b"\r", b"")
    for line in (b"\nriscv64\n" + cpus.encode() + b"\n", b"\n42\n", b"\text4\n"):
        assert line in text
    assert b"reboot: Power down" in text and b"Oops" not in text and b"Call Trace" not in text
    assert runs[0] == runs[1] == runs[2]


BUSY = """#!/bin/busybox sh
work() { i=0; while [ $i -lt 50 ]; do /bin/busybox true; i=$((i+1)); done; }
work & work & wait
/bin/busybox poweroff -f
"""


@pytest.mark.long
def test_waiting_for_locks_costs_no_slices(prepared, initrd_with):
    """Two shells that start processes want the same locks all the time: a vcpu that waits for one lets the other run."""
    initrd, counts = initrd_with("busy", BUSY), []
    for cpus in ("1", "2"):
        done = rvhyp("run", prepared("debian"), "--initrd", initrd, "--cpus", cpus, "--stats", "--timeout", "300", "--append",
                     "console=ttyS0 cryptomgr.notests rdinit=/busy", timeout=400)
        assert done.returncode == 0, done.stderr
        counts.append(int(re.search(rb"^instructions (\d+)$", done.stderr, re.MULTILINE)[1]))
    assert counts[1] < 1.15 * counts[0]


@pytest.mark.long
def test_linux_reboots(prepared, tmp_path):
    """Twice, with what it wrote to its disk, and the date goes on; then it powers off."""
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    options = ("--cpus", "2", "--net", "--disk", str(tmp_path / "disk"), "--timeout", "300")
    with Session("run", prepared("debian"), *options) as session:
        uptimes, dates = [], []
        for boots in range(3):
            session.expect(PROMPT)
            said, status = command(session, b"cut -d. -f1 /proc/uptime; date +%s; head -c 1 /dev/vda | od -An -tu1; nproc")
            uptime, date, written, harts = map(int, said.split(b"nproc; echo status''=$?=")[-1].split()[:4])
            assert (status, written, harts) == (0, boots, 2)
            uptimes.append(uptime)
            dates.append(date)
            session.send(b"printf '\\%03o' | dd of=/dev/vda conv=notrunc; sync; sleep 5; " % (boots + 1)
                         + (b"reboot -f\n" if boots < 2 else b"poweroff -f\n"))
            session.expect(b"reboot: ")
        assert session.end() == 0
    assert max(uptimes) < 5 and dates[0] + 5 <= dates[1] and dates[1] + 5 <= dates[2]


@pytest.mark.long
def test_uboot_of_the_package(prepared):
    with Session("run", prepared("u-boot"), "--timeout", "120") as session:
        session.expect(b"U-Boot 20")
        session.expect(b"Hit any key")
        session.send(b"\n")
        session.expect(b"=> ")
        session.send(b"poweroff\n")
        assert session.end() == 0


def at_the_shell(image, *commands, options=()):
    """Log in to a root file system, give commands, each when the last is done, and power off.  What each said."""
    with Session("run", "debian-root", "--disk", str(image), "--timeout", "300", *options) as session:
        session.expect(b"login: ", 120)
        session.send(b"root\n")
        said = []
        session.expect(b"# ")
        for command in commands:
            session.send(command + b"; echo do''ne\n")
            said.append(re.sub(rb"\r|\x1b\[\?2004[hl]", b"", session.expect(b"done\r\n")))      # without bracketed paste
        session.send(b"poweroff\n")
        session.expect(b"Power down")
        assert session.end() == 0
    return said


@pytest.mark.long
def test_a_root_file_system_keeps_what_is_written(prepared, tmp_path):
    source = store.folder() / prepared("debian-root") / "root.ext4"
    image = tmp_path / "root.ext4"
    subprocess.run(["cp", "--sparse=always", str(source), str(image)], check=True)
    who, packages, *_ = at_the_shell(image, b"id -u; cat /proc/1/comm", b"dpkg -l | grep -c '^iU'", b"echo kept > /root/file")
    assert b"\n0\ninit\n" in who and int(re.search(rb"^(\d+)$", packages, re.MULTILINE)[1]) > 50
    for _ in range(2):
        checked = subprocess.run([rootfs.find_tool("e2fsck", "e2fsprogs"), "-fn", str(image)], capture_output=True)
        assert checked.returncode == 0, checked.stdout
        said, = at_the_shell(image, b"cat /root/file")
        assert b"\nkept\n" in said
