"""rvhyp isa: what is implemented."""
from __future__ import annotations

import json
import textwrap

import click

from rvhyp.cli.common import guarded


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--config", "is_config", is_flag=True,
              help="Print what a hart does where the manual leaves a choice, as a file for --config of other verbs; with --json "
                   "a JSON Schema, and the values.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A choice to print so; may be repeated.")
@guarded
def isa(as_json, is_config, settings):
    """Print the implemented extensions, how many instructions and CSRs they have, and how they stand to profiles."""
    if is_config or settings:
        from rvhyp.cli.common import read_choices
        from rvhyp.isa.configuration import Configuration, json_schema
        choices = Configuration(read_choices(None, settings))
        click.echo(json.dumps({"schema": json_schema(), "values": dict(choices)}, indent=2) if as_json else choices.to_toml())
        return 0
    import rvhyp.isa  # noqa: F401
    from rvhyp.isa import config
    from rvhyp.isa.csr import CSRS
    from rvhyp.isa.instruction import COMPRESSED, EXTENSIONS, INSTRUCTIONS
    from rvhyp.isa.profile import PROFILES, standing
    rows = [(e.name, e.title, sum(i.extension is e for i in (*INSTRUCTIONS.values(), *COMPRESSED.values())),
             sum(row.extension == e.name for row in CSRS.values())) for e in EXTENSIONS.values()]
    standings = [standing(profile) for profile in PROFILES]
    if as_json:
        click.echo(json.dumps({"isa": config.DEFAULT, "csrs": len(CSRS), "extensions": [
            {"name": name, "title": title, "instructions": count, "csrs": csrs} for name, title, count, csrs in rows],
            "profiles": [{"name": each.profile, "met": each.met, "not met": each.not_met} for each in standings]}, indent=2))
        return 0
    click.echo(config.DEFAULT)
    width = max(len(name) for name, *_ in rows)
    for name, title, count, csrs in rows:
        size = count or {0: "", 1: "1 CSR"}.get(csrs, f"{csrs} CSRs")
        click.echo(f"  {name:<{width}} {size:>7}  {title}")
    click.echo(f"  {sum(count for *_, count, _ in rows)} instructions, {len(CSRS)} CSRs")
    for each in standings:
        click.echo(f"{each}\n{textwrap.fill(' '.join(each.met), 100, initial_indent='  ', subsequent_indent='  ')}\n  not met:")
        for name, reason in each.not_met.items():
            click.echo(f"  {name:<{width}} {reason}")
    return 0
