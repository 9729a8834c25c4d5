"""The stories' dialog: find, open, rename, duplicate, delete, bring in."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from textual.widgets import Input

from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.screens.library import LibraryScreen, ago

TOLD = {
    "The key": "A girl found a key.\n\nIt was gold.",
    "A [door]": "The door of the dragon.",
    "Old": "Long ago.",
}


@pytest.fixture
def library() -> StoryLibrary:
    """Three stories, of which the one named Old is the oldest."""
    library = StoryLibrary()
    now = time.time()
    for age, (name, text) in enumerate(TOLD.items()):
        path = library.add(Story().write(text).named(name), name).path
        os.utime(path, (now - age * 3600 * 200, now - age * 3600 * 200))
    return library


def names(library: StoryLibrary) -> set[str]:
    return {entry.name for entry in library.entries()}


async def test_stories_are_shown_with_what_is_known_of_them(host, library, size) -> None:
    async with host(LibraryScreen(library), size=size) as writer:
        await writer.sees("The key  8 words · just now")
        await writer.sees("A girl found a key.")
        await writer.sees("A [door]  5 words · 20")
        await writer.misses("It was gold.")
        await writer.press("down", "enter")
        await writer.until(lambda: writer.app.answers == [library.folder / "A [door].json"])


async def test_enter_opens_what_was_typed_for_however_fast(host, library) -> None:
    async with host(LibraryScreen(library)) as writer:
        await writer.press(*"dragon", "enter")
        await writer.until(lambda: writer.app.answers == [library.folder / "A [door].json"])


async def test_nothing_found_is_said_and_esc_leaves(host, library) -> None:
    async with host(LibraryScreen(library)) as writer:
        await writer.press(*"gold", "x")
        await writer.sees("No story has this.")
        await writer.press("enter", "f2", "f3", "delete", "escape")
        await writer.until(lambda: writer.app.answers == [None])
    assert names(library) == set(TOLD)


async def test_an_empty_library_says_so(host) -> None:
    async with host(LibraryScreen(StoryLibrary())) as writer:
        await writer.sees("No story yet.")


async def test_a_story_gets_another_name(host, library) -> None:
    async with host(LibraryScreen(library)) as writer:
        await writer.sees("The key")
        await writer.press("f2")
        await writer.sees("Another name, then enter.")
        await writer.sees("enter does it · esc leaves it")
        await writer.press("ctrl+u", *"a/b", "enter")
        await writer.sees("✗ A name cannot hold")
        await writer.press("ctrl+u", *"Gold", "enter")
        await writer.sees("Renamed: Gold")
        await writer.sees("Gold  8 words")
        await writer.press("f2", "escape")
        await writer.misses("Another name")
        await writer.sees("enter open")
        await writer.press(*"gold", "enter")
        await writer.until(lambda: writer.app.answers == [library.folder / "Gold.json"])
    assert names(library) == {"Gold", "A [door]", "Old"}


async def test_a_story_is_copied(host, library) -> None:
    async with host(LibraryScreen(library)) as writer:
        await writer.press(*"long")
        await writer.misses("The key")
        await writer.press("f3")
        await writer.sees("Copied: Old 2")
        await writer.sees("Old 2  2 words · just now")
    assert names(library) == {*TOLD, "Old 2"}


async def test_a_story_is_deleted_at_the_second_press_and_lands_in_the_trash(host, library) -> None:
    async with host(LibraryScreen(library)) as writer:
        await writer.press(*"long")
        await writer.misses("The key")
        field = writer.app.screen.query_one("#find", Input)
        await writer.press("left", "delete")
        await writer.until(lambda: field.value == "lon")
        assert names(library) == set(TOLD)
        await writer.press("g", "delete")
        await writer.sees("Delete Old?")
        await writer.press("down", "delete")
        await writer.sees("Delete Old?")
        assert names(library) == set(TOLD)
        await writer.press("delete")
        await writer.sees("Old is in the trash; f5 brings it back.")
        await writer.sees("No story has this.")
    assert names(library) == {"The key", "A [door]"}
    assert (library.folder / "trash" / "Old.json").exists()


async def test_a_search_shows_the_passage_with_what_was_typed_marked(host, library, size) -> None:
    async with host(LibraryScreen(library), size=size) as writer:
        await writer.press(*"gol")
        await writer.sees("It was gold.")
        await writer.misses("A girl found")
        await writer.misses("The door")
        looks = {
            segment.text: segment.style
            for strip in writer.strips
            for segment in strip
            if "It was" in strip.text
        }
        assert looks["gol"].reverse and looks["gol"].bold
        assert not looks["It was "].reverse


async def test_a_story_comes_back_from_the_trash(host, library) -> None:
    library.delete(library.find("A [door]"))
    library.delete(library.find("Old"))
    async with host(LibraryScreen(library)) as writer:
        await writer.press("f5")
        await writer.sees("The trash")
        await writer.sees("Long ago.")
        await writer.press(*"dragon")
        await writer.misses("Long ago.")
        await writer.press("enter")
        await writer.sees("Back from the trash: A [door]")
        await writer.press("f5")
        await writer.sees("Long ago.")
        await writer.press("escape")
        await writer.sees("Your stories")
        await writer.press("enter")  # the cursor is on what came back
        await writer.until(lambda: writer.app.answers == [library.folder / "A [door].json"])
    assert names(library) == {"The key", "A [door]"}


async def test_an_empty_trash_says_so(host, library) -> None:
    async with host(LibraryScreen(library)) as writer:
        await writer.press("f5")
        await writer.sees("The trash is empty.")
        await writer.press("enter", "f5")
        await writer.sees("A girl found a key.")


async def test_several_files_are_brought_in_and_what_is_not_is_told(
    host, library, tmp_path: Path
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("one.txt", "two.txt", "bad.md"):
        (folder / name).write_text("" if name == "bad.md" else f"The story {name}.\n")
    async with host(LibraryScreen(library)) as writer:
        await writer.press("f4")
        await writer.paste(f"{folder} {tmp_path}/gone.txt")
        await writer.press("enter")
        await writer.sees("Brought in 2: one, two · ✗ 2 not:")
        await writer.press("f4")
        await writer.paste(f"{tmp_path}/gone.txt {tmp_path}/lost.txt")
        await writer.press("enter")
        await writer.sees("✗ ")
        await writer.sees("And 1 more.")
    assert names(library) == {*TOLD, "one", "two"}


async def test_the_open_story_is_left_alone(host, library) -> None:
    async with host(LibraryScreen(library, library.folder / "The key.json")) as writer:
        await writer.sees("open now")
        await writer.press("f2")
        await writer.sees("✗ This story is open now; /rename")
        await writer.press("delete", "delete")
        await writer.sees("it can be deleted once another is open")
    assert names(library) == set(TOLD)


async def test_a_text_is_brought_in(host, library, tmp_path: Path) -> None:
    text = tmp_path / "Mine.txt"
    async with host(LibraryScreen(library)) as writer:
        await writer.press("f4")
        await writer.paste(str(text))
        await writer.press("enter")
        await writer.sees("✗ ")
        text.write_text("One evening.\n", encoding="utf-8")
        await writer.press("enter")
        await writer.sees("Brought in: Mine")
        await writer.press("enter")
        await writer.until(lambda: writer.app.answers == [library.folder / "Mine.json"])


async def test_a_damaged_story_says_so(host, library) -> None:
    (library.folder / "Broken.json").write_text("{", encoding="utf-8")
    async with host(LibraryScreen(library)) as writer:
        await writer.press(*"broken")
        await writer.sees("✗ Broken.json is damaged")
        await writer.press("f2")
        await writer.sees("Another name")
        await writer.press("ctrl+u", "x", "enter")
        await writer.sees("✗ Broken.json is damaged")
    assert (library.folder / "Broken.json").read_text("utf-8") == "{"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-9, "just now"),
        (3, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86400 * 3, "3 days ago"),
    ],
)
def test_times_are_said_as_people_do(seconds: float, words: str) -> None:
    assert ago(seconds) == words
