"""Debian's root file system as an ext4 image, made without running anything of riscv64.

Packages are unpacked, not configured: what their scripts would have done for a login is written here, and dpkg in the guest knows
them as "unpacked".  `dpkg --configure -a` in the guest does the rest, whoever needs it.
"""
from __future__ import annotations

import os
import re
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from rvhyp.guests.apt import find_tool
from rvhyp.guests.packages import Owner, Tree, control
from rvhyp.machine.errors import BadInput

PACKAGES = ("?essential", "apt", "busybox-static", "iproute2", "iputils-ping", "kmod", "less", "login", "mount", "passwd",
            "procps")
FIRST = "base-files"                    # it brings the links /bin, /lib, /sbin, through which others unpack
IMAGE_SIZE = 1 << 30                    # bytes; the host stores what is used
SHADOW_GROUP = 42                       # base-passwd

INITTAB = """::sysinit:/etc/rvhyp/boot
::respawn:/etc/rvhyp/login
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/sync
::shutdown:/bin/umount -a -r
"""
BOOT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 tmpfs /run
mount -o remount,rw /
mkdir -p /run/lock
hostname -F /etc/hostname
ip link set lo up
"""
LOGIN = """#!/bin/sh
# On whatever the kernel has as its console.
read -r consoles < /sys/class/tty/console/active || sleep 5
exec /sbin/agetty -L 115200 "${consoles##* }" linux
"""
PAM = {
    "auth": "auth sufficient pam_unix.so nullok\nauth requisite pam_deny.so\n",
    "account": "account required pam_unix.so\n",
    "password": "password required pam_unix.so obscure yescrypt\n",
    "session": "session required pam_unix.so\n",
    "session-noninteractive": "session required pam_unix.so\n",
}
ALTERNATIVES = {"usr/bin/awk": "mawk", "usr/bin/which": "which.debianutils", "usr/bin/pager": "less"}
ON_RUN = {"var/run": "/run", "var/lock": "/run/lock"}
BUSYBOX = ("init", "poweroff", "reboot", "halt")


def unpack(tree: Tree, debs: Iterable[Path], progress: Callable[[str, float], object]) -> list[str]:
    """All packages, with what dpkg wants to know of them.  "name version" of each."""
    debs = sorted(debs, key=lambda deb: (not deb.name.startswith(f"{FIRST}_"), deb.name))
    stanzas, versions = [], []
    for number, deb in enumerate(debs):
        progress("unpacking", 100 * number / len(debs))
        names, files = tree.unpack(deb), control(deb)
        text = files.pop("control").decode("utf-8", "replace").strip("\n")
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.MULTILINE))
        name = fields["Package"] + (f":{fields['Architecture']}" if fields.get("Multi-Arch") == "same" else "")
        for kind, data in files.items():
            tree.write(f"var/lib/dpkg/info/{name}.{kind}", data, 0o755 if data.startswith(b"#!") else 0o644)
        tree.write(f"var/lib/dpkg/info/{name}.list", "".join(f"{each}\n" for each in names))
        stanzas.append(re.sub(r"^(Package: .*)$", r"\1\nStatus: install ok unpacked", text, count=1, flags=re.MULTILINE))
        versions.append(f"{fields['Package']} {fields['Version']}")
    tree.write("var/lib/dpkg/info/format", "1\n")
    tree.write("var/lib/dpkg/status", "".join(f"{stanza}\n\n" for stanza in stanzas))
    return versions


def configure(tree: Tree, name: str, suite: str, mirror: str) -> None:
    """What a login needs: users, PAM, the first process, names."""
    accounts = _shared(tree, "usr/share/base-passwd/passwd.master").splitlines()
    users = [line.split(":") for line in accounts if line]
    lines = "".join(":".join([user[0], "x", *user[2:]]) + "\n" for user in users)
    tree.write("etc/passwd", lines.replace("/root:/bin/sh", "/root:/bin/bash"))
    passwords = {"root": ""}                            # none: the console is the user's own
    lines = "".join(f"{user[0]}:{passwords.get(user[0], '*')}:20000:0:99999:7:::\n" for user in users)
    tree.write("etc/shadow", lines, 0o640, Owner(0, SHADOW_GROUP))
    tree.write("etc/group", _shared(tree, "usr/share/base-passwd/group.master"))
    for kind, text in PAM.items():
        tree.write(f"etc/pam.d/common-{kind}", text)
    for source, target in (("nsswitch.conf", "etc/nsswitch.conf"), ("profile", "etc/profile"), ("dot.bashrc", "root/.bashrc"),
                           ("dot.profile", "root/.profile")):
        path = tree.inside(f"usr/share/base-files/{source}")
        if path.is_file():
            tree.write(target, path.read_bytes())
    tree.write("etc/hostname", f"{name}\n")
    tree.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost\n")
    tree.write("etc/fstab", "# the root file system comes from the kernel's command line\n")
    tree.write("etc/apt/sources.list", f"deb {mirror} {suite} main\n")
    tree.write("etc/inittab", INITTAB)
    tree.write("etc/rvhyp/boot", BOOT, 0o755)
    tree.write("etc/rvhyp/login", LOGIN, 0o755)
    for link, target in ON_RUN.items():
        with suppress(OSError):                         # it is not there, or not empty
            tree.inside(link).rmdir()
        tree.link(link, target)
    for link, target in ALTERNATIVES.items():
        tree.link(link, target)
    for command in BUSYBOX:
        tree.link(f"usr/sbin/{command}", "../bin/busybox")
    for folder in ("proc", "sys", "dev", "run", "tmp", "mnt", "root"):
        tree.inside(folder).mkdir(exist_ok=True)


def _shared(tree: Tree, name: str) -> str:
    try:
        return tree.inside(name).read_text()
    except OSError as error:
        raise BadInput("is in no package of those unpacked", name, "the archive has changed: report it") from error


def make_image(tree: Tree, image: Path, label: str) -> None:
    """An ext4 file system with the tree in it.  BadInput if the host's tools fail."""
    mkfs, debugfs = find_tool("mkfs.ext4", "e2fsprogs"), find_tool("debugfs", "e2fsprogs")
    number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"rvhyp:{label}"))
    with open(image, "wb") as file:
        file.truncate(IMAGE_SIZE)
    _tool([mkfs, "-q", "-F", "-m", "0", "-L", label, "-U", number, "-E", f"root_owner=0:0,hash_seed={number}",
           "-d", str(tree.root), str(image)])
    commands = [f'set_inode_field "/{name}" {kind} {value}\n' for name, owner in sorted(tree.all_owners().items())
                for kind, value in zip(("uid", "gid"), owner, strict=True)]
    with tempfile.NamedTemporaryFile("w", prefix=".owners", dir=image.parent) as script:
        script.writelines(commands)
        script.flush()
        _tool([debugfs, "-w", "-f", script.name, str(image)])


def _tool(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, errors="replace",
                          env=os.environ | {"LC_ALL": "C.UTF-8"})
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason"]
        raise BadInput(f"failed: {said[-1]}", command[0], "is the disk full?")
