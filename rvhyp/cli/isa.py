"""rvhyp isa: what is implemented."""
from __future__ import annotations

import json

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
    """Print the implemented extensions, and how many instructions and CSRs they have."""
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
    rows = [(e.name, e.title, sum(i.extension is e for i in (*INSTRUCTIONS.values(), *COMPRESSED.values())))
            for e in EXTENSIONS.values()]
    if as_json:
        click.echo(json.dumps({"isa": config.DEFAULT, "csrs": len(CSRS), "extensions": [
            {"name": name, "title": title, "instructions": count} for name, title, count in rows]}, indent=2))
        return 0
    click.echo(config.DEFAULT)
    width = max(len(name) for name, *_ in rows)
    for name, title, count in rows:
        click.echo(f"  {name:<{width}} {count:>3}  {title}")
    click.echo(f"  {sum(count for *_, count in rows)} instructions, {len(CSRS)} CSRs")
    return 0
