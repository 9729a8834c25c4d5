"""What the writer is told is seen, however much was told before."""

from __future__ import annotations

from functools import partialmethod

import pytest
from textual.geometry import Region

from mgpt_tui.errors import UserError
from mgpt_tui.settings import settings_file
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.another_word import AnotherWordScreen
from mgpt_tui.ui.screens.branches import BranchesScreen
from mgpt_tui.ui.screens.compare import CompareScreen
from mgpt_tui.ui.screens.crash import CrashScreen
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.screens.edit import EditScreen
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.screens.library import LibraryScreen
from mgpt_tui.ui.screens.models import ModelsScreen
from mgpt_tui.ui.screens.save import SaveScreen
from mgpt_tui.ui.widgets.notice_line import NoticeLine
from tests.ui.conftest import Writer


class Clock:
    """Seconds, as a test has them go by."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every notice, from the moment on that the room is open."""
    clock = Clock()
    monkeypatch.setattr(NoticeLine, "__init__", partialmethod(NoticeLine.__init__, clock))
    return clock


def is_seen(writer: Writer, notice: str) -> bool:
    """Whether that notice lies whole on the screen, over nothing else that is there."""
    screen = writer.app.screen
    line = screen.query_one(NoticeLine)
    whole = Region(0, 0, *writer.app.size)
    others = screen.query("StoryPane, Prompt, StatusLine, KeyBar, .box, Candidate")
    return (
        line.notice is not None
        and notice in " ".join(writer.screen.split())
        and whole.contains_region(line.region)
        and not any(line.region.overlaps(other.region) for other in others if other.display)
        and not screen.query("Toast")
    )


async def test_a_notice_is_seen_however_many_were_before(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        places = set()
        for number in range(10):
            writer.room.desk.say(f"Notice {number}.")
            await writer.until(lambda number=number: is_seen(writer, f"Notice {number}."))
            places.add(writer.room.desk.notice_line.region)
        assert len(places) == 1


async def test_a_notice_goes_with_the_first_key_once_it_was_read(open_room, engine, clock) -> None:
    async with open_room(engine) as writer:
        writer.room.desk.say("Saved: somewhere.")
        await writer.until(lambda: is_seen(writer, "Saved"))
        await writer.press("a")
        assert is_seen(writer, "Saved")  # nobody reads so fast
        clock.now += 60
        await writer.settle()
        assert is_seen(writer, "Saved")  # nor need anyone look in time
        await writer.press("b")
        await writer.misses("Saved")
        assert writer.prompt.text == "ab"


async def test_a_notice_goes_by_a_click(open_room, engine, clock) -> None:
    async with open_room(engine) as writer:
        writer.room.desk.say("Saved: somewhere.")
        await writer.until(lambda: is_seen(writer, "Saved"))
        await writer.pilot.click(NoticeLine)
        await writer.misses("Saved")


@pytest.mark.parametrize(
    ("key", "screen"),
    [
        ("f6", CompareScreen), ("f5", AnotherWordScreen), ("f4", EditScreen), ("f1", HelpScreen),
        ("f7", BranchesScreen), ("f3", SaveScreen), ("ctrl+o", LibraryScreen), ("f8", ModelsScreen),
    ],
)  # fmt: skip
@pytest.mark.parametrize("room", [(80, 24), (60, 20)], ids=["80x24", "60x20"])
async def test_no_dialog_is_covered_and_what_was_told_is_still_there_after_it(
    open_room, engine, clock, room, key: str, screen: type[Dialog]
) -> None:
    async with open_room(engine, room) as writer:
        await writer.tell("A key")
        await writer.press(key)
        await writer.on(screen)
        writer.room.desk.complain(UserError("The disk is full, or so it seems " * 4, "Make room."))
        await writer.until(lambda: is_seen(writer, "Make room."))
        clock.now += 60
        await writer.press("escape")
        await writer.on(MainScreen)
        await writer.until(lambda: is_seen(writer, "Make room."))
        clock.now += 60
        await writer.press("x")
        await writer.misses("Make room.")


async def test_the_settings_are_not_covered(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        panel = writer.room.query_one("#settings")
        if not panel.display:
            await writer.press("f2")
        await writer.until(lambda: panel.display)
        writer.room.desk.say("Something long is told " * 12)
        await writer.until(lambda: is_seen(writer, "Something long"))
        assert not panel.region.overlaps(writer.room.desk.notice_line.region)


async def test_what_textual_tells_stands_there_too_and_is_no_markup(open_room, engine) -> None:
    async with open_room(engine) as writer:
        writer.app.notify("Press [b]ctrl+q[/b] to quit", title="Quit?", severity="warning")
        await writer.until(lambda: is_seen(writer, "! Quit? Press ctrl+q to quit"))
        writer.room.desk.say("[b]\x1b[2J[/b]")
        await writer.until(lambda: is_seen(writer, "[b]␛[2J[/b]"))


def write_settings(content: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ('{"theme": "nord",}', "line 1 is no JSON"),
        ('{"format": 7}', "its format is 7, not 1"),
        ('{"sampling": {"temperature": -1}}', "temperature cannot be -1"),
        ('{"keys": {"sned": "f9"}}', "no key belongs to 'sned'"),
        ('{"keys": {"send": "blah [b]"}}', "send cannot be 'blah [b]', which is no key"),
        ('{"theme": "no-such-\\u001b"}', "there is no theme 'no-such-\\x1b'"),
    ],
)
async def test_what_is_wrong_in_the_settings_is_told_at_the_start(
    open_room, engine, content: str, wrong: str
) -> None:
    write_settings(content)
    async with open_room(engine, (160, 48)) as writer:
        await writer.until(lambda: wrong in writer.toasts)
        assert str(settings_file()) in writer.toasts
        await writer.tell("A key")  # enter sends
        assert writer.text.startswith("A key on")


async def test_after_a_crash_the_settings_are_told_once_the_offer_is_answered(
    open_room, engine
) -> None:
    Keeper(StoryLibrary()).keep(Story().write("A key"))  # and nobody closes it
    write_settings("{")
    async with open_room(engine) as writer:
        await writer.on(CrashScreen)
        await writer.press("escape")
        await writer.on(MainScreen)
        await writer.until(lambda: "is no JSON" in writer.toasts)


async def test_settings_in_order_are_not_mentioned(open_room, engine) -> None:
    write_settings('{"theme": "nord", "keys": {"send": "ctrl+g"}}')
    async with open_room(engine) as writer:
        await writer.send("A key")
        assert not engine.asked
        await writer.press("ctrl+g")
        await writer.until(lambda: engine.asked)
        assert writer.app.theme == "nord"
        assert not writer.toasts
