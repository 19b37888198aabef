"""What `rvhyp run` boots: programs by path, guests of ours and prepared guests by name, and what each is booted with."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from rvhyp.cli.common import Size
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Program, load
from rvhyp.machine.source import read_file

MEMORY = 128 << 20                      # of a guest that does not say


@dataclass(frozen=True)
class Opened:
    """A guest as it is given to the monitor, but for its console; `disks` are paths of images that it comes with."""

    name: str
    program: Program
    memory: int
    bootargs: str
    initrd: bytes
    disks: tuple[str, ...] = ()


def boot_options(command):
    """--memory, --append, --initrd, --dtb, --dump-dtb."""
    for option in reversed((
        click.option("--memory", type=Size(), metavar="SIZE", help="RAM, as 64M or 1G.  [default: 128M, prepared guests 512M]"),
        click.option("--append", metavar="TEXT", help="Boot arguments (bootargs in the device tree)."),
        click.option("--initrd", metavar="FILE", help="Initial RAM disk."),
        click.option("--dtb", metavar="FILE",
                     help="Device tree to boot with, instead of one of ours; what it lacks of memory and /chosen is filled in."),
        click.option("--dump-dtb", metavar="FILE", help="Write the first guest's device tree, and do not run."),
    )):
        command = option(command)
    return command


def open_guest(name: str, kind: str = "guest") -> Program:
    """A program by path, or one of ours by name."""
    import firmware
    if "/" not in name and not Path(name).exists() and name in firmware.names():
        return load(firmware.load(name), name)
    if not Path(name).exists():
        from rvhyp.guests.recipes import RECIPES
        if name in RECIPES:
            raise BadInput("is not prepared", name, f"rvhyp guests prepare {name}")
        ours = [each for each in firmware.names() if firmware.find(each).kind == kind]
        import difflib
        near = difflib.get_close_matches(name, [*ours, *RECIPES], 1)
        raise BadInput("no such file, and no program of ours", name,
                       f"did you mean {near[0]}?" if near else f"ours are {', '.join(ours)}")
    return load(name)


def unique_names(guests: Sequence[str]) -> list[str]:
    """What to call each guest: its file's name, numbered if another has it too."""
    stems = [Path(guest).stem for guest in guests]
    return [stem if stems.count(stem) == 1 else f"{stem}.{number}" for number, stem in enumerate(stems, 1)]


def open_guests(guests: Sequence[str], memory: int | None, append: str | None, initrd: str | None) -> list[Opened]:
    """Each guest with what the command line says, which counts, or what a prepared guest comes with.  BadInput as for files."""
    disk = read_file(initrd) if initrd else b""
    return [open_one(guest, name, memory, append, disk) for guest, name in zip(guests, unique_names(guests), strict=True)]


def open_one(guest: str, name: str, memory: int | None, append: str | None, initrd: bytes, kind: str = "guest") -> Opened:
    """One of them; `kind` is that of our programs that are offered if there is no such file."""
    from rvhyp.guests import store
    found = None if "/" in guest or Path(guest).exists() else store.find(guest)
    if found is None:
        return Opened(name, open_guest(guest, kind), MEMORY if memory is None else memory, append or "", initrd)
    folder, manifest = found
    if manifest.initrd and not initrd:
        initrd = read_file(folder / manifest.initrd)
    return Opened(name, load(folder / manifest.kernel, guest), manifest.memory if memory is None else memory,
                  manifest.append if append is None else append, initrd, tuple(str(folder / disk) for disk in manifest.disks))
