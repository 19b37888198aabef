"""The report of a guest that could not go on: where it was, what it did, how its address was (not) translated."""
from __future__ import annotations

from rvhyp.hart.paging import PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from rvhyp.isa.decode import decode
from rvhyp.isa.fields import X_NAMES
from rvhyp.isa.text import disassemble
from rvhyp.machine.ram import OutsideMemory
from rvhyp.monitor import sbi
from rvhyp.monitor.gstage import LEVELS, walk
from rvhyp.monitor.vcpu import Vcpu

SPP, SPV = 1 << 8, 1 << 7
MODES = {8: ("Sv39", 3), 9: ("Sv48", 4), 10: ("Sv57", 5)}
BITS = ((PTE_V, "V"), (PTE_R, "R"), (PTE_W, "W"), (PTE_X, "X"), (PTE_U, "U"), (32, "G"), (64, "A"), (128, "D"))


def mode_of(vcpu: Vcpu) -> str:
    """VS or VU: the mode the guest was in when it last left for HS."""
    return "VS" if vcpu["mstatus"] & SPP else "VU"


def place_of(vcpu: Vcpu, address: int) -> str:
    """An address, with the symbol it is in."""
    symbol = vcpu.vm.config.program.symbol_at(address)
    return f"{address:#x} <{symbol}>" if symbol else f"{address:#x}"


def bits_of(pte: int) -> str:
    """The low bits of a PTE by name."""
    return "".join(letter for bit, letter in BITS if pte & bit) or "invalid"


def translate(vcpu: Vcpu, gva: int) -> tuple[list[str], int | None]:
    """The VS-stage walk of an address, a line for each PTE; and the guest physical address it gives, if it does."""
    mode = vcpu["vsatp"] >> 60
    if mode == 0:
        return [f"  VS-stage: vsatp is Bare, guest physical {gva:#x}"], gva
    name, levels = MODES[mode]
    lines = [f"  VS-stage, {name}, root {(vcpu['vsatp'] & (1 << 44) - 1) << 12:#x}:"]
    pte = level = 0
    for level, at, pte in walk(vcpu.vm.memory, (vcpu["vsatp"] & (1 << 44) - 1) << 12, gva, levels, root_bits=9):
        lines.append(f"    level {level}  PTE at guest physical {at:#x} = {pte:#018x}  {bits_of(pte)}")
    if not pte & PTE_V or not pte & (PTE_R | PTE_X):
        return [*lines, "    -> no translation"], None
    offset = (1 << 12 + 9 * level) - 1
    gpa = (pte >> 10 << 12 & (1 << 56) - 1 & ~offset) | gva & offset
    return [*lines, f"    -> guest physical {gpa:#x}"], gpa


def translate_guest(vcpu: Vcpu, gpa: int) -> list[str]:
    """The G-stage walk of a guest physical address, a line for each PTE."""
    gstage = vcpu.vm.gstage
    lines = [f"  G-stage, Sv39x4, root {gstage.root:#x}, VMID {vcpu.vm.vmid}:"]
    pte = level = 0
    for level, at, pte in gstage.walk(gpa):
        lines.append(f"    level {level}  PTE at {at:#x} = {pte:#018x}  {bits_of(pte)}")
    if not pte & PTE_V or not pte & (PTE_R | PTE_X):
        memory = vcpu.vm.memory
        return [*lines, f"    -> not mapped: the guest's RAM is {memory.base:#x} to {memory.base + memory.size - 1:#x}"]
    offset = (1 << 12 + 9 * level) - 1
    assert level < LEVELS
    return [*lines, f"    -> system physical {pte >> 10 << 12 & ~offset | gpa & offset:#x}"]


def instruction_at(vcpu: Vcpu, gva: int) -> str:
    """The instruction at a guest virtual address, disassembled; "" if it cannot be read."""
    _, gpa = translate(vcpu, gva)
    try:
        bits = int.from_bytes(vcpu.vm.memory.read(gpa, 4), "little")
    except (OutsideMemory, TypeError):
        return ""
    decoded = decode(bits)
    return disassemble(decoded.bits if decoded else bits, gva)


def registers(vcpu: Vcpu) -> list[str]:
    """The integer registers, four in a line."""
    cells = [f"{name:>5} {vcpu.register(number):016x}" for number, name in enumerate(X_NAMES)]
    return ["  " + " ".join(cells[start:start + 4]) for start in range(0, 32, 4)]


def report(vcpu: Vcpu, what: str, gva: int | None = None, gpa: int | None = None) -> str:
    """Why a guest was stopped, in full: mode, pc, instruction, registers, its trap state, both stages of the address."""
    pc = vcpu["sepc"]
    text = instruction_at(vcpu, pc)
    lines = [
        f"guest {vcpu.vm.name} (hart {vcpu.number}) stopped: {what}",
        f"  in {mode_of(vcpu)}-mode at pc {place_of(vcpu, pc)}" + (f":  {text}" if text else ""),
        *registers(vcpu),
        f"  vsstatus {vcpu['vsstatus']:#x}  vstvec {place_of(vcpu, vcpu['vstvec'])}  vsatp {vcpu['vsatp']:#x}",
        f"  vscause {vcpu['vscause']:#x}  vsepc {place_of(vcpu, vcpu['vsepc'])}  vstval {vcpu['vstval']:#x}",
    ]
    if last := vcpu.pcpu.last_call(vcpu) if vcpu.pcpu else vcpu.last_call:
        lines.append(f"  last SBI call {sbi.name_of(*last)}, the hart is {vcpu.state.name.lower()}")
    if gva is not None:
        stage, found = translate(vcpu, gva)
        lines += [f"translation of {gva:#x}:", *stage]
        gpa = found if gpa is None else gpa
    if gpa is not None:
        lines += translate_guest(vcpu, gpa)
    return "\n".join(lines + vcpu.vm.troubles)
