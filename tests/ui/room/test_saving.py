"""Saving, opening, leaving: nothing that was written is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key

from mgpt_tui import paths
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.crash import CrashScreen
from mgpt_tui.ui.screens.library import LibraryScreen
from mgpt_tui.ui.screens.save import SaveScreen

BEGINNING = "The girl found a golden key"
TOLD = BEGINNING + " on the ground. It was shiny."


def stories() -> dict[str, str]:
    """The text of every document on disk, by name."""
    library = StoryLibrary()
    return {entry.name: library.open(entry.path)[0].text for entry in library.entries()}


async def test_the_first_save_asks_and_what_is_saved_is_what_is_shown(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+s")
        await writer.on(SaveScreen)
        await writer.sees("The girl found a golden key.md")
        await writer.answer("Keys")
        await writer.on(MainScreen)
        page = paths.stories_dir() / "Keys.md"
        assert page.read_text("utf-8") == f"# Keys\n\n{writer.shown}\n"
        assert str(page) in writer.toasts
        await writer.until(lambda: writer.screen.splitlines()[0].startswith("  Keys "))
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 2 and not writer.app.session.is_busy)
        await writer.press("ctrl+s")
        await writer.until(lambda: page.read_text("utf-8") == f"# Keys\n\n{writer.text}\n")
        assert stories() == {"Keys": writer.text}
        assert writer.app.finish() == [page.with_suffix(".json"), page]


async def test_a_save_may_be_cancelled_and_bad_names_are_refused(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f3")
        await writer.on(SaveScreen)
        for name in ("../evil", "a/b", "con", ".x"):
            await writer.answer(name)
            await writer.sees("✗")
            assert isinstance(writer.app.screen, SaveScreen)
        await writer.press("escape")
        await writer.on(MainScreen)
        assert list(paths.stories_dir().parent.rglob("*.md")) == []


async def test_another_story_is_replaced_only_when_asked_twice(open_room, engine) -> None:
    StoryLibrary().folder.mkdir(parents=True)
    page = StoryLibrary().folder / "Keys.md"
    page.write_text("another story", encoding="utf-8")
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+s")
        await writer.on(SaveScreen)
        await writer.answer("Keys")
        await writer.sees("is there already")
        assert page.read_text("utf-8") == "another story"
        await writer.press("s", "backspace", "enter")
        await writer.sees("is there already")
        await writer.press("enter")
        await writer.on(MainScreen)
        assert page.read_text("utf-8") == f"# Keys\n\n{TOLD}\n"


async def test_a_path_is_saved_where_it_says(open_room, engine, tmp_path: Path) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+s")
        await writer.on(SaveScreen)
        await writer.answer(str(tmp_path / "nope" / "page.txt"))
        await writer.sees("Check the path.")
        assert not (tmp_path / "nope").exists()
        await writer.press("ctrl+u")
        await writer.answer(str(tmp_path / "page.txt"))
        await writer.until(lambda: (tmp_path / "page.txt").exists())
        assert (tmp_path / "page.txt").read_text("utf-8") == TOLD


async def test_an_export_goes_where_it_says_or_nowhere(open_room, engine, tmp_path: Path) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        for file, words in (
            ("a.pdf", "a.pdf has no ending that says the form"),
            (f"{tmp_path}/a.pdf", "Give one of .md, .txt, .json, .html"),
            (f"{tmp_path}/nope/a.md", f"{tmp_path}/nope does not exist"),
            (f"{paths.stories_dir()}/a.json", "That is where stories are kept"),
        ):
            await writer.type(f"/export {file}")
            await writer.press("enter")
            await writer.until(lambda words=words: words in writer.toasts)
        assert not any(tmp_path.rglob("a.*")) and not (tmp_path / "nope").exists()
        for file, written in (("a", paths.stories_dir() / "a.md"), (f"{tmp_path}/a.txt", None)):
            await writer.type(f"/export {file}")
            await writer.press("enter")
            path = written or Path(file)
            await writer.until(lambda path=path: path.exists())
            assert TOLD in path.read_text("utf-8")


async def test_a_save_that_fails_is_told_and_the_story_stays(open_room, engine, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+s")
        await writer.on(SaveScreen)
        await writer.answer(str(tmp_path / "file" / "x.md"))
        await writer.until(lambda: "Check the path" in writer.toasts)
        assert writer.shown == TOLD


async def test_the_story_is_kept_in_the_middle_of_a_generation(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: BEGINNING + " on the" in stories().values())
        manual.write(" ground")
        await writer.until(lambda: BEGINNING + " on the ground" in stories().values())
        assert len(stories()) == 1


async def test_a_story_that_cannot_be_kept_is_told_once_and_quit_asks(
    open_room, engine, home: Path
) -> None:
    (home / "data").parent.mkdir(parents=True, exist_ok=True)
    (home / "data").write_text("in the way", encoding="utf-8")
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.until(lambda: "Check the path" in writer.toasts)
        await writer.press("ctrl+q")
        await writer.until(lambda: "quit again" in writer.toasts)
        assert writer.app.is_running
        (home / "data").unlink()
        await writer.press("ctrl+q")
        await writer.until(lambda: not writer.app.is_running)
    assert list(stories().values()) == [TOLD]


async def test_new_keeps_the_old_story(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+n")
        await writer.sees("Write how a story begins")
        assert writer.text == ""
        assert stories() == {"The girl found a golden key": TOLD}
        await writer.tell("A door")
        await writer.press("ctrl+n")
        await writer.until(lambda: len(stories()) == 2)


async def test_a_saved_story_is_found_by_name_and_opened(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        for line in ("A key", "A [door]"):
            await writer.tell(line)
            await writer.press("ctrl+n")
        await writer.press("ctrl+o")
        await writer.on(LibraryScreen)
        await writer.sees("A [door] on the ground. It")
        await writer.sees("just now")
        await writer.press("down", "up", *"key")
        await writer.misses("A [door]")
        await writer.press("enter")
        await writer.until(lambda: writer.text.startswith("A key"))
        await writer.until(lambda: "│ A key on the ground." in writer.screen)
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 3)
        assert engine.asked[2][0] == ("A key", tuple(range(1001, 1009)))


async def test_a_copy_that_is_not_changed_yet_can_be_renamed(open_room, engine) -> None:
    library = StoryLibrary()
    library.add(Story().write("A fox."), "Foxes")
    first, story = Keeper.open(library, library.find("Foxes").path)
    async with open_room(engine) as writer:
        await writer.command("/open Foxes")
        await writer.until(lambda: "a copy; what you change is kept as 'Foxes 2'" in writer.toasts)
        await writer.command("/rename Foxes")
        await writer.until(lambda: "already" in writer.toasts)
        await writer.command("/rename Vixens")
        await writer.until(lambda: "It is called Vixens now." in writer.toasts)
        await writer.until(lambda: writer.screen.splitlines()[0].startswith("  Vixens "))
        await writer.tell("It ran.")
        told = writer.text
        await writer.press("ctrl+n")
        await writer.until(lambda: stories() == {"Foxes": "A fox.", "Vixens": told})
    first.close(story)


async def test_opening_says_what_is_wrong_with_a_damaged_story(open_room, engine) -> None:
    StoryLibrary().folder.mkdir(parents=True)
    (StoryLibrary().folder / "Broken.json").write_text("{", encoding="utf-8")
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+o")
        await writer.on(LibraryScreen)
        await writer.press(*"brok", "enter")
        await writer.until(lambda: "Broken.json is damaged" in writer.toasts)
        assert writer.shown == TOLD


async def test_an_empty_library_says_so(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.press("ctrl+o")
        await writer.sees("No story yet.")
        await writer.press("enter", "escape")
        await writer.on(MainScreen)


async def test_leaving_while_the_model_writes_keeps_what_it_wrote(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: writer.shown == BEGINNING + " on the")
        await writer.press("ctrl+q")
        await writer.until(lambda: not writer.app.is_running)
        assert manual.stopped == [1]
        kept = writer.app.finish()
    assert kept == [paths.stories_dir() / "The girl found a golden key.json"]
    assert stories() == {kept[0].stem: BEGINNING + " on the"}


async def test_leaving_without_a_story_writes_nothing(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.press("ctrl+q")
        await writer.until(lambda: not writer.app.is_running)
        assert writer.app.finish() == []
    assert not paths.stories_dir().exists()


def crash(text: str) -> None:
    """Leave a story behind as an app does that comes to a sudden end."""
    Keeper(StoryLibrary()).keep(Story().write(text))  # and nobody closes it


@pytest.mark.parametrize(("key", "text"), [("enter", BEGINNING), ("escape", "")])
async def test_typing_does_not_answer_the_offer_after_a_crash_and_is_not_lost(
    open_room, engine, key, text
) -> None:
    crash(BEGINNING)
    async with open_room(engine) as writer:
        await writer.on(CrashScreen)
        await writer.sees("You were writing")
        await writer.press(*"anyx", "backspace", *"one")
        await writer.paste(" there?\n")
        await writer.press(*"so")
        assert isinstance(writer.app.screen, CrashScreen)
        assert writer.prompt.text == ""
        await writer.press(key)
        await writer.on(MainScreen)
        await writer.until(lambda: writer.text == text)
        await writer.until(lambda: writer.prompt.text == "anyone there?\nso")
        assert writer.prompt.has_focus
        await writer.press("!")
        assert writer.prompt.text == "anyone there?\nso!"
        assert not engine.asked


async def test_what_is_typed_around_the_answer_keeps_its_order(open_room, engine) -> None:
    crash(BEGINNING)
    async with open_room(engine) as writer:
        await writer.on(CrashScreen)
        for letter in "And then":
            writer.app.post_message(Key("space" if letter == " " else letter, letter))
        writer.app.post_message(Key("enter", None))
        for letter in ", nothing":
            writer.app.post_message(Key("space" if letter == " " else letter, letter))
        await writer.until(lambda: writer.text == BEGINNING)
        await writer.until(lambda: writer.prompt.text == "And then, nothing")


async def test_a_command_typed_over_the_offer_is_one(open_room, engine) -> None:
    crash(BEGINNING)
    async with open_room(engine) as writer:
        await writer.on(CrashScreen)
        await writer.press(*"/top", "enter")
        await writer.until(lambda: writer.prompt.text == "/top")
        await writer.sees("jump to the beginning")
        await writer.press("enter")
        await writer.until(lambda: writer.prompt.is_empty)
        assert writer.text == BEGINNING
