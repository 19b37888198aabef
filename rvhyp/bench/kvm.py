"""Linux with KVM on the bare board, which boots a Linux guest of its own: `rvhyp guests prepare debian opensbi` first.

kvmtool's lkvm is no package of Debian for this architecture: whoever measures has it, linked statically.
"""
from __future__ import annotations

import json
import tempfile
from pathlib import Path

from rvhyp.bench import process
from rvhyp.bench.linux import GUEST, WARM_BOOTS, Run, prepared
from rvhyp.bench.process import RVHYP, Cost
from rvhyp.fuzz.simulators import find
from rvhyp.guests.cpio import Archive

FIRMWARE = "opensbi"
APPEND = "console=ttyS0 cryptomgr.notests rdinit=/host"
HOST_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
modprobe kvm
lkvm run -k /Image -i /initrd -m 192 -c $(nproc) --console serial -p "earlycon=sbi console=ttyS0 cryptomgr.notests rdinit=/inside"
echo "the guest ended with $?"
poweroff -f
"""
GUEST_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc
/bin/busybox mount -t proc proc /proc
/bin/busybox echo "inside: $(/bin/busybox cat /proc/sys/kernel/osrelease) on $(/bin/busybox nproc)"
/bin/busybox poweroff -f
"""


def initrd(lkvm: bytes) -> bytes:
    """An initial RAM disk for Debian's kernel, which starts lkvm with the same kernel."""
    folder = prepared()
    kernel, disk = (folder / "Image").read_bytes(), (folder / "initrd").read_bytes()
    inside, more = Archive(), Archive()
    inside.file("inside", GUEST_INIT.encode(), 0o755)
    more.file("host", HOST_INIT.encode(), 0o755)
    more.file("bin/lkvm", lkvm, 0o755)
    more.file("Image", kernel)
    more.file("initrd", disk + inside.to_bytes())
    return disk + more.to_bytes()               # Linux unpacks one archive after the other


def command(disk: Path, *more: str) -> list[str]:
    """The arguments of rvhyp that boot it all."""
    return ["bare", FIRMWARE, "--kernel", GUEST, "--memory", "1G", "--initrd", str(disk), "--append", APPEND, *more]


def boot(disk: Path) -> Run:
    """One run."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        cost = process.run([*RVHYP, *command(disk, "--json", file.name)])
        return Run(cost, json.loads(Path(file.name).read_text()))


def boot_of_qemu(disk: Path) -> Cost | None:
    """The same on QEMU, with the firmware that it brings; None if QEMU is not installed."""
    qemu = find("qemu-system-riscv64")
    if not qemu:
        return None
    return process.run([qemu, "-M", "virt", "-cpu", "rv64,h=true,sstc=true", "-m", "1G", "-nographic",
                        "-kernel", str(prepared() / "Image"), "-initrd", str(disk), "-append", APPEND])


def measure(lkvm: bytes, rounds: int) -> tuple[list[Run], list[Cost | None]]:
    """Runs of ours, once what they run often is translated, and of QEMU, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder, "initrd")
        disk.write_bytes(initrd(lkvm))
        for _ in range(WARM_BOOTS):
            boot(disk)
        process.run([*RVHYP, "cache", "warm"])
        pairs = [(boot(disk), boot_of_qemu(disk)) for _ in range(rounds)]
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]
