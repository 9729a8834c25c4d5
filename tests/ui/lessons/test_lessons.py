"""The lessons as a learner meets them: turning cards, turning dials, and the game."""

from __future__ import annotations

import re

import pytest
from textual.containers import VerticalScroll
from textual.widgets import Input

from mgpt_tui.inference.inspection.answers import Asked, View
from mgpt_tui.inference.process.messages import Failed
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.inside.walk import Walk
from mgpt_tui.ui.screens.lessons import game
from mgpt_tui.ui.screens.lessons.screen import CARDS, COUNT, LessonsScreen, Numbers
from tests.ui.conftest import FakeEngine, Writer

BEGINNING = "The girl found a key"
SURPRISE = Asked(View.SURPRISE)


async def learn(writer: Writer, *, story: bool = True) -> LessonsScreen:
    """Open the lessons, on a story that is told or on none."""
    if story:
        await writer.tell(BEGINNING)
    await writer.command("/lessons")
    await writer.on(LessonsScreen)
    screen = writer.app.screen
    assert isinstance(screen, LessonsScreen)
    return screen


def title(number: int) -> str:
    return f"{number} of {COUNT} · {[*(card.title for card in CARDS), game.TITLE][number - 1]}"


def numbers(screen: LessonsScreen) -> str:
    """What a card shows of the story."""
    return str(screen.query_one(Numbers).render())


async def test_every_card_fits_into_the_smallest_screen(open_room, engine) -> None:
    async with open_room(engine, (80, 24)) as writer:
        screen = await learn(writer)
        for number in range(1, COUNT + 1):
            await writer.sees(title(number))
            await writer.misses("the model looks…")
            lesson = screen.query_one("#lesson", VerticalScroll)
            assert lesson.max_scroll_y == 0
            if number < COUNT:
                lines = numbers(screen).splitlines()
                await writer.until(lambda: len(numbers(screen).splitlines()) > 2)
                assert len(lines) <= screen.query_one(Numbers).size.height
                to_do = CARDS[number - 1].to_do
            else:
                to_do = game.TO_DO
            assert to_do.split()[-1] in writer.screen
            await writer.press("pagedown")
        await writer.press("pagedown")
        await writer.sees(title(COUNT))
        await writer.press(*["pageup"] * 20)
        await writer.sees(title(1))


async def test_it_is_bound_to_the_story_that_is_open(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await learn(writer)
        await writer.sees(BEGINNING)
        assert engine.inspected[0] == ((BEGINNING, (*range(1001, 1009),)), SURPRISE)
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.text == writer.shown


async def test_without_a_story_it_begins_with_one_that_comes_along(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await learn(writer, story=False)
        await writer.sees("a story that comes along")
        await writer.sees(shipped_stories()[0][:40])
        assert engine.inspected[0] == ((shipped_stories()[0],), SURPRISE)
        await writer.press("n", "n", "escape")
        await writer.on(MainScreen)
        assert writer.text == ""
        assert not writer.app.session.can_undo


async def test_cards_are_turned_by_key_and_stay_where_one_left(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await learn(writer)
        await writer.press("4")
        await writer.sees(title(4))
        await writer.press("0")
        await writer.sees(title(10))
        await writer.press("p")
        await writer.sees(title(9))
        await writer.press("n", "n")
        await writer.sees(title(11))
        await writer.press("escape")
        await writer.on(MainScreen)
        await writer.command("/lessons")
        await writer.on(LessonsScreen)
        await writer.sees(title(11))
        await writer.press("pageup", "q")
        await writer.on(MainScreen)


async def test_a_cursor_walks_and_the_numbers_with_it(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        screen = await learn(writer)
        await writer.press("home", "3")
        await writer.sees("The, in layer 1, head 1")
        await writer.press("right", "right")
        await writer.sees("␣found, in layer 1, head 1")
        await writer.press("end", "right")
        await writer.sees("., in layer 1, head 1")
        await writer.pilot.click(Walk, offset=(1 + len("The gi"), 0))
        await writer.sees("␣girl, in layer 1, head 1")
        assert screen.query_one(Walk).number == 2
        await writer.press("tab")
        await writer.sees("␣girl, in layer 1, head 2")
        await writer.press("5", "shift+tab", "shift+tab")
        await writer.sees("L6H6")
        asked = len(engine.inspected)
        await writer.press("tab", "shift+tab")
        assert len(engine.inspected) <= asked + 1  # a step back asks nothing


@pytest.mark.parametrize(
    ("card", "key", "before", "after"),
    [
        ("6", "down", "Without N1.11", "Without N1.12"),
        ("8", "up", "of logit / 1", "of logit / 1.5"),
        ("9", "up", "top-k 50", "top-k 100"),
        ("9", "r", "drawn once", "drawn 2 times"),
    ],
)
async def test_what_is_turned_changes_the_numbers_at_once(
    open_room, engine, card, key, before, after
) -> None:
    async with open_room(engine) as writer:
        screen = await learn(writer)
        await writer.press(card)
        await writer.until(lambda: before in numbers(screen))
        await writer.press(key)
        await writer.until(lambda: after in numbers(screen))
        if key in ("up", "down"):
            await writer.press({"up": "down", "down": "up"}[key])
            await writer.until(lambda: re.search(rf"{re.escape(before)}\b", numbers(screen)))
            await writer.press(*[key] * 30, *[{"up": "down", "down": "up"}[key]])
            await writer.until(lambda: before not in numbers(screen))  # from the last step back


async def test_what_a_model_says_is_no_markup(open_room, engine) -> None:
    engine.words = (" [b]x", " \x1b[31m", "[/]")
    async with open_room(engine, (160, 48)) as writer:
        await learn(writer)
        await writer.press("end", "left")
        for number in range(1, COUNT):
            await writer.press(str(number % 10))
            await writer.sees(title(number))
            await writer.misses("the model looks…")
            assert "\x1b" not in writer.screen
        await writer.press("7")
        await writer.sees("␣w0[")


async def test_a_model_that_is_not_ready_is_waited_for(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.command("/lessons")
        await writer.until(lambda: writer.toasts)
        assert writer.toasts == "The model is not ready yet."


# An engine that answers late, or fails.


async def late(writer: Writer, manual: FakeEngine) -> None:
    """Open the lessons before an engine that does not answer yet."""
    manual.be_ready()
    await writer.until(lambda: writer.app.session.model)
    await writer.command("/lessons")
    await writer.on(LessonsScreen)
    await writer.until(lambda: manual.inspected)


async def test_a_question_that_fails_is_told_on_its_card(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await late(writer, manual)
        await writer.sees("the model looks…")
        manual.answer(0)
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.say(Failed(-100_002, "There is no [room] for it.", "Look at less."))
        await writer.sees("There is no [room] for it.")
        await writer.press("0")
        await writer.until(lambda: len(manual.inspected) == 3)
        manual.answer(2)
        await writer.sees("guessing evenly")


async def test_an_engine_that_dies_is_asked_again(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await late(writer, manual)
        manual.die()
        manual.be_ready()
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.answer(1)
        await writer.until(lambda: len(manual.inspected) == 3)


# The game.


async def play(writer: Writer) -> None:
    """Turn to the game; its first word is asked for."""
    await learn(writer)
    await writer.press("0", "n")
    await writer.sees("Word 1 of 10.")
    await writer.until(lambda: isinstance(writer.app.screen.focused, Input))


def paid(writer: Writer) -> tuple[float, float]:
    """What player and model have paid so far, as it is told."""
    found = re.search(r"you (\d+\.\d) bits, the\s+model (\d+\.\d)", " ".join(
        line.strip("│ ") for line in writer.screen.splitlines()
    ))  # fmt: skip
    assert found, writer.screen
    return float(found[1]), float(found[2])


async def test_a_right_guess_pays_for_how_sure_one_was(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await play(writer)
        await writer.sees("She ran up the hill ____")
        await writer.press("up")
        await writer.sees("75% sure")
        await writer.type("TO")
        await writer.press("enter")
        await writer.sees("It was to:")
        await writer.sees("You said TO, 75% sure: right, 0.4 bits.")
        assert paid(writer) == (0.4, 12.0)  # the eleventh word, of a model that adds a bit a word
        await writer.press("enter")
        await writer.sees("Word 2 of 10.")


async def test_a_wrong_guess_pays_for_the_word_among_the_others(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await play(writer)
        await writer.type("down")
        await writer.press("enter")
        await writer.sees("You said down, 50% sure: no")
        await writer.sees("(the model gave that <0.1 %), 13.0 bits.")  # 12, and 1 for a half
        context, asked = engine.inspected[-1]
        assert asked == SURPRISE
        assert context == ("Mia had a yellow kite. She ran up the hill down",)


async def test_an_empty_line_leaves_it_to_the_model(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await play(writer)
        await writer.type("two words")
        await writer.press("enter")
        await writer.sees("Type one word, of letters.")
        await writer.press("ctrl+u", "enter")
        await writer.sees("You left it to the model: 12.0 bits.")


async def test_after_ten_words_somebody_has_won_and_there_is_another_story(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        await play(writer)
        for word in range(1, 11):
            await writer.sees(f"Word {word} of 10.")
            await writer.type("q1nr")  # keys that turn cards elsewhere
            await writer.press("enter")
            await writer.sees("You said q1nr")
            if word < 10:
                await writer.press("enter")
            assert writer.app.screen.query_one("#lesson").max_scroll_y == 0
        player, model = paid(writer)
        assert player > model
        await writer.sees("The model wins by")
        await writer.press("enter")
        await writer.sees(shipped_stories()[2][:30])
        await writer.press("escape")
        await writer.on(MainScreen)
        await writer.command("/lessons")
        await writer.sees(shipped_stories()[2][:30])


async def test_how_sure_one_is_has_ends(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await play(writer)
        await writer.press(*["up"] * 9)
        await writer.sees("95% sure")
        await writer.press(*["down"] * 9)
        await writer.sees("5% sure")
        await writer.misses("95% sure")
