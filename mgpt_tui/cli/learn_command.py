"""`mgpt-tui learn`: a model of the writer's own stories."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from mgpt_tui.cli.given.options import given, setting_options, settings_of
from mgpt_tui.console import say
from mgpt_tui.errors import UserError
from mgpt_tui.learning import begun
from mgpt_tui.learning.events import (
    Doing,
    Dropped,
    Event,
    Learnt,
    Planned,
    Refused,
    Scored,
    Stepped,
    Stopped,
    encode,
    outcome,
)
from mgpt_tui.model.registry import EMBEDDED
from mgpt_tui.text import clean_text, counted, shell_command
from training.learning.recipe import LearnSettings

PATIENCE = 120.0
"""Seconds after which a process that nobody attends to any more is gone, whatever it does."""
NICE = 10


@click.command()
@click.argument("stories", metavar="[STORY]...", nargs=-1)
@click.option("--name", metavar="NAME", help="What the new model is called. [default: mine]")
@click.option("--model", metavar="MODEL", help="The model that learns. [default: storyteller]")
@click.option(
    "--dry-run", is_flag=True, help="Say what time, memory and disk it takes, and do nothing."
)
@click.option("--resume", is_flag=True, help="Go on with what was stopped or killed.")
@click.option("--drop", is_flag=True, help="Remove what was learnt under --name.")
@click.option("--json", "as_json", is_flag=True, help="Print what goes on as JSON, a line each.")
@click.option(
    "--attended",
    is_flag=True,
    help="Give way to other programs, and stop, keeping what was learnt, when standard input ends.",
)
@setting_options(LearnSettings)
def command(
    stories: tuple[str, ...],
    name: str | None,
    model: str | None,
    dry_run: bool,
    resume: bool,
    drop: bool,
    as_json: bool,
    attended: bool,
    **options: Any,
) -> None:
    """Let a model learn the stories in the library, or STORY... of them.

    It becomes another model, which stands among those of `mgpt-tui models`; the one that it began
    with stays as it is. Ctrl-C keeps what was learnt so far.
    """
    asked = _Asked(stories, name, model, dry_run, resume, drop, given(options))
    _check(asked)
    if attended:
        _attend()
    tell = _as_line if as_json else _in_words
    try:
        last = _run(asked, tell)
    except UserError as error:
        if not as_json:
            raise
        say(encode(Refused(error.message, error.remedy)))
        sys.exit(2)
    if isinstance(last, Stopped):
        sys.exit(128 + last.signal)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be done, as it was said on the command line."""

    stories: tuple[str, ...]
    name: str | None
    model: str | None
    dry_run: bool
    resume: bool
    drop: bool
    settings: dict[str, Any]  # those that were given


def _check(asked: _Asked) -> None:
    """Refuse options that contradict each other."""
    kinds = {"--dry-run": asked.dry_run, "--resume": asked.resume, "--drop": asked.drop}
    flags = [flag for flag, there in kinds.items() if there]
    if len(flags) > 1:
        raise UserError(f"{' and '.join(flags)} exclude each other.", "Give one of them.")
    if not (asked.resume or asked.drop):
        return
    if asked.name is None:
        raise UserError(f"{flags[0]} needs a name.", "Give --name, too.")
    if asked.stories or asked.model is not None or asked.settings:
        raise UserError(
            f"{flags[0]} is about what was begun: its stories, model and settings are known.",
            "Give --name alone.",
        )


def _run(asked: _Asked, tell: Callable[[Event], None]) -> Event | None:
    """Do what was asked for; gives what was told last of a training."""
    if asked.drop:
        assert asked.name is not None
        begun.drop(asked.name)
        tell(Dropped(asked.name))
        return None
    last: Event | None = None
    with closing(_events(asked)) as events:  # saves, also where nobody reads what is told
        for last in events:
            tell(last)
    return last


def _events(asked: _Asked) -> Generator[Event]:
    from training.learning import job

    settings = settings_of(LearnSettings, asked.settings)
    if asked.resume:
        assert asked.name is not None
        return job.go_on(asked.name)
    from training.learning.text import tales_of

    tales = tales_of(_stories(asked.stories))
    how = job.plan if asked.dry_run else job.begin
    return how(asked.name or begun.free_name(), asked.model or EMBEDDED, tales, settings)


def _stories(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names and texts of the stories in the library, all that can be read or those named."""
    from mgpt_tui.stories.library import StoryLibrary

    library = StoryLibrary()
    if names:
        paths = [library.locate(name) for name in names]
    else:
        entries = library.entries()
        paths = [entry.path for entry in entries if not entry.trouble]
        if left_out := ", ".join(clean_text(entry.name) for entry in entries if entry.trouble):
            say(f"Left out, as their files are damaged: {left_out}.", error=True)
    return [(path.stem, library.open(path)[0].text) for path in paths]


def _attend() -> None:
    """End, as SIGTERM would, once standard input does: then whoever began this is gone."""
    if hasattr(os, "nice"):
        os.nice(NICE)

    def wait() -> None:
        while os.read(0, 4096):  # not `sys.stdin`, whose lock would be held when Python ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(1)

    threading.Thread(target=wait, name="attended", daemon=True).start()


# Telling.


def _as_line(event: Event) -> None:
    say(encode(event))


def _in_words(event: Event) -> None:
    """Tell a person; the steps go to standard error."""
    match event:
        case Planned():
            stories = counted(event.stories, "story", "stories")
            say(
                f"{event.model} learns {stories} ({event.tokens:,} tokens, {event.held_out} more "
                f"held out) in {counted(event.steps, 'step')}, and becomes {event.name}."
            )
            say(event.told)
        case Doing():
            say(f"{event.what}…", error=True)
        case Stepped():
            left = "" if event.left is None else f"  {timedelta(seconds=round(event.left))} left"
            say(f"step {event.step} of {event.steps}  loss {event.loss:.3f}{left}", error=True)
        case Scored():
            best = "  best" if event.best else ""
            say(f"held-out stories: {event.bits_per_byte:.3f} bits a byte{best}", error=True)
        case Learnt():
            write = f"Write with it: {shell_command('mgpt-tui', '--model', event.model)}"
            say("\n".join([*outcome(event), write]))
        case Stopped():
            again = shell_command("mgpt-tui", "learn", "--name", event.name, "--resume")
            say(f"Stopped; what was learnt up to step {event.step} is kept. Go on with: {again}")
        case Dropped():
            say(f"{event.name} is gone.")
        case Refused():
            raise UserError(event.message, event.remedy)
