"""`mgpt-tui`: open the full-screen app."""

from __future__ import annotations

import sys

import click

from mgpt_tui.errors import UserError
from mgpt_tui.text import clean_text


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
    from mgpt_tui.model.registry import find_model

    entry = find_model(model)

    from mgpt_tui.inference.client import EngineClient
    from mgpt_tui.ui.app import WritingRoom
    from mgpt_tui.ui.paste import guard_pastes

    guard_pastes()
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
        click.echo(clean_text(f"Your story is in {file}"))
    if room.return_code:
        sys.exit(room.return_code)
