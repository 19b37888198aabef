"""The text of a translated region: the interpreter's shells write it, with constants for operands, and registers in SSA values.

Where a handler goes on in a slow function, a region leaves: it stores the registers it has changed, and the interpreter runs that
instruction again.  So nothing an instruction does in a rare case is written twice.
"""
from __future__ import annotations

from collections.abc import Iterator

from rvhyp.engine.fpu import CANONICAL_NAN, HostFpu
from rvhyp.engine.handlers import callables
from rvhyp.engine.handlertext import CONVENTION, HandlerText
from rvhyp.engine.lines import DEPTH
from rvhyp.engine.tables import HANDLERS
from rvhyp.engine.trace import LIKELY, UNLIKELY, Symbol, Text, operand
from rvhyp.engine.translator.blocks import Insn
from rvhyp.engine.translator.groups import Group
from rvhyp.engine.uop import UOP_IMM, UOP_RD, UOP_RS1, UOP_RS2
from rvhyp.hart.state import F0, OFFSET, SINK
from rvhyp.isa.instruction import Kind
from rvhyp.isa.rule import RULES

CALLABLE = {name: len(HANDLERS) + n for n, name in enumerate(callables())}
ZERO = 0
POINTER = 8                                     # bytes
SLICE_ENDS = ("step", "slice_end")


class FloatSymbol(Symbol):
    """The 64 bits of an f register, kept as a double; as a word where one is asked for."""

    __slots__ = ("double",)

    def __init__(self, text: Text, double: str):
        self.text, self.double, self.type = text, double, "i64"

    @property
    def name(self):
        return self.text.value(f"bitcast double {self.double} to i64")


def is_float(register: int) -> bool:
    return register >= F0


class RegionText(HandlerText):
    """The text of one region.  `values` are the registers' values where the text has come to, `dirty` those not yet stored."""

    def __init__(self, traps_misaligned: bool, entries: dict[int, int], counted: bool = False):
        """`entries`: by slot, the number of the interpreter's handler of the instruction there; `counted`: say what retires."""
        super().__init__("region")
        self.traps_misaligned, self.entries, self.counted = traps_misaligned, entries, counted
        self.values: dict[int, Symbol] = {}
        self.dirty: set[int] = set()
        self.insn: Insn | None = None
        # Instructions left in the slice are `left_at_start` less `passed`.  Where ways join, the first is what is left beyond the
        # need of what follows, and the second begins below zero: so a loop only subtracts, and looks at the sign.
        self.left_at_start, self.passed = Symbol(self, "0"), 0
        self.groups: dict[int, Group] = {}          # of this instruction's block: by slot of an access
        self.miss, self.elsewhere = "", None        # see `access`
        self.exits: dict[tuple, list[tuple[str, int, int]]] = {}
        self.block = "entry"

    def label(self, name: str) -> None:
        super().label(name)
        self.block = name

    def literal(self, value: int) -> Symbol:
        return Symbol(self, str(value))

    # What a uop would hold.

    def uop_field(self, type: str, offset: int, extend: str) -> Symbol:
        insn = self.insn
        word = insn.record.encode(**insn.decoded.operands)
        if offset == UOP_RD:
            return self.literal(insn.registers.get("rd", insn.registers.get("fd", word >> 7 & 31)))
        if offset == UOP_RS1:
            return self.literal(insn.registers.get("rs1", insn.registers.get("fs1", word >> 15 & 31)))
        if offset == UOP_RS2:
            return self.literal(insn.registers.get("rs2", insn.registers.get("fs2", word >> 20 & 31)))
        raise AssertionError(f"{insn.record.name} reads its uop at {offset}")

    def register(self, offset: int) -> Symbol:
        names = {UOP_RS1: ("rs1", "fs1"), UOP_RS2: ("rs2", "fs2"), UOP_IMM: ("fs3",)}[offset]
        return self.value_of(next(self.insn.registers[name] for name in names if name in self.insn.registers))

    def value_of(self, register: int) -> Symbol:
        return self.literal(0) if register == ZERO else self.values[register]

    def old_rd(self) -> Symbol:
        number = self.insn.registers["rd"]
        return self.literal(0) if number == SINK else self.value_of(number)

    def set_rd(self, value) -> None:
        register = self.insn.result
        if register is None:
            return
        if not isinstance(value, Symbol):
            value = self.literal(value)
        if is_float(register) and not isinstance(value, FloatSymbol):
            value = FloatSymbol(self, self.value(f"bitcast i64 {value.name} to double"))
        elif not is_float(register) and isinstance(value, FloatSymbol):
            value = Symbol(self, value.name)
        self.values[register] = value
        self.dirty.add(register)

    def immediate(self) -> Symbol:
        return self.literal(self.insn.immediate)

    def pc(self) -> Symbol:
        return Symbol(self, "%base") + 2 * self.insn.slot

    def left(self) -> Symbol:
        """Instructions left in the slice, this one included."""
        return self.left_at_start - self.passed if self.passed else self.left_at_start

    def count(self, left: Symbol) -> None:
        """Count what retires here, if that is wanted: called with the instructions left at entries, with minus those at exits."""
        if self.counted:
            self.put("translated_retired", self.get("translated_retired") + left)

    # Rules and gates.

    def gate(self, mask: int, slow: str) -> None:
        """The region was entered with floating point free to run, and nothing in it can change that."""

    def function(self, name: str) -> str:
        """Pointer to a function of the core."""
        return self.function_at(CALLABLE[name])

    def function_at(self, number: int) -> str:
        table = self.load("ptr", self.at("%hart", OFFSET["handlers"]), "hart")
        away = self.load("i32", self.at(table, 4 * number), "uop")
        return self.at(table, self.word(f"sext i32 {away} to i64"))

    def call(self, name: str, *arguments) -> Symbol:
        words = [f"i64 {operand(a)}" for a in arguments]
        if RULES[name].parameters[:1] == ("h",):
            words.insert(0, f"i64 {self.value('ptrtoint ptr %hart to i64')}")
        return self.word(f"call i64 {self.function(f'rule.{name}')}({', '.join(words)})")

    # Memory.

    def access(self, table: str, va: Symbol, size: int, slow: str, is_urgent: bool = False) -> str:
        """Host pointer of an access where the group's look finds it; elsewhere control goes to the label `miss`, where the same
        instruction is written again, and given another pointer.

        An AMO must be aligned; where it misses, the interpreter makes it at once.
        """
        if self.elsewhere:
            return self.elsewhere()
        if (self.traps_misaligned or self.insn.kind is Kind.AMO) and size > 1:
            self.leave_if((va & size - 1) != 0)
        group, found, miss = self.groups[self.insn.slot], self.new_label("found"), self.new_label("miss")
        if not group.is_looked:
            group.look(self, miss)
        if self.insn.kind is Kind.AMO:
            self.leave_if(group.is_hit(self) == 0)
            return self.pointer(va + group.addend)
        self.branch(group.is_hit(self), found, miss, LIKELY)

        def elsewhere() -> str:
            host = group.miss(self, va, size, table == "write_tlb")
            self.leave_if(host == 0)
            return self.pointer(host)
        self.miss, self.elsewhere = miss, elsewhere
        self.label(found)
        may_be_pointer = is_urgent and size == POINTER and group.waits      # it may be the address of the next access
        return self.pointer(va + (self.foreseen(group.addend) if may_be_pointer else group.addend))

    def pointer(self, host: Symbol) -> str:
        return self.value(f"inttoptr i64 {host.name} to ptr")

    # Leaving.

    def unlikely(self, condition: Symbol, function: str) -> None:
        if not function.endswith(".slow"):
            raise AssertionError(f"a region cannot go on in {function}")
        self.leave_if(condition)

    def store_registers(self) -> None:
        for register in sorted(self.dirty):
            self.store_register(register, self.values[register])

    def store_register(self, register: int, value: Symbol) -> None:
        pointer = self.at("%hart", 8 * register)
        if isinstance(value, FloatSymbol):
            self.store("double", value.double, pointer, "hart")
        else:
            self.store("i64", value.name, pointer, "hart")

    def state(self) -> tuple:
        """What an exit has to store, as a key: exits that store the same are one."""
        def name(value):
            return value.double if isinstance(value, FloatSymbol) else value.name
        return self.left_at_start.name, tuple((n, name(self.values[n])) for n in sorted(self.dirty))

    def leave_if(self, condition: Symbol) -> None:
        """Let the interpreter go on from this instruction if the condition holds."""
        on, out = self.new_label("on"), self.new_label("out")
        self.branch(condition, out, on, UNLIKELY)
        self.label(out)
        self.leave(self.insn.slot, self.passed)
        self.label(on)

    def leave(self, slot: int, passed: int) -> None:
        """Go on in the interpreter, or in another region, at a slot; `passed` instructions of the block have retired."""
        key = (slot if slot in self.entries else None, *self.state())
        self.exits.setdefault(key, []).append((self.block, slot, passed))
        self.line(f"br label %exit{list(self.exits).index(key)}")

    def write_exits(self) -> None:
        """The blocks that exits lead to: each stores its registers, but for those that it shares with all other exits of its
        block of the program; then all go on alike, but for those to an entry of this region, where the interpreter's own
        handler must run."""
        alike: dict[tuple[int | None, str], list[tuple[str, set, list]]] = {}
        for number, ((entry, left, registers), ways) in enumerate(self.exits.items()):
            alike.setdefault((entry, left), []).append((f"exit{number}", set(registers), ways))
        ends: dict[int | None, list[tuple[str, str, str]]] = {}
        for (entry, left), exits in alike.items():
            shared, rest, joined = set.intersection(*(registers for _, registers, _ in exits)), self.new_label("rest"), []
            for label, registers, ways in exits:
                self.label(label)
                slot, passed = self._joined(ways)
                self._store_all(registers - shared)
                joined.append((self.block, slot, passed))
                self.line(f"br label %{rest}")
            self.label(rest)
            slot, passed = self._joined(joined)
            self._store_all(shared)
            ends.setdefault(entry, []).append((self.block, slot, self.value(f"sub i64 {left}, {passed}")))
            self.line(f"br label %end{'' if entry is None else entry}")
        for entry, ways in ends.items():
            self.label(f"end{'' if entry is None else entry}")
            slot, left = self._joined(ways)
            self.go_to_slot(Symbol(self, slot), Symbol(self, left), None if entry is None else self.entries[entry])

    def _joined(self, ways: list[tuple]) -> Iterator[str]:
        """Two words of ways that come together here, each (label it comes from, the words)."""
        for n in (1, 2):
            first = str(ways[0][n])
            yield first if len(ways) == 1 else self.value("phi i64 " + ", ".join(f"[{way[n]}, %{way[0]}]" for way in ways))

    def _store_all(self, registers: set[tuple[int, str]]) -> None:
        for register, value in sorted(registers):
            self.store_register(register, FloatSymbol(self, value) if is_float(register) else Symbol(self, value))

    def go_to_slot(self, slot: Symbol, left: Symbol, original: int | None) -> None:
        """Go on at a slot of this page; with the interpreter's own handler of a number, if one is given."""
        self.count(-left)
        depth = self.load("i16", self.at(self.at("%page", slot << 1), DEPTH), "uop")
        k = left - self.word(f"zext i16 {depth} to i64")
        uop = self.at("%page", slot << 4)
        short, go = self.new_label("short"), self.new_label("go")
        self.branch(k.lt_s(0), short, go, UNLIKELY)
        self.label(short)
        self.tail("slice_end", uop, k)
        self.label(go)
        if original is None:
            self.dispatch(uop, k)
        else:
            self.tail_to(self.function_at(original), uop, k)

    def _is_entry(self, uop: str) -> Symbol:
        """Whether a region would have been entered at a uop: 0 or 1."""
        handler = Symbol(self, self.load("i64", uop, "uop"))
        return (handler - self.get("translated_low") < self.get("translated_high") - self.get("translated_low")).select(1, 0)

    def tail(self, function: str, uop: str | None = None, k="%K") -> None:
        if function in SLICE_ENDS:
            self.put("in_region", self._is_entry(uop))
        self.tail_to(self.function(function), uop or "%uop", k)

    def tail_to(self, pointer: str, uop: str, k) -> None:
        k = k if isinstance(k, str) else k.name
        self.line(f"musttail call {CONVENTION} void {pointer}(ptr {uop}, ptr %hart, i64 {k})")
        self.line("ret void")


class RegionFpu(HostFpu):
    """The host's unit, on registers that are doubles already."""

    def _float(self, width, bits) -> str:
        if width == 64 and isinstance(bits, FloatSymbol):
            return bits.double
        return super()._float(width, bits)

    def fma(self, width, a, b, c):
        """A NaN may owe a flag that the host does not raise: the interpreter runs such a one again."""
        if width != 64:
            result = self._arithmetic("fma", width, a, b, c)
            self.text.leave_if(result == CANONICAL_NAN[width])
            return result
        name = self._intrinsic("double", "fma.f64", *(f"double {self._float(64, x)}" for x in (a, b, c)))
        self.text.leave_if(self._is_nan(name))
        return FloatSymbol(self.text, name)

    def _is_nan(self, name) -> Symbol:
        self.declarations.add("declare i1 @llvm.experimental.constrained.fcmp.f64(double, double, metadata, metadata)")
        return self.text.bit(f'call i1 @llvm.experimental.constrained.fcmp.f64(double {name}, double {name}, '
                             'metadata !"uno", metadata !"fpexcept.strict") strictfp')

    def _result(self, width, name) -> Symbol:
        if width != 64:
            return super()._result(width, name)
        t = self.text
        found, nan, on = t.block, t.new_label("nan"), t.new_label("on")
        t.branch(self._is_nan(name), nan, on, UNLIKELY)
        t.label(nan)
        t.line(f"br label %{on}")
        t.label(on)
        return FloatSymbol(t, t.value(f"phi double [{name}, %{found}], [0x7FF8000000000000, %{nan}]"))
