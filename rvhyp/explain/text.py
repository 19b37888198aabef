"""An explanation for people."""
from __future__ import annotations

from collections.abc import Callable, Iterator

from rvhyp.explain.interrupts import Interrupt, names_of
from rvhyp.explain.trap import Explanation, written
from rvhyp.explain.walk import Access, Entry, Stage, bits_of
from rvhyp.hart.pmp import RWX

Place = Callable[[int], str]            # an address, with the symbol it is in


def lines(found: Explanation, place: Place = hex, cites: bool = True) -> list[str]:
    """The explanation in lines of text; `cites` says whether with the manual's sections and the places in our rules."""
    interrupt = " taken before the instruction" if found.is_interrupt else ""
    text = [f"{found.name}{interrupt}, in {found.mode}-mode at pc {place(found.pc)}, after {found.instret} instructions"]
    if found.insn is not None:
        text.append(f"  {found.insn:0{8 if found.insn & 3 == 3 else 4}x}  {found.instruction}")
    if found.access:
        text += access_lines(found.access)
    if found.interrupt:
        text += interrupt_lines(found.interrupt)
    text.append("why")
    return [*text, *reason_lines(found, cites), *taken_lines(found, place, cites)]


def cited(manual: str, cites: bool) -> str:
    return f"   [{manual}]" if manual and cites else ""


# Translation.

def access_lines(access: Access) -> list[str]:
    """Stage by stage."""
    text = [f"{access.kind} of {access.size} byte{'s' * (access.size > 1)} at {access.va:#x}, as {access.mode}-mode"]
    if not access.stages:
        text.append("  no translation in M-mode")
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


def entry_lines(entry: Entry, stage: Stage, margin: str) -> Iterator[str]:
    """A PTE: where it is, what it is."""
    where = "guest physical " if stage.name == "VS-stage" else ""
    kind = "update of the PTE" if entry.is_update else "PTE"
    value = "" if entry.pte is None else f" = {entry.pte:#018x}  {bits_of(entry.pte)}  {entry.meaning}"
    yield f"{margin}level {entry.level}: {kind} at {where}{entry.address:#x}{value}"
    if entry.nested:
        yield from stage_lines(entry.nested, margin + "    ")
    if entry.pmp and entry.pmp.permissions != RWX:
        yield f"{margin}    PMP: {entry.pmp}"


# Reasons.

def interrupt_lines(interrupt: Interrupt) -> list[str]:
    """Pending, enabled, delegated, chosen."""
    return [f"  pending (mip)    {interrupt.pending:#06x}  {names_of(interrupt.pending)}",
            f"  enabled (mie)    {interrupt.enabled:#06x}  {names_of(interrupt.enabled)}",
            f"  both             {interrupt.pending & interrupt.enabled:#06x}  "
            f"{names_of(interrupt.pending & interrupt.enabled)}",
            f"  mideleg          {interrupt.mideleg:#06x}  hideleg {interrupt.hideleg:#06x}",
            f"  at this level    {interrupt.candidates:#06x}  {names_of(interrupt.candidates)}"]


def reason_lines(found: Explanation, cites: bool) -> list[str]:
    """What decided."""
    if found.interrupt:
        reasons = [(found.interrupt.may, found.interrupt.manual)]
        if found.interrupt.candidates & found.interrupt.candidates - 1:
            reasons.append((found.interrupt.order, found.interrupt.manual))
        return [f"  {says}{cited(manual, cites)}" for says, manual in reasons]
    text = []
    for decision in found.decided:
        text.append(f"  {decision.says or decision.condition}{cited(decision.manual, cites)}")
        if cites:
            text.append(f"      rule {decision.rule}, {decision.place}" + (f": {decision.condition}" if decision.condition else ""))
    return text


def taken_lines(found: Explanation, place: Place, cites: bool) -> list[str]:
    """Where it goes, and what is written."""
    text = [f"taken in {found.taken_in}-mode, at {place(found.vector)}"]
    text += [f"  {says}{cited(manual, cites)}" for says, manual in found.path]
    for name, value, means, manual in written(found):
        text.append(f"  {name:<11} {value:#x}" + (f"  {means}" if means else "") + cited(manual, cites))
    return text
