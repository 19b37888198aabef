"""The options of `rvhyp run` that give guests virtio devices."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import click

from rvhyp.machine.devices.virtio.blk import Blk
from rvhyp.machine.devices.virtio.console import Console
from rvhyp.machine.devices.virtio.device import VirtioDevice
from rvhyp.machine.devices.virtio.image import Overlay, RawImage
from rvhyp.machine.devices.virtio.net import Net
from rvhyp.machine.devices.virtio.p9 import Share
from rvhyp.machine.devices.virtio.rng import HOST, Rng, seeded
from rvhyp.machine.errors import BadInput
from rvhyp.machine.switch import Switch, mac_of


def device_options(command):
    """--disk, --share, --rng, --virtio-console."""
    for option in reversed((
        click.option("--disk", "disks", multiple=True, metavar="FILE[,ro][,overlay=FILE]",
                     help="A disk (virtio-blk) with a raw image; may be repeated.  ro: read-only.  overlay: what is written goes "
                          "to that file, made if there is none.  With several guests add guest=NAME."),
        click.option("--share", "shares", multiple=True, metavar="DIR[,ro][,tag=NAME]",
                     help="A folder of the host (virtio-9p) that the guest mounts by its tag, `share` if none is given; may be "
                          "repeated.  ro: read-only.  With several guests add guest=NAME."),
        click.option("--rng", metavar="SEED|host",
                     help="An entropy source (virtio-rng) for each guest: the same bytes for the same SEED, or the host's."),
        click.option("--virtio-console", "has_console", is_flag=True,
                     help="A virtio console for each guest, beside its UART; input goes there, and waits for its driver."),
    )):
        command = option(command)
    return command


class Option:
    """`FIRST[,flag][,key=value]` from the command line.  A comma in a name is written twice."""

    def __init__(self, name: str, text: str, flags: Iterable[str], keys: Iterable[str], lists: Iterable[str] = ()):
        """BadInput for anything but those flags and keys, each at most once, and lists: keys that may be given again."""
        self.name, self.text = name, text
        parts = [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]
        self.first = parts[0]
        self._given: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {key: [] for key in lists}
        keys = [*keys, *lists]
        allowed = [*flags, *(f"{key}=..." for key in keys)]
        if not self.first:
            raise BadInput(f"{text!r} names no file", name)
        for part in parts[1:]:
            key, equals, value = part.partition("=")
            if (key not in keys or not value) if equals else key not in flags:
                raise BadInput(f"{part!r} in {text!r}", name, f"what may follow is {', '.join(allowed)}")
            if key in self._lists:
                self._lists[key].append(value)
                continue
            if key in self._given:
                raise BadInput(f"{key} is given twice in {text!r}", name, "give it once")
            self._given[key] = value

    def has(self, flag: str) -> bool:
        return flag in self._given

    def get(self, key: str) -> str | None:
        return self._given.get(key)

    def all(self, key: str) -> list[str]:
        """What a list was given."""
        return self._lists[key]

    def guest_of(self, names: list[str]) -> str:
        """The name of the guest it is for: the only one, or the one it says.  BadInput if that is none."""
        given = self.get("guest")
        if given is None and len(names) == 1:
            return names[0]
        if given is None:
            raise BadInput(f"{self.text!r} does not say which guest it is for", self.name,
                           f"add ,guest=NAME; they are {', '.join(names)}")
        if given not in names:
            raise BadInput(f"there is no guest {given!r}", self.name, f"they are {', '.join(names)}")
        return given


def make_disk(option: Option) -> VirtioDevice:
    """A disk from its option.  BadInput if its files cannot be used."""
    overlay = option.get("overlay")
    if overlay is None:
        return Blk(RawImage(option.first, is_read_only=option.has("ro")))
    if option.has("ro"):
        raise BadInput(f"{option.text!r} is read-only and has an overlay", "--disk", "leave one of them out")
    return Blk(Overlay(option.first, overlay))


def make_rng(text: str) -> VirtioDevice:
    """An entropy source from its option."""
    if text == "host":
        return Rng(HOST)
    if not text.isdecimal() or len(text) > 20:
        raise BadInput(f"{text!r} is no seed", "--rng", "give a number, or host")
    return Rng(seeded(int(text)))


def make_devices(outputs: dict[str, Callable[[bytes], object]], own: Mapping[str, Sequence[str]], disks: Iterable[str] = (),
                 shares: Iterable[str] = (), switch: Switch | None = None, rng: str | None = None,
                 has_console: bool = False) -> dict[str, list[VirtioDevice]]:
    """The devices of each guest, in the order of their places; `outputs` has the guests' consoles by name.

    `own` are the images that a prepared guest comes with: its disks, if it is given no others.  With a `switch` each has a card.
    """
    names = list(outputs)
    devices: dict[str, list[VirtioDevice]] = {name: [] for name in names}
    for text in disks:
        option = Option("--disk", text, ["ro"], ["overlay", "guest"])
        devices[option.guest_of(names)].append(make_disk(option))
    for name, paths in own.items():
        devices[name] = devices[name] or [Blk(RawImage(path)) for path in paths]
    tags = set()
    for text in shares:
        option = Option("--share", text, ["ro"], ["tag", "guest"])
        guest, tag = option.guest_of(names), option.get("tag") or "share"
        if (guest, tag) in tags:
            raise BadInput(f"two folders with the tag {tag}", "--share", "give each its own: DIR,tag=NAME")
        tags.add((guest, tag))
        devices[guest].append(Share(option.first, tag, is_read_only=option.has("ro")))
    for number, (name, of_guest) in enumerate(devices.items()):
        of_guest += [Net(switch, mac_of(number))] if switch else []
        of_guest += [make_rng(rng)] if rng is not None else []
        of_guest += [Console(outputs[name])] if has_console else []
    return devices
