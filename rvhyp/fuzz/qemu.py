"""QEMU, asked about what was found: the gdb protocol says when it has run a program, and what is in memory then.

It knows fewer extensions, and differs in too much (SD of vsstatus, what can be delegated, A and D) to find anything by itself.
"""
from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from rvhyp.fuzz.layout import RAM_SIZE
from rvhyp.fuzz.oracles import SECONDS, Failed, Missing, Region
from rvhyp.fuzz.simulators import find
from rvhyp.isa import config
from rvhyp.isa.decode import decode
from rvhyp.isa.text.assembly import Assembly

MACHINE = "virt"                        # RAM and CLINT are where the harness has them
MEMORY = 4 * RAM_SIZE                   # its device tree goes to the end of RAM
PART = 1024                             # bytes asked for at a time
START = 10.0                            # seconds that it may take to listen
# What every RV64 CPU of QEMU has, or has no property for.
GIVEN = {"m", "a", "f", "d", "c", "b", "zihpm", "svadu", *config.ALWAYS}


class Gdb:
    """One end of the gdb remote serial protocol, over a socket."""

    def __init__(self, connection: socket.socket):
        self.connection, self._data = connection, b""

    def ask(self, packet: str, seconds: float = START) -> str:
        """The answer to a packet.  `Failed` if there is none in time."""
        self.connection.settimeout(seconds)
        try:
            self.connection.sendall(b"$%s#%02x" % (packet.encode(), sum(packet.encode()) % 256))
            return self._answer()
        except OSError as error:
            raise Failed(f"did not answer {packet[:20]!r} within {seconds:.0f} s ({error})") from error

    def _answer(self) -> str:
        while True:
            head, mark, rest = self._data.partition(b"#")
            if mark and len(rest) >= 2:
                self._data = rest[2:]
                self.connection.sendall(b"+")
                return head.lstrip(b"+").removeprefix(b"$").decode()
            if not (more := self.connection.recv(1 << 16)):
                raise Failed("ended")
            self._data += more

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory."""
        parts = [self.ask(f"m{at:x},{min(PART, address + size - at):x}") for at in range(address, address + size, PART)]
        return bytes.fromhex("".join(parts))


class Qemu:
    """QEMU, in a process of its own for each run; with so much of an ISA string as it knows."""

    def __init__(self, isa: str):
        from rvhyp.machine.fdt import isa_extensions
        program = find("qemu-system-riscv64")
        if program is None:
            raise Missing("qemu-system-riscv64 not found; the package qemu-system-misc brings it")
        self.program = program
        _, names = isa_extensions(isa)
        known = properties(program)
        wanted = [name for name in names if name not in GIVEN]
        self.knows = [name for name in names if name not in wanted or name in known] + list(config.ALWAYS)
        self.cpu = ",".join(["rv64", *(f"{known[name]}=on" for name in wanted if name in known)])

    def does_not_know(self, words: Iterable[int]) -> str:
        """The first of some instructions that needs an extension which is lacking; "" if there is none."""
        for decoded in filter(None, map(decode, words)):
            if not decoded.instruction.extension.is_on(self.knows):
                return decoded.instruction.name
        return ""

    def command(self, elf: Path, listen: Path) -> list[str]:
        """What begins to run an ELF file, and waits for gdb."""
        return [self.program, "-machine", MACHINE, "-cpu", self.cpu, "-m", f"{MEMORY >> 20}M", "-nodefaults", "-display", "none",
                "-bios", "none", "-device", f"loader,file={elf},cpu-num=0", "-S", "-gdb", f"unix:{listen},server=on,wait=off"]

    def run(self, image: Assembly, region: Region, instructions: int) -> bytes:
        with tempfile.TemporaryDirectory(prefix="rvhyp-fuzz-") as folder:
            elf, listen = Path(folder, "batch.elf"), Path(folder, "gdb")
            elf.write_bytes(image.to_elf())
            process = subprocess.Popen(self.command(elf, listen), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
            try:
                with connected(process, listen) as connection:
                    gdb = Gdb(connection)
                    if gdb.ask(f"Z2,{image.symbols['tohost']:x},8") != "OK":
                        raise Failed("cannot watch memory")
                    gdb.ask("c", SECONDS)
                    return gdb.read(*region)
            finally:
                process.kill()
                process.communicate()


def properties(program: str) -> dict[str, str]:
    """The names of the switches that a CPU of QEMU has, by the extension's name: they are written in various ways."""
    asked = subprocess.run([program, "-machine", MACHINE, "-device", "rv64-riscv-cpu,help"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=START)
    names = [line.split("=")[0].strip() for line in asked.stdout.splitlines() if "=<bool>" in line]
    return {name.lower().removeprefix("x-"): name for name in names}


@contextlib.contextmanager
def connected(process: subprocess.Popen, listen: Path):
    """A connection to a process that will listen."""
    end = time.monotonic() + START
    with socket.socket(socket.AF_UNIX) as connection:
        while True:
            try:
                connection.connect(str(listen))
                break
            except OSError:
                if process.poll() is not None:
                    assert process.stderr
                    said = process.stderr.read().decode(errors="replace").strip()[-200:]
                    raise Failed(f"ended with status {process.returncode}: {said}") from None
                if time.monotonic() > end:
                    raise Failed(f"did not listen within {START:.0f} s") from None
                time.sleep(0.01)
        yield connection
