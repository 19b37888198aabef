"""rvhyp explain: why a trap was taken."""
from __future__ import annotations

from dataclasses import asdict

import click

from rvhyp.cli.common import (
    choices_options,
    engine_options,
    guarded,
    json_option,
    memory_option,
    read_choices,
    say,
    start_engine,
    write_json,
)
from rvhyp.cli.interruption import during
from rvhyp.isa import config
from rvhyp.isa.cause import EXCEPTION_NAMES, INTERRUPT, INTERRUPT_NAMES
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended

CAUSES = {name: code for code, name in EXCEPTION_NAMES.items()}
CAUSES |= {name: INTERRUPT | code for code, name in INTERRUPT_NAMES.items()}
COLUMNS = "{:>7}  {:>12}  {:<4}  {:<34}  {:<36}  {:>18}  {}"
HEADER = COLUMNS.format("trap", "instructions", "mode", "pc", "cause", "tval", "taken in")


def number(text: str) -> int | None:
    """A number as programs write it, or None."""
    try:
        return int(text, 0)
    except ValueError:
        return None


def wanted(text: str | None, program):
    """What --trap asks for: N, last, pc=ADDRESS, cause=CAUSE."""
    from rvhyp.explain.find import Wanted
    if text is None:
        return Wanted()
    kind, _, value = text.partition("=")
    if text == "last":
        return Wanted(any_last=True)
    if kind == "pc":
        return Wanted(pc=address(value, program))
    if kind == "cause":
        return Wanted(cause=cause(value))
    if (count := number(text)) is None or count < 1:
        raise BadInput(f"{text!r} names no trap", "--trap", "give a number from 1, last, pc=ADDRESS or cause=CAUSE")
    return Wanted(number=count)


def address(text: str, program) -> int:
    """A number, a symbol, or a symbol and an offset."""
    if (value := number(text)) is not None:
        return value % (1 << 64)
    symbol, _, offset = text.partition("+")
    distance = number(offset) if offset else 0
    if symbol not in program.symbols or distance is None:
        raise BadInput(f"{text!r} is neither a number nor a symbol of {program.name}", "--trap", "give a pc like 0x80000000")
    return (program.symbols[symbol] + distance) % (1 << 64)


def cause(text: str) -> int:
    """A number, or the manual's name."""
    if (value := number(text)) is not None:
        return value % (1 << 64)
    if text.lower() in CAUSES:
        return CAUSES[text.lower()]
    import difflib
    near = difflib.get_close_matches(text.lower(), CAUSES, 1, 0.3)
    raise BadInput(f"{text!r} is no cause", "--trap", f"did you mean {near[0]!r}?" if near else "give its number")


def is_guest(name: str, program, choice: bool | None) -> bool:
    """Whether a program runs in VS-mode under the monitor: as asked, as our own one is meant, or if it has no `tohost`."""
    import firmware
    if choice is not None:
        return choice
    if program.name in firmware.names() and name == program.name:
        return firmware.find(name).kind == "guest"
    return program.tohost is None


def maker(program, as_guest: bool, memory: int, isa: str | None, engine: str, choices: dict):
    """A function that gives a fresh machine with the program, without console, each time."""
    if as_guest:
        if isa is not None:
            raise BadInput("a guest has the monitor's ISA", "--isa", "leave it out, or give --bare")
        from rvhyp.monitor.hypervisor import Hypervisor
        from rvhyp.monitor.vm import VmConfig
        return lambda: Hypervisor([VmConfig("guest", program, memory)], engine, choices, stub=False)

    def make():
        from rvhyp.machine.board import Board
        board = Board(memory, isa or config.DEFAULT, engine, choices=choices)
        board.load(program)
        if program.tohost is None:
            board.give_device_tree()
        return board
    return make


def place_in(program):
    """Addresses with the symbols they are in."""
    def place(va: int) -> str:
        symbol = program.symbol_at(va)
        return f"{va:#x} <{symbol}>" if symbol else f"{va:#x}"
    return place


def row(trap, place) -> str:
    """A line of the list."""
    return COLUMNS.format(trap.number, trap.instret, trap.mode, place(trap.pc), trap.name, f"{trap.tval:#x}", trap.taken_in)


@click.command()
@click.argument("program", metavar="ELF")
@click.option("--trap", metavar="WHICH", help="N, last, pc=ADDRESS or cause=CAUSE (the last such one); an address may be a "
              "symbol, a cause its name.  [default: the last that is no environment call]")
@click.option("--list", "as_list", is_flag=True, help="Show all traps, and explain none.")
@click.option("--guest/--bare", "choice", default=None, help="Run it in VS-mode under the monitor, or in M-mode on the bare "
              "board.  [default: bare if it has a symbol tohost]")
@memory_option
@click.option("--isa", metavar="STRING", help="The bare hart's ISA string.  [default: that of rvhyp isa]")
@choices_options
@engine_options
@json_option
@guarded
def explain(program, trap, as_list, choice, memory, isa, config_path, settings, engine, max_instructions, timeout, json_path):
    """Run ELF and explain why one of its traps was taken: both walks PTE by PTE, PMP, delegation, the manual's rule.

    The program runs without console input, and its output is not shown.  It is run twice: to find the trap, and up to it again;
    the trap is then taken in plain Python, by the rules that the engine is compiled from.  The exit status is 0; 2 if there is
    no such trap, and for bad input.
    """
    from rvhyp.cli.opening import open_guest
    from rvhyp.explain.find import Recorder, differences
    from rvhyp.explain.find import explain as explain_trap
    from rvhyp.explain.text import lines
    name, program = program, open_guest(program, "guest" if choice else "bare")
    chosen = wanted(trap, program)
    as_guest = is_guest(name, program, choice)
    start_engine(engine)
    make = maker(program, as_guest, memory, isa, engine, read_choices(config_path, settings))
    place = place_in(program)
    runner, traps = make(), []
    is_shown = json_path != "-"
    if as_list and is_shown:
        click.echo(HEADER)

    def see(each):
        chosen(each)
        if as_list:
            traps.append(each) if json_path else None
            click.echo(row(each, place)) if is_shown else None
    Recorder(runner.machine, see)
    with during(lambda: [f"looking for the trap, after {runner.machine.instret} instructions"]):
        outcome = runner.run(max_instructions, timeout)
    if outcome.ended is not Ended.EXIT:
        say(f"{outcome.ended.value}: stopped after {runner.machine.instret} instructions")
    result = {"guest": as_guest, "instructions": runner.machine.instret, "count": chosen.count}
    if as_list:
        write_json(json_path, result | {"traps": [each._asdict() | {"name": each.name} for each in traps]})
        return 0
    which = chosen.choose()
    with during(lambda: [f"running up to trap {which.number}"]):
        found = explain_trap(make, which, max_instructions)
    if is_shown:
        how = "as a guest in VS-mode" if as_guest else "on the bare board"
        more = f", the last of {chosen.fitting} such" if which is chosen.chosen and chosen.fitting > 1 else ""
        click.echo(f"trap {which.number} of {chosen.count} of {program.name}, run {how}{more}")
        for line in lines(found, place):
            click.echo(line if line.startswith(" ") else click.style(line, bold=True))
    if wrong := differences(found, which):
        say(f"the engine took this trap with another {', '.join(wrong)}: "
            "it used a cached translation that the page tables no longer give")
    write_json(json_path, result | {"trap": which._asdict() | {"name": which.name}, "explanation": asdict(found) | {
        "name": found.name, "instruction": found.instruction, "gpa": found.gpa}, "differs": wrong})
    return 0
