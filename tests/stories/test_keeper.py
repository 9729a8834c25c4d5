"""A story on disk while it is written: nothing is lost, and nobody writes over anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Maker, Story
from tests.stories.conftest import Step, steps, taken


@pytest.fixture
def library(tmp_path: Path) -> StoryLibrary:
    return StoryLibrary(tmp_path / "stories")


def files(library: StoryLibrary) -> list[str]:
    return sorted(path.name for path in library.folder.iterdir())


def text_of(library: StoryLibrary, name: str) -> str:
    return library.open(library.folder / f"{name}.json")[0].text


def crashed(library: StoryLibrary, text: str = "A fox.") -> Path:
    """A story whose app was killed: a document, and a journal with a line more."""
    keeper = Keeper(library)
    story = Story().write(text)
    keeper.close(story)
    keeper, story = Keeper.open(library, library.find(keeper.name).path)
    keeper.keep(story.write("It sang."))
    assert keeper.document is not None
    return keeper.document.path  # and nobody closes it


def around(folder: Path) -> dict[Path, set[Path]]:
    """What lies beside a test's stories folder, and at the root of everything."""
    return {path: set(path.iterdir()) for path in (*list(folder.parents)[:4], Path("/"))}


@given(script=steps, closes=st.sets(st.integers(0, 12)))
@example(script=[("name", "/", 0), ("write", "0", 0)], closes=set())
def test_what_is_kept_comes_back_whole(
    tmp_path_factory: pytest.TempPathFactory, script: list[Step], closes: set[int]
) -> None:
    library = StoryLibrary(tmp_path_factory.mktemp("stories") / "a" / "b" / "c")
    library.folder.mkdir(parents=True)
    before = around(library.folder)
    try:
        assert_comes_back_whole(library, script, closes)
    finally:
        assert around(library.folder) == before


def assert_comes_back_whole(library: StoryLibrary, script: list[Step], closes: set[int]) -> None:
    keeper, story = Keeper(library), Story(created="then")
    for number, step in enumerate(script):
        story = taken(story, step)
        keeper.keep(story)
        if number in closes:
            keeper.close(story)
            if keeper.document:
                keeper, again = Keeper.open(library, keeper.document.path)
                assert again == story
    if keeper.document is None:
        assert not story.text
        return
    assert not keeper.needs(story)
    assert library.open(keeper.document.path)[0] == story
    keeper.close(story)
    assert files(library) == [keeper.document.path.name]
    assert library.open(keeper.document.path)[0] == story


def test_keeping_appends_to_the_journal_and_closing_folds_it_in(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("A fox.")
    keeper.keep(story)
    assert files(library) == ["A fox.journal"]
    story = story.write("It sang. " * 1000)
    keeper.keep(story)
    size = (library.folder / "A fox.journal").stat().st_size
    story = story.write("The end.")
    keeper.keep(story)
    assert (library.folder / "A fox.journal").stat().st_size - size < 300
    keeper.close(story)
    assert files(library) == ["A fox.json"]
    assert json.loads((library.folder / "A fox.json").read_text("utf-8"))["folds"] == 1


def test_a_kill_loses_what_came_after_the_last_keep_only(
    library: StoryLibrary, tmp_path: Path
) -> None:
    code = f"""
import os, signal
from pathlib import Path
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
keeper = Keeper(StoryLibrary(Path({str(library.folder)!r})))
story = Story().write("A fox").begin(SamplingSettings()).extend(" ran", (1,), seed=7)
keeper.keep(story)
story = story.extend(" home", (2,))
keeper.keep(story)
story = story.extend(" again", (3,))
os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    (entry,) = library.unfinished()
    assert entry.words == 4
    keeper, story = Keeper.open(library, entry.path)
    assert (story.text, story.spans[-1].tokens, keeper.note) == ("A fox ran home", (1, 2), "")
    assert story.undo().text == "A fox"
    assert library.unfinished() == []
    keeper.close(story)
    assert library.unfinished() == []


def test_what_cannot_be_read_is_not_offered_after_a_crash(library: StoryLibrary) -> None:
    path = crashed(library)
    for name, content in (("Empty", b""), ("Torn", b'{"format": 1, "fo')):
        (library.folder / f"{name}.journal").write_bytes(content)
    with (library.folder / "A fox.journal").open("ab") as stream:
        stream.write(b"nonsense\n")
    assert [entry.path for entry in library.unfinished()] == [path]


def test_a_generation_that_brought_nothing_before_the_crash_is_taken_back(
    library: StoryLibrary,
) -> None:
    keeper = Keeper(library)
    story = Story().write("A fox")
    keeper.keep(story.begin(SamplingSettings(), Maker(model="m")))
    path = library.entries()[0].path
    del keeper
    _, again = Keeper.open(library, path)
    assert again.nodes == story.nodes
    assert again.undo().text == ""


def test_a_torn_line_costs_that_line(library: StoryLibrary) -> None:
    path = crashed(library)
    journal = path.with_suffix(".journal")
    journal.write_bytes(journal.read_bytes()[:-3])
    keeper, story = Keeper.open(library, path)
    assert (story.text, keeper.note) == ("A fox.", "")
    keeper.close(story.write("It slept."))
    assert text_of(library, "A fox") == "A fox. It slept."


def test_the_second_to_open_a_story_has_a_copy(library: StoryLibrary) -> None:
    first = Keeper(library)
    story = first.save_to(Story().write("A fox."), library.target("Foxes", ""))
    second, copy = Keeper.open(library, library.find("Foxes").path)
    assert "open in another window" in second.note
    assert "'Foxes 2'" in second.note
    assert (copy.text, copy.title) == ("A fox.", "Foxes 2")
    assert not second.needs(copy)
    second.close(copy)
    assert [entry.name for entry in library.entries()] == ["Foxes"]
    second.keep(copy.write("It slept."))
    first.close(story.write("It sang."))
    assert second.name == "Foxes 2"
    assert text_of(library, "Foxes") == "A fox. It sang."
    assert text_of(library, "Foxes 2") == "A fox. It slept."
    third, _ = Keeper.open(library, library.folder / "Foxes.json")
    assert third.note == ""


def test_nobody_saves_over_a_story_that_is_open(library: StoryLibrary) -> None:
    first = Keeper(library)
    first.save_to(Story().write("A fox."), library.target("Foxes", ""))
    second = Keeper(library)
    mine = Story().write("Mine.")
    second.keep(mine)
    with pytest.raises(UserError, match="open in another window"):
        second.save_to(mine, library.target("Foxes", ""))
    assert text_of(library, "Foxes") == "A fox."
    assert second.name == "Mine"


def test_saving_over_a_closed_story_replaces_its_journal_too(library: StoryLibrary) -> None:
    crashed(library)
    keeper = Keeper(library)
    target = library.target("A fox", "")
    with pytest.raises(UserError, match="already"):
        keeper.save_to(Story().write("Mine."), target)
    story = keeper.save_to(Story().write("Mine."), replace(target, replaces=True))
    assert text_of(library, "A fox") == "Mine."
    keeper.keep(story.write("Still."))
    assert text_of(library, "A fox") == "Mine. Still."


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_damaged_document_is_refused_and_left(library: StoryLibrary, content: bytes) -> None:
    path = crashed(library)
    path.write_bytes(content)
    journal = path.with_suffix(".journal").read_bytes()
    for _ in range(2):
        with pytest.raises(UserError, match="A fox"):
            Keeper.open(library, path)
    with pytest.raises(UserError):
        library.open(path)
    assert path.read_bytes() == content
    assert path.with_suffix(".journal").read_bytes() == journal
    with pytest.raises(UserError):
        Keeper.open(library, library.folder / "missing.json")
    assert files(library) == ["A fox.journal", "A fox.json"]


def test_a_damaged_journal_is_used_as_far_as_it_can_be_and_left(library: StoryLibrary) -> None:
    path = crashed(library)
    journal = path.with_suffix(".journal")
    damaged = journal.read_bytes() + b"\x00\x00\n" + b'{"title": "Later"}\n'
    journal.write_bytes(damaged)
    document = path.read_bytes()
    keeper, story = Keeper.open(library, path)
    assert story.text == "A fox. It sang."
    assert "A fox.journal is damaged" in keeper.note
    keeper.close(story.write("It slept."))
    assert (path.read_bytes(), journal.read_bytes()) == (document, damaged)
    assert text_of(library, "A fox 2") == "A fox. It sang. It slept."
    assert "damaged" in library.find("A fox").trouble


def test_a_journal_that_was_folded_in_is_not_used_again(library: StoryLibrary) -> None:
    path = crashed(library)
    stale = path.with_suffix(".journal").read_bytes()
    keeper, story = Keeper.open(library, path)
    keeper.close(story.edited("A fox. Something else."))
    path.with_suffix(".journal").write_bytes(stale)  # as where a crash kept it from going
    keeper, story = Keeper.open(library, path)
    assert (story.text, keeper.note) == ("A fox. Something else.", "")


def test_an_older_document_does_not_lose_the_journal(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    keeper.close(Story().write("A fox."))
    path = library.find("A fox").path
    old = path.read_bytes()
    keeper, story = Keeper.open(library, path)
    story = story.write("It sang.")
    keeper.close(story)
    keeper, story = Keeper.open(library, path)
    keeper.keep(story.write("It slept."))
    del keeper
    path.write_bytes(old)  # from a backup
    journal = path.with_suffix(".journal").read_bytes()
    keeper, story = Keeper.open(library, path)
    assert story.text == "A fox."
    assert "another document" in keeper.note
    keeper.close(story)
    assert path.with_suffix(".journal").read_bytes() == journal


def test_files_that_vanish_are_written_again(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    keeper.close(Story().write("A fox."))
    path = library.find("A fox").path
    keeper, story = Keeper.open(library, path)
    for gone in (path, path.with_suffix(".journal")):
        gone.unlink()
        story = story.write("It sang.")
        keeper.keep(story)
        assert library.open(path)[0] == story
    keeper.close(story)
    assert library.open(path)[0] == story
    assert files(library) == ["A fox.json"]


def test_a_full_disk_is_said_and_the_journal_stays_whole(
    library: StoryLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(library)
    story = Story().write("A fox.")
    keeper.keep(story)
    longer = story.write("It sang.")
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _no_space)
        with pytest.raises(UserError, match="No space"):
            keeper.keep(longer)
        with pytest.raises(UserError, match="No space"):
            keeper.close(longer)
    assert keeper.needs(longer)
    assert text_of(library, "A fox") == "A fox."
    keeper.keep(longer.write("It slept."))
    assert text_of(library, "A fox") == "A fox. It sang. It slept."


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_that_is_read_only_gives_a_copy(
    library: StoryLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(library)
    keeper.close(Story().write("A fox."))
    path = library.find("A fox").path

    really = os.open

    def refuse(path: Path, flags: int, *more: int) -> int:
        if flags & (os.O_CREAT | os.O_RDWR):
            raise PermissionError(13, "Permission denied")
        return really(path, flags, *more)

    with monkeypatch.context() as locked:
        locked.setattr(os, "open", refuse)
        keeper, story = Keeper.open(library, path)
    assert story.text == "A fox."
    assert "cannot be read or written" in keeper.note
