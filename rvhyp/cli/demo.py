"""rvhyp demo: three guests at once."""
from __future__ import annotations

import click

from rvhyp.cli.common import engine_options, guarded, start_engine, status_of
from rvhyp.cli.consoles import prefixed
from rvhyp.cli.interruption import during
from rvhyp.cli.opening import open_guest
from rvhyp.cli.run import exit_table, positions, report_end
from rvhyp.machine.console import Output

GUESTS = ("hello", "tasks", "selftest")


@click.command()
@engine_options
@guarded
def demo(engine, max_instructions, timeout):
    """Boot three guests at once under one monitor on one hart: a greeting, a preemptive kernel, a self-test.

    Every line shows whose it is; at the end, the traps that brought each guest to the monitor, by cause.
    """
    from rvhyp.monitor.hypervisor import Hypervisor
    from rvhyp.monitor.vm import VmConfig
    configs = [VmConfig(name, open_guest(name), 64 << 20, output=output)
               for name, output in prefixed(GUESTS, Output(1)).items()]
    hypervisor = Hypervisor(configs, start_engine(engine))
    with during(lambda: ["running", *positions(hypervisor)]):
        outcome = hypervisor.run(max_instructions, timeout)
    report_end(hypervisor, outcome)
    click.echo()
    click.echo(exit_table(hypervisor.vms))
    click.echo(f"{hypervisor.machine.instret} instructions retired")
    return status_of(outcome)
