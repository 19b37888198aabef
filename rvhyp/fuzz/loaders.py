"""Files and texts that are damaged or made up: each is taken, or refused with one message of one line, and never anything else.

ELF files and Linux Images that are taken run a little; device trees are made, and say what they were made for.
"""
from __future__ import annotations

import random
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rvhyp.fuzz.checks import check, draws
from rvhyp.isa.choices import CHOICES
from rvhyp.machine.errors import BadInput

LINKED, MEMORY, INSTRUCTIONS, SECONDS = 0x8000_0000, 1 << 20, 2_000, 10
NUMBERS = (0, 1, 2, 7, 8, 0x40, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 56,
           1 << 60, 1 << 63, (1 << 64) - 1, LINKED, LINKED + MEMORY - 1)
PROGRAM = """
_start:
    la   t0, table
    ld   a0, (t0)
    csrr a1, mstatus
    la   t1, tohost
1:  addi a0, a0, -1
    bnez a0, 1b
    li   a2, 1
    sd   a2, (t1)
    j    .
    .data
    .balign 64
    .globl tohost
tohost: .dword 0
table:  .dword 5
    .bss
    .zero 256
"""
RULES = """# Comments stay.
[[rule]]
name = "rv64mi-p-*"
isa = "rv64imafdc_zicsr"
set = { misaligned = "trap" }
memory = "256M"
max-instructions = 1_000_000
timeout = 5
check = '(?P<name>.+): (ok|(?P<failed>wrong))'
end = "done"

[[rule]]
name = "other"
skip = "why"
"""
EXPECTED = """[[expected]]
name = "rv64ui-p-ma_data"
reason = "misaligned accesses trap"
date = 2026-01-31
"""
ISAS = "rv64imafdc_zicsr_zifencei_zba_zbb_h_sstc_svadu"
# Pieces that texts get in odd places; long and deep ones among them.
PIECES = ("[", "]", "[[", "]]", "[[rule]]\n", "[[expected]]\n", "{", "}", "=", "\"", "'", "\"\"\"", "\\", "\n", "\r", "\0", "#",
          ",", ".", "_", "-1", "0x", "1e999", "nan", "inf", "true", "2026-13-45", "2026-01-31T00:00:00", "\ud7ff", "\U0001F600",
          "name", "isa", "memory", "\"9999999999T\"", "\"(\"", "'(?P<name>'", "rv64", "rv32", "rv128i", "_zicsr", "misaligned",
          "geilen = 64", "\x7f", "\x1b[2J", "\na = " + "9" * 5000 + "\n", "9" * 5000, "[" * 3000, "\na = " + "[" * 3000,
          "{a=" * 2000, "\n" + "a." * 3000 + "a = 1\n", "1" * 70, "z" * 300)


def damaged(random: random.Random, good: bytes) -> bytes:
    """A file with some numbers, bits or stretches changed, cut, doubled or swapped."""
    data = bytearray(good)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        size = random.choice((1, 2, 4, 8))
        at = random.randrange(random.choice((min(64, len(data)), min(300, len(data)), len(data)))) // size * size
        kind = random.randrange(8)
        if kind < 4:
            number = random.choice((*NUMBERS, len(good), len(good) - 1, random.getrandbits(64)))
            data[at:at + size] = (number & (1 << 8 * size) - 1).to_bytes(size, "little")
        elif kind == 4:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 5:
            del data[at:random.choice((at + size, len(data)))]
        else:
            end = at + random.randrange(80)
            data[at:at] = data[at:end] if kind == 6 else bytes(random.randrange(40))
    return bytes(data)


def altered(random: random.Random, good: str) -> str:
    """A text with pieces put in, left out, or moved."""
    text = good
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        at, to = sorted(random.randrange(len(text) + 1) for _ in range(2))
        to = random.choice((to, min(at + 3, to), at))
        text = text[:at] + random.choice((*PIECES, "", text[at:to] * 2, random.choice(text or " "))) + text[to:]
    return text


@cache
def _elf() -> bytes:
    from rvhyp.isa.text import assemble
    return assemble(PROGRAM, LINKED).to_elf()


@cache
def _engine():
    from rvhyp.engine import make_engine
    return make_engine("interpreter")


def an_elf(random: random.Random) -> None:
    """An ELF file, placed and run."""
    _run(damaged(random, _elf()))


def an_image(random: random.Random) -> None:
    """A Linux Image."""
    header = struct.pack("<8sQQQIIQQII", b"\x6f\x00\x00\x04" + bytes(4), random.choice((0, 0, 0x20_0000)), 0x2000, 0, 2, 0, 0,
                         0x5643_5349_52, 0x0543_5352, 0)
    _run(damaged(random, header + bytes(random.randrange(200))))


def _run(data: bytes) -> None:
    from rvhyp.machine.board import Board
    from rvhyp.machine.loader import load
    program = load(data, "damaged")
    board = Board(MEMORY, engine=_engine())
    try:
        board.load(program)
        board.run(INSTRUCTIONS, SECONDS)
    finally:
        board.machine.memory.close()


def _file(text: str, read: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory(prefix="rvhyp-fuzz-") as folder:
        path = Path(folder, "file.toml")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        read(path)


def rules(random: random.Random) -> None:
    """A file of rules for conformance runs."""
    from rvhyp.conformance.expectations import Rules
    _file(altered(random, RULES), Rules.read)


def expectations(random: random.Random) -> None:
    """A file of expected failures."""
    from rvhyp.conformance.expectations import Expectations
    _file(altered(random, EXPECTED), Expectations.read)


def configuration(random: random.Random) -> None:
    """A configuration as a file, and as settings; both refuse by ValueError."""
    from rvhyp.isa.configuration import Configuration, from_text, from_toml
    name = random.choice(list(CHOICES))
    line = f"{name} = {CHOICES[name].text(CHOICES[name].default)}\n"
    good = Configuration({}).to_toml() if random.random() < 0.3 else line
    try:
        if random.random() < 0.5:
            Configuration(from_toml(altered(random, good)))
        else:
            Configuration(dict([from_text(altered(random, good.splitlines()[-1]))]))
    except ValueError as error:
        raise BadInput(str(error)) from error


def isa_string(random: random.Random) -> None:
    """An ISA string, for a board."""
    from rvhyp.machine.board import Board
    board = Board(MEMORY, altered(random, ISAS), _engine())
    board.machine.memory.close()


def tree(random: random.Random) -> None:
    """A device tree, made of arguments for the kernel that may be anything, read back."""
    import libfdt

    from rvhyp.machine.fdt import Cpu, device_tree
    text = altered(random, "console=ttyS0 root=/dev/vda").replace("\0", "")
    text = text.encode("utf-8", "replace").decode()
    cpus = [Cpu(n, "rv64imafdc_zicsr", random.choice(("sv39", "sv57", "none"))) for n in range(random.randrange(1, 9))]
    size = random.choice((1 << 20, 1 << 30, 1 << 40))
    made = libfdt.Fdt(device_tree([(LINKED, size)], cpus, random.choice((1, 10_000_000, 0xFFFF_FFFF)), [], bootargs=text))
    if text and made.getprop(made.path_offset("/chosen"), "bootargs").as_str() != text:
        raise AssertionError("the bootargs are not those given")
    harts = sum(1 for n in range(16) if _has(made, f"/cpus/cpu@{n:x}"))
    if harts != len(cpus):
        raise AssertionError(f"{harts} harts of {len(cpus)}")


def _has(tree, path: str) -> bool:
    import libfdt
    return tree.path_offset(path, quiet=[libfdt.NOTFOUND]) >= 0


KINDS = (an_elf, an_elf, an_elf, an_image, rules, rules, expectations, configuration, configuration, isa_string, tree)


@check("loaders", "damaged ELF files, Images, rules, expectations, configurations, ISA strings; device trees")
def run(seed: int, number: int) -> str:
    """One file or text."""
    random = draws(seed, number)
    kind = random.choice(KINDS)
    try:
        kind(random)
    except BadInput as refused:
        message = str(refused)
        if not message or "\n" in message or not message.isprintable():
            return f"{kind.__name__}: the message is not one line: {message!r:.300}"
    except Exception as error:  # what this target is for
        return f"{kind.__name__}: {type(error).__name__}: {error!s:.300}"
    return ""
