"""What the writer is told is seen, however much was told before."""

from __future__ import annotations

import pytest
from textual.geometry import Region
from textual.widget import Widget

from mgpt_tui.settings import settings_file
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.screens.crash import CrashScreen
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.screens.main import MainScreen
from tests.ui.conftest import Writer


def toasts(writer: Writer) -> list[Widget]:
    return list(writer.app.screen.query("Toast"))


def is_seen(writer: Writer, notice: str) -> bool:
    """Whether that notice, and no other, lies whole on the screen."""
    if len(toasts(writer)) != 1 or len(writer.app.screen.query("ToastHolder")) != 1:
        return False
    (toast,) = toasts(writer)
    screen = Region(0, 0, *writer.app.size)
    return notice in writer.screen and screen.contains_region(toast.region)


async def test_a_notice_is_seen_however_many_were_before(open_room, engine) -> None:
    async with open_room(engine) as writer:
        places = set()
        for number in range(40):
            writer.room.say(f"Notice {number}.")
            await writer.until(lambda number=number: is_seen(writer, f"Notice {number}."))
            places.add(toasts(writer)[0].region.offset)
        assert len(places) == 1


async def test_a_dialog_leaves_no_box_of_a_notice_behind(open_room, engine) -> None:
    async with open_room(engine) as writer:
        for number in range(3):
            writer.room.say(f"Notice {number}.")
            await writer.until(lambda: toasts(writer))
            await writer.press("f1")
            await writer.on(HelpScreen)
            await writer.press("escape")
            await writer.on(MainScreen)
            await writer.until(lambda: not writer.app.screen.query("ToastHolder"))


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
        await writer.until(lambda: len(toasts(writer)) == 1)
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
