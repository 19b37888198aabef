"""rvhyp bare: an M-mode program on the board."""
from __future__ import annotations

import gc
import time
from pathlib import Path

import click

from rvhyp.cli.common import (
    Size,
    choices_options,
    commit_log,
    engine_line,
    engine_options,
    epoch_of,
    granularity_option,
    guarded,
    json_option,
    log_option,
    read_choices,
    reboot_option,
    rtc_option,
    say,
    start_engine,
    status_of,
    tell_trouble,
    write_json,
)
from rvhyp.cli.interruption import during, stoppable
from rvhyp.cli.opening import MEMORY, open_one
from rvhyp.isa import config
from rvhyp.isa.cause import mode_name
from rvhyp.machine.board import Board
from rvhyp.machine.clock import EPOCH
from rvhyp.machine.console import Input, Output, Terminal
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended
from rvhyp.machine.source import read_file


def position(board: Board) -> str:
    """Where the hart is."""
    hart = board.machine.hart
    symbol = board.program.symbol_at(int(hart.pc)) if board.program else None
    return f"in {mode_name(hart.prv, hart.v)}-mode at pc {int(hart.pc):#x}" + (f" <{symbol}>" if symbol else "")


class PlusOptions(click.Command):
    """Takes +signature=FILE and +signature-granularity=N as well, as test frameworks give them to Spike."""

    def parse_args(self, ctx, args):
        return super().parse_args(ctx, [f"--{arg[1:]}" if arg.startswith("+signature") else arg for arg in args])


@click.command(cls=PlusOptions)
@click.argument("program", metavar="ELF")
@click.option("--memory", type=Size(), metavar="SIZE", help="RAM, as 64M or 1G.  [default: 128M, with prepared kernels 512M]")
@click.option("--cpus", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Harts, which take turns.")
@click.option("--isa", default=config.DEFAULT, show_default=True, metavar="STRING", help="The hart's ISA string.")
@click.option("--kernel", metavar="FILE", help="What firmware starts in S-mode: an ELF, a Linux Image, or a prepared guest by "
              "name.  The program is then firmware that takes it, as OpenSBI's fw_dynamic.elf does.")
@click.option("--initrd", metavar="FILE", help="Initial RAM disk of the kernel.")
@click.option("--append", metavar="TEXT", help="Boot arguments of the kernel.")
@reboot_option
@rtc_option
@choices_options
@click.option("--stats", is_flag=True, help="At the end, show retired instructions and traps.")
@click.option("--signature", "signature_path", metavar="FILE",
              help="At the end, write the memory from begin_signature to end_signature.")
@granularity_option
@log_option
@engine_options
@json_option
@guarded
def bare(program, memory, cpus, isa, kernel, initrd, append, no_reboot, rtc, stats, signature_path, granularity, log_path,
         config_path, settings, engine, max_instructions, timeout, json_path):
    """Run an M-mode ELF on the bare board: HTIF, CLINT, PLIC, ns16550a UART, real-time clock, SiFive
    test finisher.

    The exit status is the program's own; 2 for bad input, 3 if it can never go on, 124 at a limit.
    """
    if log_path and cpus > 1:
        raise BadInput("a commit log is of one hart", "--log-commits", "leave out --cpus")
    if (initrd or append) and not kernel:
        raise BadInput("there is no kernel that it could be for", "--initrd" if initrd else "--append", "give --kernel, too")
    image = open_one(program, program, memory, None, b"", "bare").program
    opened = open_one(kernel, kernel, memory, append, read_file(initrd) if initrd else b"") if kernel else None
    memory = opened.memory if opened else memory or MEMORY
    choices, console, typed = read_choices(config_path, settings), Output(2 if json_path == "-" else 1), Input(0)
    epoch, engine, terminal = EPOCH if rtc is None else epoch_of(rtc), start_engine(engine), Terminal()
    deadline = None if timeout is None else time.monotonic() + timeout
    reboots = retired = traps = 0
    while True:
        board = Board(memory, isa, engine, console, typed, choices, cpus)
        machine = board.machine
        machine.clock.epoch = epoch
        board.load(image)
        if opened:
            board.give_kernel(opened.program, opened.initrd, opened.bootargs)
        elif image.tohost is None:
            board.give_device_tree()            # firmware wants it; a test with HTIF does not look
        with (during(lambda board=board: [f"running, {position(board)}"], terminal.restore), terminal, stoppable(terminal),
              commit_log(log_path, machine, mode="a" if reboots else "w")):
            outcome = board.run(None if max_instructions is None else max_instructions - retired,
                                None if deadline is None else deadline - time.monotonic())
        retired, traps = retired + machine.instret, traps + sum(int(hart.traps) for hart in machine.harts)
        if outcome.ended is not Ended.REBOOT or no_reboot:
            break
        reboots, epoch = reboots + 1, machine.wall()
        del board, machine
        gc.collect()                            # its memory goes back to the host
    if signature_path:
        from rvhyp.machine.signature import write_signature
        write_signature(Path(signature_path), image, machine.memory, granularity)
    if outcome.ended is not Ended.EXIT:
        say(f"{outcome.ended.value}: stopped after {retired} instructions, {position(board)}")
    tell_trouble(machine.engine)
    if stats:
        click.echo(f"instructions {retired}\ntraps {traps}\n{engine_line(machine.engine)}", err=True)
    write_json(json_path, {"ended": outcome.ended.value, "status": status_of(outcome), "instructions": retired, "traps": traps,
                           "reboots": reboots, "pc": int(machine.hart.pc), "engine": machine.engine.figures()})
    return status_of(outcome)
