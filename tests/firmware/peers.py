"""Other machines that our programs run on: QEMU with its OpenSBI, and Spike.  Tests skip where they are absent."""
from __future__ import annotations

import functools
import os
import select
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

import firmware
from rvhyp.bench.peers import find
from rvhyp.isa.text import assemble
from rvhyp.machine.loader import load_elf

QEMU, SPIKE, DTC = find("qemu-system-riscv64"), find("spike"), find("dtc")
needs_qemu = pytest.mark.skipif(not QEMU, reason="qemu-system-riscv64 is not installed")
needs_spike = pytest.mark.skipif(not (SPIKE and DTC), reason="spike or dtc is not installed")
TIMEOUT = 10
GUEST_BASE = 0x8020_0000


class Run(NamedTuple):
    """What a machine printed, without the firmware's banner, and its status; None if it had to be ended."""

    status: int | None
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def _run(command: list[str | Path], timeout: float) -> Run:
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        output, _ = process.communicate(timeout=timeout)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        status = None
    return Run(status, without_banner(output.decode().replace("\r", "")))


def without_banner(text: str) -> str:
    """What comes behind the last line of OpenSBI's."""
    _, found, rest = text.partition("Boot HART MEDELEG")
    return rest.partition("\n")[2] if found else text


def qemu_command(elf: Path, *options: str | Path) -> list[str]:
    assert QEMU
    return [QEMU, "-M", "virt", "-nographic", "-kernel", str(elf), *map(str, options)]


def on_qemu(elf: Path, *options: str | Path, timeout: float = TIMEOUT) -> Run:
    """Run a guest."""
    return _run(qemu_command(elf, *options), timeout)


def on_spike(elf: Path, *options: str, timeout: float = TIMEOUT) -> Run:
    """Run a program for the bare machine."""
    assert SPIKE
    return _run([SPIKE, *options, elf], timeout)


def on_spike_as_guest(folder: Path, elf: bytes, timeout: float = 30) -> Run:
    """Run a guest on Spike, with a firmware of our own."""
    program = load_elf(elf, "guest")
    image = bytearray(max(s.pa + len(s.data) for s in program.segments) - GUEST_BASE)
    for segment in program.segments:
        at = segment.pa - GUEST_BASE
        image[at:at + len(segment.data)] = segment.data
    (folder / "guest.bin").write_bytes(image)
    return on_spike(sbi(folder), "-m128", "--isa=rv64gc_zicntr_zicclsm", f"--kernel={folder / 'guest.bin'}",
                    timeout=timeout)


def sbi(folder: Path) -> Path:
    """The firmware in sbi.S, as a file."""
    path = folder / "sbi.elf"
    path.write_bytes(_sbi())
    return path


@functools.cache
def _sbi() -> bytes:
    source = Path(__file__).with_name("sbi.S").read_text()
    return assemble(source, 0x8000_0000, "sbi.S", include=firmware.included).to_elf()


def converse(command: list[str], turns: Iterable[tuple[str, str]], timeout: float = TIMEOUT) -> Run:
    """Run a program that is spoken to: for each turn, wait until it prints the one text, then send the other."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin and process.stdout
        deadline, text, seen = time.monotonic() + timeout, "", 0

        def read() -> bool:
            nonlocal text
            ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(process.stdout.fileno(), 4096) if ready else b""
            text += piece.decode().replace("\r", "")
            return bool(piece)

        try:
            for wanted, answer in turns:
                while (at := text.find(wanted, seen)) < 0:
                    if not read():
                        return Run(None, without_banner(text))
                seen = at + len(wanted)
                process.stdin.write(answer.encode())
                process.stdin.flush()
            while read():
                pass
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return Run(None, without_banner(text))
        finally:
            process.kill()
    return Run(process.returncode, without_banner(text))
