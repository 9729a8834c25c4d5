"""Several files at once become stories."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.shelf.imports import typed_paths
from mgpt_tui.stories.story import Story


@pytest.fixture
def library(tmp_path: Path) -> StoryLibrary:
    return StoryLibrary(tmp_path / "stories")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "old ones"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.txt", "a.md", "picture.png", ".hidden.txt", "deeper/c.txt"):
        (folder / name).write_text(f"The text of {name}.\n")
    return folder


def names(library: StoryLibrary) -> set[str]:
    return {entry.name for entry in library.entries()}


def test_a_folder_brings_its_texts(library: StoryLibrary, folder: Path) -> None:
    brought = library.bring_in([folder])
    assert [entry.name for entry in brought.taken] == ["a", "b"]
    assert brought.refused == ()


def test_a_pattern_brings_what_it_finds(library: StoryLibrary, folder: Path) -> None:
    library.bring_in([folder / "**" / "*.txt"])
    assert names(library) == {"b", "c"}


def test_what_cannot_be_taken_is_told_and_the_rest_is_taken(
    library: StoryLibrary, folder: Path
) -> None:
    (folder / "empty.txt").write_text(" ")
    paths = [folder, folder / "missing.txt", folder / "picture.png", folder / "*.pdf"]
    brought = library.bring_in([*paths, folder / "deeper"])
    assert names(library) == {"a", "b", "c"}
    told = " ".join(error.message for error in brought.refused)
    for words in ("missing.txt", "picture.png is no .txt", "Nothing is called", "empty.txt has no"):
        assert words in told
    assert len(brought.refused) == 4


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + "*"])
def test_a_path_with_a_name_that_is_too_long_is_refused(library: StoryLibrary, name: str) -> None:
    (refused,) = library.bring_in([Path(name)]).refused
    assert name in refused.message


def test_a_file_is_taken_once_and_the_page_of_a_story_is_that_story(
    library: StoryLibrary, folder: Path
) -> None:
    entry = library.add(Story().write("The wind rose.\nIt sang."), "Wind")
    for suffix in (".json", ".md", ".txt"):
        library.export(entry, folder / f"Wind{suffix}")
    (folder / "a.json").write_text("{}")
    brought = library.bring_in([folder, folder / "b.txt"])
    assert {entry.name for entry in brought.taken} == {"Wind 2", "a", "b"}
    assert [path.name for path in brought.same] == ["Wind.md", "Wind.txt"]
    assert "a.json" in brought.refused[0].message


def test_paths_are_typed_as_in_a_shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    a, b = Path("a.md"), Path("b.txt")
    assert typed_paths(" a.md b.txt ") == [a, b]
    assert typed_paths(f"'{folder}/a.md' ~/b.txt") == [folder / "a.md", folder / "b.txt"]
    assert typed_paths(f"{folder}/a.md") == [folder / "a.md"]
    assert typed_paths("don't.txt") == [Path("don't.txt")]


@pytest.mark.parametrize("line", ["", " ", '""', "a.md ''"])
def test_no_path_is_not_the_folder_that_one_is_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="A path is empty"):
        typed_paths(line)
