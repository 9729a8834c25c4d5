"""Looking inside: walking over the story, and what each view tells of a token."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from mgpt_tui.inference.inspection.answers import Asked, Guess, View
from mgpt_tui.inference.process.messages import Failed, Inspected, Replaced
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.inside import layers, surprise
from mgpt_tui.ui.screens.inside.experiments import what_if
from mgpt_tui.ui.screens.inside.screen import SIGHTS, InsideScreen
from mgpt_tui.ui.screens.inside.walk import Walk
from tests.ui.conftest import FakeEngine, Writer
from tests.ui.inside import surprise as surprise_of

BEGINNING = "The girl found a key"
N_TOKENS = 11
"""Of the story that is told: five words of the writer and six of the model."""
SURPRISE = Asked(View.SURPRISE)


async def look(writer: Writer) -> InsideScreen:
    """Open the look on a story that is told, and wait until its tokens are known."""
    await writer.tell(BEGINNING)
    await writer.press("f9")
    await writer.on(InsideScreen)
    await writer.sees("What could come next")
    screen = writer.app.screen
    assert isinstance(screen, InsideScreen)
    return screen


def number(screen: InsideScreen) -> int:
    """Of the token under the cursor."""
    return screen.query_one(Walk).number


async def test_a_cursor_walks_over_the_writers_words_and_the_models(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        screen = await look(writer)
        await writer.sees(f"What could come next, after {N_TOKENS} tokens")
        await writer.press("left")
        await writer.sees(f"token {N_TOKENS} of {N_TOKENS}, 12.0 bits")
        await writer.press("home")
        await writer.sees("The token 1 of 11, 2.0 bits")
        await writer.press("left", "right", "right")
        await writer.sees("␣found token 3 of 11, 4.0 bits")
        await writer.press("end")
        await writer.sees("What could come next")
        await writer.press("right")
        assert number(screen) == N_TOKENS + 1
        assert engine.inspected == [((BEGINNING, (*range(1001, 1009),)), SURPRISE)]
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.text == writer.shown


async def test_a_token_can_be_clicked(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        screen = await look(writer)
        await writer.pilot.click(Walk, offset=(1 + len("The gi"), 0))
        await writer.until(lambda: number(screen) == 2)
        await writer.pilot.click(Walk, offset=(1 + len("The girl fo"), 1))
        await writer.until(lambda: number(screen) == 3)


async def test_lines_can_be_walked(open_room, engine) -> None:
    engine.words = (" on",) * 60
    async with open_room(engine) as writer:
        screen = await look(writer)
        await writer.press("home", "down", "down")
        below = number(screen)
        assert 30 < below < 65
        await writer.press("up", "up", "up")
        assert number(screen) == 1


async def test_a_word_is_found_and_found_again(open_room, engine, size) -> None:
    engine.words = (" on", " A", " key", " is", " [a]", " key")
    async with open_room(engine, size) as writer:
        screen = await look(writer)
        await writer.press("slash")
        await writer.type("KE")
        await writer.press("tab", "Y")
        await writer.press("enter")
        await writer.until(lambda: number(screen) == 5)
        await writer.press("enter")
        await writer.until(lambda: number(screen) == 8)
        await writer.press("escape", "n")
        await writer.until(lambda: number(screen) == 11)
        await writer.press("n")
        await writer.until(lambda: number(screen) == 5)  # from the beginning
        await writer.press("slash")
        await writer.answer("[a]")
        await writer.until(lambda: number(screen) == 10)
        await writer.answer("[/]")
        await writer.sees("nowhere")
        assert number(screen) == 10
        await writer.press("left", "1", "escape", "left")
        await writer.until(lambda: number(screen) == 9)
        assert isinstance(writer.app.screen, InsideScreen)


@pytest.mark.parametrize("row", [0, 4], ids=["on a word", "below the story"])
async def test_a_click_on_the_story_ends_what_is_typed(open_room, engine, size, row) -> None:
    async with open_room(engine, size) as writer:
        screen = await look(writer)
        await writer.press("slash")
        assert isinstance(screen.focused, Input)
        await writer.pilot.click(Walk, offset=(3, row))
        await writer.until(lambda: isinstance(screen.focused, Walk))
        await writer.press("escape")
        await writer.on(MainScreen)


@pytest.mark.parametrize("digit", SIGHTS)
async def test_a_view_tells_of_the_token_under_the_cursor(open_room, engine, size, digit) -> None:
    sight = SIGHTS[digit]
    async with open_room(engine, size) as writer:
        await look(writer)
        await writer.press("home", "right", digit)
        await writer.sees(sight.line)
        asks = sight not in (surprise.SIGHT, what_if.SIGHT)  # one asked at once, one not yet
        if asks:
            await writer.until(lambda: engine.inspected[-1][1].token == 2)
        await writer.press("question_mark")
        await writer.sees("In gpt.py")
        await writer.press("question_mark")
        await writer.misses("In gpt.py")
        asked = len(engine.inspected)
        await writer.press("right", "left")
        assert len(engine.inspected) == asked + asks  # a step back asks nothing


async def test_the_parts_sum_to_the_logit(open_room, engine) -> None:
    async with open_room(engine, (160, 48)) as writer:
        await look(writer)
        await writer.press("home", "5")
        await writer.sees("= the logit of The")
        line = next(line for line in writer.screen.splitlines() if "the logit of" in line)
        *_, shown, logit = (word for word in line.split() if word[0] in "+-")
        assert shown == logit


async def test_heads_are_chosen_by_key_and_mouse(open_room, engine) -> None:
    async with open_room(engine, (160, 48)) as writer:
        screen = await look(writer)
        await writer.press("home", "end", "left", "3")
        await writer.sees("L1H1: previous")
        await writer.press("tab")
        await writer.sees("L1H2: first")
        await writer.press("shift+tab", "shift+tab")
        await writer.sees("L6H6:")
        await writer.pilot.click("#numbers", offset=(9 + 3 * 2, 1))
        await writer.sees("L2H3:")
        assert engine.inspected[-1][1] == Asked(View.ATTENTION, N_TOKENS, layer=2, index=3)
        bars = screen.query_one(Walk)._bars
        await writer.press("c")
        assert screen.query_one(Walk)._bars != bars


async def test_what_a_model_says_is_no_markup(open_room, engine) -> None:
    engine.words = (" [b]x", " \x1b[31m", "[/]")
    async with open_room(engine, (160, 48)) as writer:
        await look(writer)
        for digit in SIGHTS:
            await writer.press(digit)
            await writer.sees(SIGHTS[digit].line)
            await writer.until(lambda: writer.is_heard)
            assert "\x1b" not in writer.screen
        await writer.press("1")
        await writer.sees("␣[b]x")


async def test_without_a_story_there_is_nothing_to_look_into(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.command("/inside")
        await writer.until(lambda: writer.toasts)
        assert writer.toasts == "There is no story to look into yet."


# An engine that answers late, or never.


async def ask(writer: Writer, manual: FakeEngine) -> InsideScreen:
    """Open the look before an engine that does not answer yet."""
    await writer.begin(BEGINNING, " on")
    manual.end()
    await writer.until(lambda: not writer.app.session.is_busy)
    await writer.press("f9")
    await writer.on(InsideScreen)
    await writer.until(lambda: manual.inspected)
    screen = writer.app.screen
    assert isinstance(screen, InsideScreen)
    return screen


async def test_steps_count_before_the_tokens_are_known(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual)
        await writer.press("home", "right")
        await writer.sees("the model reads…")
        manual.answer(0)
        await writer.sees("␣girl token 2 of 6")


async def test_a_question_that_fails_is_told_where_it_was_asked(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual)
        await writer.sees("the model reads…")
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("4")
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.say(Failed(-100_002, "There is no [room] for it.", "Look at less."))
        await writer.sees("There is no [room] for it.")
        await writer.press("1")
        await writer.sees("entropy of the choice")


async def test_what_was_replaced_is_asked_anew_when_it_is_wanted(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("4", "left", "right")
        await writer.until(lambda: len(manual.inspected) == 3)
        manual.say(Replaced(-100_002))
        manual.answer(2)
        await writer.until(lambda: len(manual.inspected) == 4)
        assert manual.inspected[3] == manual.inspected[1]
        manual.answer(3)
        await writer.sees("embedding")


async def test_an_engine_that_dies_is_asked_again(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual)
        manual.die()
        manual.be_ready()
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.answer(1)
        await writer.sees("after 6 tokens")


async def test_an_answer_is_told_of_the_token_that_it_is_about(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await ask(writer, manual)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("0")
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.answer(1)
        await writer.sees("␣[b]next, the likeliest to come, is token 7")
        await writer.press("left")
        await writer.sees("token 6 of 6, 7.0 bits …")
        assert "␣[b]next, the likeliest to come, is token 7" in writer.screen
        manual.answer(2)
        await writer.sees("␣on is token 6, joined so")
        assert "bits …" not in writer.screen


async def test_an_answer_is_told_of_the_head_that_it_is_about(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("3")
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.answer(1)
        await writer.sees("L1H1: previous")
        await writer.press("tab")
        await writer.sees("after 6 tokens …")
        assert "L1H1: previous" in writer.screen
        manual.answer(2)
        await writer.sees("L1H2: first")


async def test_an_answer_may_be_about_more_tokens_than_there_are_now(open_room, manual) -> None:
    async with open_room(manual, (160, 48)) as writer:
        await writer.begin(BEGINNING, " on")
        await writer.until(lambda: writer.text.endswith("on"))
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.until(lambda: manual.inspected)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("3")
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.answer(1)
        await writer.sees("L1H1: previous")
        manual.write("to")  # the end of a word may make one token of several
        await writer.until(lambda: len(manual.inspected) == 3)
        manual.say(Inspected(-100_003, surprise_of(["The girl", " found a key onto"])))
        await writer.sees("after 2 tokens …")
        await writer.sees(f"{'␣on':<13}{6:>5}")


async def test_while_the_model_writes_the_look_follows(open_room, manual) -> None:
    manual.words = (" on", " the", " ground")
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on")
        await writer.until(lambda: writer.text.endswith("on"))
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.until(lambda: manual.inspected)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        manual.write(" the", " ground")
        await writer.until(lambda: len(manual.inspected) == 2)
        assert writer.app.session.is_writing
        manual.answer(1)
        await writer.sees("after 8 tokens")


@pytest.mark.parametrize(("p", "shown"), [(0.004, " 0"), (0.5, "50"), (0.999, "100")])
def test_a_guess_keeps_apart_from_its_chance(p: float, shown: str) -> None:
    """In nine cells, as at 80 columns: a certain one ran into its word."""
    told = layers.guesses([Guess(3, " unlock", p)], target=3, width=9).plain
    assert len(told) == 9
    assert told.endswith(f" {shown} ")
