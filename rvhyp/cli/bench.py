"""rvhyp bench: our benchmark programs on our engines, beside the peers that are installed."""
from __future__ import annotations

import click

from rvhyp.cli.common import guarded, plain_table, say, start_engine, write_json
from rvhyp.machine.errors import BadInput

PARTS = ("programs", "traps", "start", "memory", "linux", "idle")
DEFAULT_PARTS = PARTS[:-2]              # the last two want a guest that must be prepared
MIB = 1 << 20


def measure_programs(names, instructions, rounds, interpreter):
    """Every program on everything; None where there is nothing to show."""
    from rvhyp.bench.peers import peers
    from rvhyp.bench.programs import Engines, measure
    found, engines = peers(), Engines(start_engine("translator"), interpreter)
    for peer in found:
        if peer.missing:
            say(f"{peer.missing} is not installed: no comparison with {peer.name}")
    measurements = []
    for name in names:
        say(f"{name}: {instructions / 1e6:.0f} M instructions, {rounds} rounds ...")
        measurements += measure(name, instructions, rounds, engines, [peer for peer in found if not peer.missing])
    return measurements


def measure_traps(rounds, engine) -> dict[str, float]:
    """Median microseconds by name."""
    from statistics import median

    from rvhyp.bench import traps
    say("traps ...")
    return {loop.name: median(traps.measure(loop, engine) for _ in range(rounds)) for loop in traps.LOOPS}


def measure_start(rounds) -> dict[str, float]:
    """Seconds by name."""
    from statistics import median

    from rvhyp.bench import footprint
    say("warm and cold start ...")
    warm = [footprint.warm_start() for _ in range(max(5, rounds))]
    return {"warm start, to the first guest instruction and out": median(cost.wall for cost in warm),
            "warm start, CPU": median(cost.cpu for cost in warm),
            "cold build of the core": footprint.cold_build().wall}


def measure_memory() -> dict[str, float]:
    """MiB by name."""
    from rvhyp.bench import footprint
    say("memory ...")
    return {f"guest of {footprint.MEMORY // MIB} MiB that touches {touched // MIB} MiB": footprint.guest_memory(touched) / MIB
            for touched in (0, footprint.TOUCHED)}


def measure_linux(rounds, engine) -> list[list[str]]:
    """Rows of what is measured, and its value for people."""
    from statistics import median

    from rvhyp.bench import linux
    linux.prepared()
    boots, others = [], []
    for number in range(rounds):
        say(f"Debian's boot, round {number + 1} of {rounds} ...")
        boots.append(linux.boot())
        others.append(linux.boot_of_qemu())
    said = boots[0].said
    rows = [["boot to userland, CPU s", f"{median(each.cost.cpu for each in boots):.2f}"],
            ["boot to userland, wall s", f"{median(each.cost.wall for each in boots):.2f}"]]
    if None not in others:
        theirs = median(each.cpu for each in others)
        rows += [["... on QEMU in S-mode, CPU s", f"{theirs:.2f}"],
                 ["QEMU's CPU time / ours", f"{theirs / median(each.cost.cpu for each in boots):.2f}"]]
    else:
        say("qemu-system-riscv64 is not installed: no comparison with QEMU")
    rows += [["instructions", f"{said['instructions']:,}"]]
    rows += [[f"exits: {cause}", f"{count:,}"] for cause, count in said["guests"][0]["exits"].items()]
    say("time of exits ...")
    rows += [["Python's part of the time of a boot", f"{100 * linux.share_of_exits(engine):.1f} %"]]
    say("a disk ...")
    return [*rows, ["sequential read of a virtio disk, MB/s", f"{linux.disk_speed(rounds):.0f}"]]


def measure_idle(rounds, engine) -> list[list[str]]:
    """Rows of what is measured, and its value for people."""
    from rvhyp.bench import idle
    say("a busy Debian guest beside idle ones ...")
    alone, lost = idle.lost_beside(engine, rounds)
    say("an idle one in real time ...")
    share = idle.share_in_real_time(engine, rounds)
    return [["busy guest alone, MIPS", f"{alone:.0f}"],
            *([f"... slower with {number} idle beside it", f"{100 * part:.2f} %"] for number, part in enumerate(lost, 1)),
            ["idle guest with --realtime, of a core", f"{100 * share:.2f} %"]]


@click.command()
@click.argument("programs", nargs=-1, metavar="[PROGRAM...]")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), metavar="PART",
              help=f"Only this: {', '.join(PARTS)}; may be repeated.  [default: all but linux and idle; with PROGRAM: programs]")
@click.option("--instructions", type=click.IntRange(1_000_000), default=1_000_000_000, show_default=True, metavar="N",
              help="About how many instructions each program runs.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N", help="Runs; medians are shown.")
@click.option("--json", "json_path", metavar="FILE", help="Write everything measured as JSON; - is stdout.")
@guarded
def bench(programs, parts, instructions, rounds, json_path):
    """Measure our benchmark programs, each of which checks its own result; traps; start; memory; Linux guests.

    Speeds are million retired instructions per second of CPU time, in brackets of wall time, medians of the rounds. In each round
    every simulator that is installed (Spike, QEMU) runs the same ELF file.
    """
    import platform

    import firmware
    from rvhyp import __version__
    from rvhyp.bench.report import document, speed_table
    known = [name for name in firmware.names() if firmware.find(name).is_benchmark]
    for name in programs:
        if name not in known:
            raise BadInput("is no benchmark program", name, f"there are {', '.join(known)}")
    parts = parts or (("programs",) if programs else DEFAULT_PARTS)
    engine = start_engine("interpreter")
    measurements, values = [], {}

    def show(rows: list[list[str]]) -> None:
        click.echo("\n" + plain_table(rows[0], rows[1:]), err=json_path == "-")
    if "programs" in parts:
        measurements = measure_programs(programs or known, instructions, rounds, engine)
        for runs in ("steady", "whole"):
            show(speed_table(measurements, runs))
    for part, unit, format, run in (("traps", "us", ".2f", lambda: measure_traps(rounds, engine)),
                                    ("start", "s", ".2f", lambda: measure_start(rounds)),
                                    ("memory", "MiB", ".0f", measure_memory)):
        if part in parts:
            values[f"{part}_{unit.lower()}"] = found = run()
            show([[part, unit], *([name, f"{value:{format}}"] for name, value in found.items())])
    for part, measure in (("linux", measure_linux), ("idle", measure_idle)):
        if part in parts:
            rows = measure(rounds, engine)
            values[part] = dict(rows)
            show([[part, ""], *rows])
    write_json(json_path, document(measurements, values, rounds, {"rvhyp": __version__, "python": platform.python_version()}))
    return 0
