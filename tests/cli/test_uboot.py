"""Debian's U-Boot for S-mode as a guest: a real program that nobody here wrote."""
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Session

UBOOT = Path("/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf")

pytestmark = pytest.mark.skipif(not UBOOT.exists(), reason="Debian's package u-boot-qemu is not installed")


@pytest.fixture
def uboot():
    """U-Boot at its prompt."""
    with Session("run", str(UBOOT), "--timeout", "120") as session:
        session.expect(b"U-Boot 20")
        session.expect(b"Hit any key")
        session.send(b"\n")
        session.expect(b"=> ")
        yield session


def test_boots_and_answers(uboot):
    uboot.send(b"version\n")
    text = uboot.expect(b"=> ")
    assert b"U-Boot 20" in text and b"gcc" in text

    uboot.send(b"bdinfo\n")
    text = uboot.expect(b"=> ")
    assert b"start    = 0x0000000080000000" in text
    assert b"size     = 0x0000000008000000" in text

    uboot.send(b"mw.q 0x84000000 0x0123456789abcdef 2\n")
    uboot.expect(b"=> ")
    uboot.send(b"md 0x84000000 4\n")
    assert b"84000000: 89abcdef 01234567 89abcdef 01234567" in uboot.expect(b"=> ")

    uboot.send(b"md 0x80200000 2\n")
    first = UBOOT.read_bytes()[0x1000:]                 # its text segment
    assert first[3::-1].hex().encode() in uboot.expect(b"=> ")

    uboot.send(b"poweroff\n")
    uboot.expect(b"poweroff")
    assert uboot.end() == 0


def test_reset_starts_it_again(uboot):
    uboot.send(b"reset\n")
    uboot.expect(b"resetting")
    uboot.expect(b"Hit any key")
    uboot.send(b"\n")
    uboot.expect(b"=> ")
    uboot.send(b"poweroff\n")
    assert uboot.end() == 0


def test_piped_commands():
    """The first key stops autoboot."""
    done = subprocess.run([sys.executable, "-m", "rvhyp", "run", str(UBOOT), "--timeout", "120"], capture_output=True,
                          input=b"\nmw.q 0x84000000 0x0123456789abcdef 2\nmd 0x84000000 4\nmd 0x80200000 40\nversion\npoweroff\n")
    assert done.returncode == 0, done.stderr
    assert b"84000000: 89abcdef 01234567" in done.stdout and b"=> version\r\nU-Boot 20" in done.stdout
    assert b"Unknown command" not in done.stdout and b"=> poweroff" in done.stdout
