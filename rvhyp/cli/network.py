"""The options of `rvhyp run` about the network: --net, alone or with what it is like, and --pcap."""
from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from itertools import pairwise

import click

from rvhyp.cli.devices import Option
from rvhyp.machine.errors import BadInput
from rvhyp.machine.switch import Pcap, Switch
from rvhyp.machine.usernet import LONGEST_PREFIX, Forward, Settings

SWITCH, USER = "switch", "user"         # kinds of network
KIND = re.compile(rf"({SWITCH}|{USER})(,.*)?", re.DOTALL)
FORWARD = re.compile(r"(tcp|udp|):([^:]*):(\d{1,5})-([^:]*):(\d{1,5})", re.ASCII)
FORWARD_HELP = "hostfwd=tcp:127.0.0.1:2222-:22 leads from that address and port of the host to port 22 of the first guest"


def network_options(command):
    """--net, --pcap."""
    for option in reversed((
        click.option("--net", metavar="[switch|user[,hostfwd=tcp|udp:[ADDR]:PORT-[GUEST]:PORT][,restrict=on]...]",
                     help="A network card (virtio-net) for each guest, all on one switch; the first guest is 02:00:00:00:00:01.  "
                          "user: with a way to the outside, by libslirp, DHCP and DNS; implies --realtime.  docs/network.md."),
        click.option("--pcap", metavar="FILE", help="Write what the switch carries, for tcpdump or Wireshark.  Needs --net."),
    )):
        command = option(command)
    return command


class NetCommand(click.Command):
    """A command where --net may stand alone: then it is the switch, and what follows is no kind of network."""

    def parse_args(self, ctx, args):
        is_alone = [arg == "--net" and not KIND.fullmatch(after) for arg, after in pairwise([*args, ""])]
        return super().parse_args(ctx, [f"--net={SWITCH}" if alone else arg for arg, alone in zip(args, is_alone, strict=True)])


def make_switch(net: str | None, pcap: str | None) -> Switch | None:
    """The switch, if there is to be one.  BadInput if its pcap file cannot be written."""
    if net is None and pcap is not None:
        raise BadInput("there is no network to write to it", pcap, "give --net as well")
    return None if net is None else Switch(None if pcap is None else Pcap(pcap))


def user_settings(net: str | None) -> Settings | None:
    """What the way to the outside is like, if --net asks for one.  BadInput says what is wrong with it."""
    if net is None:
        return None
    option = Option("--net", net, [], ["net", "restrict", "ipv6"], ["hostfwd"])
    if option.first not in (SWITCH, USER):
        raise BadInput(f"{option.first!r} is no kind of network", "--net", f"give {SWITCH} or {USER}")
    if option.first == SWITCH:
        if net != SWITCH:
            raise BadInput(f"{net!r}", "--net", f"nothing can follow {SWITCH}; did you mean {USER}?")
        return None
    network = _network(option.get("net") or str(Settings().network))
    settings = Settings(network, _is_on(option, "restrict"), _is_on(option, "ipv6"))
    forwards = tuple(_forward(text, settings) for text in option.all("hostfwd"))
    return Settings(network, settings.restrict, settings.ipv6, forwards)


def _network(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no network ({error})", "--net user", "give one as 10.0.2.0/24") from error
    if not 8 <= network.prefixlen <= LONGEST_PREFIX:
        raise BadInput(f"a network of {network.num_addresses} addresses", "--net user", f"give one from /8 to /{LONGEST_PREFIX}")
    return network


def _is_on(option: Option, key: str) -> bool:
    value = option.get(key) or "off"
    if value not in ("on", "off"):
        raise BadInput(f"{key}={value}", "--net user", f"give {key}=on or {key}=off")
    return value == "on"


def _forward(text: str, settings: Settings) -> Forward:
    """`[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT`, as QEMU has it."""
    match = FORWARD.fullmatch(text)
    if not match:
        raise BadInput(f"hostfwd={text} is no forwarding", "--net user", FORWARD_HELP)
    kind, host, port, guest, guest_port = match.groups()
    for number in (port, guest_port):
        if not 1 <= int(number) <= 0xFFFF:
            raise BadInput(f"hostfwd={text}: there is no port {number}", "--net user", FORWARD_HELP)
    try:
        host, guest = (str(IPv4Address(address)) for address in (host or "0.0.0.0", guest or settings.first_guest))
    except AddressValueError as error:
        raise BadInput(f"hostfwd={text}: {error}", "--net user", FORWARD_HELP) from error
    if IPv4Address(guest) not in settings.network:
        raise BadInput(f"hostfwd={text}: {guest} is not in the guests' network {settings.network}", "--net user", FORWARD_HELP)
    return Forward(kind == "udp", host, int(port), guest, int(guest_port))
