"""`mgpt-tui stories`: the saved stories, from the shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mgpt_tui import paths
from mgpt_tui.console import Column, console_for, say, table_of
from mgpt_tui.errors import UserError
from mgpt_tui.files import exists
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.text import clean_text

COLUMNS = (
    Column("name", "name"),
    Column("date"),
    Column("words", right=True),
    Column("first line", "text"),
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the saved stories, the newest first, or do something with one of them.

    Off a terminal the list is a line a story: name, date, words and first line with tabs between.
    """
    if context.invoked_subcommand is None:
        _list(StoryLibrary().entries(), as_json, "No story is saved yet; `mgpt-tui` begins one.")


@command.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the text of the story NAME."""
    library = StoryLibrary()
    story, _ = library.open(library.find(name).path)
    say(story.text)


@command.command()
@click.argument("words", nargs=-1, required=True)
@AS_JSON
def search(words: tuple[str, ...], as_json: bool) -> None:
    """List the stories that have all of WORDS in their name or text."""
    _list(StoryLibrary().search(" ".join(words)), as_json, "No story has all of these words.")


@command.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def export(name: str, file: Path, force: bool) -> None:
    """Write the story NAME to FILE, whose ending says how: .md, .txt, .json or .html."""
    library = StoryLibrary()
    entry, target = library.find(name), paths.expanded(file)
    if exists(target) and not force:
        raise UserError(f"There is {target} already.", "Give --force to write over it.")
    library.export(entry, target, new=not force)
    say(f"Written: {target}")


@command.command()
@click.argument("name")
@click.argument("new")
def rename(name: str, new: str) -> None:
    """Give the story NAME the name NEW."""
    library = StoryLibrary()
    _say_name(library.rename(library.find(name), new))


@command.command()
@click.argument("name")
@click.argument("new", default="")
def duplicate(name: str, new: str) -> None:
    """Copy the story NAME, as NEW or under a name that is free."""
    library = StoryLibrary()
    _say_name(library.duplicate(library.find(name), new))


@command.command()
@click.argument("name")
def delete(name: str) -> None:
    """Move the story NAME to the trash folder."""
    library = StoryLibrary()
    say(f"Moved to {library.delete(library.find(name))}")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_text(file: Path) -> None:
    """Make a new story of FILE: a .txt, a .md, or a .json of ours."""
    _say_name(StoryLibrary().import_text(paths.expanded(file)))


def _say_name(entry: Entry) -> None:
    say(f"Saved as {entry.name!r}.")


def _list(entries: Sequence[Entry], as_json: bool, nothing: str) -> None:
    if as_json:
        say(json.dumps([_described(entry) for entry in entries], indent=2))
    elif not entries:
        say(nothing, error=True)
    elif sys.stdout.isatty():
        _table(entries)
    else:
        for entry in entries:
            say("\t".join(_cells(entry)))


def _table(entries: Sequence[Entry]) -> None:
    console = console_for(sys.stdout)
    console.print(table_of(COLUMNS, [_cells(entry) for entry in entries], console.width))


def _cells(entry: Entry) -> tuple[str, str, str, str]:
    date = f"{datetime.fromtimestamp(entry.modified):%Y-%m-%d %H:%M}"
    line = entry.trouble or entry.first_line
    return _flat(entry.name), date, f"{entry.words:,}", _flat(line)


def _flat(text: str) -> str:
    return " ".join(clean_text(text).split())


def _described(entry: Entry) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": entry.name,
        "path": clean_text(str(entry.path)),
        "modified": datetime.fromtimestamp(entry.modified, UTC).isoformat(timespec="seconds"),
        "words": entry.words,
        "first_line": entry.first_line,
    }
    return described | ({"error": entry.trouble} if entry.trouble else {})
