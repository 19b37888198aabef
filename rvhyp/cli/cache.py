"""rvhyp cache: compiled code on disk."""
from __future__ import annotations

import sys

import click

from rvhyp.cli.common import guarded, say, start_engine
from rvhyp.cli.interruption import during
from rvhyp.engine import HostUnsupported


@click.command()
@click.argument("action", type=click.Choice(["show", "warm", "clear"]), default="show")
@guarded
def cache(action):
    """Show, warm (compile now) or clear compiled code: the core, and what guests ran often enough to be translated."""
    from rvhyp.engine import cache as store
    folder = store.folder()
    if action == "warm":
        start_engine("interpreter")
        translate_what_is_hot()
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    if action == "clear":
        for path in files:
            path.unlink(missing_ok=True)
        click.echo(f"removed {len(files)} files from {folder}")
        return 0
    click.echo(str(folder))
    for path in files:
        click.echo(f"  {path.name}  {path.stat().st_size} bytes")
    return 0


class WarmProgress:
    """A counter on a terminal, a line elsewhere."""

    def __init__(self):
        self._is_tty, self._at = sys.stderr.isatty(), ""

    def __call__(self, done: int, total: int) -> None:
        if not self._at and total:
            say(f"translating hot code found by earlier runs: {total} pages")
        self._at = f"page {done} of {total}"
        if self._is_tty and total:
            click.echo(f"\r  {self._at} ...", nl=False, err=True)

    def clear(self) -> None:
        """Remove the counter."""
        if self._is_tty:
            click.echo("\r\033[K", nl=False, err=True)

    def describe(self) -> list[str]:
        """What is going on."""
        return [f"translating: {self._at}"]


def translate_what_is_hot() -> None:
    """What runs have found hot and not translated.  Regions that were made are kept if this is interrupted."""
    from rvhyp.engine.children import ChildFailed
    from rvhyp.engine.translator import hot
    progress = WarmProgress()
    try:
        with during(progress.describe, progress.clear):
            made = hot.warm(progress)
    except ChildFailed as error:
        raise HostUnsupported(f"translating failed: the process that did was ended {error}, perhaps for want of memory; what was "
                              "made before is kept") from error
    progress.clear()
    say(f"translated {made} regions" if made else "nothing hot waits to be translated")
