"""The verbs of the command line, each imported when it is used."""
from __future__ import annotations

from importlib import import_module

import click

from rvhyp import __version__

VERBS = {
    "run": "Boot guests in VS-mode under the monitor.",
    "bare": "Run an M-mode program on the bare board.",
    "demo": "Three guests at once under one monitor.",
    "conformance": "Run riscv-tests style programs.",
    "explain": "Why a trap was taken.",
    "fuzz": "Hold random programs on an engine to other simulators.",
    "bench": "Measure the engine.",
    "isa": "What is implemented.",
    "guests": "Prepare real guests: Debian Linux, U-Boot.",
    "cache": "Show or clear compiled code.",
}

EPILOG = """\b
Examples:
  rvhyp run hello                  boot a guest of ours
  rvhyp run u-boot.elf             boot an ELF as a guest; its console is the terminal
  rvhyp guests prepare debian      then: rvhyp run debian
  rvhyp run a.elf b.elf --stats    two guests under one monitor, and why each left VS-mode
  rvhyp bare test.elf              run an M-mode ELF (HTIF or test finisher)
  rvhyp explain test.elf           why its last trap was taken: both walks, PMP, delegation
  rvhyp conformance riscv-tests/isa
"""


class Verbs(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx):
        return list(VERBS)

    def get_command(self, ctx, name):
        return getattr(import_module(f"rvhyp.cli.{name}"), name) if name in VERBS else None

    def format_commands(self, ctx, formatter):
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx, args):
        if args and args[0] not in VERBS:
            import difflib
            near = difflib.get_close_matches(args[0], VERBS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rvhyp")
def main():
    """A RISC-V trap-and-emulate hypervisor in Python, on a compiled RV64 core with the H extension."""
