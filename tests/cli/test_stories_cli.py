"""`mgpt-tui stories`, as a user runs it."""

import json
import os

import pytest
from rich.text import Text

from mgpt_tui import paths
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story


def tell(text, name):
    library = StoryLibrary()
    keeper = Keeper(library)
    keeper.close(keeper.save_to(Story().write(text), library.target(name, "")))


@pytest.fixture
def told():
    tell("A [bold]fox[/bold] ran.\nIt sang.", "Foxes")
    tell("The girl found a key.", "Keys")


def names(mgpt):
    return {row["name"] for row in json.loads(mgpt("stories", "--json").out)}


def test_no_story_yet(mgpt):
    outcome = mgpt("stories")
    assert (outcome.code, outcome.out) == (0, "")
    assert "mgpt-tui" in outcome.err
    assert json.loads(mgpt("stories", "--json").out) == []


def test_the_list(mgpt, told):
    lines = sorted(mgpt("stories").out.splitlines())
    name, date, words, first = lines[0].split("\t")
    assert (name, words, first) == ("Foxes", "5", "A [bold]fox[/bold] ran.")
    assert len(date) == len("2026-01-01 10:00")
    row = next(row for row in json.loads(mgpt("stories", "--json").out) if row["name"] == "Keys")
    assert (row["words"], row["first_line"]) == (5, "The girl found a key.")
    assert row["path"] == str(paths.stories_dir() / "Keys.json")
    assert row["modified"].endswith("+00:00")


def test_the_table_on_a_terminal(mgpt, told, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    out = mgpt("stories").out
    for words in ("name", "date", "words", "first line", "A [bold]fox[/bold] ran."):
        assert words in out


def test_a_damaged_story_is_listed_with_what_is_wrong(mgpt, told):
    (paths.stories_dir() / "Bro\x1bken.json").write_text("{")
    out = mgpt("stories").out
    assert "Bro␛ken" in out
    assert "is damaged" in out
    assert "\x1b" not in out
    assert [row.get("error") for row in json.loads(mgpt("stories", "--json").out)].count(None) == 2


def test_show_and_search(mgpt, told):
    assert mgpt("stories", "show", "foxes").out == "A [bold]fox[/bold] ran.\n\nIt sang.\n"
    for words in (["GIRL key"], ["GIRL", "key"]):
        assert mgpt("stories", "search", *words).out.startswith("Keys\t")
    assert mgpt("stories", "search", "girl", "fox").out == ""
    assert [row["name"] for row in json.loads(mgpt("stories", "search", "fox", "--json").out)] == [
        "Foxes"
    ]
    outcome = mgpt("stories", "search", "nothing")
    assert (outcome.code, outcome.out) == (0, "")


def test_export_overwrites_only_when_told(mgpt, told, tmp_path):
    for suffix in ("md", "txt", "json", "html"):
        target = tmp_path / f"out.{suffix}"
        assert mgpt("stories", "export", "Keys", target).code == 0
        assert "The girl found a key." in target.read_text("utf-8")
    (tmp_path / "out.txt").write_text("mine")
    outcome = mgpt("stories", "export", "Keys", tmp_path / "out.txt")
    assert outcome.code == 2
    assert "--force" in outcome.err
    assert (tmp_path / "out.txt").read_text() == "mine"
    assert mgpt("stories", "export", "Keys", tmp_path / "out.txt", "--force").code == 0
    assert (tmp_path / "out.txt").read_text() == "The girl found a key."


def test_rename_duplicate_delete_import(mgpt, told, tmp_path):
    assert mgpt("stories", "rename", "Keys", "Doors").code == 0
    assert "'Doors 2'" in mgpt("stories", "duplicate", "Doors").out
    assert "'Locks'" in mgpt("stories", "duplicate", "Doors", "Locks").out
    out = mgpt("stories", "delete", "Doors").out
    assert str(paths.stories_dir() / "trash" / "Doors.json") in out
    (tmp_path / "wind.txt").write_text("The wind rose.\n")
    assert "'wind'" in mgpt("stories", "import", tmp_path / "wind.txt").out
    assert names(mgpt) == {"Foxes", "Doors 2", "Locks", "wind"}


def test_a_search_tells_the_passage(mgpt, told, monkeypatch):
    assert mgpt("stories", "search", "sang").out.split("\t")[3] == "It sang.\n"
    assert json.loads(mgpt("stories", "search", "SANG", "--json").out)[0]["passage"] == {
        "text": "It sang.",
        "marks": [[3, 7]],
    }
    assert mgpt("stories", "search", "foxes").out.split("\t")[3].startswith("A [bold]fox")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    heading, row = mgpt("stories", "search", "sang").out.splitlines()
    assert "passage" in heading
    assert "\x1b[1;7msang\x1b[0m" in row


def test_what_is_deleted_comes_back(mgpt, told):
    assert "trash is empty" in mgpt("stories", "trash").err
    mgpt("stories", "delete", "Keys")
    assert names(mgpt) == {"Foxes"}
    assert mgpt("stories", "trash").out.startswith("Keys\t")
    assert json.loads(mgpt("stories", "trash", "girl", "--json").out)[0]["name"] == "Keys"
    assert mgpt("stories", "trash", "wolf").out == ""
    tell("Another.", "Keys")
    assert mgpt("stories", "restore", "Keys", "Keys").code == 2
    assert mgpt("stories", "restore", "keys").out == "Saved as 'Keys 2'.\n"
    assert mgpt("stories", "show", "Keys 2").out == "The girl found a key.\n"
    assert mgpt("stories", "show", "Keys").out == "Another.\n"
    assert json.loads(mgpt("stories", "trash", "--json").out) == []


def test_several_files_are_imported_and_what_is_not_is_told(mgpt, told, tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/wind.txt", "a/rain.md", "sun.txt", "bad.pdf"):
        (tmp_path / name).write_text(f"The {name}.\n")
    outcome = mgpt("stories", "import", tmp_path / "a", tmp_path / "bad.pdf", tmp_path / "s*.txt")
    assert outcome.code == 2
    assert outcome.out == "Saved as 'rain'.\nSaved as 'wind'.\nSaved as 'sun'.\n"
    assert "bad.pdf is no .txt, .md or .json." in outcome.err
    assert names(mgpt) == {"Foxes", "Keys", "wind", "rain", "sun"}
    sun = tmp_path / "sun.txt"
    assert mgpt("stories", "import", sun, tmp_path / "a" / ".." / "sun.txt", sun).code == 0
    assert names(mgpt) == {"Foxes", "Keys", "wind", "rain", "sun", "sun 2"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore", "nobody"],
        ["restore"],
        ["import"],
        ["import", "missing.txt", "*.none"],
        ["show", "nobody"],
        ["show", "../Keys"],
        ["show"],
        ["rename", "Keys", "../up"],
        ["rename", "Keys", "Foxes"],
        ["rename", "Keys", "con"],
        ["duplicate", "Keys", "Foxes"],
        ["export", "Keys", "out.pdf"],
        ["export", "Keys", "out"],
        ["export", "Keys", "nowhere/out.md"],
        ["export", "nobody", "out.txt"],
        ["import", "missing.txt"],
        ["import", "."],
        ["import", ""],
        ["export", "Keys", ""],
        ["delete", "nobody"],
        ["nonsense"],
    ],
)
def test_bad_input(mgpt, told, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = mgpt("stories", *arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert names(mgpt) == {"Foxes", "Keys"}


def test_no_folder_is_made_for_an_export(mgpt, told, tmp_path):
    outcome = mgpt("stories", "export", "Keys", tmp_path / "nope" / "x.md")
    assert outcome.code == 2
    assert f"{tmp_path / 'nope'} does not exist.\nCheck the path." in outcome.err
    assert not (tmp_path / "nope").exists()


def test_a_folder_without_texts_is_no_story(mgpt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "mgpt-tui: . is no file, and holds no .txt" in mgpt("stories", "import", ".").err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
@pytest.mark.parametrize("name", ["pipe.txt", "pipe.md", "pipe.json"])
def test_a_pipe_is_not_waited_for(mgpt, tmp_path, name):
    os.mkfifo(tmp_path / name)
    outcome = mgpt("stories", "import", tmp_path / name)
    assert outcome.code == 2
    assert "is no regular file" in outcome.err
    if name.endswith(".json"):
        assert "is no regular file" in mgpt("replay", tmp_path / name).err


def test_what_is_open_stays(mgpt):
    keeper = Keeper(StoryLibrary())
    story = Story().write("A key.")
    keeper.keep(story)
    outcome = mgpt("stories", "delete", "A key")
    assert outcome.code == 2
    assert "open in another window" in outcome.err
    assert mgpt("stories", "show", "A key").out == "A key.\n"
    keeper.close(story)


def plain(text):
    """Lines without their colours."""
    return Text.from_ansi(text).plain.splitlines()


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 160, 200])
def test_a_terminal_never_cuts_a_name(mgpt, told, monkeypatch, columns):
    tell("The fox found a key, and " * 30, "Night Garden, a long story")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    heading, *rows = plain(mgpt("stories").out)
    assert len(rows) == 3 and all(len(row) <= columns for row in (heading, *rows))
    for name in ("Foxes", "Keys", "Night Garden, a long story"):
        assert any(row.startswith(name) for row in rows)
    assert ("words" in heading) == (columns >= 60)
    assert ("first line" in heading) == (columns >= 80)
