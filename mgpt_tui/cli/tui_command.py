"""`mgpt-tui`: open the full-screen app."""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress

import click

from mgpt_tui.console import OutputError, say
from mgpt_tui.errors import UserError


@click.command("tui")
@click.option("--model", metavar="NAME", help="Model to write with: a name or a checkpoint folder.")
def command(model: str | None) -> None:
    """Open the full-screen app, the writing room."""
    # Textual reads keys from standard input and draws on standard error.
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UserError(
            "The app needs a terminal, and input, output or standard error is none.",
            "Use `mgpt-tui generate` in pipes and scripts.",
        )
    _refuse_dumb_terminals()
    from mgpt_tui.model.registry import find_model

    entry = find_model(model)

    from mgpt_tui.inference.process.client import EngineClient

    with closing(EngineClient(model)) as engine:
        engine.start()  # it loads the model while the app is imported and painted

        from mgpt_tui.ui.app import WritingRoom

        room = WritingRoom(engine, entry.name)
        try:
            room.open()
        finally:
            files = room.finish()
    with suppress(OutputError):  # the terminal may be gone
        for file in files:
            say(f"Your story is in {file}")
        if room.learns_no_further:
            say(f"{room.learns_no_further} stops learning, and keeps it: /learn goes on.")
    if room.return_code:
        sys.exit(room.return_code)


def _refuse_dumb_terminals() -> None:
    """Refuse what Rich, which Textual measures the screen with, takes for a dumb terminal.

    Rich says that it has 80 x 25 cells, whatever it has. Where the driver finds another size, the
    screen is resized from the one to the other without end, and hears no key.
    """
    from rich.console import Console

    if Console(force_terminal=True).is_dumb_terminal:
        raise UserError(
            f"The terminal '{os.environ['TERM']}' cannot show the app.",
            "Set TERM to what it is, xterm-256color for most, or use `mgpt-tui generate`.",
        )
