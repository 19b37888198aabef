"""rvhyp isa: what is implemented."""
from __future__ import annotations

import json

import click

from rvhyp.cli.common import guarded


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@guarded
def isa(as_json):
    """Print the implemented extensions, and how many instructions and CSRs they have."""
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
