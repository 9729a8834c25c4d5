"""A bridge: marked in the middle of the story, looked for by the model, one of three kept."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from mgpt_tui.inference.request import Note
from mgpt_tui.stories.story import Author
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.another_word import AnotherWordScreen
from mgpt_tui.ui.screens.bridge.bridging import SAMPLES, Stretch, places_of
from mgpt_tui.ui.screens.bridge.marking import MarkScreen
from mgpt_tui.ui.screens.bridge.ways import WaysScreen
from mgpt_tui.ui.screens.compare import Candidate
from tests.ui.conftest import READY, WAYS, FakeEngine, Writer

BEGINNING = "The girl found a key"
TOLD = BEGINNING + " on the ground. It was shiny."
LONGER = TOLD + " She smiled."


def shown(writer: Writer) -> list[str]:
    """What stands in the columns, with their headings."""
    columns = writer.app.screen.query(Candidate)
    return [f"{column.border_title}|{column.query_one(Static).render()}" for column in columns]


async def test_a_place_between_two_sentences_is_bridged_and_undo_takes_it_back(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        before = writer.app.session.story
        await writer.press("alt+o")
        await writer.on(MarkScreen)
        await writer.sees("ground. …")
        await writer.press("enter")
        await writer.on(WaysScreen)
        await writer.sees("+9.5 bits")
        gap, settings, _ = engine.bridged[0]
        assert (gap.before[0], gap.now) == (BEGINNING, "")
        assert len(gap.before[1]) == 4 and gap.after == (tuple(range(1005, 1009)),)
        assert settings.seed is not None
        await writer.sees("Nobody [saw] it.")
        await writer.press("2")
        await writer.on(MainScreen)
        story = writer.app.session.story
        assert writer.text == BEGINNING + " on the ground." + WAYS[1] + " It was shiny."
        bridge, after = story.spans[-2:]
        assert (bridge.author, bridge.text, bridge.tokens) == (Author.MODEL, WAYS[1], (2001,))
        assert bridge.seed == settings.seed + 1 and bridge.fingerprint == READY.fingerprint
        assert bridge.settings is not None and bridge.settings.seed is None
        assert after.tokens == (1005, 1006, 1007, 1008) and after.seed is None
        await writer.press("ctrl+z")
        assert writer.text == TOLD and writer.app.session.story.spans == before.spans


async def test_a_sentence_is_said_otherwise(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.app.run_action("do('edit')", writer.room)
        await writer.type(" She smiled.")
        await writer.press("escape")
        await writer.until(lambda: writer.text == LONGER)
        await writer.command("/bridge")
        await writer.on(MarkScreen)
        await writer.press("left")
        await writer.sees("say this otherwise")
        await writer.press("enter")
        await writer.on(WaysScreen)
        await writer.sees("what stands there now: +4.2 bits")
        assert engine.bridged[0][0].now == " It was shiny."
        assert engine.bridged[0][0].after == (" She smiled.",)
        await writer.press("right", "enter")
        await writer.until(lambda: writer.text == LONGER.replace(" It was shiny.", WAYS[1]))


async def test_more_than_a_sentence_is_marked(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.send("She smiled. She ran.")
        await writer.until(lambda: len(engine.asked) == 2 and not writer.app.session.is_busy)
        await writer.command("/bridge")
        await writer.on(MarkScreen)
        await writer.press("home", "right", "shift+right", "shift+right", "enter")
        await writer.on(WaysScreen)
        assert engine.bridged[0][0].now == " It was shiny. She smiled."


async def test_the_end_of_what_is_marked_stays_in_view(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        many = " ".join(f"Then mouse {number} went into the house." for number in range(60))
        await writer.send(many)
        await writer.until(lambda: len(engine.asked) == 2 and not writer.app.session.is_busy)
        await writer.command("/bridge")
        await writer.on(MarkScreen)
        await writer.sees("mouse 59")
        await writer.press("home", *["shift+right"] * 90)
        await writer.sees("mouse 44")
        await writer.press("enter")
        await writer.on(WaysScreen)
        now = engine.bridged[0][0].now
        assert now.startswith(" It was") and "mouse 42" in now


async def test_the_sentence_under_the_cursor_of_another_word_is_said_otherwise(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.send("She smiled.")
        await writer.until(lambda: len(engine.asked) == 2 and not writer.app.session.is_busy)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.press("home", *["right"] * 9, "alt+o")
        await writer.on(MarkScreen)
        await writer.press("enter")
        await writer.on(WaysScreen)
        assert engine.bridged[0][0].now == " It was shiny."


@pytest.mark.parametrize(
    ("seed", "others"), [(7, 7 + SAMPLES), (2**63 - 1, SAMPLES - 1)], ids=["any", "the largest"]
)
async def test_others_have_other_seeds_and_what_is_set_is_kept(
    open_room, engine, seed, others
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.command(f"/set seed {seed}")
        await writer.command("/bridge")
        await writer.on(MarkScreen)
        await writer.press("enter")
        await writer.on(WaysScreen)
        await writer.press("ctrl+r")
        await writer.until(lambda: len(engine.bridged) == 2)
        assert [settings.seed for _, settings, _ in engine.bridged] == [seed, others]
        await writer.press("1")
        await writer.on(MainScreen)
        span = writer.app.session.story.spans[-2]
        assert span.settings is not None
        assert (span.seed, span.settings.seed) == (others, seed)


async def test_the_note_and_what_is_muted_go_along(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.command("/remember Mia is a mouse.")
        writer.app.session.muted = "L1"
        await writer.command("/bridge")
        await writer.on(MarkScreen)
        await writer.press("enter")
        await writer.on(WaysScreen)
        gap, _, muted = engine.bridged[0]
        assert gap.before[0] == Note("Mia is a mouse.") and muted == "L1"
        await writer.sees("+9.5 bits")
        await writer.press("1")
        await writer.on(MainScreen)
        span = writer.app.session.story.spans[-2]
        assert (span.note, span.muted) == ("Mia is a mouse.", "L1")


# While it is looked for.


async def bridge_by_hand(writer: Writer, manual: FakeEngine) -> None:
    await writer.begin(BEGINNING, " here.", " It shone.")
    manual.end()
    await writer.until(lambda: not writer.app.session.is_busy)
    await writer.command("/bridge")
    await writer.on(MarkScreen)
    await writer.press("enter")
    await writer.on(WaysScreen)
    await writer.until(lambda: manual.bridged)


async def test_none_is_kept_before_all_are_weighed_and_esc_keeps_what_is_found(
    open_room, manual
) -> None:
    async with open_room(manual) as writer:
        await bridge_by_hand(writer, manual)
        text = writer.text
        await writer.sees("The model writes")
        await writer.press("1")
        manual.find(2, more=True)
        await writer.sees("2 ways are weighed")
        assert shown(writer) == [
            "1  +9.5 bits|She took it home.", "2  -0.5 bits|It fell down.", "3  …|",
        ]  # fmt: skip
        await writer.press("1")
        assert isinstance(writer.app.screen, WaysScreen)
        await writer.press("escape")
        assert manual.stopped == [-80_001]
        assert shown(writer)[2] == "3|"
        await writer.press("3", "1")
        await writer.on(MainScreen)
        assert WAYS[0] in writer.text and writer.text.replace(WAYS[0], "") == text


async def test_a_second_esc_leaves_the_story_as_it_is(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await bridge_by_hand(writer, manual)
        before = writer.app.session.story
        await writer.press("escape")
        await writer.sees("Stopped before a way was weighed")
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.app.session.story == before
        manual.find(3)
        await writer.until(lambda: writer.is_heard)
        assert writer.app.session.story == before


async def test_where_none_leads_there_that_is_said(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await bridge_by_hand(writer, manual)
        manual.find(0)
        await writer.sees("None of 32 ways leads there")


async def test_an_engine_that_dies_is_asked_again_the_same(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await bridge_by_hand(writer, manual)
        manual.die()
        manual.be_ready()
        await writer.until(lambda: len(manual.bridged) == 2)
        assert manual.bridged[0] == manual.bridged[1]
        manual.find(3)
        await writer.sees("She took it home.")


async def test_what_cannot_be_bridged_is_said_and_nothing_is_lost(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await bridge_by_hand(writer, manual)
        before = writer.app.session.story
        manual.fail(-80_001)
        await writer.sees("✗ The model cannot be [read]. Train *another*.")
        await writer.press("1", "escape")
        await writer.on(MainScreen)
        assert writer.app.session.story == before


async def test_a_story_of_one_sentence_has_no_place_for_a_bridge(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.command("/bridge")
        await writer.sees("There is no story to bridge yet.")
        engine.words = (" here.",)
        await writer.tell(BEGINNING)
        await writer.press("alt+o")
        await writer.sees("A bridge needs a sentence before it and a sentence after it.")
        assert isinstance(writer.app.screen, MainScreen)


def test_places_are_between_sentences_and_in_their_place() -> None:
    text = "One. Two!\n\n\tThree? Four."
    places = [text[start:end] for start, end in places_of(text)]
    assert places == ["", " Two!", "", "Three?", ""]
    assert places_of(text)[3] == Stretch(text.index("Three"), text.index(" Four"))
    assert places_of("One.") == places_of("") == []
