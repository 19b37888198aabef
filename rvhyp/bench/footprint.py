"""Start and memory of whole processes."""
from __future__ import annotations

import tempfile
from pathlib import Path

from rvhyp.bench import process
from rvhyp.bench.process import RVHYP, Cost

MEMORY = 128 << 20                      # of the guest
TOUCHED = 64 << 20                      # what it writes to, in the second run
TOUCH = """
_start:
    li t0, 0x80400000
    li t1, PAGES
    li t2, 4096
    beqz t1, 2f
1:  sb t1, (t0)
    add t0, t0, t2
    addi t1, t1, -1
    bnez t1, 1b
2:  li a7, 8
    ecall
"""


def warm_start() -> Cost:
    """From nothing to the first guest instruction, and out again, with the core in the cache."""
    return process.run([*RVHYP, "run", "hello", "--max-instructions", "1"], accept=(124,))


def cold_build() -> Cost:
    """Compiling the core into an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        return process.run([*RVHYP, "cache", "warm"], {"RVHYP_CACHE": folder})


def guest_memory(touched: int) -> int:
    """Peak of resident memory, in bytes, of a guest of MEMORY bytes that writes to every page of so many of them."""
    from rvhyp import assemble
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "touch.elf"
        path.write_bytes(assemble(TOUCH.replace("PAGES", str(touched >> 12)), 0x8020_0000).to_elf())
        return process.peak_memory([*RVHYP, "run", str(path), "--memory", f"{MEMORY >> 20}M"])
