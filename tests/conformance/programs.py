"""Small test programs: some pass, some fail, and some pretend to pass."""
from rvhyp.isa.text import assemble

HTIF = """
        .data
        .align 6
        .globl tohost, fromhost
tohost: .dword 0
        .align 6
fromhost: .dword 0
"""
STORE = "        la t0, tohost\n        sd a0, (t0)\n1:      j 1b\n"
# The way of riscv-tests' environment p: every trap that is no ECALL is reported as unhandled.
ENVIRONMENT = """
_start: la t0, trap_vector
        csrw mtvec, t0
        j begin
        .align 2
trap_vector:
        csrr t5, mcause
        li t6, 11
        beq t5, t6, write_tohost
        ori gp, gp, 1337
write_tohost:
        la t0, tohost
        sw gp, (t0)
        sw zero, 4(t0)
        j write_tohost
begin:
"""


def elf(source: str, htif: str = HTIF) -> bytes:
    return assemble(f"        .globl _start\n{source}{htif}").to_elf()


def store(word: int, before: str = "") -> bytes:
    """A program that stores a word to tohost, and loops."""
    return elf(f"_start: {before}\n        li a0, {word:#x}\n{STORE}")


def say(text: str) -> str:
    """Instructions that print a line through HTIF."""
    return "".join(f"        li a0, {1 << 56 | 1 << 48 | ord(letter):#x}\n        la t0, tohost\n        sd a0, (t0)\n"
                   for letter in text + "\n")


FINISH = "        li t1, 0x100000\n        li t2, {:#x}\n        sw t2, (t1)\n2:      j 2b\n"
LOOP = "_start: j _start\n"

PASS = store(1)
PASS_IN_ENVIRONMENT = elf(ENVIRONMENT + "        li gp, 1\n        ecall\n")
PASS_BY_BYTE = elf("_start: la t0, tohost\n        li a0, 1\n        sb a0, (t0)\n1:      j 1b\n")
PASS_AFTER_OUTPUT = elf(f"_start:\n{say('hello')}        li a0, 1\n{STORE}")
FAIL_3 = elf(ENVIRONMENT + "        li gp, 3\ntest_3: slli gp, gp, 1\n        ori gp, gp, 1\n        ecall\n")
UNHANDLED = elf(ENVIRONMENT + "        li gp, 2\ntest_2: .word 0\n")
ENDLESS = elf(LOOP)

PRETENDERS = {
    # Ways to end with status 0 that are not the exit command.
    "finisher": (elf("_start:\n" + FINISH.format(0x5555)), "fail"),
    "reset": (elf("_start:\n" + FINISH.format(0x7777)), "fail"),
    "exit-system-call": (elf(f"_start: la a0, block\n{STORE}        .data\n        .align 6\n"
                             "block: .dword 93, 0, 0, 0, 0, 0, 0, 0\n"), "fail"),
    "finisher-after-output": (elf(f"_start:\n{say('PASS')}{FINISH.format(0x5555)}"), "fail"),
    # Words that are no exit command.
    "no-command": (store(0), "timeout"),
    "even-word": (store(2), "timeout"),
    "another-command": (store(1 << 48 | 1), "timeout"),
    "console-byte-1": (store(1 << 56 | 1 << 48 | 1), "timeout"),
    "console-read": (store(1 << 56 | 1), "timeout"),
    "another-device": (store(2 << 56 | 1), "timeout"),
    "identify": (store(255 << 48 | 1), "timeout"),
    "high-byte": (elf("_start: la t0, tohost\n        li a0, 1\n        sb a0, 1(t0)\n1:      j 1b\n"), "timeout"),
    # Codes that are 0 where somebody looks at fewer bits.
    "code-of-8-bits": (store(256 << 1 | 1), "fail(256)"),
    "code-of-32-bits": (store(1 << 33 | 1), f"fail({1 << 32})"),
    "code-of-46-bits": (store(1 << 47 | 1), f"fail({1 << 46})"),
    # The right word in a wrong place.
    "fromhost": (elf("_start: la t0, fromhost\n        li a0, 1\n        sd a0, (t0)\n1:      j 1b\n"), "timeout"),
    "next-word": (elf("_start: la t0, tohost\n        li a0, 1\n        sd a0, 8(t0)\n1:      j 1b\n"), "timeout"),
    "customary-place": (elf("_start: li t0, 0x80001000\n        li a0, 1\n        sd a0, (t0)\n1:      j 1b\n",
                            HTIF.replace(".align 6", ".align 13", 1)), "timeout"),
    "read-only": (elf("_start: la t0, tohost\n        ld a0, (t0)\n        wfi\n"), "timeout"),
    # No place for a report, or one that says so already.
    "no-tohost": (elf("_start:\n" + FINISH.format(0x5555), ""), "error"),
    "tohost-preloaded": (elf(LOOP, HTIF.replace("tohost: .dword 0", "tohost: .dword 1", 1)), "error"),
    "tohost-preloaded-and-touched": (elf("_start: la t0, tohost\n        sw zero, 4(t0)\n1:      j 1b\n",
                                         HTIF.replace("tohost: .dword 0", "tohost: .dword 1", 1)), "error"),
    "tohost-is-the-finisher": (elf("_start:\n" + FINISH.format(0x5555), "        .globl tohost\n        .equ tohost, 0x100000\n"),
                               "error"),
    # Calls that a firmware would take.
    "sbi-shutdown": (elf("_start: li a7, 8\n        ecall\n1:      j 1b\n"), "trap"),
    "sbi-system-reset": (elf("_start: li a7, 0x53525354\n        li a6, 0\n        li a0, 0\n        li a1, 0\n"
                             "        ecall\n"), "trap"),
    "exit-ecall": (elf("_start: li a7, 93\n        li a0, 0\n        ecall\n"), "trap"),
    "semihosting": (elf("_start: li a0, 0x18\n        li a1, 0x20026\n        slli zero, zero, 31\n        ebreak\n        "
                        "srai zero, zero, 7\n"), "trap"),
    # Ends that are none.
    "only-words": (elf(f"_start:\n{say('PASS')}1:      j 1b\n"), "timeout"),
    "sleep": (elf("_start: wfi\n        j _start\n"), "timeout"),
    "endless": (ENDLESS, "timeout"),
    "runs-off": (elf("_start: jr zero\n"), "trap"),
}
