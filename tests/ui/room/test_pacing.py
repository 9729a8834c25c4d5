"""What is written is shown at the speed of reading, and kept at once."""

from __future__ import annotations

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings import load_settings
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.room.pacing import Pacing
from tests.ui.conftest import WORDS

SETTINGS = SamplingSettings()
BEGINNING = "The girl found a key"


def test_words_come_one_by_one_until_all_are_read() -> None:
    now = 0.0
    pacing = Pacing(2.0, lambda: now)

    def shown(story: Story, *, writing: bool = False) -> str:
        return "".join(span.text for span in pacing.shown(story, writing=writing))

    told = Story().write("A cat").begin(SETTINGS)
    assert shown(told, writing=True) == "A cat"
    told = told.extend(" sat on  the mat. ")
    assert shown(told, writing=True) == "A cat"
    assert pacing.is_behind
    now = 1.0
    assert shown(told, writing=True) == "A cat sat on"
    now = 1.5
    assert shown(told) == "A cat sat on  the"
    now = 2.5
    assert shown(told) == told.text
    assert not pacing.is_behind
    assert shown(told.undo()) == "A cat"
    assert shown(told.undo().redo()) == told.text
    again = told.retry(SETTINGS).extend(" ran.")
    assert shown(again, writing=True) == "A cat"
    pacing.catch_up()
    assert shown(again, writing=True) == again.text


def test_what_is_shown_stays_whatever_the_speed_becomes() -> None:
    now = 0.0
    pacing = Pacing(None, lambda: now)

    def shown(story: Story, *, writing: bool = False) -> str:
        return "".join(span.text for span in pacing.shown(story, writing=writing))

    told = Story(created="then").write("A cat").begin(SETTINGS).extend(" sat on the mat.")
    assert shown(told, writing=True) == told.text
    pacing.speed = 1.0
    assert shown(told, writing=True) == told.text
    told = told.extend(" It slept there.")
    assert shown(told, writing=True) == "A cat sat on the mat."
    now = 1.0
    assert shown(told, writing=True) == "A cat sat on the mat. It"
    pacing.speed = 0.1
    now = 2.0
    assert shown(told, writing=True) == "A cat sat on the mat. It"
    now = 12.0
    assert shown(told) == "A cat sat on the mat. It slept"
    pacing.speed = None
    assert shown(told) == told.text
    pacing.speed = 1.0
    assert shown(told) == told.text


def test_another_story_is_not_read_at_the_place_of_the_one_before() -> None:
    pacing = Pacing(1.0, lambda: 0.0)
    one, other = (
        Story(created=when).write("Dog").begin(SETTINGS).extend(" ran.") for when in ("now", "then")
    )
    pacing.shown(one, writing=True)
    assert pacing.is_behind
    assert pacing.shown(other, writing=False) == other.spans
    assert not pacing.is_behind


async def test_the_story_is_whole_before_it_is_shown_and_esc_shows_the_rest(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        writer.room.desk.pacing = Pacing(clock=lambda: 0.0)
        await writer.command("/set reading-speed 0.1")
        await writer.until(lambda: "reading-speed is 0.1 from now on" in writer.toasts)
        await writer.tell(BEGINNING)
        assert writer.text == BEGINNING + "".join(WORDS)
        assert writer.shown == BEGINNING
        await writer.press("escape")
        await writer.until(lambda: writer.shown == writer.text)
        await writer.press("enter")
        await writer.until(lambda: writer.text.endswith("".join(WORDS) * 2))
        await writer.until(lambda: writer.shown == BEGINNING + "".join(WORDS))
        await writer.press("ctrl+z")
        await writer.until(lambda: writer.shown == BEGINNING + "".join(WORDS))
        writer.app.finish()
    assert load_settings().showing.reading_speed == 0.1
