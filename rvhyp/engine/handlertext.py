"""The text of handlers: LLVM IR that works on uops and the hart record, and goes from one handler to the next.

A handler is `void handler(ptr uop, ptr hart, i64 K)` and ends in a tail call of the next one; registers live in the hart record.
Whatever is rare (TLB misses, gates, devices, traps) is a tail call of a cold function of the same signature, out of line.
`K + depth[slot]` is the number of instructions left in the slice, this one included (see rvhyp.engine.codepages).
"""
from __future__ import annotations

from rvhyp.engine.lines import DEPTH
from rvhyp.engine.tables import LINK_RS2
from rvhyp.engine.trace import LIKELY, UNLIKELY, Symbol, Text, operand
from rvhyp.engine.uop import UOP_DELTA, UOP_DISPLACEMENT, UOP_IMM, UOP_RD, UOP_RS1, UOP_RS2
from rvhyp.hart.state import OFFSET, TLB_ENTRIES
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

    def rd_field(self) -> Symbol:
        """The number of rd; writes of x0 go elsewhere, and a uop names that place."""
        return self.uop_field("i8", UOP_RD, "zext") & 31

    def old_rd(self) -> Symbol:
        """The value of rd before."""
        pointer = self.value(f"getelementptr i64, ptr %hart, i64 {self.rd_field().name}")
        return Symbol(self, self.load("i64", pointer, "hart"))

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

    # Memory and gates.

    def gate(self, mask: int, slow: str) -> None:
        """Go on in the slow function where floating point may not simply run."""
        if mask:
            self.unlikely((self.get("fp_gate") & mask) != 0, slow)

    def access(self, table: str, va: Symbol, size: int, slow: str, is_urgent: bool = False) -> str:
        """Host pointer of an aligned access that hits the TLB; else go on in the slow function.  An urgent one is waited for."""
        entry = self.at(self.at("%hart", OFFSET[table]), ((va >> 12) & TLB_ENTRIES - 1) << 4)
        tag = Symbol(self, self.load("i64", entry, "hart"))
        self.unlikely(tag != (va & ~0xFFF | va & size - 1) + self.get("data_context"), slow)
        addend = Symbol(self, self.load("i64", self.at(entry, 8), "hart"))
        host = va + (self.foreseen(addend) if is_urgent else addend)
        return self.value(f"inttoptr i64 {host.name} to ptr")

    def foreseen(self, addend: Symbol) -> Symbol:
        """The addend of a TLB entry, by way of the one of the last fill where they are equal.

        They mostly are, and the host's processor foresees it: an access need not wait for the entry, which depends on its
        address.  LLVM must not see that both ways give the same value, hence the volatile load.
        """
        usual, other, on = self.new_label("usual"), self.new_label("other"), self.new_label("on")
        pointer = self.at("%hart", OFFSET["addend"])
        self.branch(addend == Symbol(self, self.load("i64", pointer, "hart")), usual, other, LIKELY)
        self.label(usual)
        last = self.value(f"load volatile i64, ptr {pointer}")
        self.line(f"br label %{on}")
        self.label(other)
        self.line(f"br label %{on}")
        self.label(on)
        return self.word(f"phi i64 [{last}, %{usual}], [{addend.name}, %{other}]")

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
    uop = t.value(f"inttoptr i64 {(code + (offset << 3)).name} to ptr")
    short, go = t.new_label("short"), t.new_label("go")
    t.branch(k.lt_s(0), short, go, UNLIKELY)
    t.label(short)
    t.put("pc", target)
    t.put("budget", left)
    t.tail("step", uop)
    t.label(go)
    t.put("page", code)
    t.put("bias", page - (code >> 3))
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
