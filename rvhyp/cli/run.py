"""rvhyp run: guests in VS-mode."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvhyp.cli.common import (
    choices_options,
    commit_log,
    engine_line,
    engine_options,
    epoch_of,
    guarded,
    json_option,
    log_option,
    plain_table,
    read_choices,
    reboot_option,
    rtc_option,
    say,
    start_engine,
    status_of,
    tell_trouble,
    write_json,
)
from rvhyp.cli.consoles import Consoles, console_option
from rvhyp.cli.devices import device_options, make_devices
from rvhyp.cli.interruption import during
from rvhyp.cli.network import NetCommand, make_switch, network_options, user_settings
from rvhyp.cli.opening import boot_options, open_guests
from rvhyp.machine.console import Prefixed
from rvhyp.machine.devices.virtio.net import Net
from rvhyp.machine.errors import BadInput
from rvhyp.machine.machine import Ended
from rvhyp.machine.source import read_file

if TYPE_CHECKING:
    from rvhyp.machine.devices.virtio.device import VirtioDevice
    from rvhyp.machine.switch import Port, Switch
    from rvhyp.machine.usernet import Settings, UserNetwork
    from rvhyp.monitor.hypervisor import Hypervisor


def exit_table(vms) -> str:
    """Exits by cause, a column for each guest."""
    causes = sorted({cause for vm in vms for cause in vm.exits})
    rows = [[cause, *(str(vm.exits[cause]) for vm in vms)] for cause in causes]
    rows.append(["all", *(str(sum(vm.exits.values())) for vm in vms)])
    rows.append(["without Python", *(str(vm.served) for vm in vms)])
    rows.append(["instructions", *(str(vm.instructions) for vm in vms)])
    return plain_table(["exits by cause", *(vm.name for vm in vms)], rows)


def frames(port: Port) -> dict[str, int]:
    """What was sent and received at a port of the switch: frames, and those that were dropped or not taken."""
    return {"sent": port.sent, "received": port.received, "dropped": port.dropped, "refused": port.refused}


def networks(vm) -> list[dict]:
    """The frames of each network card of a guest."""
    return [frames(device.port) for device in vm.config.virtio if isinstance(device, Net)]


def network_table(vms, outside: UserNetwork | None) -> str:
    """The frames of all, as text; "" if there is no network."""
    rows = [[vm.name, *map(str, card.values())] for vm in vms for card in networks(vm)]
    rows += [["(outside)", *map(str, frames(outside.port).values())]] if outside else []
    return plain_table(["frames", "sent", "received", "dropped", "refused"], rows) + "\n" if rows else ""


def summary(hypervisor, outcome, outside: UserNetwork | None) -> dict:
    """The result of a run, for programs."""
    return {
        "ended": outcome.ended.value, "status": status_of(outcome), "instructions": hypervisor.machine.instret,
        "guests": [{"name": vm.name, "status": vm.status, "stopped_by_monitor": bool(vm.report), "why": vm.why,
                    "reboots": vm.reboots, "instructions": vm.instructions, "report": vm.report,
                    "devices": vm.troubles, "net": networks(vm),
                    "exits": dict(vm.exits), "without_python": vm.served} for vm in hypervisor.vms],
        "outside": frames(outside.port) if outside else None,
    }


def positions(hypervisor) -> list[str]:
    """Where each guest is, once nothing runs any more."""
    from rvhyp.monitor.report import mode_of, place_of
    hypervisor.stand_still()
    return [f"guest {vm.name}: " + ("ended with status " + str(vm.status) if vm.is_over else ", ".join(
        f"hart {vcpu.number} in {mode_of(vcpu)}-mode at {place_of(vcpu, vcpu['sepc'])}" for vcpu in vm.vcpus))
        for vm in hypervisor.vms]


def report_end(hypervisor, outcome) -> None:
    """What a person wants to know of guests that did not end by themselves."""
    for vm in hypervisor.vms:
        if isinstance(vm.config.output, Prefixed):
            vm.config.output.flush()
        if vm.report:
            say(vm.report)
    if outcome.ended is not Ended.EXIT:
        say(f"{outcome.ended.value} reached after {hypervisor.machine.instret} instructions")
        for line in positions(hypervisor):
            say(line)


def write_tree(path: str, tree: bytes) -> int:
    """For --dump-dtb."""
    try:
        Path(path).write_bytes(tree)
    except OSError as error:
        raise BadInput(f"cannot write it: {error.strerror}", path) from error
    return 0


@contextmanager
def closing_all(devices: Sequence[VirtioDevice]) -> Iterator[None]:
    """Afterwards nothing uses them any more, whatever happens: what the guests have written is kept."""
    try:
        yield
    finally:
        for each in devices:
            each.close()


def leave(consoles: Consoles, hypervisor: Hypervisor, devices: Sequence[VirtioDevice]) -> None:
    """For an end from outside: the terminal at once, then what the guests have written."""
    consoles.leave()
    with suppress(Exception):
        hypervisor.stand_still()
    for each in devices:
        with suppress(Exception):               # the signal came in the middle of something: the others all the same
            each.close()


@contextmanager
def uplink(hypervisor: Hypervisor, switch: Switch | None, settings: Settings | None) -> Iterator[UserNetwork | None]:
    """The way to the outside, if there is to be one."""
    if not switch or not settings:
        yield None
        return
    from rvhyp.machine.usernet import UserNetwork
    with closing(UserNetwork(switch, settings, hypervisor.machine.now, say)) as network:
        hypervisor.connect(network)
        yield network


@click.command(cls=NetCommand)
@click.argument("guests", nargs=-1, required=True, metavar="GUEST...")
@click.option("--cpus", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Harts of each guest.")
@boot_options
@device_options
@network_options
@console_option
@reboot_option
@click.option("--realtime", is_flag=True,
              help="Time is the host's, for work at the terminal: who is idle sleeps.  Runs are then not repeatable.")
@click.option("--threads", is_flag=True,
              help="Each hart runs on a thread of the host, all at the same time; means --realtime.")
@click.option("--no-stub", is_flag=True, help="Python serves every exit; else the hottest SBI calls are served without.")
@rtc_option
@choices_options
@click.option("--stats", is_flag=True, help="At the end, show exits by cause and instructions.")
@log_option
@engine_options
@json_option
@guarded
def run(guests, memory, cpus, append, initrd, dtb, dump_dtb, net, pcap, console, no_reboot, realtime, threads, no_stub, rtc,
        config_path, settings, stats, log_path, engine, max_instructions, timeout, json_path, **given):
    """Boot each GUEST in VS-mode under the monitor: an ELF, a Linux Image, or a guest of ours by name.

    Options of memory, harts and booting hold for each GUEST.  An ELF or Image may be compressed.
    One guest has the terminal as its console, where Ctrl-A h shows what Ctrl-A does; of several, each line shows whose it is.
    The exit status is the guest's own (the
    first that is not 0); 2 for bad input, 3 if the monitor stopped a guest, 124 at a limit.
    """
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    epoch = None if rtc is None else epoch_of(rtc)
    if threads and log_path:
        raise BadInput("a log has one instruction after the other", "--threads", "leave out one of --threads and --log-commits")
    opened = open_guests(guests, memory, append, initrd)
    settings_outside, switch = user_settings(net), make_switch(net, pcap)
    names = [guest.name for guest in opened]
    consoles = Consoles(names, console, 2 if json_path == "-" else 1)
    with closing(consoles), during(lambda: ["starting"], consoles.leave):
        ends = {name: consoles.of(name) for name in names}
        devices = make_devices({name: output for name, (output, _) in ends.items()},
                               {guest.name: guest.disks for guest in opened}, switch=switch, **given)
        tree = read_file(dtb) if dtb else b""
        configs = [VmConfig(guest.name, guest.program, guest.memory, cpus, *ends[guest.name], guest.bootargs, initrd=guest.initrd,
                            dtb=tree, dtb_name=dtb or "", virtio=devices[guest.name], tell=say,
                            reboots=not no_reboot) for guest in opened]
        hypervisor = Hypervisor(configs, start_engine(engine), read_choices(config_path, settings), threads,
                                stub=not no_stub and not log_path)
        if dump_dtb:
            return write_tree(dump_dtb, hypervisor.vms[0].device_tree())
        if realtime:
            hypervisor.machine.follow_host_clock()
        if epoch is not None:
            hypervisor.machine.clock.epoch = epoch
        all_devices = [each for name in names for each in devices[name]]
        with (during(lambda: ["running", *positions(hypervisor)], lambda: leave(consoles, hypervisor, all_devices)),
              closing_all(all_devices), uplink(hypervisor, switch, settings_outside) as outside, consoles.attended(hypervisor),
              commit_log(log_path, hypervisor.machine, lambda: hypervisor.vcpus.index(hypervisor.running))):
            outcome = hypervisor.run(max_instructions, timeout)
    report_end(hypervisor, outcome)
    tell_trouble(hypervisor.machine.engine)
    if stats:
        tables = f"{exit_table(hypervisor.vms)}\n{network_table(hypervisor.vms, outside)}"
        click.echo(f"{tables}instructions {hypervisor.machine.instret}\n{engine_line(hypervisor.machine.engine)}", err=True)
    write_json(json_path, summary(hypervisor, outcome, outside))
    return status_of(outcome)
