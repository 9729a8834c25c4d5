"""What is deleted can be brought back, in the place of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.stories.documents import journal_of
from mgpt_tui.stories.drafts import draft_of
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.stories.story import Story


@pytest.fixture
def library(tmp_path: Path) -> StoryLibrary:
    return StoryLibrary(tmp_path / "stories")


def saved(library: StoryLibrary, text: str, name: str) -> Entry:
    keeper = Keeper(library)
    keeper.close(keeper.save_to(Story().write(text), library.target(name, "")))
    return library.find(name)


def texts(library: StoryLibrary) -> dict[str, str]:
    return {entry.name: library.open(entry.path)[0].text for entry in library.entries()}


def test_a_story_comes_back_as_it_was(library: StoryLibrary) -> None:
    entry = saved(library, "A key sang.", "Keys")
    draft_of(entry.path).write_text("a draft")
    before = {path.name: path.read_bytes() for path in library.folder.iterdir()}
    library.delete(entry)
    (trashed,) = library.trashed()
    assert (trashed.name, trashed.words) == ("Keys", 3)
    assert texts(library) == {}
    assert library.restore(trashed).name == "Keys"
    after = {path.name: path.read_bytes() for path in library.folder.iterdir() if path.is_file()}
    assert after == before
    assert library.trashed() == []


def test_a_name_that_is_taken_by_now_gets_a_number_and_nothing_is_written_over(
    library: StoryLibrary,
) -> None:
    library.delete(saved(library, "The first.", "Keys"))
    saved(library, "The second.", "Keys")
    back = library.restore(library.find_trashed("keys"))
    assert texts(library) == {"Keys": "The second.", "Keys 2": "The first."}
    assert library.open(back.path)[0].title == "Keys 2"
    assert (library.folder / "Keys 2.md").read_text("utf-8") == "# Keys 2\n\nThe first.\n"
    assert (library.folder / "Keys.md").read_text("utf-8") == "# Keys\n\nThe second.\n"


def test_two_of_one_name_in_the_trash_come_back_by_theirs(library: StoryLibrary) -> None:
    library.delete(saved(library, "The first.", "Keys"))
    library.delete(saved(library, "The second.", "Keys"))
    assert {entry.name for entry in library.trashed()} == {"Keys", "Keys 2"}
    assert library.restore(library.find_trashed("Keys 2")).name == "Keys"
    assert texts(library) == {"Keys": "The second."}


def test_a_name_may_be_asked_for(library: StoryLibrary) -> None:
    library.delete(saved(library, "A key.", "Keys"))
    saved(library, "A door.", "Doors")
    for bad in ("Doors", "../up"):
        with pytest.raises(UserError):
            library.restore(library.find_trashed("Keys"), bad)
    assert library.restore(library.find_trashed("Keys"), "Locks").name == "Locks"
    assert texts(library) == {"Doors": "A door.", "Locks": "A key."}
    with pytest.raises(UserError, match="no story 'Keys' in the trash"):
        library.find_trashed("Keys")


def test_what_only_a_journal_holds_comes_back(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    keeper.keep(Story().write("A key sang."))
    journal = journal_of(library.find("A key sang").path).read_bytes()
    keeper.close(Story())
    (library.folder / "A key sang.json").unlink(missing_ok=True)
    (library.folder / "A key sang.journal").write_bytes(journal)
    library.delete(library.find("A key sang"))
    assert library.restore(library.find_trashed("A key sang")).words == 3
    assert texts(library) == {"A key sang": "A key sang."}


def test_a_damaged_story_comes_back_as_it_is(library: StoryLibrary) -> None:
    library.folder.mkdir()
    (library.folder / "Broken.json").write_text("{")
    library.delete(library.find("Broken"))
    assert "damaged" in library.trashed()[0].trouble
    assert "damaged" in library.restore(library.find_trashed("Broken")).trouble
    assert (library.folder / "Broken.json").read_text() == "{"
