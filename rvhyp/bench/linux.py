"""Debian's kernel as a guest: its boot, and a disk.  `rvhyp guests prepare debian` first.

What a boot costs is taken off the rest by running with more to do.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rvhyp.bench import process
from rvhyp.bench.process import RVHYP, Cost
from rvhyp.fuzz.simulators import find
from rvhyp.machine.errors import BadInput

GUEST = "debian"
PROMPT = b":~# "
BOOT = "console=ttyS0 rdinit=/bin/busybox -- poweroff -f"       # to userland, and off again
MIB = 1 << 20
DISK_MIB = 512
WARM_BOOTS = 3                          # before the first that counts


@dataclass(frozen=True)
class Run:
    """A finished run: its cost, and what --json said."""

    cost: Cost
    said: dict


def prepared() -> Path:
    """Where the guest is.  BadInput if it is not prepared."""
    from rvhyp.guests.store import find as find_guest
    found = find_guest(GUEST)
    if found is None:
        raise BadInput("is not prepared", GUEST, f"rvhyp guests prepare {GUEST}")
    return found[0]


def _run(arguments: list[str], stdin: bytes = b"", environment: dict[str, str] | None = None) -> Run:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        cost = process.run([*RVHYP, "run", GUEST, *arguments, "--json", file.name], environment, stdin=stdin)
        return Run(cost, json.loads(Path(file.name).read_text()))


def boot() -> Run:
    """To the first program of userland; the kernel tests its ciphers, as it does if nobody says otherwise."""
    return _run(["--append", BOOT])


def warm_up() -> None:
    """Have translated what boots run often: WARM_BOOTS boots, and `rvhyp cache warm`."""
    for _ in range(WARM_BOOTS):
        boot()
    process.run([*RVHYP, "cache", "warm"])


def first_boot() -> Run:
    """The same on a machine that has not seen it: nothing was translated before."""
    with process.cold_cache() as environment:
        return _run(["--append", BOOT], environment=environment)


def boot_of_qemu() -> Cost | None:
    """The same kernel on QEMU's TCG, in S-mode, with no hypervisor below it; None if QEMU is not installed."""
    qemu, folder = find("qemu-system-riscv64"), prepared()
    if not qemu:
        return None
    return process.run([qemu, "-M", "virt", "-m", "512M", "-nographic", "-kernel", str(folder / "Image"),
                        "-initrd", str(folder / "initrd"), "-append", BOOT])


def share_of_exits(engine) -> float:
    """Of the time of a boot, the part in which Python deals with exits."""
    from rvhyp.machine.loader import load
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    folder = prepared()
    initrd = (folder / "initrd").read_bytes()
    hypervisor = Hypervisor([VmConfig(GUEST, load(folder / "Image"), 512 * MIB, bootargs=BOOT, initrd=initrd)], engine)
    handle, spent = hypervisor.handle, 0.0

    def timed(vcpu) -> bool:
        nonlocal spent
        begin = time.perf_counter()
        goes_on = handle(vcpu)
        spent += time.perf_counter() - begin
        return goes_on
    hypervisor.handle = timed
    begin = time.perf_counter()
    hypervisor.run()
    return spent / (time.perf_counter() - begin)


def memory_of_translator() -> int:
    """Bytes that a first boot takes more on the translator than on the interpreter."""
    with process.cold_cache() as environment:
        return _memory_at_prompt("translator", environment) - _memory_at_prompt("interpreter", environment)


def _memory_at_prompt(engine: str, environment: dict[str, str]) -> int:
    """Bytes of the processes of a run once the guest has booted to its shell; of what they share with others, their part."""
    with subprocess.Popen([*RVHYP, "run", GUEST, "--engine", engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=os.environ | environment) as run:
        said = b""
        while PROMPT not in said:
            more = os.read(run.stdout.fileno(), 1 << 16)
            if not more:
                raise BadInput("does not come to its prompt", GUEST, "prepare it again")
            said += more
        try:
            return sum(_proportional(pid) for pid in [run.pid, *_children(run.pid)])
        except OSError as error:
            raise BadInput(f"does not tell the memory of a process ({error.strerror}: {error.filename})", "this host") from error
        finally:
            run.communicate(b"poweroff -f\n")


def _proportional(pid: int) -> int:
    """The proportional set size of a process, in bytes (proc(5), smaps_rollup)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s*(\d+) kB", text, re.MULTILINE)[1]) << 10


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def disk_speed(rounds: int) -> float:
    """MB/s of a sequential read of a disk by `dd` in the guest, the boot taken off."""
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder, "disk.img")
        with open(disk, "wb") as file:
            for _ in range(2 * DISK_MIB):
                file.write(os.urandom(1 << 16) * 16)

        def reading(mib: int) -> float:
            commands = f"dd if=/dev/vda of=/dev/null bs=1M count={mib}\npoweroff -f\n"
            return _run(["--disk", f"{disk},ro"], commands.encode()).cost.wall
        spent = [reading(2 * DISK_MIB) - reading(DISK_MIB) for _ in range(rounds)]
    return DISK_MIB * MIB / 1e6 / median(spent)
