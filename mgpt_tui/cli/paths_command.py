"""`mgpt-tui paths`: where things live."""

from __future__ import annotations

import click

from mgpt_tui import paths
from mgpt_tui.console import say


@click.command()
def command() -> None:
    """Print where stories, models, settings and logs live, and the variable that moves each.

    The last line tells of the compiled code that decodes, or why torch has to do without it.
    """
    for location in paths.LOCATIONS.values():
        say(f"{location.name:8}{location.path()}  ({location.holds}; {location.variable})")
    say(f"stories {paths.stories_dir()}")
    say(f"runs    {paths.runs_dir()}")
    from mgpt_tui.inference.decoders import compiling

    try:
        say(f"native  {compiling.file()}  (compiled code; {compiling.made_by()})")
    except compiling.NoCompiler as error:
        say(f"native  none, so torch decodes: {error.message} {error.remedy}")
