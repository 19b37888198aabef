"""rvhyp run: guests in VS-mode."""
from __future__ import annotations

from pathlib import Path

import click

from rvhyp.cli.common import (
    choices_options,
    commit_log,
    engine_options,
    guarded,
    json_option,
    log_option,
    memory_option,
    plain_table,
    read_choices,
    say,
    start_engine,
    status_of,
    write_json,
)
from rvhyp.cli.devices import device_options, make_devices
from rvhyp.cli.interruption import during
from rvhyp.machine.console import Input, Output, Prefixed, Terminal
from rvhyp.machine.devices.virtio.net import Net
from rvhyp.machine.errors import BadInput
from rvhyp.machine.loader import Program, load
from rvhyp.machine.machine import Ended


def open_guest(name: str, kind: str = "guest") -> Program:
    """A program by path, or one of ours by name."""
    import firmware
    if "/" not in name and not Path(name).exists() and name in firmware.names():
        return load(firmware.load(name), name)
    if not Path(name).exists():
        import difflib
        ours = [each for each in firmware.names() if firmware.find(each).kind == kind]
        near = difflib.get_close_matches(name, ours, 1)
        raise BadInput("no such file, and no program of ours", name,
                       f"did you mean {near[0]}?" if near else f"ours are {', '.join(ours)}")
    return load(name)


def unique_names(guests: tuple[str, ...]) -> list[str]:
    """What to call each guest: its file's name, numbered if another has it too."""
    stems = [Path(guest).stem for guest in guests]
    return [stem if stems.count(stem) == 1 else f"{stem}.{number}" for number, stem in enumerate(stems, 1)]


def consoles(names: list[str], descriptor: int):
    """An output for each guest: the descriptor itself for one, whole prefixed lines for several."""
    output = Output(descriptor)
    if len(names) == 1:
        return [output]
    width = max(map(len, names))
    return [Prefixed(f"{name:<{width}} | ", output) for name in names]


def exit_table(vms) -> str:
    """Exits by cause, a column for each guest."""
    causes = sorted({cause for vm in vms for cause in vm.exits})
    rows = [[cause, *(str(vm.exits[cause]) for vm in vms)] for cause in causes]
    rows.append(["all", *(str(sum(vm.exits.values())) for vm in vms)])
    return plain_table(["exits by cause", *(vm.name for vm in vms)], rows)


def networks(vm) -> list[dict]:
    """What each network card of a guest sent and received: frames, and those that were dropped or not taken."""
    ports = [device.port for device in vm.config.virtio if isinstance(device, Net)]
    return [{"sent": port.sent, "received": port.received, "dropped": port.dropped, "refused": port.refused} for port in ports]


def network_table(vms) -> str:
    """The same as text; "" if there is none."""
    rows = [[vm.name, *map(str, card.values())] for vm in vms for card in networks(vm)]
    return plain_table(["frames", "sent", "received", "dropped", "refused"], rows) + "\n" if rows else ""


def summary(hypervisor, outcome) -> dict:
    """The result of a run, for programs."""
    return {
        "ended": outcome.ended.value, "status": status_of(outcome), "instructions": hypervisor.machine.instret,
        "guests": [{"name": vm.name, "status": vm.status, "stopped_by_monitor": bool(vm.report), "why": vm.why,
                    "report": vm.report, "devices": vm.troubles, "net": networks(vm),
                    "exits": dict(vm.exits)} for vm in hypervisor.vms],
    }


def positions(hypervisor) -> list[str]:
    """Where each guest is, once nothing runs any more."""
    from rvhyp.monitor.report import mode_of, place_of
    hypervisor.leave_guest()
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


@click.command()
@click.argument("guests", nargs=-1, required=True, metavar="GUEST...")
@memory_option
@click.option("--cpus", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Harts of each guest.")
@click.option("--append", default="", metavar="TEXT", help="Boot arguments (bootargs in the device tree).")
@click.option("--dump-dtb", type=click.Path(dir_okay=False), metavar="FILE",
              help="Write the first guest's device tree, and do not run.")
@device_options
@choices_options
@click.option("--stats", is_flag=True, help="At the end, show exits by cause and instructions.")
@log_option
@engine_options
@json_option
@guarded
def run(guests, memory, cpus, append, dump_dtb, config_path, settings, stats, log_path, engine, max_instructions, timeout,
        json_path, **given):
    """Boot each GUEST in VS-mode under the monitor: an ELF, a Linux Image, or a guest of ours by name.

    One guest has the terminal as its console; of several, each line shows whose it is.  The exit status is the guest's own (the
    first that is not 0); 2 for bad input, 3 if the monitor stopped a guest, 124 at a limit.
    """
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    programs = [open_guest(guest) for guest in guests]
    names = unique_names(guests)
    outputs = consoles(names, 2 if json_path == "-" else 1)
    source = Input(0) if len(guests) == 1 else Input(None)
    devices = make_devices(dict(zip(names, outputs, strict=True)), **given)
    configs = [VmConfig(name, program, memory, cpus, output, source, append, virtio=devices[name], tell=say)
               for name, program, output in zip(names, programs, outputs, strict=True)]
    hypervisor = Hypervisor(configs, start_engine(engine), read_choices(config_path, settings))
    if dump_dtb:
        Path(dump_dtb).write_bytes(hypervisor.vms[0].device_tree())
        return 0
    terminal = Terminal()
    with (during(lambda: ["running", *positions(hypervisor)], terminal.restore), terminal,
          commit_log(log_path, hypervisor.machine, lambda: hypervisor.vcpus.index(hypervisor.running))):
        outcome = hypervisor.run(max_instructions, timeout)
    for each in (each for name in names for each in devices[name]):
        each.close()
    report_end(hypervisor, outcome)
    if stats:
        tables = f"{exit_table(hypervisor.vms)}\n{network_table(hypervisor.vms)}"
        click.echo(f"{tables}instructions {hypervisor.machine.instret}", err=True)
    write_json(json_path, summary(hypervisor, outcome))
    return status_of(outcome)
