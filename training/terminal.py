"""The console that a run is shown on."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.text import Text

PIPED_WIDTH = 1000
"""Off a terminal nothing is wrapped or cut: what reads it may be a file or a program."""


def console_for(stream: TextIO | None) -> Console:
    """A console that sends control codes to a terminal only, and no colours under NO_COLOR.

    Characters that the stream cannot encode become "?". A `str` is shown as it is: no markup,
    no emoji codes. Where the shell has closed the stream, nothing is written.
    """
    if stream is None:
        return Console(quiet=True)
    terminal = stream.isatty()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return Console(
        file=stream,
        force_terminal=terminal,  # FORCE_COLOR must not make a pipe a terminal
        no_color="NO_COLOR" in os.environ,  # its presence counts, even empty
        width=None if terminal else PIPED_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
    )


def show(parts: Iterable[RenderableType], console: Console) -> None:
    """Print parts one below the other; off a terminal lines are whole, without blanks at an end."""
    for part in parts:
        if console.is_terminal:
            console.print(part)
        elif isinstance(part, Text):
            console.print(part, soft_wrap=True)
        else:
            with console.capture() as told:
                console.print(part)
            for line in told.get().removesuffix("\n").split("\n"):
                console.out(line.rstrip(), highlight=False)
