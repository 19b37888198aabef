"""rvhyp cache: compiled code on disk."""
from __future__ import annotations

import click

from rvhyp.cli.common import guarded, start_engine


@click.command()
@click.argument("action", type=click.Choice(["show", "warm", "clear"]), default="show")
@guarded
def cache(action):
    """Show, warm (compile now) or clear the compiled core."""
    from rvhyp.engine import cache as store
    folder = store.folder()
    if action == "warm":
        start_engine("interpreter")
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    if action == "clear":
        for path in files:
            path.unlink(missing_ok=True)
        click.echo(f"removed {len(files)} files from {folder}")
        return 0
    click.echo(str(folder))
    for path in files:
        click.echo(f"  {path.name}  {path.stat().st_size} bytes")
    return 0
