"""`mgpt-tui paths`: where things live."""

from __future__ import annotations

import click

from mgpt_tui import paths
from mgpt_tui.text import clean_text


@click.command()
def command() -> None:
    """Print where stories, models, settings and logs live, and the variable that moves each."""
    for location in paths.LOCATIONS.values():
        _say(location.name, f"{location.path()}  ({location.holds}; {location.variable})")
    _say("stories", f"{paths.stories_dir()}")
    _say("runs", f"{paths.runs_dir()}")


def _say(name: str, what: str) -> None:
    click.echo(clean_text(f"{name:8}{what}"))
