"""rvhyp conformance: riscv-tests style programs."""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from rvhyp.cli.common import choices_options, granularity_option, guarded, read_choices, start_engine, write_json
from rvhyp.cli.interruption import during
from rvhyp.engine import ENGINES
from rvhyp.machine.errors import BadInput

BAR_AFTER = 0.5         # seconds: a shorter run is over before a progress bar is worth its import
BAR_EVERY = 0.1


class Bar:
    """A progress bar on a terminal; nothing elsewhere.  Called with each result."""

    def __init__(self, total: int, is_wanted: bool):
        self._total, self._done, self._bad = total, 0, 0
        self._bar = None
        self._next = time.monotonic() + BAR_AFTER if is_wanted and sys.stderr.isatty() else float("inf")

    def __call__(self, result) -> None:
        self._done += 1
        self._bad += result.status.value != "pass"
        if time.monotonic() >= self._next:
            self._show(result.name)
            self._next = time.monotonic() + BAR_EVERY

    def _show(self, name: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
            self._bar = Progress(BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False),
                                 console=Console(stderr=True), auto_refresh=False, transient=True)
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()
        self._bar.update(self._task, completed=self._done, description=f"{self._bad} not passed  {name}", refresh=True)

    def describe(self) -> list[str]:
        """What is going on."""
        return [f"running tests: {self._done} of {self._total} done"]

    def stop(self) -> None:
        """Remove it."""
        if self._bar:
            self._bar.stop()


def check_writable(path: str | None) -> None:
    """BadInput, before the run rather than after it, if a report cannot be written there."""
    if path in (None, "-"):
        return
    file = Path(path)
    what = ("is a folder" if file.is_dir() else
            f"there is no folder {file.parent}" if not file.parent.is_dir() else
            "cannot be written" if not os.access(file if file.exists() else file.parent, os.W_OK) else "")
    if what:
        raise BadInput(what, path, "give a file that can be written")


def make_folder(path: str) -> None:
    """BadInput if there can be no such folder to write to."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot be made a folder ({error.strerror})", path, "give another one") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise BadInput("cannot be written to", path, "give a folder that can")


def write_report(path: str | None, form: str, report) -> None:
    """Write a report in the form "junit" or "html"."""
    if path is None:
        return
    from importlib import import_module
    convert = getattr(import_module(f"rvhyp.conformance.{form}"), f"to_{form}")
    try:
        Path(path).write_bytes(convert(report))
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror})", path) from error


def show(report, level: int, is_json_on_stdout: bool) -> None:
    """The report for people: lines, and on a terminal a table of the groups."""
    is_rich = sys.stdout.isatty() and not is_json_on_stdout and level >= 0
    lines = report.lines(level > 0) if level >= 0 else [report.line(result) for result in report.unexpected]
    for line in lines:
        click.echo(line, err=is_json_on_stdout)
    if is_rich:
        show_table(*report.group_table())
    if level >= 0:
        click.echo(report.summary(), err=is_json_on_stdout)


def show_table(header: list[str], rows: list[list[str]]) -> None:
    """A table on a terminal."""
    from rich.console import Console
    from rich.table import Table
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(header):
        table.add_column(title, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--select", multiple=True, metavar="GLOB", help="Run only tests with such a name; may be repeated.")
@click.option("--deselect", multiple=True, metavar="GLOB", help="Leave out tests with such a name; may be repeated.")
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Tests at the same time.  [default: processors]")
@click.option("--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True,
              help="What executes instructions. On the translator tests run with all their code translated before, which takes "
              "half a second each.")
@click.option("--max-instructions", type=click.IntRange(1), metavar="N",
              help="Limit of each test, whatever the rules say.  [default: 10 million]")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="S",
              help="Limit of each test in seconds, whatever the rules say.  [default: 30]")
@click.option("--rules", "rules_path", metavar="FILE",
              help="How to run which tests: TOML, tables [[rule]].  [default: rules for the public suites]")
@click.option("--expected", "expected_path", metavar="FILE", help="Tests known to fail: TOML, tables [[expected]].")
@click.option("--json", "json_path", metavar="FILE", help="Write all results as JSON; - is stdout, the text then goes to stderr.")
@click.option("--junit", "junit_path", metavar="FILE", help="Write all results as JUnit XML.")
@click.option("--html", "html_path", metavar="FILE", help="Write all results as one page to look at, with filters.")
@click.option("--signature", "signatures", metavar="DIR",
              help="Write DIR/NAME.signature for each test with symbols begin_signature and end_signature.")
@granularity_option
@click.option("--trace-on-fail", "traces", metavar="DIR",
              help="For each test that fails write DIR/NAME.txt, why its last trap was taken, and DIR/NAME.log, the end of its "
              "commit log.")
@choices_options
@click.option("--quiet", "-q", "level", flag_value=-1, type=int, help="Show unexpected results only.")
@click.option("--verbose", "-v", "level", flag_value=1, type=int, default=0, help="Show passing tests too.")
@guarded
def conformance(paths, select, deselect, jobs, engine, max_instructions, timeout, rules_path, expected_path, json_path,
                junit_path, html_path, signatures, granularity, traces, config_path, settings, level):
    """Run each RISC-V ELF file in or at PATH that is a test in the style of riscv-tests, and say which pass.

    A test passes only by the exit command with code 0, stored to `tohost`.  The exit status is 0 if nothing unexpected happened,
    1 if something did, 2 for bad input; that no test was found or none was run is bad input.  Where a rule says how, each check
    that a program reports on its console counts as a test.
    """
    from rvhyp.conformance.discover import discover
    from rvhyp.conformance.discover import select as select_tests
    from rvhyp.conformance.expectations import DEFAULT_RULES, Expectations, Rules
    from rvhyp.conformance.pool import run_all
    from rvhyp.conformance.report import Report
    from rvhyp.conformance.result import Status
    from rvhyp.conformance.runner import Job
    if timeout is not None and not timeout < float("inf"):
        raise BadInput(f"{timeout} seconds is no limit", "--timeout", "give a number")
    for path in (json_path, junit_path, html_path):
        check_writable(path)
    if traces:
        make_folder(traces)
    choices = read_choices(config_path, settings)
    rules = Rules.read(rules_path or DEFAULT_RULES)
    expectations = Expectations.read(expected_path) if expected_path else Expectations()
    found = discover(paths)
    wanted = [Job(test, rules.config(test, max_instructions=max_instructions, timeout=timeout, signatures=signatures,
                                      granularity=granularity, traces=traces, choices=choices))
              for test in select_tests(found, select, deselect)]
    if all(job.skip for job in wanted):
        raise BadInput(f"nothing to run: all {len(wanted)} tests are skipped", do=f"the first: {wanted[0].skip}")
    start_engine(engine)
    rules.check_machines(engine, choices)
    start = time.monotonic()
    bar = Bar(len(wanted), is_wanted=level >= 0)
    with during(bar.describe, bar.stop):
        results = run_all(wanted, engine, jobs, bar)
    bar.stop()
    chosen = {job.test for job in wanted}
    results = [part for result in results for part in result.parts()]
    results += [Job(test).result(Status.NOT_SELECTED) for test in found if test not in chosen]
    report = Report(sorted(results, key=lambda result: result.name), expectations, time.monotonic() - start)
    show(report, level, json_path == "-")
    write_json(json_path, report.to_json())
    write_report(junit_path, "junit", report)
    write_report(html_path, "html", report)
    return 0 if report.is_good else 1
