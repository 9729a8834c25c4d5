"""What is typed and not sent: kept within two seconds, and back in its place after any end."""

from __future__ import annotations

import pytest

from mgpt_tui.stories.drafts import NOTHING, Draft, DraftKeeper, draft_of, read_draft
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.crash import CrashScreen
from mgpt_tui.ui.screens.edit import EditScreen, StoryEditor
from mgpt_tui.ui.screens.save import SaveScreen

BEGINNING = "The girl found a key"
TOLD = BEGINNING + " on the ground. It was shiny."


def on_disk(writer) -> Draft:
    """What is kept of what is being typed."""
    path, _ = writer.room.drafting.drafts._kept
    return read_draft(path) if path else NOTHING


async def test_a_line_comes_back_in_the_room_where_it_was_typed(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.paste("Once [b]upon\n a time")
        await writer.until(lambda: on_disk(writer).line == "Once [b]upon\n a time")
        writer.room.drafting.drafts.__del__()  # a kill -9 lets go of the lock, and of nothing else
    async with open_room(engine) as writer:
        assert writer.prompt.text == "Once [b]upon\n a time"
        assert writer.text == ""
        await writer.type("!")
        await writer.press("enter")
        await writer.until(lambda: writer.text.startswith("Once [b]upon\n a time! on the"))
        await writer.until(lambda: on_disk(writer) == NOTHING)


async def test_each_story_has_its_own_line(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.type("And so")
        await writer.press("ctrl+n")
        await writer.until(lambda: not writer.text)
        assert writer.prompt.text == ""
        await writer.type("new")
        await writer.press("ctrl+o", "enter")
        await writer.until(lambda: writer.text == TOLD)
        assert writer.prompt.text == "And so"
        await writer.press("ctrl+n")
        await writer.until(lambda: not writer.text)
        assert writer.prompt.text == "new"


async def test_a_change_of_the_story_that_was_not_finished_is_gone_on_with(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f4")
        await writer.on(EditScreen)
        await writer.paste(" The end.")
        await writer.until(lambda: on_disk(writer).edit == TOLD + " The end.")
        assert writer.text == TOLD
        await writer.press("ctrl+q")
        await writer.until(lambda: not writer.app.is_running)
        writer.app.finish()
    async with open_room(engine) as writer:
        await writer.until(lambda: "waits there" in writer.toasts)
        await writer.press("ctrl+o", "enter")
        await writer.on(EditScreen)
        assert writer.text == TOLD
        await writer.sees("it is not in the story yet")
        assert writer.app.screen.query_one(StoryEditor).text == TOLD + " The end."
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.text == TOLD + " The end."
        await writer.until(lambda: on_disk(writer) == NOTHING)
        await writer.press("ctrl+z")
        assert writer.text == TOLD


async def test_after_a_crash_a_change_is_gone_on_with_once_and_what_was_typed_is_in_the_prompt(
    open_room, engine
) -> None:
    keeper = Keeper(StoryLibrary())
    keeper.keep(Story().write(BEGINNING))
    DraftKeeper().keep(Draft(edit=BEGINNING + " in the sand"), keeper)
    del keeper  # nobody closes it
    async with open_room(engine) as writer:
        await writer.on(CrashScreen)
        await writer.press(*"And", "enter")
        await writer.on(EditScreen)
        await writer.press(".", "escape")
        await writer.on(MainScreen)
        assert writer.text == BEGINNING + " in the sand."
        await writer.until(lambda: writer.prompt.text == "And")
        assert len(writer.app.screen_stack) == 1


async def test_a_story_opened_while_the_app_starts_has_its_change_gone_on_with_once(
    open_room, engine
) -> None:
    keeper = Keeper(StoryLibrary())
    story = Story().write(BEGINNING)
    keeper.keep(story)
    DraftKeeper().keep(Draft(edit=BEGINNING + " in the sand"), keeper)
    keeper.close(story)
    async with open_room(engine) as writer:
        writer.room.keeping.action_open(BEGINNING)
        writer.app._begin()
        await writer.on(EditScreen)
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.text == BEGINNING + " in the sand"


async def test_a_change_that_was_forgotten_stays_forgotten(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f4")
        await writer.on(EditScreen)
        await writer.paste(" The end.")
        await writer.until(lambda: on_disk(writer).edit)
        await writer.press("f10")
        await writer.on(MainScreen)
        await writer.until(lambda: on_disk(writer) == NOTHING)
        assert writer.text == TOLD


async def test_the_name_for_a_story_comes_back(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+s")
        await writer.on(SaveScreen)
        await writer.press("ctrl+u")
        await writer.paste("The key that sang")
        await writer.until(lambda: on_disk(writer).name == "The key that sang")
        writer.app.finish()
    async with open_room(engine) as writer:
        await writer.press("ctrl+o", "enter")
        await writer.until(lambda: writer.text == TOLD)
        await writer.press("ctrl+s")
        await writer.on(SaveScreen)
        assert writer.app.screen.typed == "The key that sang"
        await writer.press("enter")
        await writer.on(MainScreen)
        await writer.until(lambda: on_disk(writer) == NOTHING)
        assert writer.room.keeper.name == "The key that sang"


async def test_a_line_goes_where_its_story_goes(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.until(lambda: writer.room.keeper.document)
        await writer.command("/rename Keys")
        await writer.until(lambda: writer.room.keeper.name == "Keys")
        await writer.type("And so")
        await writer.until(lambda: on_disk(writer).line == "And so")
        library = writer.room.desk.library
        assert writer.app.finish()
        library.rename(library.find("Keys"), "Locks")
    assert sorted(path.name for path in library.folder.glob("*.draft")) == ["Locks.draft"]
    async with open_room(engine) as writer:
        await writer.command("/open Locks")
        await writer.until(lambda: writer.text == TOLD)
        assert writer.prompt.text == "And so"
        writer.app.finish()
    deleted = library.delete(library.find("Locks"))
    assert draft_of(deleted).exists()


async def test_a_second_app_leaves_what_the_first_one_types(open_room, engine, make_app) -> None:
    async with open_room(engine) as writer:
        await writer.paste("mine")
        await writer.until(lambda: on_disk(writer).line == "mine")
        other = DraftKeeper()
        nobody = Keeper(writer.room.desk.library)
        assert other.take_up(nobody) == NOTHING
        other.keep(Draft(line="yours"), nobody)
        assert on_disk(writer).line == "mine"
        third = DraftKeeper()
        del other
        assert third.take_up(nobody).line == "yours"


def test_a_stale_draft_is_not_written_over_a_newer_one(tmp_path) -> None:
    library = StoryLibrary(tmp_path)
    drafts, keeper = DraftKeeper(), Keeper(library)
    drafts.take_up(keeper)
    turn = drafts.turn
    keeper.keep(Story().write("Once"))
    drafts.keep(Draft(line="old"), keeper, turn)
    assert drafts.take_up(keeper).line == "old"
    drafts.keep(NOTHING, keeper, turn)
    assert drafts.take_up(keeper).line == "old"
    keeper.close(Story().write("Once"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"format": 1, "line": 7}'])
def test_a_damaged_draft_is_none(tmp_path, content) -> None:
    path = tmp_path / "x.draft"
    path.write_bytes(content)
    assert read_draft(path) == NOTHING
    assert read_draft(tmp_path / "none.draft") == NOTHING


def test_a_draft_is_cleaned_when_it_is_read(tmp_path) -> None:
    path = tmp_path / "x.draft"
    path.write_text('{"format": 1, "line": "\\u001b[2J", "edit": "a\\r\\nb", "name": "\\u202e"}')
    assert read_draft(path) == Draft(line="␛[2J", edit="a\nb", name="⟦RLO⟧")


async def test_a_draft_that_cannot_be_kept_is_told(open_room, engine, home) -> None:
    (home / "state").mkdir(parents=True)
    async with open_room(engine) as writer:
        (home / "state" / "drafts").write_bytes(b"")  # a file where the folder should be
        await writer.paste("mine")
        await writer.until(lambda: "drafts" in writer.toasts)
        (home / "state" / "drafts").unlink()
        await writer.until(lambda: on_disk(writer).line == "mine")
