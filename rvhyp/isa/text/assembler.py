"""From text to a program.

The source is run through in passes until nothing moves: each pass sees the symbols of the one before, so that what
stands ahead may be used anywhere, even where the size of the code depends on it.  The last pass is the result.  What
depends on symbols may be wrong in an early pass: such an error is noted, and raised if the pass is the last.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from rvhyp.isa.instruction import Compressed
from rvhyp.isa.text.assembly import STB_LOCAL, STB_WEAK, Assembly, Section, Symbol
from rvhyp.isa.text.blocks import BLOCKS, CONDITIONS, Conditions, Macro, block
from rvhyp.isa.text.directives import DIRECTIVES
from rvhyp.isa.text.expression import parse_expression
from rvhyp.isa.text.parse import Parsed, excepted, is_mnemonic, parse_instruction, short_forms, suggestion
from rvhyp.isa.text.pseudo import li, pseudos
from rvhyp.isa.text.source import AssemblyError, Line, split_operands, split_statement, statements
from rvhyp.isa.text.syntax import F_NUMBERS, X_NUMBERS, mnemonics, signed, stored_value
from rvhyp.isa.word import MASK64

PASSES = 64
SETTLING = 3            # passes after which an instruction that needed four bytes keeps them, so that an end is reached
SECTION_ALIGNMENT = 16
_NUMBER = re.compile(r"-?(0x[0-9a-f]+|\d+)", re.IGNORECASE)
SECTIONS = {"text": "ax", "rodata": "a", "srodata": "a", "data": "aw", "sdata": "aw", "bss": "aw", "sbss": "aw"}


def assemble(source: str, base: int = 0x8000_0000, name: str = "<text>", *,
             include: Callable[[str], str] | None = None, **addresses: int) -> Assembly:
    """Assemble a program: .text at `base`, then constants, data and zeros; `data=0x8010_0000` puts .data there.

    `include` gives the text that `.include "name"` stands for, or raises `OSError`.  `AssemblyError` says what is wrong
    in which line of `name`, or of what it includes.
    """
    settings = Settings({".text": base} | {"." + section: at for section, at in addresses.items()}, set(), include, {})
    lines = statements(source, name)
    this = None
    for number in range(1, PASSES + 1):
        this = Pass(settings, this, number)
        this.run(lines)
        this.finish()
        if this.is_settled:
            return this.result()
    raise this.problem or AssemblyError("sizes and addresses depend on each other in a circle", lines[0])


class Settings(NamedTuple):
    """What all passes share."""

    addresses: dict[str, int]           # where sections must be
    wide: set[int]                      # instructions, counted from the start, that do not fit 16 bits
    include: Callable[[str], str] | None
    included: dict[str, list[Line]]     # what it has given, by name


class Pass:
    """One run over the source: what has been made so far, and the place where the next statement goes."""

    def __init__(self, settings: Settings, previous: Pass | None, number: int):
        self.settings, self.previous, self.number = settings, previous, number
        self.sections: dict[str, Section] = {}
        self.placed: dict[str, int] = {}                            # where the sections belong, by their sizes
        self.symbols: dict[str, tuple[str | None, int]] = {}        # (section, offset) or (None, value)
        self.labels: dict[str, Line] = {}
        self.locals: dict[int, list[tuple[str, int]]] = {}
        self.bindings: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.targets: dict[int, int] = {}                           # what the %pcrel_hi at an address refers to
        self.borrowed: dict[int, int | None] = {}                   # what a %pcrel_lo before its %pcrel_hi refers to
        self.macros: dict[str, Macro] = {}
        self.including: list[str] = []                              # the sources that led here
        self.conditions = Conditions()
        self.compress = [False]                                     # .option rvc, with .option push
        self.lines: dict[int, Line] = {}
        self.problem: AssemblyError | None = None
        self.instructions = self.calls = 0
        self.extensions: set[str] = set()
        self.line = Line("", 0, "")
        self.section_stack: list[str] = []                          # .pushsection
        self.section = self._section(".text")
        self.last_section = ".text"                                 # the one before the current, for .previous

    # Statements.

    def run(self, lines: list[Line]) -> None:
        """Do some statements."""
        at = 0
        while at < len(lines):
            self.line = lines[at]
            try:
                at = self.statement(lines, at)
            except ValueError as error:
                raise AssemblyError(str(error), lines[at]) from None
            except RecursionError:
                raise AssemblyError("this is nested too deeply", lines[at]) from None

    def statement(self, lines: list[Line], at: int) -> int:
        """Do one statement; the index of the next one."""
        labels, mnemonic, operands = split_statement(lines[at].text)
        if self.conditions.are_true:
            for label in labels:
                self.label(label)
        if mnemonic in CONDITIONS:
            self.conditions.do(mnemonic, operands, self)
            return at + 1
        end, body = at + 1, []
        if mnemonic in BLOCKS:
            body, end = block(lines, at + 1, mnemonic)
        if not self.conditions.are_true:
            return end
        if mnemonic in BLOCKS:
            BLOCKS[mnemonic](self, operands, body)
        elif mnemonic in self.macros:
            self.calls += 1
            self.run(self.macros[mnemonic].expand(operands, self.line, self.calls - 1))
        elif mnemonic in DIRECTIVES:
            DIRECTIVES[mnemonic](self, split_operands(operands))
        elif mnemonic == "li" or mnemonic in ("la", "lla") and self._is_constant(operands.partition(",")[2].strip()):
            self.load_immediate(operands)
        elif is_mnemonic(mnemonic):
            for parsed in parse_instruction(mnemonic, operands):
                self.instruction(parsed)
        elif mnemonic:
            known = {*DIRECTIVES, *BLOCKS, *CONDITIONS, *self.macros, *mnemonics(), *pseudos()}
            what = "directive" if mnemonic.startswith(".") else "instruction or macro"
            raise ValueError(f"{mnemonic} is no {what}{suggestion(mnemonic, known)}")
        return end

    def include(self, name: str) -> None:
        """Do the statements of another source."""
        settings = self.settings
        if name in self.including:
            raise ValueError(f"{name} includes itself")
        if settings.include is None:
            raise ValueError(f"{name} cannot be included: nothing says where to look for it")
        if name not in settings.included:
            try:
                settings.included[name] = statements(settings.include(name), name)
            except OSError as error:
                raise ValueError(f"{name} cannot be included: {error.strerror or error}") from None
        self.including.append(name)
        self.run(settings.included[name])
        self.including.pop()

    def label(self, name: str) -> None:
        """Define a label here."""
        place = self.section.name, self.section.size
        if name.isdigit():
            self.locals.setdefault(int(name), []).append(place)
            return
        self._refuse(name)
        if name in self.symbols:
            raise ValueError(f"{name} has a value already")
        self.labels[name] = self.line
        self.symbols[name] = place

    def assign(self, name: str, value: int) -> None:
        """`.set`: unlike a label, a name may be given several values in turn."""
        self._refuse(name)
        self.symbols[name] = None, value

    def _refuse(self, name: str) -> None:
        if name in X_NUMBERS or name in F_NUMBERS:
            raise ValueError(f"{name} is a register; it cannot be defined")
        if name in self.labels:
            first = self.labels[name]
            raise ValueError(f"{name} is already defined, at {first.name}:{first.number}")

    # Instructions.

    def load_immediate(self, operands: str) -> None:
        """`li`, whose length depends on the value."""
        parts = split_operands(operands)
        if len(parts) != 2:
            raise ValueError(f"li takes 'rd, imm'; got {operands!r}")
        for step in li(parts[0], self.evaluate(parts[1])):
            for parsed in parse_instruction(*step):
                self.instruction(parsed)

    def instruction(self, parsed: Parsed) -> None:
        """Encode an instruction and append it."""
        record, bits, expressions, is_part = parsed
        size = record.encoding.width // 8
        try:
            for field, expression in expressions:
                bits |= field.put(stored_value(record, field, expression(self), self.here))
            if isinstance(record, Compressed) and not record.matches(bits):
                raise ValueError(f"{record.name} may not have {excepted(record, bits)}")
        except ValueError as error:
            self.note(str(error))
        if self.compress[-1] and size == 4 and not is_part:
            short = short_forms().get(bits)
            if short is not None and self.instructions not in self.settings.wide:
                bits, size = short, 2
            elif self.number > SETTLING:
                self.settings.wide.add(self.instructions)
        self.instructions += 1
        self.extensions.add(record.extension.name if size == 4 else "C")
        self.emit(bits, size)

    # Sections.

    def switch(self, name: str, flags: str | None = None, is_nobits: bool | None = None) -> None:
        """Go on in a section."""
        self.last_section = self.section.name
        self.section = self._section(name, flags, is_nobits)

    def _section(self, name: str, flags: str | None = None, is_nobits: bool | None = None) -> Section:
        """The section of a name, made if it does not exist; what the name begins with says what it is."""
        if name not in self.sections:
            family = name.split(".")[1] if name.startswith(".") else name
            if flags is None:
                flags = SECTIONS.get(family, "")
            if is_nobits is None:
                is_nobits = family in ("bss", "sbss")
            self.sections[name] = Section(name, flags, is_nobits, address=self.address((name, 0)))
        return self.sections[name]

    def emit(self, value: int, size: int) -> None:
        """Append the low bytes of an integer."""
        self.append((value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def append(self, data: bytes) -> None:
        """Append bytes."""
        if not data:
            return
        self.lines.setdefault(self.here, self.line)
        if not self.section.is_nobits:
            self.section.data += data
        elif any(data):
            raise ValueError(f"{self.section.name} holds zeros only")
        else:
            self.section.reserved += len(data)

    # Values.

    def evaluate(self, text: str) -> int:
        """The value of an expression; 0 where it has none yet."""
        expression = parse_expression(text)
        try:
            return expression(self)
        except ValueError as error:
            self.note(str(error))
            return 0

    def evaluate_within(self, text: str, low: int, high: int) -> int:
        """The same for one that must be within bounds."""
        value = self.evaluate(text)
        if low <= value <= high:
            return value
        self.note(f"{text} is {value}, which does not fit: {low} to {high}")
        return max(low, 0)

    def note(self, message: str) -> None:
        """Remember the first thing that is wrong, if this pass is the last."""
        self.problem = self.problem or AssemblyError(message, self.line)

    @property
    def here(self) -> int:
        return self.section.address + self.section.size

    def address(self, place: tuple[str | None, int]) -> int:
        """The value of a symbol's place."""
        section, offset = place
        if section is None:
            return offset
        default = self.settings.addresses.get(section, self.settings.addresses[".text"])
        return offset + (self.previous.placed.get(section, default) if self.previous else default)

    def _place(self, name: str) -> tuple[str | None, int] | None:
        """Where a symbol is; one that is weak and missing is 0."""
        place = self.symbols.get(name)
        if place is None and self.previous is not None:
            is_weak = STB_WEAK in (self.bindings.get(name), self.previous.bindings.get(name))
            place = self.previous.symbols.get(name, (None, 0) if is_weak else None)
        return place

    def _is_constant(self, text: str) -> bool:
        """Is it a number or the name of one?  `la` leaves them to `li`, which needs no address near."""
        place = self._place(text)
        return place[0] is None if place else _NUMBER.fullmatch(text) is not None

    def symbol(self, name: str) -> int:
        place = self._place(name)
        if place is not None:
            return self.address(place)
        if self.previous is None:
            return self.here                        # as good a guess as any: branches begin short
        raise ValueError(f"{name} is not defined{suggestion(name, self.previous.symbols)}")

    def local(self, number: int, forward: bool) -> int:
        seen = self.locals.get(number, [])
        if not forward:
            if not seen:
                raise ValueError(f"there is no label {number} before this")
            return self.address(seen[-1])
        if self.previous is None:
            return self.here
        places = self.previous.locals.get(number, [])
        if len(seen) >= len(places):
            raise ValueError(f"there is no label {number} after this")
        return self.address(places[len(seen)])

    def pcrel_hi(self, target: int) -> int:
        self.targets[signed(self.here)] = target
        offset = signed(target - self.here)
        if not -(1 << 31) <= offset + 0x800 < 1 << 31:
            raise ValueError(f"{target & MASK64:#x} is {offset:+#x} away; auipc reaches 2 GiB")
        return offset + 0x800 >> 12 & 0xFFFFF

    def pcrel_lo(self, label: int) -> int:
        target = self.targets.get(label)
        if target is None and self.previous is not None:
            target = self.previous.targets.get(label)
            self.borrowed[label] = target
            if target is None:
                raise ValueError(f"%pcrel_lo wants the address of an auipc with %pcrel_hi, not {label & MASK64:#x}")
        return signed((target or 0) - label)

    # The end.

    def finish(self) -> None:
        """Place the sections one after the other."""
        if self.conditions.open:
            raise AssemblyError(".if has no .endif", self.conditions.open[-1].line)
        cursor = self.settings.addresses[".text"]
        for section in self.in_memory:
            forced = self.settings.addresses.get(section.name)
            if forced is None:
                alignment = max(section.alignment, SECTION_ALIGNMENT)
                cursor += -cursor % alignment
            else:
                cursor = forced
                if cursor % section.alignment:
                    self.note(f"{section.name} at {cursor:#x} is not aligned to {section.alignment:#x}, as it asks for")
            self.placed[section.name] = cursor
            cursor += section.size
        spans = sorted((self.placed[each.name], each.size, each.name) for each in self.in_memory if each.size)
        for (low, size, name), (high, _, other) in pairwise(spans):
            if low + size > high:
                self.note(f"{name} at {low:#x} reaches to {low + size:#x}, over {other} at {high:#x}")

    @property
    def in_memory(self) -> list[Section]:
        """The sections that belong to the program, in order; others (.comment, .note) are for linkers."""
        return sorted((each for each in self.sections.values() if "a" in each.flags), key=lambda each: each.rank)

    @property
    def is_settled(self) -> bool:
        """Is everything where the pass before had it, so that what was looked up there is right?"""
        before = self.previous
        return (before is not None and self.symbols == before.symbols and self.locals == before.locals
                and self.placed == before.placed
                and all(self.targets.get(label) == target for label, target in self.borrowed.items()))

    def result(self) -> Assembly:
        """The program, if nothing is wrong."""
        if self.problem:
            raise self.problem
        sections = sorted(self.in_memory, key=lambda section: section.address)
        names = {section.name for section in sections}
        table = [Symbol(name, self.address(place) & MASK64, place[0], self.bindings.get(name, STB_LOCAL), self.sizes.get(name, 0))
                 for name, place in self.symbols.items() if place[0] is None or place[0] in names]
        return Assembly(tuple(sections), tuple(table), self.lines, self.settings.addresses[".text"],
                        frozenset(self.extensions))
