"""`mgpt-tui paths`: where things live."""

from __future__ import annotations

import click

from mgpt_tui import paths


@click.command()
def command() -> None:
    """Print where stories, models, settings and logs live, and the variable that moves each."""
    for location in paths.LOCATIONS.values():
        click.echo(f"{location.name:8}{location.path()}  ({location.holds}; {location.variable})")
    click.echo(f"{'stories':8}{paths.stories_dir()}")
    click.echo(f"{'runs':8}{paths.runs_dir()}")
