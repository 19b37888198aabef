"""The shells of instructions that access memory: the TLB looked up inline, everything else by rule in a slow twin."""
from __future__ import annotations

from rvhyp.engine.handlertext import HandlerText, check_fault
from rvhyp.engine.shell import RuleCalls, Shell, address, apply, gate_mask, is_float, operands, writes_float
from rvhyp.engine.trace import LIKELY, Symbol, operand
from rvhyp.engine.uop import UOP_RS2
from rvhyp.hart.access import HLV, HLVX, PLAIN
from rvhyp.hart.state import FP_OFF, MIXED_ENTRIES, OFFSET
from rvhyp.hart.trap import LOAD, STORE

FLAVOUR = {"": PLAIN, "hlv": HLV, "hlvx": HLVX}


def load_guest(t: HandlerText, pointer: str, size: int) -> Symbol:
    raw = t.load(f"i{8 * size}", pointer, "guest", 1)
    return Symbol(t, raw) if size == 8 else t.word(f"zext i{8 * size} {raw} to i64")


def store_guest(t: HandlerText, pointer: str, size: int, value: Symbol) -> None:
    name = value.name if size == 8 else value.truncated(8 * size)
    t.store(f"i{8 * size}", name, pointer, "guest", 1)


class LoadShell(Shell):
    def hot(self, t):
        t.gate(gate_mask(self.i), self.slow_name)
        if self.i.guest:
            t.tail(self.slow_name)
            return False
        pointer = t.access("read_tlb", address(t, self.i), self.i.size, self.slow_name, is_urgent=not writes_float(self.i))
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
        t.gate(gate_mask(self.i) & FP_OFF, self.slow_name)
        if self.i.guest:
            t.tail(self.slow_name)
            return False
        pointer = t.access("write_tlb", address(t, self.i), self.i.size, self.slow_name)
        store_guest(t, pointer, self.i.size, self.source(t))
        return True

    def cold(self, t):
        if is_float(self.i):
            t.sync()
            t.unlikely((t.get("fp_gate") & FP_OFF) != 0, "refused")
        if not self.i.guest:
            self.store_beside_code(t)
        t.sync()
        t.call("store", address(t, self.i), self.i.size, self.source(t), FLAVOUR[self.i.guest])
        check_fault(t)
        t.tail(f"next.{self.length}")

    def store_beside_code(self, t):
        """A page with decoded code, or watched, is not in the write TLB; a store to a block of it with neither needs no rule."""
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


class ReservationShell(Shell):
    """LR and SC are made by rule."""

    def hot(self, t):
        t.sync()
        result = self.made(t)
        check_fault(t)
        t.set_rd(result)
        t.tail(f"next.{self.length}")
        return False


class LoadReservedShell(ReservationShell):
    access = LOAD

    def made(self, t):
        """What goes to rd."""
        return apply(t, self.i, value=t.call("load_reserved", address(t, self.i), self.i.size))


class StoreConditionalShell(ReservationShell):
    access = STORE

    def made(self, t):
        return t.call("store_conditional", address(t, self.i), self.i.size, t.register(UOP_RS2))


class AmoShell(Shell):
    """The operands of a narrow AMO are sign-extended, so that one body serves all widths."""

    def extended(self, value):
        width = 8 * self.i.size
        return value.sext(width) if width < 64 else value

    def result(self, t, raw):
        operands = {"old": self.extended(raw), "rs2": self.extended(t.register(UOP_RS2))}
        if "rd" in self.i.parameters:
            operands["rd"] = self.extended(t.old_rd())
        return operands["old"], apply(t, self.i, **operands)

    def exchange(self, t, pointer):
        """Replace what is at a host pointer, in one step; again if another thread has changed it meanwhile.  The old value."""
        width, again, done = 8 * self.i.size, t.new_label("again"), t.new_label("done")
        t.line(f"br label %{again}")
        t.label(again)
        raw = load_guest(t, pointer, self.i.size)
        old, new = self.result(t, raw)
        before, after = (word.truncated(width) if width < 64 else operand(word) for word in (raw, new))
        pair = t.value(f"cmpxchg ptr {pointer}, i{width} {before}, i{width} {after} seq_cst seq_cst, align {self.i.size}")
        t.branch(t.bit(f"extractvalue {{ i{width}, i1 }} {pair}, 1"), done, again, LIKELY)
        t.label(done)
        return old

    def hot(self, t):
        t.set_rd(self.exchange(t, t.access("write_tlb", address(t, self.i), self.i.size, self.slow_name)))
        return True

    def cold(self, t):
        t.sync()
        host = t.call("amo_begin", address(t, self.i), self.i.size)
        check_fault(t)
        old = self.exchange(t, t.value(f"inttoptr i64 {host.name} to ptr"))
        t.call("amo_end", self.i.size)
        t.set_rd(old)
        t.tail(f"next.{self.length}")


class MemoryShell(Shell):
    def hot(self, t):
        arguments = operands(t, self.i, hart=RuleCalls(t))
        t.sync()
        self.i.body(*arguments)
        check_fault(t)
        t.tail(f"next.{self.length}")
        return False
