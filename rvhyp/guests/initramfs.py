"""The initial RAM disk of the Linux guests: busybox, what finds disks and network, and an /init of ours."""
from __future__ import annotations

from collections.abc import Mapping

from rvhyp.guests import modules as kernel_modules
from rvhyp.guests.cpio import Archive
from rvhyp.guests.modules import Module

MODULES = ("virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng", "ext4", "9p", "9pnet_virtio", "crc32c_generic", "af_packet",
           "kvm")
AT_START = ("virtio_mmio", "virtio_blk", "virtio_net")        # the others come when the kernel asks for them

INIT = """#!/bin/busybox sh
# The first process.  With root= it mounts that and goes there; else busybox's init takes over (/etc/inittab).
export PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt /root /run
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
for module in {modules}; do modprobe $module 2>/dev/null; done

root= type=ext4 flags=rw init=/sbin/init
for word in $(cat /proc/cmdline); do
    case $word in
        root=*) root=${{word#root=}} ;;
        rootfstype=*) type=${{word#rootfstype=}} ;;
        rootflags=*) flags=rw,${{word#rootflags=}} ;;
        init=*) init=${{word#init=}} ;;
    esac
done
if [ -n "$root" ]; then
    for try in 1 2 3 4 5 6 7 8 9 10; do
        [ -e "$root" ] || [ "$type" != ext4 ] && break
        sleep 0.1
    done
    mkdir -p /newroot
    if mount -t $type -o $flags "$root" /newroot; then
        # There are no modules there: those of the devices that the guest has come along.
        for device in /sys/bus/virtio/devices/*; do modprobe $(cat $device/modalias) 2>/dev/null; done
        [ -d /sys/module/9pnet_virtio ] && modprobe 9p
        mount --move /dev /newroot/dev
        umount -l /sys /proc
        exec switch_root /newroot $init
    fi
    echo "rvhyp: cannot mount root=$root; here is a shell instead"
fi
hostname {name}
exec /bin/init
"""

INITTAB = """::sysinit:/bin/ifconfig lo up
::respawn:-/bin/cttyhack /bin/sh -l
::ctrlaltdel:/bin/reboot
::shutdown:/bin/sync
::shutdown:/bin/umount -a -r -t ext4,9p,vfat
"""

PROFILE = """export PATH=/bin:/sbin HOME=/root PS1='{name}:\\w# '
cd
[ -e /run/greeted ] || {{
    > /run/greeted
    harts=$(nproc)
    echo "$(uname -sr) on $harts hart$([ $harts = 1 ] || echo s); poweroff ends it"
}}
"""

UDHCPC = "etc/udhcpc/default.script"    # where busybox looks for it
UDHCPC_SCRIPT = """#!/bin/sh
# What udhcpc has learned becomes so: address, way out, and whom to ask for names.
case $1 in
    deconfig) ip addr flush dev $interface; ip link set $interface up ;;
    bound|renew)
        ip addr flush dev $interface
        ip addr add $ip/${mask:-24} dev $interface
        [ -n "$router" ] && ip route add default via ${router%% *}
        for each in $dns; do echo nameserver $each; done > /etc/resolv.conf ;;
esac
"""


def build(name: str, release: str, busybox: bytes, modules: Mapping[str, Module]) -> bytes:
    """An uncompressed cpio archive: what it would save on disk, the guest would spend in instructions."""
    archive = Archive()
    at = f"lib/modules/{release}"
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3, 0o666)
    archive.file("bin/busybox", busybox, 0o755)
    archive.link("sbin", "bin")
    archive.file("init", INIT.format(name=name, modules=" ".join(AT_START)).encode(), 0o755)
    archive.file("etc/inittab", INITTAB.encode())
    archive.file("etc/profile", PROFILE.format(name=name).encode())
    archive.file(UDHCPC, UDHCPC_SCRIPT.encode(), 0o755)
    archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    for each in modules.values():
        archive.file(f"{at}/{each.name}.ko", each.data)
    archive.file(f"{at}/modules.dep", kernel_modules.dependencies(dict(modules)).encode())
    archive.file(f"{at}/modules.alias", kernel_modules.aliases(dict(modules)).encode())
    return archive.to_bytes()
