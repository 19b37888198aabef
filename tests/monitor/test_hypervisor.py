"""The monitor: exits, emulation, injection, reports, several guests."""
import pytest

from rvhyp import Hypervisor, VirtualInstruction, VmConfig, VsEcall
from rvhyp.machine.clock import EXIT_CYCLES
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended
from rvhyp.monitor.pcpu import EXITS
from rvhyp.monitor.scheduler import SLICE
from rvhyp.monitor.vcpu import VSEIP, State
from tests.monitor.guest import SHUTDOWN, boot, engine, program

ENGINES = ("interpreter", "reference")

TRAPS = """
    la t0, trap
    csrw stvec, t0
"""
TRAP = """
    .balign 4
trap:                           # report scause in the low bits of the status, if stval is what s1 says
    csrr a0, scause
    csrr t0, stval
    beq t0, s1, exit
    li a0, 99
    j exit
"""


@pytest.mark.parametrize("on", ENGINES)
def test_guest_runs_in_vs_mode_and_ends_with_its_status(on):
    run = boot("    li a0, 42\n    j exit\n", on=on)
    assert (run.outcome.ended, run.outcome.status) == (Ended.EXIT, 42)
    assert run.vm.exits == {"store/AMO guest-page fault": 1}


@pytest.mark.parametrize("on", ENGINES)
def test_both_engines_retire_the_same_instructions(on):
    run = boot("    li s0, 1000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li a0, 0\n" + SHUTDOWN, on=on)
    assert run.outcome.status == 0
    assert run.hypervisor.machine.instret == 1 + 2000 + 6       # an ECALL does not retire


def test_the_same_guest_twice_is_the_same_run():
    source = ("    li s0, 20000\n1:  rdtime t0\n    add s1, s1, t0\n    addi s0, s0, -1\n    bnez s0, 1b\n"
              "    andi a0, s1, 63\n    j exit\n")
    first, second = boot(source), boot(source)
    assert first.outcome == second.outcome
    assert first.hypervisor.machine.instret == second.hypervisor.machine.instret


# Devices.

@pytest.mark.parametrize("load, expected", [("lb", (1 << 64) - 1), ("lbu", 0xFF)])
def test_device_load_is_extended_as_the_instruction_says(load, expected):
    """The UART's scratch register holds a byte."""
    run = boot(f"""
    li t0, 0x10000000
    li t1, 0xFF
    sb t1, 7(t0)
    {load} t2, 7(t0)
    li t3, {expected}
    sub a0, t2, t3
    snez a0, a0
    j exit
""")
    assert run.outcome.status == 0
    assert run.vm.exits["load guest-page fault"] == 1


def test_compressed_device_access_steps_two_bytes():
    run = boot("""
    li a0, 0x10000000
    li a1, 0x41
    c.sw a1, 0(a0)
    c.lw a2, 4(a0)
    li a0, 7
    j exit
""")
    assert run.outcome.status == 7
    assert run.text == "A"


def test_device_access_is_fetched_where_htinst_is_zero():
    def hide(vcpu, leaving):
        if "guest-page fault" in leaving.name:
            vcpu.hart.htinst = 0
        return False
    run = boot("""
    li t0, 0x10000000
    li t1, 'h'
    sb t1, 0(t0)
    li a0, 'i'
    c.mv a1, t0
    c.mv s0, a1
    c.sw a0, 0(s0)
    li a0, 3
    j exit
""", hooks=[hide])
    assert (run.text, run.outcome.status) == ("hi", 3)


def test_device_access_under_the_guests_own_paging():
    run = boot("""
    la t0, root                 # gigapages: identity of RAM and devices
    srli t1, t0, 12
    li t2, 8
    slli t2, t2, 60
    or t1, t1, t2
    csrw satp, t1
    sfence.vma
    li t0, 0x10000000
    li t1, '!'
    sb t1, 0(t0)
    li a0, 5
    j exit
    .balign 4096
root:
    .dword 0xCF, 0, 0x200000CF
    .zero 4096 - 24
""")
    assert (run.text, run.outcome.status) == ("!", 5)


def test_refused_device_access_is_the_guests_access_fault():
    """The UART has registers 0 to 7."""
    run = boot(TRAPS + "    li s1, 0x10000020\n    lb t0, 0(s1)\n" + TRAP)
    assert run.outcome.status == 5


def test_a_misaligned_device_access_is_the_guests_access_fault():
    run = boot(TRAPS + "    li s1, 0x10000001\n    lw t0, (s1)\n" + TRAP)
    assert run.outcome.status == 5


def test_an_access_partly_on_a_device_is_the_guests_access_fault():
    """Its first half is in RAM; the device must not be asked for all of it."""
    root, level1, level0, page = 0x8040_0000, 0x8040_1000, 0x8040_2000, 0x8040_3000
    entries = {root: 0xCF, root + 8: level1 >> 2 | 1, root + 16: 0x2000_00CF, level1: level0 >> 2 | 1,
               level0: page >> 2 | 0xCF, level0 + 8: 0x0400_00CF}       # the page of the UART behind one of RAM
    run = boot(TRAPS + "".join(f"    li t0, {at}\n    li t1, {pte}\n    sd t1, (t0)\n" for at, pte in entries.items()) + f"""
    li t0, {8 << 60 | root >> 12}
    csrw satp, t0
    sfence.vma
    li s1, 0x40001000           # where the second half is, and the fault
    lw t0, -2(s1)
""" + TRAP)
    assert run.outcome.status == 5


def test_a_float_from_a_device_makes_fs_dirty():
    run = boot("""
    li t0, 0x10000000
    flw fa0, 4(t0)
    csrr a0, sstatus
    srli a0, a0, 13
    andi a0, a0, 3
    j exit
""")
    assert run.outcome.status == 3 and run.vm.exits["load guest-page fault"] == 1


def test_amo_on_a_device_is_the_guests_access_fault():
    run = boot(TRAPS + "    li s1, 0x10000000\n    amoadd.w t0, t1, (s1)\n" + TRAP)
    assert run.outcome.status == 7


# What belongs to the guest.

@pytest.mark.parametrize("instruction, bits", [
    ("csrr t0, hstatus", 0x6000_22F3), ("hfence.gvma", 0x6200_0073), ("hlv.w t0, (t1)", 0x6803_42F3),
    ("csrr t0, vsatp", 0x2800_22F3), ("csrr t0, mstatus", 0x3000_22F3), (".word 0xFFFFFFFF", 0xFFFF_FFFF)])
def test_what_a_hart_without_h_does_not_have_is_illegal(instruction, bits):
    run = boot(TRAPS + f"    li s1, {bits}\n    {instruction}\n" + TRAP)
    assert run.outcome.status == 2


def test_page_faults_go_to_the_guest_without_an_exit():
    run = boot(TRAPS + """
    la t0, root
    srli t0, t0, 12
    li t1, 8
    slli t1, t1, 60
    or t0, t0, t1
    csrw satp, t0
    li s1, 0x40000000
    ld t0, 0(s1)
""" + TRAP + "    .data\n    .balign 4096\nroot: .dword 0xCF, 0, 0x200000CF\n    .zero 4072\n    .text\n")
    assert run.outcome.status == 13
    assert run.vm.exits == {"store/AMO guest-page fault": 1}


def test_wfi_waits_for_the_timer_and_time_jumps():
    run = boot("""
    rdtime s0
    li t0, 1000000
    add a0, s0, t0
    li a7, 0x54494D45
    li a6, 0
    ecall
    li t0, 32
    csrs sie, t0
    wfi
    rdtime t1
    sub t1, t1, s0
    li t2, 1000000
    sltu a0, t1, t2             # 0 if the time has come
    j exit
""")
    assert run.outcome.status == 0
    assert run.hypervisor.machine.instret < 1000
    assert run.vm.exits["virtual instruction"] == 1


def test_wfi_that_nothing_can_end_is_reported():
    run = boot("    wfi\n    j .\n")
    assert run.outcome.status == 3
    assert "nothing can raise" in run.vm.report


# Guests that cannot go on.

def test_access_of_nothing_ends_the_guest_with_a_report():
    run = boot("    li t0, 0x70000004\nhere: lw t1, 0(t0)\n    j .\n")
    assert run.outcome.status == 3
    for part in ("load guest-page fault", "0x70000004", "VS-mode", "<here>", "lw t1, 0(t0)", "level 2", "not mapped"):
        assert part in run.vm.report


def test_jump_to_nothing_ends_the_guest():
    run = boot("    li t0, 0x70000000\n    jr t0\n")
    assert run.outcome.status == 3
    assert "instruction guest-page fault" in run.vm.report


def test_page_table_outside_ram_ends_the_guest():
    run = boot("""
    li t0, 8
    slli t0, t0, 60
    li t1, 0x123
    or t0, t0, t1
    csrw satp, t0
    nop
""")
    assert run.outcome.status == 3
    assert "a page table" in run.vm.report


def test_trap_loop_ends_the_guest():
    """With paging on and no mapping at all, even the trap vector faults, for ever."""
    run = boot("    csrw stvec, zero\n    la t0, empty\n    srli t0, t0, 12\n    li t1, 8\n    slli t1, t1, 60\n"
               "    or t0, t0, t1\n    csrw satp, t0\n    nop\n    .balign 4096\nempty: .zero 4096\n")
    assert run.outcome.status == 3
    assert "trap loop" in run.vm.report


def test_one_guest_fails_and_the_others_go_on():
    output: list[bytes] = []
    good = program("    li s0, 3000000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li a0, 'k'\n    li a7, 1\n    ecall\n"
                   + SHUTDOWN, "good")
    bad = program("    li t0, 0x70000000\n    ld t0, 0(t0)\n", "bad")
    hypervisor = Hypervisor([VmConfig("bad", bad, 16 << 20), VmConfig("good", good, 16 << 20, output=output.append)], engine())
    outcome = hypervisor.run(100_000_000)
    assert [vm.status for vm in hypervisor.vms] == [3, 0]
    assert outcome.status == 3
    assert output == [b"k"]


# Several guests.

def test_guests_do_not_see_each_other():
    """Each writes its number at one address, spins for several slices, and finds it again."""
    source = """
    li t0, 0x80400000
    li t1, {number}
    sd t1, 0(t0)
    li s0, 2000000
1:  addi s0, s0, -1
    bnez s0, 1b
    ld a0, 0(t0)
    j exit
"""
    configs = [VmConfig(f"guest{n}", program(source.format(number=n)), 16 << 20) for n in (11, 22, 33)]
    hypervisor = Hypervisor(configs, engine())
    hypervisor.run(100_000_000)
    assert [vm.status for vm in hypervisor.vms] == [11, 22, 33]
    assert all(vm.exits["supervisor timer interrupt"] >= 2 for vm in hypervisor.vms)


def test_registers_of_guests_survive_a_switch():
    """Every integer and floating-point register, fcsr, and the VS CSRs, across many slices."""
    fill = "".join(f"    li x{n}, {n} * 1000 + {{number}}\n" for n in range(5, 32))
    fill += "".join(f"    fmv.d.x f{n}, x{n}\n" for n in range(5, 32))
    check = "".join(f"    li a0, {n} * 1000 + {{number}}\n    bne x{n}, a0, bad\n    fmv.x.d x{n}, f{n}\n    bne x{n}, a0, bad\n"
                    for n in range(12, 32))
    source = ("    li t0, 0x2000\n    csrs sstatus, t0\n" + fill + "    fsrm x0, x0\n    csrw sscratch, x31\n    li x1, 1500000\n"
              "1:  addi x1, x1, -1\n    bnez x1, 1b\n" + check
              + "    csrr a0, sscratch\n    li a1, 31000 + {number}\n    bne a0, a1, bad\n    li a0, 0\n    j exit\n"
              "bad: li a0, 1\n    j exit\n")
    configs = [VmConfig(f"guest{n}", program(source.replace("{number}", str(n))), 16 << 20) for n in (1, 2)]
    hypervisor = Hypervisor(configs, engine())
    hypervisor.run(100_000_000)
    assert [vm.status for vm in hypervisor.vms] == [0, 0]


def test_a_guest_that_sleeps_is_woken_beside_one_that_computes():
    """A slice goes on while nobody else can run, and ends when somebody can."""
    sleeper = program(f"""
    rdtime s0
    li t0, {20 * SLICE + SLICE // 2}
    add s0, s0, t0
    mv a0, s0
    li a7, 0x54494D45
    li a6, 0
    ecall
    li t0, 32
    csrw sie, t0
    wfi
    rdtime a0
    sub a0, a0, s0              # ticks late
    j exit
""", "sleeper")
    work = program("    li s0, 20000000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li a0, 0\n", "work")
    hypervisor = Hypervisor([VmConfig("sleeper", sleeper, 16 << 20), VmConfig("work", work, 16 << 20)], engine())
    hypervisor.run(100_000_000)
    late, worker = hypervisor.vms[0].status, hypervisor.vms[1]
    assert 0 <= late <= SLICE + 100 and worker.status == 0
    assert 1 <= worker.exits["supervisor timer interrupt"] <= 2, "nobody is asked whether he sleeps"
    assert sum(vm.instructions for vm in hypervisor.vms) == hypervisor.machine.instret and worker.instructions > 40_000_000


def test_an_interrupt_that_is_taken_back_wakes_nobody_and_the_next_one_does():
    hypervisor = Hypervisor([VmConfig("guest", program("    wfi\n    j _start\n"), 16 << 20, cpus=2)], engine())
    vm, vcpu, woken = hypervisor.vms[0], hypervisor.vms[0].vcpus[1], []
    vm.wakes = lambda: woken.append(vcpu)
    vcpu.start(0x8020_0000, 1, 0)
    vcpu.state, vcpu["mie"] = State.WAITING, VSEIP
    for _ in range(2):
        vcpu.set_pending(VSEIP, True)
        assert vcpu.ready_at(vm.now() + 100) == vm.now()
        vcpu.set_pending(VSEIP, False)
        assert vcpu.ready_at(vm.now() + 100) == vm.now() + 100, "it waits, nobody steals its time"
    assert woken == [vcpu, vcpu]


def test_an_external_interrupt_that_came_before_a_hart_started_is_pending():
    """The line of the PLIC is high, and nothing will raise it again; what the hart before had of its own is gone."""
    run = boot("""
    li t0, 0x0C000000 + 4 * 10
    li t1, 1
    sw t1, 0(t0)                # priority of the UART
    li t0, 0x0C002000 + 3 * 0x80
    li t1, 1 << 10
    sw t1, 0(t0)                # enabled for hart 1 in S-mode
    li t0, 0x10000000
    li t1, 2
    sb t1, 1(t0)                # transmitter empty: now
    li a7, 0x48534D
    li a6, 0
    li a0, 1
    la a1, second
    ecall
1:  wfi
    j 1b
second:
    csrr a0, sip
    srli a0, a0, 9
    j exit
""", cpus=2)
    assert run.vm.status == 1


@pytest.mark.parametrize("on", ["interpreter", "reference"])
def test_an_exit_takes_virtual_time_but_counts_as_no_cycle_and_no_instruction(on):
    """The same on every engine."""
    polls = 200
    run = boot(f"""
    li t0, 0x10000000
    li s0, {polls}
    rdtime s1
    rdcycle s2
    rdinstret s3
1:  lbu t1, 5(t0)
    addi s0, s0, -1
    bnez s0, 1b
    rdinstret s6
    rdcycle s5
    rdtime s4
    sub s4, s4, s1
    sub s5, s5, s2
    sub s6, s6, s3
    la t0, results
    sd s4, 0(t0)
    sd s5, 8(t0)
    sd s6, 16(t0)
    li a0, 0
    j exit
    .balign 8
results: .dword 0, 0, 0
""", on=on)
    at = run.vm.config.program.symbols["results"]
    ticks, cycles, instructions = (run.vm.memory.word(at + offset) for offset in (0, 8, 16))
    assert instructions == 2 * polls + 1, "what is emulated does not retire"
    assert cycles == instructions + 2
    assert abs(100 * ticks - (polls * EXIT_CYCLES + instructions + 4)) <= 100


def test_a_guest_that_polls_a_device_takes_no_more_than_its_share_of_the_host():
    """An exit takes virtual time, as much as thousands of instructions, so a slice has not more than so many of either."""
    poll = program("    li t0, 0x10000000\n1:  lbu t1, 5(t0)\n    j 1b\n", "poll")
    work = program("    li s0, 6000000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li a0, 0\n", "work")
    hypervisor = Hypervisor([VmConfig("poll", poll, 16 << 20), VmConfig("work", work, 16 << 20)], engine())
    polls = []

    def until_the_work_is_done(vcpu, leaving):
        if vcpu.vm.name == "poll" and not hypervisor.vms[1].is_over:
            polls.append(leaving)
        elif vcpu.vm.name == "poll":
            hypervisor.quit()

    hypervisor.hooks.append(until_the_work_is_done)
    hypervisor.run(100_000_000)
    assert hypervisor.vms[1].is_over and 0 < len(polls) * 1000 < 2 * 12_000_000         # instructions of the work


# Scripting.

def test_the_host_is_looked_at_between_exits_however_few_instructions_retire():
    """A guest that has computed, so that looks were far apart, and then polls."""
    source = "    li s0, 3000000\n1:  addi s0, s0, -1\n    bnez s0, 1b\n    li t0, 0x10000000\n2:  lbu t1, 5(t0)\n    j 2b\n"
    hypervisor = Hypervisor([VmConfig("poll", program(source, "poll"), 16 << 20)], engine())
    exits = []
    hypervisor.attend = lambda: exits.append(hypervisor.vms[0].exits.total())
    hypervisor.run(max_instructions=6_010_000)
    assert exits[-1] > 2000
    assert max(after - before for before, after in zip(exits, exits[1:], strict=False)) <= EXITS


def test_hooks_see_exits_and_may_handle_them():
    seen = []

    def answer(vcpu, leaving):
        match leaving:
            case VsEcall() if leaving.eid == 0x0900_0000:
                seen.append((vcpu.vm.name, leaving.arguments[0]))
                vcpu.hart.x[10] = 77
                vcpu["sepc"] = leaving.pc + 4
                return True
            case VirtualInstruction():
                raise AssertionError
        return False
    run = boot("    li a7, 0x9000000\n    li a0, 5\n    ecall\n    j exit\n", hooks=[answer])
    assert (seen, run.outcome.status) == ([("guest", 5)], 77)


# Harts that choose otherwise.

@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("choices", [{}, {"illegal-instruction-tval": "zero"}, {"wfi": "nop"}], ids=str)
def test_wfi_is_known_without_its_bits_in_stval(on, choices):
    """WFI waits for the timer, whatever the hart says of it; another virtual instruction becomes the guest's illegal one."""
    wait = boot("    li t0, 1000\n    csrw stimecmp, t0\n    li t0, 32\n    csrs sie, t0\n    wfi\n    rdtime a0\n    j exit\n",
                on=on, choices=choices)
    assert wait.outcome.status == 1000 and wait.hypervisor.machine.instret < 100
    choices = choices | {"illegal-instruction-tval": "zero"}
    read = boot(TRAPS + "    li s1, 0\n    csrr t1, hstatus\n" + TRAP, on=on, choices=choices)
    assert read.outcome.status == 2


@pytest.mark.parametrize("tinst", ["transformed", "zero"])
@pytest.mark.parametrize("source", ["lbu a0, 0(s0)", "c.lbu a0, 0(s0)"])
def test_devices_are_emulated_without_a_transformed_instruction(tinst, source):
    """The UART's line status says that its transmitter is empty."""
    run = boot(f"    li s0, 0x10000005\n    {source}\n    j exit\n", choices={"tinst": tinst})
    assert run.outcome.status == 0x60


@pytest.mark.parametrize("widest, mode", [("sv57", b"riscv,sv57"), ("sv39", b"riscv,sv39")])
def test_the_device_tree_says_how_wide_addresses_are(widest, mode):
    hypervisor = Hypervisor([VmConfig("guest", program("    j .\n"), 1 << 22)], engine(), {"widest-mode": widest})
    assert mode in hypervisor.vms[0].device_tree()


# Bad input.

@pytest.mark.parametrize("memory", [0, 4096, 1 << 45])
def test_absurd_memory_is_refused(memory):
    with pytest.raises(BadInput):
        Hypervisor([VmConfig("guest", program("    j .\n"), memory)], engine())


def test_program_outside_memory_is_refused():
    with pytest.raises(BadInput, match="--memory"):
        Hypervisor([VmConfig("guest", program("    j .\n"), 1 << 20)], engine())


HANDOVER = """
    la s0, turn
    li s1, 100                  # rounds
    mv s2, a0                   # this hart: its turn is when the word is its number
    bnez a0, 1f
    li a7, 0x48534D             # HSM: start the other hart here
    li a6, 0
    li a0, 1
    la a1, _start
    ecall
1:  lr.w t0, (s0)
    beq t0, s2, 2f
    wrs.nto
    j 1b
2:  xori t0, s2, 1
    fence rw, w
    sw t0, (s0)
    addi s1, s1, -1
    bnez s1, 1b
    li a0, 0
    bnez s2, exit               # the other hart has the last turn
3:  lr.w t0, (s0)
    wrs.nto
    j 3b
    .balign 4
turn:
    .word 0
"""


def test_a_vcpu_that_waits_for_a_reservation_lets_the_others_run():
    """As a waiter for Linux's ticket lock does: 200 turns cost their own instructions, not a slice each."""
    run = boot(HANDOVER, cpus=2)
    assert run.outcome.status == 0
    assert run.hypervisor.machine.instret < 20_000
    assert 190 < run.vm.exits["virtual instruction"] < 220
