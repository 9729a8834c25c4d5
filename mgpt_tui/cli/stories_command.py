"""`mgpt-tui stories`: the saved stories, from the shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mgpt_tui import paths
from mgpt_tui.cli.given.options import PathType
from mgpt_tui.console import Column, console_for, say, table_of
from mgpt_tui.errors import UserError
from mgpt_tui.files import exists
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.text import clean_text

COLUMNS = (Column("name", "name"), Column("date"), Column("words", right=True))
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
    """Print the text of the story NAME, its paragraphs set apart by empty lines."""
    library = StoryLibrary()
    story, _ = library.open(library.find(name).path)
    say(apart(story.text))


@command.command()
@click.argument("words", nargs=-1, required=True)
@AS_JSON
def search(words: tuple[str, ...], as_json: bool) -> None:
    """List the stories that have all of WORDS in their name or text, and the passage that does."""
    _list(StoryLibrary().search(" ".join(words)), as_json, "No story has all of these words.")


@command.command()
@click.argument("name")
@click.argument("file", type=PathType())
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


@command.command()
@click.argument("words", nargs=-1)
@AS_JSON
def trash(words: tuple[str, ...], as_json: bool) -> None:
    """List the stories in the trash, or those of them that have all of WORDS."""
    nothing = "No story in the trash has all of these words." if words else "The trash is empty."
    _list(StoryLibrary().trashed(" ".join(words)), as_json, nothing)


@command.command()
@click.argument("name")
@click.argument("new", default="")
def restore(name: str, new: str) -> None:
    """Bring the story NAME back from the trash, as NEW or under a name that is free."""
    library = StoryLibrary()
    _say_name(library.restore(library.find_trashed(name), new))


@command.command("import")
@click.argument("files", type=PathType(), nargs=-1, required=True)
def import_text(files: tuple[Path, ...]) -> None:
    """Make new stories of FILES: .txt, .md, or .json of ours, folders of these, and patterns.

    What cannot be taken is told, and the rest is taken.
    """
    brought = StoryLibrary().bring_in(map(paths.expanded, files))
    for entry in brought.taken:
        _say_name(entry)
    for file in brought.same:
        say(f"{file} tells what {file.stem}.json does, which is taken.", error=True)
    if brought.refused:
        *others, last = brought.refused
        for error in others:
            say(f"{error.message} {error.remedy}".rstrip(), error=True)
        raise last


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
            say("\t".join((*_cells(entry), _line(entry))))


def _table(entries: Sequence[Entry]) -> None:
    from rich.text import Text

    rows = []
    for entry in entries:
        line = Text(_line(entry))
        if entry.passage is not None and not entry.trouble:
            for start, end in entry.passage.marks:
                line.stylize("bold reverse", start, end)
        rows.append([*_cells(entry), line])
    said = "passage" if any(entry.passage for entry in entries) else "first line"
    console = console_for(sys.stdout)
    console.print(table_of((*COLUMNS, Column(said, "text")), rows, console.width))


def _cells(entry: Entry) -> tuple[str, str, str]:
    date = f"{datetime.fromtimestamp(entry.modified):%Y-%m-%d %H:%M}"
    return _flat(entry.name), date, f"{entry.words:,}"


def _line(entry: Entry) -> str:
    """What is wrong with a story, else the passage that was searched for, else its first line."""
    if entry.passage is not None and not entry.trouble:
        return entry.passage.text
    return _flat(entry.trouble or entry.first_line)


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
    if entry.passage is not None:
        described["passage"] = asdict(entry.passage)
    return described | ({"error": entry.trouble} if entry.trouble else {})
