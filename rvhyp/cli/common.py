"""What the verbs share: options, sizes, progress of the one cold build, and how runs end at the terminal."""
from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from rvhyp.cli.interruption import during
from rvhyp.engine import ENGINES, HostUnsupported, make_engine
from rvhyp.isa.configuration import from_text, from_toml
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended

USAGE, STOPPED, LIMIT, OUR_BUG = 2, 3, 124, 70
LAST_YEAR = 16_756_675_200              # seconds from 1970 to 2501; a clock of 64 bits for nanoseconds ends in 2554
UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class Size(click.ParamType):
    """Bytes, with K, M, G or T: 64M."""

    name = "size"

    def convert(self, value, param, ctx):
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,20})([KMGT]?)(i?B)?", value.strip(), re.IGNORECASE)
        if not match:
            self.fail(f"{value!r} is no size; give one like 64M or 1G", param, ctx)
        return int(match[1]) << UNITS[match[2].upper()]


def say(text: str) -> None:
    """A line on stderr, where it does not mix with a guest's console."""
    click.echo(f"rvhyp: {text}", err=True)


def engine_options(command):
    """--engine, --max-instructions, --timeout."""
    for option in reversed((
        click.option("--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True,
                     help="What executes instructions."),
        click.option("--max-instructions", type=click.IntRange(1), metavar="N", help="Stop after N retired instructions."),
        click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Stop after S seconds."),
    )):
        command = option(command)
    return command


def choices_options(command):
    """--config and --set, for `read_choices`."""
    for option in reversed((
        click.option("--config", "config_path", metavar="FILE",
                     help="What the hart does where the manual leaves a choice: TOML, as `rvhyp isa --config` prints it."),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="One such choice; may be repeated."),
    )):
        command = option(command)
    return command


def read_choices(path: str | None, settings: Iterable[str]) -> dict[str, str | int]:
    """The settings in a file, and those of the command line, which count where both have one.  BadInput says what is wrong."""
    chosen: dict[str, str | int] = {}
    try:
        if path is not None:
            chosen |= from_toml(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", path, "check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text", path, "give a TOML file") from error
    except ValueError as error:
        raise BadInput(str(error), path) from error
    for setting in settings:
        try:
            name, value = from_text(setting)
        except ValueError as error:
            raise BadInput(str(error), "--set") from error
        chosen[name] = value
    return chosen


def rtc_option(command):
    """--rtc, for `epoch_of`."""
    return click.option("--rtc", metavar="DATE|host",
                        help="What the real-time clock shows at the start: a date, as 2026-01-31 or 2026-01-31T12:30, UTC if no "
                             "zone is given, or the host's time.  [default: 2026-01-01, with --realtime the host's]")(command)


def reboot_option(command):
    """--no-reboot."""
    return click.option("--no-reboot", is_flag=True,
                        help="What reboots ends, with status 0, or 1 if it says that it failed.")(command)


def epoch_of(text: str) -> int:
    """Nanoseconds since 1970 of what --rtc says.  BadInput if it is no date, or none that the clock can show."""
    from datetime import UTC, datetime
    if text == "host":
        return time.time_ns()
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no date", "--rtc", "give one like 2026-01-31 or 2026-01-31T12:30, or host") from error
    seconds = int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    if not 0 <= seconds < LAST_YEAR:
        raise BadInput(f"the clock cannot show {text}", "--rtc", "give a year from 1970 to 2500")
    return seconds * 1_000_000_000


def log_option(command):
    """--log-commits."""
    return click.option("--log-commits", "log_path", metavar="FILE",
                        help="Write a line for each retired instruction, as Spike does; - is stderr.  Slow.")(command)


def granularity_option(command):
    """--signature-granularity."""
    return click.option("--signature-granularity", "granularity", type=click.IntRange(1, 4096), default=16, show_default=True,
                        metavar="N", help="Bytes in a line of a signature.")(command)


@contextlib.contextmanager
def commit_log(path: str | None, machine, core=lambda: 0, mode: str = "w"):
    """Log what a machine retires to a file while the context lasts."""
    if path is None:
        yield
        return
    from rvhyp.machine.commitlog import CommitLog
    try:
        file = sys.stderr if path == "-" else open(path, mode)
    except OSError as error:
        raise BadInput(f"cannot write it: {error.strerror}", path) from error
    try:
        CommitLog(machine, file.write, core)
        with during(list, file.flush):
            yield
    finally:
        file.flush() if path == "-" else file.close()


def memory_option(command):
    """--memory."""
    return click.option("--memory", type=Size(), default="128M", show_default=True, metavar="SIZE",
                        help="RAM, as 64M or 1G.")(command)


class BuildProgress:
    """Tells the one cold build of the core: a counter on a terminal, two plain lines elsewhere."""

    def __init__(self):
        self._start = time.monotonic()
        self._is_tty = sys.stderr.isatty()
        self._at = ""

    def __call__(self, done: int, total: int) -> None:
        if not total:
            say("another process is compiling the core; waiting for it")
            return
        if not self._at:
            say("compiling the core for this processor; this happens once")
        self._at = f"part {done} of {total}"
        if self._is_tty:
            click.echo(f"\r  {self._at} ...", nl=False, err=True)

    def clear(self) -> None:
        """Remove the counter."""
        if self._at and self._is_tty:
            os.write(2, b"\r\033[K")

    def finish(self) -> None:
        """The engine is ready."""
        if self._at:
            self.clear()
            say(f"core compiled in {time.monotonic() - self._start:.1f} s")

    def describe(self) -> list[str]:
        """What is going on."""
        return [f"compiling the core: {self._at}" if self._at else "loading the core"]


def start_engine(name: str):
    """An engine, with progress if it must be built."""
    progress = BuildProgress()
    with during(progress.describe, progress.clear):
        engine = make_engine(name, progress)
    progress.finish()
    return engine


def engine_line(engine) -> str:
    """What the engine did, for --stats."""
    figures = engine.figures()
    if "translated" not in figures:
        return f"engine {figures['name']}"
    return (f"engine {figures['name']}: {figures['translated']:.1%} of {figures['looks']} looks found translated code; "
            f"{figures['regions']} regions, {figures['made']} made in this run")


def tell_trouble(engine) -> None:
    """Say what went wrong in an engine, though the run went on."""
    if trouble := engine.figures()["trouble"]:
        say(str(trouble))


def guarded(command):
    """Run a verb: bad input is one message and status 2, our own bug leaves a report."""
    @functools.wraps(command)
    def wrapper(*args, **kwargs):
        try:
            status = command(*args, **kwargs)
        except (BadInput, HostUnsupported) as error:
            say(str(error))
            status = USAGE
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            status = 1
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            status = bug_report(error)
        sys.exit(status)
    return wrapper


def bug_report(error: Exception) -> int:
    """Write what we need to find our own bug, and say where it is."""
    import tempfile
    import traceback

    from rvhyp import __version__
    text = "".join([f"rvhyp {__version__}, Python {sys.version}\ncommand: {sys.argv}\n\n", *traceback.format_exception(error)])
    with tempfile.NamedTemporaryFile("w", prefix="rvhyp-bug-", suffix=".txt", delete=False) as file:
        file.write(text)
    say(f"internal error: {type(error).__name__}: {error}\n"
        f"  this is a bug in rvhyp; a report to send with the guest is in {file.name}")
    return OUR_BUG


def status_of(outcome) -> int:
    """Exit status of a run."""
    known = {Ended.EXIT: outcome.status, Ended.QUIT: 0, Ended.REBOOT: 0, Ended.INSTRUCTIONS: LIMIT, Ended.SECONDS: LIMIT}
    return known.get(outcome.ended, STOPPED)


def write_json(path: str | None, value: dict) -> None:
    """Write a JSON document to a file, or with "-" to stdout."""
    if path is None:
        return
    text = json.dumps(value, indent=2) + "\n"
    if path == "-":
        click.echo(text, nl=False)
    else:
        write_file(path, text)


def write_file(path: str, text: str) -> None:
    """Write a file of text.  BadInput if that cannot be."""
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise BadInput(f"cannot write it: {error.strerror}", path) from error


def json_option(command):
    """--json."""
    return click.option("--json", "json_path", metavar="FILE",
                        help="Write the result as JSON; - is stdout, the console then goes to stderr.")(command)


def plain_table(header: list[str], rows: list[list[str]]) -> str:
    """Columns of text, the first flush left, the others flush right."""
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    lines = ["  ".join(cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True)))
             for row in [header, *rows]]
    return "\n".join(line.rstrip() for line in lines)
