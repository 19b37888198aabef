"""The guests on QEMU, whose OpenSBI is an old one, and with a firmware of our own there and on Spike."""
import re

import pytest

import firmware
from rvhyp.isa.text import assemble
from tests.firmware.peers import converse, needs_qemu, needs_spike, on_qemu, on_spike_as_guest, qemu_command, sbi

CHECKS = (firmware.FOLDER / "include/selftest").glob("*.S")
NUMBER_OF_CHECKS = sum(len(re.findall(r"^ {4}check ", path.read_text(), re.MULTILINE)) for path in CHECKS)


@pytest.fixture
def elf(tmp_path):
    """A guest as a file."""
    def write(name, data=None):
        path = tmp_path / f"{name}.elf"
        path.write_bytes(firmware.load(name) if data is None else data)
        return path
    return write


def changed(name, old, new, including=None):
    """A guest in whose source, or in one that it includes, something is different."""
    def edit(text, of):
        if of != (including or name):
            return text
        assert text.count(old) == 1
        return text.replace(old, new)
    source = edit(firmware.find(name).source.read_text(), name)
    program = assemble(source, firmware.GUEST_BASE, name, include=lambda each: edit(firmware.included(each), each))
    return program.to_elf()


# hello

@needs_qemu
def test_hello(elf):
    run = on_qemu(elf("hello"))
    assert run.status == 0
    assert run.lines[0] == "Hello from a guest!"
    assert re.search(r"^SBI +version \d+\.\d+, by OpenSBI, its version 0x\w+$", run.text, re.MULTILINE)
    assert re.search(r"^device tree +0x8\w{7}$", run.text, re.MULTILINE)
    assert re.search(r"^mode +supervisor; .*HS-mode", run.text, re.MULTILINE)


@needs_qemu
def test_hello_without_the_hypervisor_extension(elf):
    run = on_qemu(elf("hello"), "-cpu", "rv64,h=false")
    assert run.status == 0 and run.lines[-1].endswith("the hypervisor's CSRs are closed, as in VS-mode")


@needs_qemu
def test_hello_by_the_debug_console(elf, tmp_path):
    """Which takes 7 bytes at a time."""
    run = on_qemu(elf("hello"), "-bios", sbi(tmp_path))
    assert run.status == 0
    assert run.lines[0] == "Hello from a guest!"
    assert run.lines[3:5] == ["SBI          version 2.0, by implementation 99, its version 0x0",
                              "console      SBI debug console"]


# tasks

def check_tasks(run):
    assert run.status == 0
    for task, what in ((1, "primes"), (2, "random numbers")):
        lines = [line for line in run.lines if line.startswith(f"task {task}: ")]
        assert lines == [f"task {task}: {what}, {part} of 4" for part in (1, 2, 3, 4)]
    assert run.lines[-1] == "tasks: their results are right"
    assert int(re.search(r"after (\d+) switches", run.text)[1]) > 1


@needs_qemu
def test_tasks(elf):
    check_tasks(on_qemu(elf("tasks")))


@needs_qemu
@pytest.mark.parametrize("old, new, status, message", [
    (".dword 303", ".dword 304", 1, "FAILED, a result is wrong"),
    ("la      a3, data2", "la      a3, data1", 1, "FAILED, a result is wrong"),
    ("    csrw    sie, t0\n", "", 2, "FAILED, the timer did not switch"),
    ("li      s5, USER_DATA\n", "li      s5, 2 * GIB\n", 1, "a mistake, cause 13"),
    ("    call    uart_print\n", "    ebreak\n", 3, "a trap in the kernel, cause 0x3"),
], ids=["a wrong result", "a shared page", "no timer", "a task in the kernel's memory", "a trap in the kernel"])
def test_tasks_notices(elf, old, new, status, message):
    run = on_qemu(elf("tasks", changed("tasks", old, new)))
    assert run.status == status and message in run.text


@needs_qemu
def test_the_kernel_of_tasks_prints_nothing_it_should_not(elf):
    """A write of memory that is not the task's own is refused."""
    run = on_qemu(elf("tasks", changed("tasks", "la      s2, lines1", "li      s2, 0x80200000")))
    assert run.status == 0 and "task 1" not in run.text and "task 2: random numbers, 4 of 4" in run.text


# selftest

def check_selftest(run):
    assert run.status == 0
    assert run.lines[-1] == f"{NUMBER_OF_CHECKS} checks, 0 failed"
    assert len(run.lines) == NUMBER_OF_CHECKS + 1 and all(line.startswith("ok ") for line in run.lines[:-1])
    assert NUMBER_OF_CHECKS > 60


@needs_qemu
@pytest.mark.parametrize("options", [(), ("-smp", "2"), ("-cpu", "rv64,h=false")])
def test_selftest(elf, options):
    check_selftest(on_qemu(elf("selftest"), *options))


@needs_qemu
@pytest.mark.parametrize("including, old, new", [
    ("integer", "mulw, 0x10000, 0x8000, 0xffffffff80000000", "mulw, 0x10000, 0x8000, 0x80000000"),
    ("code", "    sw      t0, 4(a0)\n", "    sw      zero, 4(a0)\n"),
    ("traps", "1:  ebreak\n2:  expect  a0, BREAKPOINT", "1:  nop\n2:  expect  a0, BREAKPOINT"),
    ("atomics", "    sd      zero, (s0)\n    li      s1, 1000", "    sd      zero, (zero)"),
    ("paging", "    sd      t0, (t1)\n    sfence.vma s0\n", "    sd      t0, (t1)\n"),
    ("interrupts", "    li      t0, 5000\n", "    li      t0, 5000\n    ebreak\n"),
    ("sbi", ".equ NO_HART, 1000", ".equ NO_HART, 0"),
], ids=["a wrong result", "a wrong instruction", "no trap", "a wild store", "no fence", "a trap", "a known hart"])
def test_selftest_notices(elf, including, old, new):
    run = on_qemu(elf("selftest", changed("selftest", old, new, f"selftest/{including}.S")))
    results = [line.split()[0] for line in run.lines if line.startswith(("ok ", "FAILED "))]
    failed = [number for number, result in enumerate(results, 1) if result == "FAILED"]
    assert failed and run.status == failed[0]
    assert run.lines[-1] == f"{NUMBER_OF_CHECKS} checks, {len(failed)} failed"


# echo

@needs_qemu
def test_echo(elf):
    run = converse(qemu_command(elf("echo")), [
        ("quit ends.\n> ", "hello\n"), ("you said: hello\n> ", "ab\x7fc\r\n"), ("you said: ac\n> ", "\n"),
        ("\n> ", "x" * 100 + "\n"), ("you said: " + "x" * 80 + "\n> ", "quitx\n"), ("> ", "quit\n")])
    assert run.status == 0 and run.lines[-2:] == ["> quit", "bye"]
    assert "you said: quitx" in run.lines and "you said: " not in run.lines


# smp

@needs_qemu
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_smp(elf, harts):
    run = on_qemu(elf("smp"), "-smp", str(harts))
    assert run.status == 0
    assert re.fullmatch(rf"smp: hart \d and {harts - 1} more", run.lines[0])
    assert run.lines[-1] == f"smp: all is well with {harts} hart(s)"
    assert sum(line.startswith("ok ") for line in run.lines) == 6


@needs_qemu
@pytest.mark.parametrize("old, new", [
    ("    sd      t0, HART_IPIS(s0)\n", ""),
    ("    sbi     SBI_RFENCE, 1\n    bnez", "    bnez"),
    ("    addi    t3, t3, 1\n", ""),
    ("    sbi     SBI_HSM, 1\n", ""),
], ids=["no interrupt", "no fence", "a lost count", "no stop"])
def test_smp_notices(elf, old, new):
    run = on_qemu(elf("smp", changed("smp", old, new)), "-smp", "2")
    assert run.status == 1 and run.lines[-1] == "smp: FAILED"


# Guests that misbehave, and the one that measures itself

@needs_qemu
def test_badaccess(elf):
    run = on_qemu(elf("badaccess"))
    assert run.status == 5
    assert run.lines == ["badaccess: loading from 0x8000000", "badaccess: a trap, cause 5 value 0x8000008"]


@needs_qemu
@pytest.mark.parametrize("name, line", [
    ("badjump", "badjump: jumping to 0x40000000, with a trap vector at 0x50000000"), ("badloop", "badloop: looping"),
])
def test_what_does_not_end(elf, name, line):
    run = on_qemu(elf(name), timeout=2)
    assert run.status is None and run.lines == [line]


@needs_qemu
def test_benchmark(elf):
    run = on_qemu(elf("benchmark"))
    assert run.status == 0 and run.lines[0] == "benchmark: 140000000 instructions"
    ticks, speed = map(int, re.fullmatch(r"(\d+) ticks of 0.1 us: (\d+) million instructions per second",
                                         run.lines[1]).groups())
    assert speed == 1_400_000_000 // ticks


# On Spike: another implementation, with faults where QEMU sets A and D, and SBI 2.0.

@needs_spike
def test_hello_on_spike(tmp_path):
    run = on_spike_as_guest(tmp_path, firmware.load("hello"))
    assert run.status == 0 and run.lines[-1].endswith("the hypervisor's CSRs are closed, as in VS-mode")


@needs_spike
def test_tasks_on_spike(tmp_path):
    check_tasks(on_spike_as_guest(tmp_path, firmware.load("tasks")))


@needs_spike
def test_selftest_on_spike(tmp_path):
    check_selftest(on_spike_as_guest(tmp_path, firmware.load("selftest")))


@needs_spike
def test_selftest_on_spike_notices(tmp_path):
    wrong = changed("selftest", "    expect  a0, LOAD_PAGE_FAULT\n    expect  a1, WINDOW\n    expect_equal t0, s4\n",
                    "    expect  a0, 0\n", "selftest/paging.S")
    run = on_spike_as_guest(tmp_path, wrong)
    assert run.status and "FAILED accessed and dirty bits" in run.lines
