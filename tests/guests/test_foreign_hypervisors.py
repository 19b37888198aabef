"""Hypervisors that nobody here wrote, in HS-mode on the bare board: what they find of the H extension is what is there.

They are built outside this project and found in RVHYP_SUITES: kvmtool/lkvm-static, linked statically for riscv64, and
xvisor/vmm.bin with xvisor/disk.img, an ext2 image with boot.xscript for one guest "virt64" with the basic firmware.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rvhyp.bench import kvm
from tests.cli.terminal import rvhyp

pytestmark = pytest.mark.long
SUITES = Path(os.environ.get("RVHYP_SUITES", "/nonexistent"))


@pytest.mark.parametrize("cpus", ["1", "2"])
@pytest.mark.skipif(not (SUITES / "kvmtool/lkvm-static").is_file(), reason="no kvmtool/lkvm-static in RVHYP_SUITES")
def test_kvm_boots_a_linux_guest(prepared, tmp_path, cpus):
    """With as many vcpus as the board has harts."""
    prepared("debian"), prepared("opensbi")
    (tmp_path / "initrd").write_bytes(kvm.initrd((SUITES / "kvmtool/lkvm-static").read_bytes()))
    done = rvhyp(*kvm.command(tmp_path / "initrd", "--cpus", cpus), timeout=900)
    assert b"hypervisor extension available" in done.stdout
    assert re.search(rb"\ninside: 6\.\S+ on %b\r" % cpus.encode(), done.stdout)
    assert b"the guest ended with 0" in done.stdout and done.returncode == 0


@pytest.mark.parametrize("cpus", ["2", "4"])
def test_opensbi_starts_linux_on_several_harts(prepared, cpus):
    """The same run each time."""
    runs = []
    for _ in range(2):
        done = rvhyp("bare", prepared("opensbi"), "--kernel", prepared("debian"), "--cpus", cpus, "--stats", "--timeout", "300",
                     input=b"nproc; (while :; do :; done) & sleep 1; poweroff -f\n", timeout=400)
        assert done.returncode == 0, done.stderr
        runs.append((done.stdout, done.stderr.splitlines()[:2]))            # instructions and traps
    text = runs[0][0].replace(b"\r", b"")
    assert b"\n" + cpus.encode() + b"\n" in text and b"reboot: Power down" in text and b"Call Trace" not in text
    assert runs[0] == runs[1]


@pytest.mark.skipif(not (SUITES / "xvisor/vmm.bin").is_file(), reason="no xvisor/vmm.bin in RVHYP_SUITES")
def test_xvisors_guest_answers_hi_with_hello(prepared):
    """Typed when it is asked for: what comes while Xvisor changes consoles is lost."""
    command = [sys.executable, "-m", "rvhyp", "bare", prepared("opensbi"), "--kernel", str(SUITES / "xvisor/vmm.bin"),
               "--memory", "512M", "--initrd", str(SUITES / "xvisor/disk.img"),
               "--append", 'vmm.bootcmd="vfs mount initrd /;vfs run /boot.xscript"',
               "--timeout", "600"]
    script = [(b"XVisor# ", b"guest kick guest0\n"), (b"XVisor# ", b"vserial bind guest0/uart0\n"), (b"basic# ", b"hi\n"),
              (b"hello", b""), (b"basic# ", b"\x1bxq"), (b"XVisor# ", b"shutdown\n")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        seen = b""
        for prompt, answer in script:
            while prompt not in seen:
                more = process.stdout.read1()
                assert more, seen
                seen += more
            seen = seen.partition(prompt)[2]
            process.stdin.write(answer)
            process.stdin.flush()
        process.stdin.close()
        process.stdout.read()
        assert process.wait() == 0
