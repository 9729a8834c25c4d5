"""`mgpt-tui`: open the full-screen app."""

from __future__ import annotations

import sys

import click

from mgpt_tui.errors import UserError


@click.command("tui")
@click.option("--model", metavar="NAME", help="Model to write with: a name or a checkpoint folder.")
def command(model: str | None) -> None:
    """Open the full-screen app, the writing room."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "The app needs a terminal, and input or output is none.",
            "Use `mgpt-tui generate` in pipes and scripts.",
        )
    from mgpt_tui.model.registry import find_model

    entry = find_model(model)

    from mgpt_tui.inference.client import EngineClient
    from mgpt_tui.ui.app import WritingRoom

    engine = EngineClient(model)
    room = WritingRoom(engine, entry.name)
    try:
        room.run()
    finally:
        try:
            files = room.finish()
        finally:
            engine.close()
    for file in files:
        click.echo(f"Your story is in {file}")
    if room.return_code:
        sys.exit(room.return_code)
