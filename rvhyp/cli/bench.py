"""rvhyp bench: our benchmark programs on our engines, beside the peers that are installed."""
from __future__ import annotations

import click

from rvhyp.cli.common import guarded, plain_table, say, start_engine, write_file, write_json
from rvhyp.machine.errors import BadInput

PARTS = ("programs", "paging", "traps", "start", "memory", "linux", "idle", "kvm")
PEERS = ("spike", "qemu")
DEFAULT_PARTS = PARTS[:-3]              # the last want guests that must be prepared
MIB = 1 << 20


def installed_peers(wanted):
    """Those of the wanted ones (all, if none is named) that are here; the others are named."""
    from rvhyp.bench.peers import peers
    found = [peer for peer in peers() if not wanted or peer.name.lower() in wanted]
    for peer in found:
        if peer.missing:
            say(f"{peer.missing} is not installed: no comparison with {peer.name}")
    return [peer for peer in found if not peer.missing]


def measure_programs(names, instructions, rounds, engines, peers):
    """Every program on everything."""
    from rvhyp.bench.programs import measure
    measurements = []
    for name in names:
        say(f"{name}: {instructions / 1e6:.0f} M instructions, {rounds} rounds ...")
        measurements += measure(name, instructions, rounds, engines, peers)
    return measurements


def measure_paging(rounds, engines, peers):
    """Memory under one stage of page tables and under two."""
    from rvhyp.bench import paging
    from rvhyp.bench.report import staged
    found = {}
    for load in paging.LOADS:
        say(f"{load.name} ...")
        found[load] = paging.measure(load, rounds, engines, peers)
    rows = [row for load, costs in found.items() for row in staged(load.name, costs)]
    for what, beyond in ((paging.MISS, paging.BEYOND), (paging.WALK, paging.FENCED)):
        rows += staged(what, paging.miss(found[paging.WITHIN], found[beyond]))
    return rows


def measure_traps(rounds, engines, peers):
    """Microseconds of each trap."""
    from statistics import median

    from rvhyp.bench import traps
    from rvhyp.bench.programs import INTERPRETED, OURS
    from rvhyp.bench.report import figure
    say("traps ...")
    figures = []
    for loop in traps.LOOPS:
        for runner, engine in ((OURS, engines.translator), (INTERPRETED, engines.interpreter)):
            traps.measure(loop, engine)                     # what is hot in it is translated after that
            figures.append(figure(loop.name, runner, median(traps.measure(loop, engine) for _ in range(rounds)), "us"))
    for program in traps.PROGRAMS:
        costs = traps.measure_program(program, traps.TURNS, rounds, engines, peers)
        figures += [figure(program.name, runner, cost, "us") for runner, cost in costs.items()]
    return figures


def measure_start(rounds):
    """Seconds of whole processes."""
    from statistics import median

    from rvhyp.bench import footprint
    from rvhyp.bench.programs import COLD_CACHE, OURS
    from rvhyp.bench.report import Figure, figure
    say("warm and cold start ...")
    warm = [footprint.warm_start() for _ in range(max(5, rounds))]
    return [figure("start, to the first guest instruction and out", OURS, median(cost.wall for cost in warm), "s"),
            figure("the same, CPU", OURS, median(cost.cpu for cost in warm), "s"),
            Figure("building the core", "", COLD_CACHE, footprint.cold_build().wall, "s")]


def measure_memory():
    """MiB of whole processes."""
    from rvhyp.bench import footprint
    from rvhyp.bench.programs import OURS
    from rvhyp.bench.report import figure
    say("memory ...")
    return [figure(f"guest of {footprint.MEMORY // MIB} MiB that touches {touched // MIB} MiB", OURS,
                   round(footprint.guest_memory(touched) / MIB), "MiB") for touched in (0, footprint.TOUCHED)]


def measure_linux(rounds, engines):
    """Debian's boot, and what can be done with it then."""
    from statistics import median

    from rvhyp.bench import linux
    from rvhyp.bench.programs import COLD_CACHE, OURS
    from rvhyp.bench.report import Figure, figure
    linux.prepared()
    say("Debian's first boot ...")
    first, boots, others = linux.first_boot(), [], []
    say("more of them, and rvhyp cache warm ...")
    linux.warm_up()
    for number in range(rounds):
        say(f"Debian's boot, round {number + 1} of {rounds} ...")
        boots.append(linux.boot())
        others.append(linux.boot_of_qemu())
    said, cpu = boots[0].said, median(each.cost.cpu for each in boots)
    figures = [Figure("boot to userland, CPU", OURS, COLD_CACHE, first.cost.cpu, "s"),
               Figure("boot to userland, wall", OURS, COLD_CACHE, first.cost.wall, "s"),
               figure("boot to userland, CPU", OURS, cpu, "s"),
               figure("boot to userland, wall", OURS, median(each.cost.wall for each in boots), "s")]
    figures += beside_qemu("boot in S-mode, CPU", cpu, others)
    figures += [figure("instructions", OURS, said["instructions"], "")]
    figures += [figure(f"exits: {cause}", OURS, count, "") for cause, count in said["guests"][0]["exits"].items()]
    say("time of exits ...")
    figures += [figure("Python's part of the time of a boot", OURS, 100 * linux.share_of_exits(engines.translator), "%")]
    say("memory ...")
    added = round(linux.memory_of_translator() / MIB)
    figures += [Figure("memory of the translator, its process included", OURS, COLD_CACHE, added, "MiB")]
    say("a disk ...")
    return [*figures, figure("sequential read of a virtio disk", OURS, linux.disk_speed(rounds), "MB/s")]


def measure_idle(rounds, engine):
    """What idle guests cost a busy one, and the host in real time."""
    from rvhyp.bench import idle
    from rvhyp.bench.programs import OURS
    from rvhyp.bench.report import figure
    say("a busy Debian guest beside idle ones ...")
    alone, lost = idle.lost_beside(engine, rounds)
    say("an idle one in real time ...")
    share = idle.share_in_real_time(engine, rounds)
    return [figure("busy guest alone", OURS, alone, "MIPS"),
            *(figure(f"slower with {number} idle beside it", OURS, 100 * part, "%") for number, part in enumerate(lost, 1)),
            figure("idle guest with --realtime, of a core", OURS, 100 * share, "%")]


def measure_kvm(rounds, lkvm):
    """A guest of a guest."""
    from statistics import median

    from rvhyp.bench import kvm
    from rvhyp.bench.programs import OURS
    from rvhyp.bench.report import figure
    say("Linux with KVM boots Linux ...")
    runs, others = kvm.measure(lkvm, rounds)
    cpu = median(run.cost.cpu for run in runs)
    figures = [figure("KVM boots a guest, CPU", OURS, cpu, "s"),
               figure("KVM boots a guest, wall", OURS, median(run.cost.wall for run in runs), "s"),
               figure("instructions", OURS, runs[0].said["instructions"], "")]
    return figures + beside_qemu("KVM boots a guest, CPU", cpu, others)


def beside_qemu(what, cpu, others):
    """QEMU's time for the same, if it is installed, and how much longer that is than ours."""
    from statistics import median

    from rvhyp.bench.programs import OURS
    from rvhyp.bench.report import figure
    if None in others:
        say("qemu-system-riscv64 is not installed: no comparison with QEMU")
        return []
    theirs = median(each.cpu for each in others)
    return [figure(what, "QEMU", theirs, "s"), figure("QEMU's CPU time / ours", OURS, theirs / cpu, "")]


@click.command()
@click.argument("programs", nargs=-1, metavar="[PROGRAM...]")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), metavar="PART",
              help=f"Only this: {', '.join(PARTS)}; may be repeated.  [default: all but the last three; with PROGRAM: programs]")
@click.option("--instructions", type=click.IntRange(1_000_000), default=1_000_000_000, show_default=True, metavar="N",
              help="About how many instructions each program runs.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N", help="Runs; medians are shown.")
@click.option("--peer", "wanted", multiple=True, type=click.Choice(PEERS), metavar="NAME",
              help=f"Compare with this only: {', '.join(PEERS)}; may be repeated.  [default: all that are installed]")
@click.option("--lkvm", metavar="FILE",
              help="For the part kvm: kvmtool's lkvm for riscv64, linked statically.")
@click.option("--json", "json_path", metavar="FILE", help="Write everything measured as JSON; - is stdout.")
@click.option("--svg", "svg_path", metavar="FILE", help="Draw the speeds of the programs in steady state.")
@guarded
def bench(programs, parts, instructions, rounds, wanted, lkvm, json_path, svg_path):
    """Measure our benchmark programs, each of which checks its own result; memory under page tables; traps; start; memory of
    the process; Linux guests.

    Speeds are million retired instructions per second of CPU time, in brackets of wall time, medians of the rounds. In each round
    every simulator that is installed (Spike, QEMU) runs the same ELF file. A cache is warm if it has what was translated in
    earlier runs, and cold if it has only the compiled core.
    """
    import platform

    import firmware
    from rvhyp import __version__
    from rvhyp.bench.picture import picture
    from rvhyp.bench.programs import Engines
    from rvhyp.bench.report import document, figure_table, speed_table, staged_table
    from rvhyp.engine.translator.engine import Translator
    from rvhyp.machine.source import read_file
    known = [name for name in firmware.names() if firmware.find(name).is_benchmark]
    for name in programs:
        if name not in known:
            raise BadInput("is no benchmark program", name, f"there are {', '.join(known)}")
    parts = parts or (("programs",) if programs else DEFAULT_PARTS)
    if svg_path and "programs" not in parts:
        raise BadInput("draws the part programs, which is not asked for", "--svg", "add --part programs")
    if ("kvm" in parts) != (lkvm is not None):
        raise BadInput("goes with the part kvm, and that with it", "--lkvm", "give --part kvm --lkvm FILE")
    kvmtool = read_file(lkvm) if lkvm else b""
    engines = Engines(start_engine("translator"), start_engine("interpreter"), Translator(counted=True))
    peers = installed_peers(wanted)
    measurements, values = [], {}

    def show(rows: list[list[str]]) -> None:
        click.echo("\n" + plain_table(rows[0], rows[1:]), err=json_path == "-")
    if "programs" in parts:
        measurements = measure_programs(programs or known, instructions, rounds, engines, peers)
        for runs in ("steady", "whole"):
            show(speed_table(measurements, runs))
        if svg_path:
            note = (f"CPU time, medians ({rounds} measured), about {instructions / 1e6:,.0f} million instructions each; "
                    "the translator's cache is warm")
            write_file(svg_path, picture(measurements, note))
    for part, table, run in (("paging", staged_table, lambda: measure_paging(rounds, engines, peers)),
                             ("traps", figure_table, lambda: measure_traps(rounds, engines, peers)),
                             ("start", figure_table, lambda: measure_start(rounds)),
                             ("memory", figure_table, measure_memory),
                             ("linux", figure_table, lambda: measure_linux(rounds, engines)),
                             ("idle", figure_table, lambda: measure_idle(rounds, engines.translator)),
                             ("kvm", figure_table, lambda: measure_kvm(rounds, kvmtool))):
        if part in parts:
            values[part] = run()
            show(table(part, values[part]))
    write_json(json_path, document(measurements, values, rounds, {"rvhyp": __version__, "python": platform.python_version()}))
    return 0
