"""What the manual leaves to the implementation, and what a hart of ours does there: one table of choices.

Every choice has a default; an `rvhyp.isa.configuration.Configuration` says what a hart does otherwise.  Rules ask the word
`choices` of the hart record, in which each choice is a bit field, on their rare paths only: no choice is compiled in.

What is a matter of an extension (Svadu, Svpbmt) is no choice: the ISA string says it (`rvhyp.isa.config`).
"""
from __future__ import annotations

from dataclasses import dataclass

from rvhyp.isa.csr import MEDELEG_WRITABLE
from rvhyp.isa.rule import BitField

WORD = 64


@dataclass(frozen=True)
class Subset:
    """The values that have no bit outside `bits`."""

    bits: int

    def __contains__(self, value: int) -> bool:
        return value >= 0 and not value & ~self.bits

    def __str__(self) -> str:
        return f"bits of {self.bits:#x}"


@dataclass(frozen=True)
class Choice:
    """`values` are the legal ones; of words and of listed numbers the first is the default.  `field` is its place in the hart's
    word of choices, if it has one there."""

    name: str
    values: tuple[str, ...] | tuple[int, ...] | range | Subset
    default: str | int
    meaning: str
    section: str
    field: BitField | None

    @property
    def legal(self) -> str:
        """The legal values, in words."""
        if isinstance(self.values, range):
            return f"{self.values[0]} to {self.values[-1]}"
        if isinstance(self.values, Subset):
            return str(self.values)
        *others, last = (self.text(value) for value in self.values)
        return f"{', '.join(others)} or {last}"

    def text(self, value: str | int) -> str:
        """A value as TOML has it."""
        return f'"{value}"' if isinstance(value, str) else hex(value) if isinstance(self.values, Subset) else str(value)

    def check(self, value: object) -> str | int:
        """The value.  `ValueError` if it is not a legal one."""
        if type(value) is not type(self.default) or value not in self.values:
            raise ValueError(f"{self.name} must be {self.legal}, not {value!r}")
        return value

    def read(self, text: str) -> str | int:
        """The value that a text stands for.  `ValueError` if it stands for none."""
        try:
            return self.check(int(text, 0) if isinstance(self.default, int) else text)
        except ValueError:
            raise ValueError(f"{self.name} must be {self.legal}, not {text!r}") from None

    def encode(self, value: str | int) -> int:
        """The value in the field: that of a word is its place among the values."""
        return value if isinstance(value, int) else self.values.index(value)


CHOICES: dict[str, Choice] = {}
_used = 0


def choice(name: str, values, meaning: str, section: str, default: int | None = None) -> BitField:
    """Add a choice; its field in the word.  Without `default` the first value is it."""
    global _used
    width = ((len(values) - 1) if isinstance(values[0], str) else max(values)).bit_length()
    field = BitField(name, _used, _used + width - 1)
    _used += width
    assert _used <= WORD and name not in CHOICES, name
    CHOICES[name] = Choice(name, values, values[0] if default is None else default, meaning, section, field)
    return field


# What traps write.
TINST_ZERO = choice(
    "tinst", ("transformed", "zero"),
    "What mtinst and htinst say of the explicit load, store or AMO that trapped.",
    "Hypervisor extension, Transformed Instruction or Pseudoinstruction for mtinst or htinst")
TVAL2_ZERO = choice(
    "guest-page-fault-tval2", ("address", "zero"),
    "What a guest-page fault writes to mtval2 and htval; with zero, no pseudoinstruction tells of a VS-stage page table either.",
    "Hypervisor extension, Guest-Page Faults")
ILLEGAL_TVAL_ZERO = choice(
    "illegal-instruction-tval", ("instruction", "zero"),
    "What xtval holds after an illegal-instruction or virtual-instruction exception.",
    "Machine-level ISA, Machine Trap Value (mtval) Register")
EBREAK_TVAL_ZERO = choice(
    "ebreak-tval", ("pc", "zero"),
    "What xtval holds after EBREAK; GVA is 0 where it holds no address.",
    "Machine-level ISA, Machine Trap Value (mtval) Register")

# Accesses to memory.
MISALIGNED_TRAPS = choice(
    "misaligned", ("supported", "trap"),
    "Whether a misaligned load or store of main memory is made by the hart or raises address-misaligned.",
    "Unprivileged ISA, Load and Store Instructions")
MISALIGNED_FIRST = choice(
    "misaligned-priority", ("low", "high"),
    "Whether address-misaligned comes behind page faults, guest-page faults and access faults, or before them.",
    "Machine-level ISA, Machine Cause (mcause) Register")
MISALIGNED_ATOMIC_FAULTS = choice(
    "misaligned-atomic", ("address-misaligned", "access-fault"),
    "Which exception a misaligned LR, SC or AMO raises.",
    "Unprivileged ISA, A Extension")
FAILED_SC_SKIPS = choice(
    "failed-sc", ("translates", "skips-translation"),
    "Whether an SC without a reservation still translates its address, and may fault.",
    "Unprivileged ISA, Load-Reserved/Store-Conditional Instructions")

# Address translation.
NARROWER = choice(
    "widest-mode", ("sv57", "sv48", "sv39", "bare"),
    "The widest MODE of satp, vsatp and hgatp (there with x4); all narrower ones and Bare are there too.",
    "Supervisor-level ISA, Supervisor Address Translation and Protection (satp) Register")
ASIDLEN = choice(
    "asid-bits", range(17),
    "ASIDLEN: writable bits of ASID in satp and vsatp.",
    "Supervisor-level ISA, Supervisor Address Translation and Protection (satp) Register", 16)
VMIDLEN = choice(
    "vmid-bits", range(15),
    "VMIDLEN: writable bits of VMID in hgatp.",
    "Hypervisor extension, Hypervisor Guest Address Translation and Protection (hgatp) Register", 14)
VSATP_WARL = choice(
    "vsatp-unsupported-mode", ("ignored", "warl"),
    "Whether a write to vsatp with V=0 and an unsupported MODE is ignored, or writes ASID and PPN and keeps MODE.",
    "Hypervisor extension, Virtual Supervisor Address Translation and Protection (vsatp) Register")
BARE_FIELDS_ZERO = choice(
    "bare-fields", ("kept", "zero"),
    "Whether satp, vsatp and hgatp keep what is written to the other fields together with MODE=Bare, or read zero.",
    "Supervisor-level ISA, Supervisor Address Translation and Protection (satp) Register")

# Physical memory protection.
PMP_COUNT = choice(
    "pmp-entries", (16, 0, 64),
    "How many PMP entries there are; the CSRs of others are not implemented.  Without any, all modes may access all memory.",
    "Machine-level ISA, Physical Memory Protection CSRs")
PMP_GRAIN = choice(
    "pmp-grain", range(11),
    "G: the granularity of PMP regions is 2 to the power of G + 2 bytes.  From 1 on, NA4 cannot be selected and becomes NAPOT.",
    "Machine-level ISA, Address Matching")

# Interrupts and delegation.
GEILEN = choice(
    "geilen", range(64),
    "GEILEN: the number of guest external interrupts.",
    "Hypervisor extension, Hypervisor Guest External Interrupt Registers (hgeip and hgeie)")
WFI_IS_NOP = choice(
    "wfi", ("waits", "nop"),
    "Whether WFI waits, or does nothing where it may be executed.  Where TW, VTW or the mode intercept it, it traps at once.",
    "Machine-level ISA, Wait for Interrupt")

# Other fields of CSRs.
MPP_RESERVED_IS_U = choice(
    "mpp-reserved", ("kept", "user"),
    "What MPP holds after a write of the reserved value 2: the mode it had, or U.",
    "Machine-level ISA, Privilege and Global Interrupt-Enable Stack in mstatus Register")
TVEC_DIRECT = choice(
    "tvec-modes", ("vectored", "direct"),
    "Whether mtvec, stvec and vstvec have the MODE Vectored besides Direct.",
    "Machine-level ISA, Machine Trap-Vector Base-Address (mtvec) Register")
VECTORED_ALIGNMENT = choice(
    "vectored-alignment", (4, 64, 128, 256),
    "To how many bytes BASE of a vectored mtvec, stvec or vstvec is aligned; lower bits read 0.",
    "Machine-level ISA, Machine Trap-Vector Base-Address (mtvec) Register")
MISA_H_FIXED = choice(
    "misa-h", ("writable", "read-only"),
    "Whether software can turn the hypervisor extension off.",
    "Machine-level ISA, Machine ISA (misa) Register")
TIME_ABSENT = choice(
    "time", ("csr", "absent"),
    "Whether there is a CSR time; without it a read is an illegal instruction in every mode, for firmware to emulate.",
    "Unprivileged ISA, Zicntr Extension")

CHOICES["medeleg"] = Choice(
    "medeleg", Subset(MEDELEG_WRITABLE), int(MEDELEG_WRITABLE),
    "The bits of medeleg that can be set; the others read zero.",
    "Machine-level ISA, Machine Trap Delegation (medeleg and mideleg) Registers", None)

DEFAULT_WORD = sum(each.encode(each.default) << each.field.shift for each in CHOICES.values() if each.field)
