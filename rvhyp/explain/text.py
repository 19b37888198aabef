"""An explanation for people: what happened, why, and in footnotes where the manual and our rules say so."""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.explain.decide import Decision
from rvhyp.explain.interrupts import Interrupt, names_of
from rvhyp.explain.trap import Explanation, written
from rvhyp.explain.walk import Access, Entry, Stage, bits_of
from rvhyp.hart.pmp import RWX

Place = Callable[[int], str]            # an address, with the symbol it is in


class Notes:
    """Footnotes, each with its number."""

    def __init__(self):
        self._notes: list[str] = []

    def __call__(self, note: str) -> str:
        """The mark to put where a note belongs."""
        if note and note not in self._notes:
            self._notes.append(note)
        return f" [{self._notes.index(note) + 1}]" if note else ""

    def lines(self) -> list[str]:
        return [f"[{number}] {note}" for number, note in enumerate(self._notes, 1)]


def lines(found: Explanation, place: Place = hex) -> list[str]:
    """The explanation in lines of text.  Headings are flush left."""
    note = Notes()
    where = "before the instruction at" if found.is_interrupt else "at"
    text = [f"{found.name} in {found.mode}-mode, {where} pc {place(found.pc)}, after {found.instret} instructions"]
    if found.insn is not None:
        text.append(f"  {found.insn:0{8 if found.insn & 3 == 3 else 4}x}  {found.instruction}")
    if found.access:
        text += access_lines(found.access, found.borrowed)
    if found.interrupt:
        text += interrupt_lines(found.interrupt)
    text += ["why", *reason_lines(found, note)]
    goes = "by the monitor" if found.to_monitor else f"at {place(found.vector)}"
    text += [f"taken in {found.taken_in}-mode, {goes}", *(f"  {says}{note(manual)}" for says, manual in found.path)]
    for name, value, means, manual in written(found):
        text.append(f"  {name:<11} {value:#x}" + (f"  {means}" if means else "") + note(manual))
    return [*text, "where it is written", *(f"  {line}" for line in note.lines())]


# Translation.

def access_lines(access: Access, borrowed: str) -> list[str]:
    """Stage by stage."""
    text = [f"{access.kind} of {access.size} byte{'s' * (access.size > 1)} at {access.va:#x}, as {access.mode}-mode"
            + (f" ({borrowed})" if borrowed else "")]
    if not access.stages:
        text.append("  M-mode: no translation")
    for stage in access.stages:
        text += stage_lines(stage, "  ")
    if access.pmp:
        text.append(f"  PMP: {access.pmp}")
    return text


def stage_lines(stage: Stage, margin: str) -> list[str]:
    """A walk, PTE by PTE; with the walk of each PTE's own address in it."""
    if stage.mode == "Bare":
        return [f"{margin}{stage.name}: {stage.register} is Bare, {stage.address:#x} stays as it is"]
    text = [f"{margin}{stage.name} of {stage.address:#x}: {stage.register} {stage.mode}, root {stage.root:#x}"]
    for entry in stage.entries:
        text += entry_lines(entry, stage, margin + "  ")
    if stage.result is not None:
        where = {"VS-stage": "guest physical", "G-stage": "system physical"}.get(stage.name, "physical")
        text.append(f"{margin}  -> {where} {stage.result:#x}")
    elif not (stage.entries and stage.entries[-1].nested and stage.entries[-1].nested.result is None):
        text.append(f"{margin}  -> fails here")
    return text


def entry_lines(entry: Entry, stage: Stage, margin: str) -> list[str]:
    """A PTE: where it is, what it is."""
    where = "guest physical " if stage.name == "VS-stage" else ""
    kind = "update of the PTE" if entry.is_update else "PTE"
    value = "" if entry.pte is None else f" = {entry.pte:#018x}  {bits_of(entry.pte)}  {entry.meaning}"
    text = [f"{margin}level {entry.level}: {kind} at {where}{entry.address:#x}{value}"]
    if entry.nested:
        text += stage_lines(entry.nested, margin + "    ")
    if entry.pmp and entry.pmp.permissions != RWX:
        text.append(f"{margin}    PMP: {entry.pmp}")
    return text


# Reasons.

def interrupt_lines(interrupt: Interrupt) -> list[str]:
    """Pending, enabled, delegated, chosen."""
    both = interrupt.pending & interrupt.enabled
    return [f"  pending (mip)  {interrupt.pending:#06x}  {names_of(interrupt.pending)}",
            f"  enabled (mie)  {interrupt.enabled:#06x}  {names_of(interrupt.enabled)}",
            f"  both           {both:#06x}  {names_of(both)}",
            f"  mideleg        {interrupt.mideleg:#06x}  {names_of(interrupt.mideleg)}",
            f"  hideleg        {interrupt.hideleg:#06x}  {names_of(interrupt.hideleg)}",
            f"  at this level  {interrupt.candidates:#06x}  {names_of(interrupt.candidates)}"]


def reason_lines(found: Explanation, note: Notes) -> list[str]:
    """What decided."""
    if found.interrupt:
        reasons = [found.interrupt.may]
        if found.interrupt.candidates & found.interrupt.candidates - 1:
            reasons.append(found.interrupt.order)
        return [f"  {says}{note(found.interrupt.manual)}" for says in reasons]
    return [f"  {decision.says or decision.condition}{note(decision.manual)}{note(rule_of(decision))}"
            for decision in found.decided]


def rule_of(decision: Decision) -> str:
    """Which line of our rules decided."""
    condition = f": {decision.condition}" if decision.condition else ""
    return f"{decision.place}, rule {decision.rule}{condition}"
