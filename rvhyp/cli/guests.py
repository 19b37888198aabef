"""rvhyp guests: real guests from Debian packages."""
from __future__ import annotations

import sys
import time

import click

from rvhyp.cli.common import guarded, say
from rvhyp.cli.interruption import during
from rvhyp.machine.errors import BadInput

SIZE_UNIT = 1 << 20


class Told:
    """Progress on stderr: a bar on a terminal, a line for each new thing elsewhere."""

    def __init__(self, name: str):
        self.name, self.what = name, "starting"
        self._bar = self._task = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress
            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(name, total=100)

    def __enter__(self):
        if self._bar:
            self._bar.start()
        return self

    def __call__(self, what: str, percent: float) -> None:
        if self._bar:
            self._bar.update(self._task, description=f"{self.name}: {what}", completed=percent)
        elif what != self.what:
            say(f"{self.name}: {what}")
        self.what = what

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()

    def __exit__(self, *exception) -> None:
        self.stop()


def known(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if all are of guests that can be prepared.  BadInput else."""
    import difflib

    from rvhyp.guests.recipes import RECIPES
    for name in names:
        if name not in RECIPES:
            near = difflib.get_close_matches(name, RECIPES, 1)
            raise BadInput("no such guest", name, f"did you mean {near[0]}?" if near else f"there are {', '.join(RECIPES)}")
    return names


@click.group()
def guests():
    """Real guests, prepared on this machine from Debian's packages; apt verifies their signatures.

    \b
    rvhyp guests prepare debian && rvhyp run debian

    They are kept in the cache folder (RVHYP_CACHE, or the user's); the host's own apt is not touched.
    """


@guests.command("list")
@guarded
def list_guests():
    """The guests there are, and which are prepared."""
    from rvhyp.guests import store
    from rvhyp.guests.recipes import RECIPES
    click.echo(f"{'guest':<12} {'prepared':>9}")
    for name, recipe in RECIPES.items():
        found = store.find(name)
        used = sum(path.stat().st_blocks * 512 for path in found[0].iterdir()) // SIZE_UNIT if found else 0
        click.echo(f"{name:<12} {f'{used} MiB' if found else '-':>9}  {recipe.what}")
    click.echo(str(store.folder()))
    return 0


@guests.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--mirror", metavar="URL", help="Where Debian's archive is.  [default: http://deb.debian.org/debian]")
@click.option("--keyring", metavar="FILE", help="Keys of the archive.  [default: those of debian-archive-keyring]")
@click.option("--allow-expired", is_flag=True, help="Accept a Release file that has expired, as that of an archived snapshot.")
@guarded
def prepare(names, mirror, keyring, allow_expired):
    """Make guests ready to run: `rvhyp guests list` shows their names.  What was stopped half-way is resumed."""
    from rvhyp.guests import store
    from rvhyp.guests.apt import MIRROR, Apt
    from rvhyp.guests.recipes import RECIPES, Work
    for name in known(names):
        recipe, start = RECIPES[name], time.monotonic()
        with Told(name) as told, during(lambda told=told: [f"preparing {told.name}: {told.what}"], told.stop):
            def build(folder, name=name, recipe=recipe, told=told):
                apt = Apt(store.folder() / "apt", recipe.suite, mirror or MIRROR, keyring, allow_expired, told)
                with during(list, apt.stop):
                    apt.update()
                    return recipe.build(Work(name, folder, apt, told))
            path = store.make(name, build, lambda: say("another process prepares guests; waiting for it"))
        say(f"{name}: ready in {time.monotonic() - start:.0f} s, {path}; {recipe.command.format(name=name)}")
    return 0


@guests.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--downloads", is_flag=True, help="What was downloaded, too.")
@guarded
def remove(names, downloads):
    """Delete prepared guests, with all that was written to their disks."""
    from rvhyp.guests import store
    if not names and not downloads:
        raise BadInput("nothing to remove", "rvhyp guests remove", "give names of guests, or --downloads")
    for name in known(names):
        store.remove(store.folder() / name)
    if downloads:
        store.remove(store.folder() / "apt")
    return 0
