"""The guests that can be prepared, and how."""
from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rvhyp.guests import initramfs, modules, rootfs
from rvhyp.guests.apt import Apt, Progress
from rvhyp.guests.packages import Tree
from rvhyp.guests.store import Manifest
from rvhyp.machine.errors import BadInput

KERNEL_PACKAGE = "linux-image-riscv64"
KERNEL_PARTS = ("linux-image-", "linux-binary-", "linux-modules-")
KERNEL_FILES = ("boot/vmlinux-*", "boot/vmlinuz-*", "usr/lib/modules/*/vmlinu[xz]", "lib/modules/*/vmlinu[xz]")
UBOOT_FILES = ("usr/lib/u-boot/qemu-riscv64_smode/uboot.elf", "usr/lib/u-boot/qemu-riscv64_smode/u-boot.elf")
OPENSBI_FILES = ("usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.elf",)
APPEND = "console=ttyS0 cryptomgr.notests"      # the self-tests of the kernel's ciphers are half of its boot


@dataclass(frozen=True)
class Work:
    """What a recipe works with: a folder to fill, apt for its suite, the name of the guest, whom to tell of progress."""

    name: str
    folder: Path
    apt: Apt
    progress: Progress


@dataclass(frozen=True)
class Recipe:
    """A guest: what it is, the suite of Debian it is made from, the function that makes it, and the command that runs it."""

    what: str
    suite: str
    build: Callable[[Work], Manifest]
    command: str = "rvhyp run {name}"


def kernel_packages(apt: Apt) -> list[str]:
    """The packages with the kernel and its modules: what the package that always depends on the newest leads to."""
    found: list[str] = []
    wanted = [KERNEL_PACKAGE]
    while wanted:
        depends = apt.show(wanted.pop()).get("Depends", "")
        names = [name for name in re.findall(r"[a-z0-9][a-z0-9+.-]+", depends) if name.startswith(KERNEL_PARTS)]
        new = [name for name in names if name not in found]
        found += new
        wanted += new
    if not found:
        raise BadInput("depends on no kernel", KERNEL_PACKAGE, "the archive has changed: report it")
    return found


def _one(folder: Path, patterns: Iterable[str], what: str) -> Path:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.exists()]
    if not found:
        raise BadInput(f"has no {what}", str(folder), "the archive has changed: report it")
    return found[0]


def linux(work: Work) -> Manifest:
    """Debian's kernel, unmodified, and an initial RAM disk with busybox."""
    debs = work.apt.download([*kernel_packages(work.apt), "busybox-static"], "kernel and busybox")
    work.progress("unpacking", 0)
    tree = Tree(work.folder / "unpacked")
    tree.root.mkdir()
    for number, deb in enumerate(debs, 1):
        tree.unpack(deb)
        work.progress("unpacking", 100 * number / len(debs))
    found = modules.select(tree.root, initramfs.MODULES)
    release = _one(tree.root, ("usr/lib/modules/*/kernel", "lib/modules/*/kernel"), "modules").parent.name
    busybox = _one(tree.root, ("usr/bin/busybox", "bin/busybox"), "busybox").read_bytes()
    shutil.copyfile(_one(tree.root, KERNEL_FILES, "kernel"), work.folder / "Image")
    (work.folder / "initrd").write_bytes(initramfs.build(work.name, release, busybox, found))
    _discard(tree)
    return Manifest("Image", "initrd", APPEND, packages=tuple(_name(deb) for deb in debs))


def root(work: Work) -> Manifest:
    """The same, and Debian's own programs on a disk."""
    kernel = linux(work)
    debs = work.apt.download(rootfs.PACKAGES, "root file system", with_dependencies=True)
    tree = Tree(work.folder / "unpacked")
    tree.root.mkdir()
    versions = rootfs.unpack(tree, debs, work.progress)
    rootfs.configure(tree, work.name, work.apt.suite, work.apt.mirror)
    work.progress("making the image", 0)
    rootfs.make_image(tree, work.folder / "root.ext4", "root")
    _discard(tree)
    return Manifest(kernel.kernel, kernel.initrd, f"{APPEND} root=/dev/vda", disks=("root.ext4",),
                    packages=(*kernel.packages, *versions))


def one_program(work: Work, package: str, what: str, files: tuple[str, ...], **more) -> Manifest:
    """A program that is one file of a package."""
    debs = work.apt.download([package], what)
    tree = Tree(work.folder / "unpacked")
    tree.root.mkdir()
    tree.unpack(debs[0])
    found = _one(tree.root, files, what)
    shutil.copyfile(found, work.folder / found.name)
    _discard(tree)
    return Manifest(found.name, packages=(_name(debs[0]),), **more)


def _discard(tree: Tree) -> None:
    from rvhyp.guests.store import remove
    remove(tree.root)


def _name(deb: Path) -> str:
    """ "name version" of a package's file."""
    name, version, _ = deb.name.split("_")
    return f"{name} {version.replace('%3a', ':')}"


RECIPES = {
    "debian": Recipe("Debian trixie's kernel, and a shell (busybox)", "trixie", linux),
    "debian-sid": Recipe("the same with the kernel of Debian sid", "sid", linux),
    "debian-root": Recipe("Debian trixie on a disk, with a login", "trixie", root),
    "u-boot": Recipe("U-Boot for S-mode", "trixie",
                     lambda work: one_program(work, "u-boot-qemu", "U-Boot", UBOOT_FILES, memory=128 << 20)),
    "opensbi": Recipe("OpenSBI, firmware for the bare board", "trixie",
                      lambda work: one_program(work, "opensbi", "OpenSBI", OPENSBI_FILES), "rvhyp bare {name} --kernel debian"),
}
