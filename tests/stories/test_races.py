"""Commands at once: a name is had by one of them, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.stories.claims import claim
from mgpt_tui.stories.formats import to_json
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story

ROUNDS = 10


def at_once(*acts: Callable[[], str]) -> list[str]:
    """What each act gives, or why it was refused."""
    begin = Barrier(len(acts))

    def run(act: Callable[[], str]) -> str:
        begin.wait()
        try:
            return act()
        except UserError as error:
            return f"refused: {error.message}"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def put(library: StoryLibrary, name: str, text: str) -> None:
    library.folder.mkdir(parents=True, exist_ok=True)
    (library.folder / f"{name}.json").write_text(to_json(Story().write(text)), "utf-8")


def _brought_in(folder: Path, file: Path) -> str:
    return StoryLibrary(folder).import_text(file).name


def texts(library: StoryLibrary) -> dict[str, str]:
    assert not [path for path in library.folder.iterdir() if path.suffix != ".json"]
    return {entry.name: library.open(entry.path)[0].text for entry in library.entries()}


def test_files_of_one_name_that_are_brought_in_at_once_are_all_there(tmp_path: Path) -> None:
    files = []
    for number in range(8):
        files.append(tmp_path / str(number) / "notes.txt")
        files[-1].parent.mkdir()
        files[-1].write_text(f"Story {number}.", encoding="utf-8")
    for number in range(ROUNDS):
        library = StoryLibrary(tmp_path / f"stories {number}")
        names = at_once(*(partial(_brought_in, library.folder, file) for file in files))
        found = texts(library)
        assert [found[name] for name in names] == [f"Story {number}." for number in range(8)]
        assert len(found) == 8


def test_of_two_that_want_a_name_one_has_it(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        library = StoryLibrary(tmp_path / f"stories {number}")
        put(library, "a", "A.")
        put(library, "b", "B.")

        def renamed(name: str, library: StoryLibrary = library) -> str:
            here = StoryLibrary(library.folder)
            return here.rename(here.find(name), "X").name

        told = at_once(lambda: renamed("a"), lambda: renamed("b"))
        assert sorted(told) == ["X", "refused: There is 'X' already."]
        first = told.index("X")
        assert texts(library) == {"X": "AB"[first] + ".", "ba"[first]: "BA"[first] + "."}


def test_a_story_that_two_take_is_taken_once(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        library = StoryLibrary(tmp_path / f"stories {number}")
        put(library, "a", "A.")
        here, there = StoryLibrary(library.folder), StoryLibrary(library.folder)
        told = at_once(
            lambda here=here: here.rename(here.find("a"), "X").name,
            lambda there=there: str(there.delete(there.find("a"))),
        )
        assert sum(word.startswith("refused: There is no story 'a'") for word in told) == 1
        trash = StoryLibrary(library.folder / "trash")
        assert len(library.entries()) + len(trash.entries()) == 1


def test_an_app_saves_under_no_name_that_another_has_just_taken(tmp_path: Path) -> None:
    notes = tmp_path / "X.txt"
    notes.write_text("Brought in.", encoding="utf-8")
    for number in range(ROUNDS):
        library = StoryLibrary(tmp_path / f"stories {number}")

        def saved(library: StoryLibrary = library) -> str:
            keeper, story = Keeper(library), Story().write("Told.")
            try:
                story = keeper.save_to(story, library.target("X.json", ""))
            finally:
                keeper.close(story)
            return story.title

        told = at_once(saved, lambda library=library: library.import_text(notes).name)
        assert told in (
            ["X", "X 2"],
            ["refused: There is " + str(library.folder / "X.json") + " already.", "X"],
        )
        assert sorted(texts(library).values()) == ["Brought in.", "Told."]


def test_a_claim_holds_until_it_is_let_go(tmp_path: Path) -> None:
    path, first = claim(tmp_path, "A fox")
    other, second = claim(tmp_path, "A fox")
    assert (path.name, other.name) == ("A fox.json", "A fox 2.json")
    with pytest.raises(UserError, match="already"):
        claim(tmp_path, "A fox", exactly=True)
    assert StoryLibrary(tmp_path).entries() == []
    for journal in (first, second):
        journal.close(remove=True)
    claim(tmp_path, "A fox", exactly=True)[1].close(remove=True)
    assert list(tmp_path.iterdir()) == []
