"""Handlers of the interpreter: the shell of each kind of instruction, as LLVM IR around the traced body.

A handler is `void handler(ptr uop, ptr hart, i64 K)` and ends in a tail call of the next one; registers live in the hart
record.  Whatever is rare (TLB misses, gates, devices, traps) is a tail call of a cold function of the same signature, out of line.
`K + depth[slot]` is the number of instructions left in the slice, this one included (see rvhyp.engine.codepages).
"""
from __future__ import annotations

from rvhyp.engine.codepages import (
    DEPTH,
    UOP_DELTA,
    UOP_DISPLACEMENT,
    UOP_IMM,
    UOP_RD,
    UOP_RS1,
    UOP_RS2,
)
from rvhyp.engine.fpu import DYNAMIC as HOST_DYNAMIC
from rvhyp.engine.fpu import RTZ, HostFpu, RuleFpu
from rvhyp.engine.tables import BY_RULE, DYNAMIC, HANDLERS, LINK_RS2, TRUNCATING, Handler, Part
from rvhyp.engine.trace import LIKELY, UNLIKELY, Symbol, Text, operand
from rvhyp.hart.access import HLV, HLVX, PLAIN
from rvhyp.hart.state import FP_CLEAN, FP_MODE, FP_OFF, MIXED_ENTRIES, OFFSET, TLB_ENTRIES
from rvhyp.isa.instruction import Instruction, Kind
from rvhyp.isa.rule import RULES

CONVENTION = "preserve_nonecc"
ALIAS = {"hart": "!1", "uop": "!2", "guest": "!3"}
METADATA = """
!0 = !{!"riscv"}
!1 = !{!10, !10, i64 0}
!2 = !{!11, !11, i64 0}
!3 = !{!12, !12, i64 0}
!10 = !{!"hart", !0, i64 0}
!11 = !{!"uop", !0, i64 0}
!12 = !{!"guest", !0, i64 0}
!4 = !{!"branch_weights", i32 1000, i32 1}
!5 = !{!"branch_weights", i32 1, i32 1000}
"""
LINKED = {UOP_RS1: 0, UOP_RS2: LINK_RS2}
BYTES_HEADER = bytes.__basicsize__ - 1
FLAVOUR = {"": PLAIN, "hlv": HLV, "hlvx": HLVX}


class HandlerText(Text):
    """The text of one handler or cold function."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.uop = "%uop"
        self.links = 0                      # operands that earlier parts computed: see rvhyp.engine.tables.Part
        self.results: list[Symbol | None] = [None]      # what each part has computed for rd, this one last
        self.declarations: set[str] = set()

    # The hart record and the uop.

    def at(self, pointer: str, offset) -> str:
        return self.value(f"getelementptr i8, ptr {pointer}, i64 {operand(offset)}")

    def load(self, type: str, pointer: str, alias: str, align: int | None = None) -> str:
        aligned = f", align {align}" if align else ""
        return self.value(f"load {type}, ptr {pointer}{aligned}, !tbaa {ALIAS[alias]}")

    def store(self, type: str, value: str, pointer: str, alias: str, align: int | None = None) -> None:
        aligned = f", align {align}" if align else ""
        self.line(f"store {type} {value}, ptr {pointer}{aligned}, !tbaa {ALIAS[alias]}")

    def get(self, field: str) -> Symbol:
        """A field of the hart record."""
        return Symbol(self, self.load("i64", self.at("%hart", OFFSET[field]), "hart"))

    def put(self, field: str, value) -> None:
        self.store("i64", operand(value), self.at("%hart", OFFSET[field]), "hart")

    def uop_field(self, type: str, offset: int, extend: str) -> Symbol:
        raw = self.load(type, self.at(self.uop, offset), "uop")
        return self.word(f"{extend} {type} {raw} to i64")

    def register_pointer(self, offset: int) -> str:
        index = self.uop_field("i8", offset, "zext")
        return self.value(f"getelementptr i64, ptr %hart, i64 {index.name}")

    def register(self, offset: int) -> Symbol:
        """The register that a uop's operand byte names."""
        distance = self.links >> LINKED[offset] & 3 if offset in LINKED else 0
        if distance:
            return self.results[-1 - distance]
        return Symbol(self, self.load("i64", self.register_pointer(offset), "hart"))

    def set_rd(self, value) -> None:
        self.results[-1] = value
        self.store("i64", operand(value), self.register_pointer(UOP_RD), "hart")

    def immediate(self) -> Symbol:
        return self.uop_field("i32", UOP_IMM, "sext")

    def uop_address(self) -> Symbol:
        return self.word(f"ptrtoint ptr {self.uop} to i64")

    def pc(self) -> Symbol:
        return (self.uop_address() >> 3) + self.get("bias")

    def left(self) -> Symbol:
        """Instructions left in the slice, this one included."""
        page = self.get("page")
        slot = (self.uop_address() - page) >> 3
        pointer = self.value(f"inttoptr i64 {(page + slot).name} to ptr")
        raw = self.load("i16", self.at(pointer, DEPTH), "uop")
        return Symbol(self, "%K") + self.word(f"zext i16 {raw} to i64")

    def sync(self) -> Symbol:
        """Write pc and budget, which rules may look at.  Gives the pc."""
        pc = self.pc()
        self.put("pc", pc)
        self.put("budget", self.left())
        return pc

    # Control flow.

    def branch(self, condition: Symbol, yes: str, no: str, weights: str | None = None) -> None:
        profile = f", !prof {weights}" if weights else ""
        self.line(f"br i1 {condition.name}, label %{yes}, label %{no}{profile}")

    def unlikely(self, condition: Symbol, function: str) -> None:
        """Tail-call a cold function if the condition holds."""
        cold, go_on = self.new_label("cold"), self.new_label("on")
        self.branch(condition, cold, go_on, UNLIKELY)
        self.label(cold)
        self.tail(function)
        self.label(go_on)

    def tail(self, function: str, uop: str | None = None, k="%K") -> None:
        """Go on in another function of the same signature."""
        k = k if isinstance(k, str) else k.name
        self.line(f'musttail call {CONVENTION} void @"{function}"(ptr {uop or self.uop}, ptr %hart, i64 {k})')
        self.line("ret void")

    def dispatch(self, uop: str, k="%K") -> None:
        """Go on with the handler of a uop."""
        k = k if isinstance(k, str) else k.name
        handler = self.load("ptr", uop, "uop")
        self.line(f"musttail call {CONVENTION} void {handler}(ptr {uop}, ptr %hart, i64 {k})")
        self.line("ret void")

    def next(self, length: int) -> None:
        self.dispatch(self.at(self.uop, 8 * length))

    def call(self, name: str, *arguments) -> Symbol:
        """Call a rule; the hart record is its first argument."""
        words = [operand(a) for a in arguments]
        if RULES[name].parameters[:1] == ("h",):
            words.insert(0, self.value("ptrtoint ptr %hart to i64"))
        return self.word(f'call i64 @"rule.{name}"({", ".join(f"i64 {w}" for w in words)})')

    def definition(self) -> str:
        """The function as text."""
        return (f'define internal {CONVENTION} void @"{self.name}"(ptr noundef %uop, ptr noundef %hart, i64 noundef %K) '
                "#0 {\nentry:\n" + "\n".join(self.lines) + "\n}\n")


# What handlers share.

def continue_at(t: HandlerText, target: Symbol, left: Symbol) -> None:
    """Go on at a virtual address with `left` instructions in the slice."""
    index = (target >> 12) & TLB_ENTRIES - 1
    entry = t.at(t.at("%hart", OFFSET["fetch_tlb"]), index << 4)
    page = target & ~0xFFF
    hit = Symbol(t, t.load("i64", entry, "hart")) == page + t.get("fetch_context")
    found, miss = t.new_label("found"), t.new_label("miss")
    t.branch(hit, found, miss, LIKELY)
    t.label(miss)
    t.put("pc", target)
    t.put("budget", left)
    t.tail("resume_slow")
    t.label(found)
    code = page + Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
    enter_line(t, target, page, code, left)


def enter_line(t: HandlerText, target: Symbol, page: Symbol, code: Symbol, left: Symbol) -> None:
    """Go on in a decoded page, unless the slice ends within the line."""
    offset = target & 0xFFE
    raw = t.load("i16", t.at(t.value(f"inttoptr i64 {(code + offset).name} to ptr"), DEPTH), "uop")
    k = left - t.word(f"zext i16 {raw} to i64")
    short, go = t.new_label("short"), t.new_label("go")
    t.branch(k.lt_s(0), short, go, UNLIKELY)
    t.label(short)
    t.put("pc", target)
    t.put("budget", left)
    t.tail("step")
    t.label(go)
    t.put("page", code)
    t.put("bias", page - (code >> 3))
    uop = t.value(f"inttoptr i64 {(code + (offset << 3)).name} to ptr")
    t.dispatch(uop, k)


def jump_local(t: HandlerText) -> None:
    """A taken branch within the page."""
    k = Symbol(t, "%K") + t.uop_field("i16", UOP_DELTA, "sext")
    uop = t.at(t.uop, t.uop_field("i16", UOP_DISPLACEMENT, "sext"))
    short, go = t.new_label("short"), t.new_label("go")
    t.branch(k.lt_s(0), short, go, UNLIKELY)
    t.label(short)
    t.tail("slice_end", uop, k)
    t.label(go)
    t.dispatch(uop, k)


def jump_far(t: HandlerText, target: Symbol) -> None:
    """A taken branch to anywhere."""
    continue_at(t, target, t.left() - 1)


def jump_from_end(t: HandlerText, target: Symbol) -> None:
    """A jump that ends its line: its depth is 1, so K instructions are left behind it."""
    continue_at(t, target, Symbol(t, "%K"))


def check_fault(t: HandlerText) -> None:
    """After a rule that may trap: t.sync() was done before it."""
    t.unlikely(t.get("fault") != 0, "fault")


# Operands of a body.

def operands(t: HandlerText, instruction: Instruction, **provided) -> list:
    """The body's arguments by parameter name."""
    def fetch(name):
        if name in provided:
            return provided[name]
        if name in ("imm", "offset", "shamt"):
            return t.immediate()
        if name in ("rs1", "fs1"):
            return t.register(UOP_RS1)
        if name in ("rs2", "fs2"):
            return t.register(UOP_RS2)
        if name == "fs3":
            return t.register(UOP_IMM)
        if name in ("uimm", "rs1_field"):
            return t.uop_field("i8", UOP_RS1, "zext")
        if name == "rs2_field":
            return t.uop_field("i8", UOP_RS2, "zext")
        if name == "pc":
            return t.pc()
        raise KeyError(f"{instruction.name}: no operand {name}")
    return [fetch(name) for name in instruction.parameters]


def apply(t: HandlerText, instruction: Instruction, **provided):
    """The body's result."""
    return instruction.body(*operands(t, instruction, **provided))


def address(t: HandlerText, instruction: Instruction) -> Symbol:
    """Virtual address of a memory access."""
    base = t.register(UOP_RS1)
    return base + t.immediate() if "imm" in instruction.fields else base


def writes_float(instruction: Instruction) -> bool:
    return "fd" in instruction.fields


def is_float(instruction: Instruction) -> bool:
    return any(field.is_float for field in instruction.fields.values())


def gate_mask(instruction: Instruction, variant: str = "") -> int:
    """Bits of fp_gate that send an instruction to its slow path."""
    if not is_float(instruction):
        return 0
    changes_state = writes_float(instruction) or "fp" in instruction.parameters
    return FP_OFF | (FP_CLEAN if changes_state else 0) | (FP_MODE if variant == DYNAMIC else 0)


def check_gate(t: HandlerText, mask: int, slow: str) -> None:
    if mask:
        t.unlikely((t.get("fp_gate") & mask) != 0, slow)


def probe(t: HandlerText, table: str, va: Symbol, size: int, slow: str, is_urgent: bool = False) -> str:
    """Host pointer of an aligned access that hits the TLB; else go on in the slow function.  An urgent one is soon waited for."""
    entry = t.at(t.at("%hart", OFFSET[table]), ((va >> 12) & TLB_ENTRIES - 1) << 4)
    tag = Symbol(t, t.load("i64", entry, "hart"))
    t.unlikely(tag != (va & ~0xFFF | va & size - 1) + t.get("data_context"), slow)
    addend = Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
    host = va + (foreseen(t, addend) if is_urgent else addend)
    return t.value(f"inttoptr i64 {host.name} to ptr")


def foreseen(t: HandlerText, addend: Symbol) -> Symbol:
    """The addend of a TLB entry, by way of the one of the last fill where they are equal.

    They mostly are, and the host's processor foresees it: an access need not wait for the entry, which depends on its address.
    LLVM must not see that both ways give the same value, hence the volatile load.
    """
    usual, on = t.new_label("usual"), t.new_label("on")
    pointer = t.at("%hart", OFFSET["addend"])
    is_usual = addend == Symbol(t, t.load("i64", pointer, "hart"))
    other = t.new_label("other")
    t.branch(is_usual, usual, other, LIKELY)
    t.label(usual)
    last = t.value(f"load volatile i64, ptr {pointer}")
    t.line(f"br label %{on}")
    t.label(other)
    t.line(f"br label %{on}")
    t.label(on)
    return t.word(f"phi i64 [{last}, %{usual}], [{addend.name}, %{other}]")


def load_guest(t: HandlerText, pointer: str, size: int) -> Symbol:
    raw = t.load(f"i{8 * size}", pointer, "guest", 1)
    return Symbol(t, raw) if size == 8 else t.word(f"zext i{8 * size} {raw} to i64")


def store_guest(t: HandlerText, pointer: str, size: int, value: Symbol) -> None:
    name = value.name if size == 8 else value.truncated(8 * size)
    t.store(f"i{8 * size}", name, pointer, "guest", 1)


# The shells.  Each writes one instruction into a handler and says whether control falls through to the next one.

class Shell:
    """Handlers of one instruction at one length and variant."""

    def __init__(self, instruction: Instruction, length: int, variant: str):
        self.i, self.length, self.variant = instruction, length, variant
        self.slow_name = ".".join(filter(None, (instruction.name, str(length), variant, "slow")))

    def hot(self, t: HandlerText) -> bool:
        """Write the instruction; False if control never falls through."""
        raise NotImplementedError

    def cold(self, t: HandlerText) -> None:
        """Write the slow function, if the hot one refers to it."""


class AluShell(Shell):
    def hot(self, t):
        check_gate(t, gate_mask(self.i), self.slow_name)
        t.set_rd(apply(t, self.i))
        return True

    def cold(self, t):
        if is_float(self.i):
            cold_fp(t, self.i, self.length)


class BranchShell(Shell):
    def hot(self, t):
        condition = apply(t, self.i)
        taken, falls = t.new_label("taken"), t.new_label("falls")
        t.branch(condition, taken, falls)
        t.label(taken)
        if self.variant == "local":
            jump_local(t)
        else:
            jump_far(t, t.pc() + t.immediate())
        t.label(falls)
        return True


class JalShell(Shell):
    def hot(self, t):
        pc = t.pc()
        target = None if self.variant == "local" else pc + t.immediate()
        t.set_rd(pc + self.length)
        if target is None:
            jump_local(t)
        else:
            jump_from_end(t, target)
        return False


class JalrShell(Shell):
    def hot(self, t):
        target = apply(t, self.i)
        t.set_rd(t.pc() + self.length)
        jump_from_end(t, target)
        return False


class LoadShell(Shell):
    def hot(self, t):
        check_gate(t, gate_mask(self.i), self.slow_name)
        if self.i.guest:
            t.tail(self.slow_name)
            return False
        pointer = probe(t, "read_tlb", address(t, self.i), self.i.size, self.slow_name, is_urgent=not writes_float(self.i))
        t.set_rd(apply(t, self.i, value=load_guest(t, pointer, self.i.size)))
        return True

    def cold(self, t):
        t.sync()
        if is_float(self.i):
            t.unlikely((t.get("fp_gate") & FP_OFF) != 0, "refused")
        value = t.call("load", address(t, self.i), self.i.size, FLAVOUR[self.i.guest])
        check_fault(t)
        t.set_rd(apply(t, self.i, value=value))
        if writes_float(self.i):
            t.call("fp_dirty")
        t.unlikely(t.get("resync") != 0, f"next.{self.length}")
        t.next(self.length)


class StoreShell(Shell):
    def source(self, t):
        return t.register(UOP_RS2)

    def hot(self, t):
        check_gate(t, gate_mask(self.i) & FP_OFF, self.slow_name)
        if self.i.guest:
            t.tail(self.slow_name)
            return False
        pointer = probe(t, "write_tlb", address(t, self.i), self.i.size, self.slow_name)
        store_guest(t, pointer, self.i.size, self.source(t))
        return True

    def cold(self, t):
        if not self.i.guest and not is_float(self.i):
            self.store_beside_code(t)
        t.sync()
        if is_float(self.i):
            t.unlikely((t.get("fp_gate") & FP_OFF) != 0, "refused")
        t.call("store", address(t, self.i), self.i.size, self.source(t), FLAVOUR[self.i.guest])
        check_fault(t)
        t.tail(f"next.{self.length}")


    def store_beside_code(self, t):
        """A page with decoded code is not in the write TLB; a store to a block of it that has none needs no rule either."""
        va = address(t, self.i)
        entry = t.at(t.at("%hart", OFFSET["mixed_tlb"]), ((va >> 12) & MIXED_ENTRIES - 1) << 5)
        hit = Symbol(t, t.load("i64", entry, "hart")) == (va & ~0xFFF | va & self.i.size - 1) + t.get("data_context")
        found, clear, rule = t.new_label("found"), t.new_label("clear"), t.new_label("rule")
        t.branch(hit, found, rule)
        t.label(found)
        blocks = Symbol(t, t.load("i64", t.at(entry, 16), "hart"))
        bits = Symbol(t, t.load("i64", t.value(f"inttoptr i64 {blocks.name} to ptr"), "uop"))
        t.branch(((bits >> (va >> 6 & 63)) & 1) == 0, clear, rule)
        t.label(clear)
        host = va + Symbol(t, t.load("i64", t.at(entry, 8), "hart"))
        store_guest(t, t.value(f"inttoptr i64 {host.name} to ptr"), self.i.size, self.source(t))
        t.next(self.length)
        t.label(rule)


class LoadReservedShell(Shell):
    def hot(self, t):
        t.sync()
        value = t.call("load_reserved", address(t, self.i), self.i.size)
        check_fault(t)
        t.set_rd(apply(t, self.i, value=value))
        t.tail(f"next.{self.length}")
        return False


class StoreConditionalShell(Shell):
    def hot(self, t):
        t.sync()
        failed = t.call("store_conditional", address(t, self.i), self.i.size, t.register(UOP_RS2))
        check_fault(t)
        t.set_rd(failed)
        t.tail(f"next.{self.length}")
        return False


class AmoShell(Shell):
    """The operands of a 32-bit AMO are sign-extended, so that one body serves both widths."""

    def result(self, t, raw):
        width = 8 * self.i.size
        old = raw.sext(width) if width < 64 else raw
        source = t.register(UOP_RS2)
        return old, apply(t, self.i, old=old, rs2=source.sext(width) if width < 64 else source)

    def hot(self, t):
        pointer = probe(t, "write_tlb", address(t, self.i), self.i.size, self.slow_name)
        old, new = self.result(t, load_guest(t, pointer, self.i.size))
        store_guest(t, pointer, self.i.size, new)
        t.set_rd(old)
        return True

    def cold(self, t):
        t.sync()
        raw = t.call("amo_begin", address(t, self.i), self.i.size)
        check_fault(t)
        old, new = self.result(t, raw)
        t.call("amo_end", self.i.size, new)
        t.set_rd(old)
        t.tail(f"next.{self.length}")


class CsrShell(Shell):
    def hot(self, t):
        modifies = "old" in self.i.parameters
        source = t.uop_field("i8", UOP_RS1, "zext")
        if "rs1" in self.i.parameters:
            is_write = (source != 0).select(1, 0) if modifies else 1
            source = t.register(UOP_RS1)
        else:
            is_write = (source != 0).select(1, 0) if modifies else 1
        t.sync()
        number = t.call("csr_access", t.immediate() & 0xFFF, is_write)
        check_fault(t)
        if modifies:
            self.modify(t, number, source, is_write)
        else:
            self.replace(t, number, source)
        t.unlikely(t.get("resync") != 0, f"settle.{self.length}")
        return True

    def body(self, t, **provided):
        name = "rs1" if "rs1" in self.i.parameters else "uimm"
        return apply(t, self.i, **{name: provided.pop("source")}, **provided)

    def replace(self, t, number, source):
        """Without `old`: read only if rd is not x0 (no CSR here has side effects on reads, so reading always is the same)."""
        old = t.call("csr_read", number)
        t.call("csr_write", number, self.body(t, source=source))
        t.set_rd(old)

    def modify(self, t, number, source, is_write):
        old = t.call("csr_read", number)
        write, done = t.new_label("write"), t.new_label("done")
        t.branch(is_write != 0, write, done)
        t.label(write)
        base = t.call("csr_modify_base", number, old)
        t.call("csr_write", number, self.body(t, source=source, old=base))
        t.line(f"br label %{done}")
        t.label(done)
        t.set_rd(old)


class RuleCalls:
    """What a SYSTEM body sees as `hart`: every attribute is a rule."""

    def __init__(self, text: HandlerText):
        self.text = text

    def __getattr__(self, name):
        return lambda *arguments: self.text.call(name, *arguments)


class SystemShell(Shell):
    def hot(self, t):
        arguments = operands(t, self.i, hart=RuleCalls(t))
        t.put("next_pc", t.sync() + self.length)
        self.i.body(*arguments)
        check_fault(t)
        t.tail("settle")
        return False


class FenceShell(Shell):
    def hot(self, t):
        return True


class FpShell(Shell):
    """Runs on the host's unit, unless the gate or the rounding mode sends it to the rules."""

    def hot(self, t):
        if self.variant == BY_RULE:
            t.tail(self.slow_name)
            return False
        check_gate(t, gate_mask(self.i, self.variant), self.slow_name)
        unit = HostFpu(t, t.call, RTZ if self.variant == TRUNCATING else HOST_DYNAMIC)
        t.set_rd(apply(t, self.i, fp=unit))
        t.declarations |= unit.declarations
        return True

    def cold(self, t):
        cold_fp(t, self.i, self.length)


def cold_fp(t: HandlerText, i: Instruction, length: int) -> None:
    """An FP instruction by the rules: legality, rounding mode, flags and FS are all looked at."""
    t.sync()
    rm_field = t.uop_field("i8", UOP_IMM + 1, "zext") if i.has_rounding_mode else 0
    t.unlikely(t.call("fp_begin", rm_field, int(i.has_rounding_mode)) != 0, "refused")
    rounding = t.call("fp_rounding", rm_field) if i.has_rounding_mode else 0
    t.set_rd(apply(t, i, fp=RuleFpu(t, t.call, rounding)))
    t.call("fp_end", int(writes_float(i)))
    t.next(length)


SHELLS: dict[Kind, type[Shell]] = {
    Kind.ALU: AluShell, Kind.BRANCH: BranchShell, Kind.JAL: JalShell, Kind.JALR: JalrShell, Kind.LOAD: LoadShell,
    Kind.STORE: StoreShell, Kind.LOAD_RESERVED: LoadReservedShell, Kind.STORE_CONDITIONAL: StoreConditionalShell,
    Kind.AMO: AmoShell, Kind.CSR: CsrShell, Kind.SYSTEM: SystemShell, Kind.FENCE: FenceShell, Kind.FP: FpShell,
}


def shell(part: Part) -> Shell:
    """The shell that writes an instruction's handlers.  FP moves, whose bodies use no unit, are ALU work behind the gate."""
    kind = part.instruction.kind
    if kind is Kind.FP and "fp" not in part.instruction.parameters:
        kind = Kind.ALU
    return SHELLS[kind](part.instruction, part.length, part.variant)


def write_handler(handler: Handler) -> list[HandlerText]:
    """The functions of one handler: hot, and for a single instruction the slow one."""
    t = HandlerText(handler.name)
    falls = True
    for number, part in enumerate(handler.parts):
        if number:
            t.uop = t.at(t.uop, 8 * handler.parts[number - 1].length)
            t.results.append(None)
        t.links = part.links
        falls = shell(part).hot(t)
    if falls:
        t.next(handler.parts[-1].length)
    functions = [t]
    if len(handler.parts) == 1:
        one = shell(handler.parts[0])
        slow = HandlerText(one.slow_name)
        one.cold(slow)
        if slow.lines:
            functions.append(slow)
    return functions


def write_special() -> list[HandlerText]:
    """Handlers that stand for no instruction, and the cold ends of the others."""
    functions = []

    def define(name):
        t = HandlerText(name)
        functions.append(t)
        return t

    # Undecoded: decode from here, then go on at the same pc.  Nothing was counted for an undecoded slot.
    t = define("decode")
    pc = t.sync()
    slot = (pc & 0xFFF) >> 1
    t.call("decode_at", t.get("page"), slot)
    continue_at(t, pc, t.get("budget"))

    t = define("page_end")
    continue_at(t, t.pc(), Symbol(t, "%K"))

    t = define("straddle")
    t.sync()
    t.tail("step")

    t = define("illegal_instruction")
    t.sync()
    t.call("illegal")
    t.tail("fault")

    t = define("refused")                   # an illegal instruction found by a slow path, which has synced
    t.call("illegal")
    t.tail("fault")

    # A trap, or a reason to leave, is in the record; pc and budget are those of the instruction.
    t = define("fault")
    t.unlikely(t.get("fault") == 2, "leave")
    t.call("find_insn")
    t.unlikely(t.call("deliver") != 0, "leave")
    t.tail("resume")

    t = define("leave")
    t.line("ret void")

    t = define("resume")                    # at pc, with budget, both in the record
    continue_at(t, t.get("pc"), t.get("budget"))

    t = define("resume_slow")               # the page of pc is not in the fetch TLB
    t.unlikely(t.get("budget") == 0, "out_of_budget")
    page = t.call("fetch_page")
    t.unlikely(t.get("fault") != 0, "fault")
    t.unlikely(page == 1, "step")
    target = t.get("pc")
    enter_line(t, target, target & ~0xFFF, page, t.get("budget"))

    t = define("slice_end")                 # a local branch would overrun the slice: uop is its target
    t.sync()
    t.tail("step")

    t = define("step")                      # the slice may end within this line: run one instruction alone
    t.unlikely(t.get("budget") == 0, "out_of_budget")
    t.tail("step_now")

    t = define("step_now")
    t.unlikely(t.call("prepare_step") == 0, "fault")
    scratch = t.value(f"inttoptr i64 {t.get('scratch').name} to ptr")
    t.dispatch(scratch, t.get("budget") - 1)

    t = define("out_of_budget")             # or after a device access: an interrupt may be due
    t.put("resync", 0)
    t.unlikely(t.call("reschedule") != 0, "leave")
    t.tail("resume")

    t = define("settle")                    # after a SYSTEM instruction: next_pc is set
    t.unlikely(t.call("finish_system") != 0, "leave")
    t.tail("resume")

    for length in (2, 4):
        t = define(f"settle.{length}")      # after a CSR instruction that may have changed anything
        t.put("next_pc", t.get("pc") + length)
        t.tail("settle")

        # After a slow access: decoded code, and even this uop, may have been forgotten, and a watched word written.
        t = define(f"next.{length}")
        t.put("pc", t.get("pc") + length)
        t.put("budget", t.get("budget") - 1)
        t.unlikely(t.get("watch_hit") != 0, "watched")
        t.unlikely(t.get("resync") != 0, "out_of_budget")
        t.tail("resume")

    t = define("watched")
    t.put("watch_hit", 0)
    t.put("reason", 4)
    t.line("ret void")
    return functions


ENTRY_POINTS = f"""
define i64 @run(ptr %hart) #0 {{
entry:
  %h = ptrtoint ptr %hart to i64
  %stop = call i64 @"rule.begin"(i64 %h)
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %done, label %go
go:
  call {CONVENTION} void @resume(ptr null, ptr %hart, i64 0)
  br label %done
done:
  %end = call i64 @"rule.end"(i64 %h)
  ret i64 %end
}}
define i64 @return_to_guest(ptr %hart) #0 {{
entry:
  %h = ptrtoint ptr %hart to i64
  %x = call i64 @"rule.return_to_guest"(i64 %h)
  %r = call i64 @run(ptr %hart)
  ret i64 %r
}}
"""


def builtin_text(name: str) -> str:
    """An entry point as the C function of a Python built-in of no arguments (METH_NOARGS): `self` holds, from a known offset on, the
    hart's address, what to add to the result's reference count, and the addresses of the results 0, 1, 2 ... as Python ints."""
    return f"""
define ptr @builtin_{name}(ptr %self, ptr %unused) #0 {{
  %data = getelementptr i8, ptr %self, i64 {BYTES_HEADER}
  %hart = load ptr, ptr %data
  %reason = call i64 @{name}(ptr %hart)
  %at = add i64 %reason, 2
  %cell = getelementptr i64, ptr %data, i64 %at
  %result = load ptr, ptr %cell
  %second = getelementptr i64, ptr %data, i64 1
  %step = load i64, ptr %second
  %count = load i64, ptr %result
  %more = add i64 %count, %step
  store i64 %more, ptr %result
  ret ptr %result
}}
"""


# Rules that Python calls in compiled form, as symbols export.NAME.
EXPORTS = ("prepare_scratch", "notice_write", "csr_read", "csr_write", "load", "store", "inject", "ticks", "next_event",
           "hfence_gvma", "update_contexts")


def export_text(name: str) -> str:
    """A global function that calls a rule."""
    count = len(RULES[name].parameters)
    words = ", ".join(f"i64 %a{n}" for n in range(count))
    return (f'define i64 @"export.{name}"({words}) #0 {{\n  %r = call i64 @"rule.{name}"({words})\n  ret i64 %r\n}}\n')


def interpreter_text() -> str:
    """LLVM assembly of all handlers, without the rules they call."""
    functions = write_special()
    for handler in HANDLERS.values():
        if handler.parts:
            functions += write_handler(handler)
    declarations = sorted(set().union(*(f.declarations for f in functions)))
    return "\n".join([*declarations, *(f.definition() for f in functions), ENTRY_POINTS,
                      *map(builtin_text, ("run", "return_to_guest")),
                      *map(export_text, EXPORTS), METADATA,
                      "attributes #0 = { nounwind strictfp \"no-builtins\" }"])
