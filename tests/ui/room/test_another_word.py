"""Another word: walking over the model's words, choosing one, and picking one in the story."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.events import Key
from textual.widgets import OptionList

from mgpt_tui.inference.process.messages import Seen
from mgpt_tui.inference.request import Alternative, Distribution
from mgpt_tui.ui.keys import KEY
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.another_word import (
    AFTER,
    BAR,
    BEFORE,
    AnotherWordScreen,
    around,
    bar,
    percent,
)
from mgpt_tui.ui.screens.edit import EditScreen
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.widgets.story_pane import StoryPane
from tests.ui.conftest import ALTERNATIVES, FakeEngine, Writer

BEGINNING = "The girl found a key"
TOLD = BEGINNING + " on the ground. It was shiny."


async def test_another_word_is_chosen_and_the_story_goes_on_from_it(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.sees("50.0 %")
        await writer.press(*["left"] * 7)
        await writer.until(lambda: engine.looked[-1] == (BEGINNING,))
        await writer.sees("(now)")
        await writer.sees("␣under")
        engine.words = (" a tree.",)
        await writer.press("enter")
        await writer.on(MainScreen)
        await writer.until(lambda: writer.text == BEGINNING + " under a tree.")
        assert writer.shown == writer.text
        assert writer.app.session.story.spans[1].tokens == (1,)
        assert engine.asked[-1][0] == (BEGINNING, (1,))
        await writer.press("ctrl+z")
        assert writer.shown == TOLD


async def test_words_of_the_model_can_be_clicked(open_room, engine) -> None:
    async with open_room(engine, (100, 30)) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.sees("50.0 %")
        passage = writer.app.screen.query_one("#passage")
        await writer.pilot.click(passage, offset=(2 + len(BEGINNING + " on t"), 1))
        await writer.until(lambda: engine.looked[-1] == (BEGINNING, (1001,)))


async def test_another_word_needs_a_word_of_the_models(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.press("f5")
        await writer.command("/other")
        await writer.until(lambda: writer.toasts)
        assert writer.app.screen is writer.room


async def test_alternatives_are_never_markup(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.sees("␣[in]")
        assert writer.app.screen.query_one(OptionList).option_count == 3


# What is pressed before the alternatives are there.


async def wait_for_words(writer: Writer, manual: FakeEngine) -> None:
    """Open the dialog on a story of two tokens, before an engine that does not answer yet."""
    await writer.begin(BEGINNING, " on", " the")
    manual.end()
    await writer.until(lambda: writer.text.endswith(" the") and not writer.app.session.is_busy)
    await writer.press("f5")
    await writer.on(AnotherWordScreen)
    await writer.until(lambda: manual.looked)


def answer(manual: FakeEngine) -> None:
    """Say what else could stand where the writer looked last."""
    manual.say(Seen(-len(manual.looked), Distribution(ALTERNATIVES, 1.5)))


async def test_keys_pressed_before_the_alternatives_came_wait_for_them(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await wait_for_words(writer, manual)
        await writer.press("down", "down", "up", "enter")
        assert isinstance(writer.app.screen, AnotherWordScreen)
        answer(manual)
        await writer.on(MainScreen)
        await writer.until(lambda: writer.text == BEGINNING + " on on")


async def test_walking_alone_is_kept_too_and_goes_on_from_there(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await wait_for_words(writer, manual)
        await writer.press("down")
        answer(manual)
        await writer.sees("50.0 %")
        alternatives = writer.app.screen.query_one(OptionList)
        assert alternatives.highlighted == 1
        await writer.press("down")
        assert alternatives.highlighted == 2
        await writer.press("up", "up", "enter")
        await writer.on(MainScreen)
        await writer.until(lambda: writer.text == BEGINNING + " on under")


async def test_another_place_forgets_the_keys(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await wait_for_words(writer, manual)
        await writer.press("down", "enter", "left")
        await writer.until(lambda: len(manual.looked) == 2)
        answer(manual)
        await writer.sees("50.0 %")
        assert isinstance(writer.app.screen, AnotherWordScreen)
        assert writer.app.screen.query_one(OptionList).highlighted == 0
        assert writer.text == BEGINNING + " on the"


async def test_a_fast_writer_need_not_wait_for_the_dialog(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        engine.words = (" fell.",)
        for key in ("f5", "home", "right", "down", "down", "up", "enter"):
            writer.app.post_message(Key(key, None))
        await writer.until(lambda: writer.text == "The on fell.")
        assert engine.looked[-1] == ("The",)


async def test_a_key_may_be_ahead_of_the_dialog(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.room.run(KEY["another_word"])
        for action in ("step(-1)", "choose('down')", "choose('enter')"):
            await writer.app.run_action(action, writer.app.screen)
        await writer.until(lambda: len(engine.asked) == 2)
        assert engine.looked == [(BEGINNING, tuple(range(1001, 1007)))]
        assert engine.asked[-1][0] == (BEGINNING, tuple(range(1001, 1007)), (2,))


async def test_the_question_is_asked_again_where_the_engine_died_over_it(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await wait_for_words(writer, manual)
        await writer.press("down")
        manual.die()
        await writer.until(lambda: manual.starts == 2)
        assert len(manual.looked) == 1
        manual.be_ready()
        await writer.until(lambda: len(manual.looked) == 2)
        assert manual.looked[0] == manual.looked[1]
        answer(manual)
        await writer.sees("50.0 %")
        assert writer.app.screen.query_one(OptionList).highlighted == 1
        manual.die()
        manual.be_ready()
        await writer.until(lambda: manual.starts == 3)
        assert len(manual.looked) == 2  # what is answered is not asked again


# Picking a word in the story.


async def click(writer: Writer, text: str, times: int = 2) -> None:
    """Click the first character of `text`, which stands in the first line of the story."""
    pane = writer.room.query_one(StoryPane)
    await writer.until(lambda: text in pane.render_line(1).text)
    cells = cell_len(pane.render_line(1).text.partition(text)[0])
    await writer.pilot.click(pane, offset=(cells, 1), times=times)
    await writer.settle()


async def test_a_double_click_picks_the_very_token(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await click(writer, "und. It")
        await writer.on(AnotherWordScreen)
        await writer.sees("50.0 %")
        assert engine.looked == [(BEGINNING, (1001, 1002))]
        engine.words = (" a tree.",)
        await writer.press("enter")
        await writer.until(lambda: writer.text == BEGINNING + " on the under a tree.")


async def test_wide_letters_are_hit_where_they_are_seen(open_room, engine) -> None:
    engine.words = (" 鍵が", "光", "る", ".")
    async with open_room(engine) as writer:
        await writer.tell("鍵 ")
        pane = writer.room.query_one(StoryPane)
        await writer.until(lambda: "光" in pane.render_line(1).text)
        cells = cell_len(pane.render_line(1).text.partition("光")[0])
        await writer.pilot.click(pane, offset=(cells + 1, 1), times=2)  # its right half
        await writer.on(AnotherWordScreen)
        await writer.until(lambda: engine.looked[-1][-1] == (1001,))


async def test_a_double_click_in_a_long_story_finds_the_line(open_room, engine) -> None:
    engine.words = tuple(f" word{number}" for number in range(600))
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        pane = writer.room.query_one(StoryPane)
        await writer.press("pageup", "pageup")
        await writer.until(lambda: not pane.at_end)
        top = pane.scroll_y
        text = pane.render_line(3).text
        word = text.split()[2]
        await writer.pilot.click(pane, offset=(text.index(word), 3), times=2)
        await writer.on(AnotherWordScreen)
        count = int(word.removeprefix("word"))
        await writer.until(lambda: engine.looked)
        assert engine.looked[-1] == (BEGINNING, tuple(range(1001, 1001 + count)))
        await writer.press("escape")
        await writer.on(MainScreen)
        assert pane.scroll_y == top


async def test_a_single_click_picks_nothing(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await click(writer, "ground", times=1)
        assert writer.app.screen is writer.room
        assert not writer.room.selections


async def test_a_double_click_beside_the_words_marks_the_story(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.pilot.click(writer.room.query_one(StoryPane), offset=(40, 8), times=2)
        assert writer.app.screen is writer.room
        await writer.press("ctrl+c")
        await writer.until(lambda: writer.app.clipboard == TOLD)


async def test_a_double_click_on_words_that_no_token_has_whole_looks_inside(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await click(writer, "rl found")
        await writer.on(InsideScreen)
        await writer.sees("girl token 2 of 11")
        await writer.press("escape", "f4")
        await writer.on(EditScreen)
        await writer.press("ctrl+home", *["right"] * len(BEGINNING + " on the gro"), "X", "escape")
        await writer.until(lambda: writer.shown == TOLD.replace("ground", "groXund"))
        await click(writer, "groX")
        await writer.on(InsideScreen)
        await writer.sees("groXund. token 8 of 11")


async def test_from_another_word_one_can_look_inside_there(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await click(writer, "the ground")
        await writer.on(AnotherWordScreen)
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.sees("the token 7 of 11")
        await writer.press("escape")
        await writer.on(MainScreen)


async def test_a_word_is_picked_only_once_the_model_is_ready(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: writer.shown.endswith(" the"))
        manual.die()
        await writer.until(lambda: "started again" in writer.toasts)
        await click(writer, "the")
        await writer.until(lambda: "not ready yet" in writer.toasts)
        assert writer.app.screen is writer.room


async def test_picking_a_word_stops_the_model(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: writer.shown.endswith(" the"))
        await click(writer, "on the")
        await writer.on(AnotherWordScreen)
        assert manual.stopped == [1]
        assert manual.looked == [(BEGINNING,)]


# How likely a word is, and what is shown around it.


def test_what_is_likelier_has_the_longer_bar_and_nothing_has_none() -> None:
    shares = [0.0, 0.009, 0.019, 0.05, 0.2, 0.5, 0.999, 1.0]
    bars = [bar(share) for share in shares]
    assert {len(one) for one in bars} == {BAR}
    assert not bars[0].strip()
    assert bars[-1] == "█" * BAR
    assert len(set(bars)) == len(bars) - 1  # the last two look alike
    assert percent(0.0) == "0.0 %"
    assert percent(0.0003) == "<0.1 %"
    assert percent(0.019) == "1.9 %"


async def test_a_word_without_a_chance_and_a_rare_one_look_different(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await wait_for_words(writer, manual)
        choices = (
            Alternative(1, " under", 0.3, 0.6),
            Alternative(2, " on", 0.019, 0.4),
            Alternative(3, "x", 0, 0),
        )
        manual.say(Seen(-len(manual.looked), Distribution(choices, 1.5)))
        await writer.sees("30.0 %")
        lines = {line.split("%")[0][-5:].strip(): line for line in writer.screen.splitlines()}
        drawn = {share: line for share, line in lines.items() if "%" in line}
        assert "█" in drawn["30.0"]
        assert "█" in drawn["1.9"]
        assert not set("█▏▎▍▌▋▊▉") & set(drawn["0.0"])


@pytest.mark.parametrize(("start", "end"), [(600, 604), (0, 3), (1496, 1499)])
def test_the_story_around_a_word_is_cut_between_words(start: int, end: int) -> None:
    words = " ".join(["some", "words"] * 150)[:1499]
    first, last = around(words, start, end)
    assert start - BEFORE <= first <= start
    assert end <= last <= end + AFTER
    assert first == 0 or words[first - 1] == " "
    assert last == len(words) or words[last] == " "


@given(st.text("ab \n", min_size=1, max_size=900), st.data())
def test_the_story_around_a_word_holds_it_and_is_bounded(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = around(text, start, end)
    assert max(0, start - BEFORE) <= first <= start
    assert end <= last <= min(len(text), end + AFTER)


def test_a_word_without_end_is_cut_where_there_is_no_other_place() -> None:
    text = "x" * 1000
    assert around(text, 500, 501) == (500 - BEFORE, 501 + AFTER)


async def test_a_word_of_the_writers_gets_another_too(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.press("home")
        await writer.until(lambda: engine.looked[-1] == ())
        await writer.press("right")
        await writer.until(lambda: engine.looked[-1] == ("The",))
        await writer.sees("␣under")
        engine.words = (" him.",)
        await writer.press("enter")
        await writer.until(lambda: writer.text == "The under him.")


async def test_a_word_of_ones_own_takes_the_place_and_the_story_goes_on(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.press(*["left"] * 5)
        await writer.until(lambda: engine.looked[-1] == (BEGINNING, (1001, 1002)))
        engine.words = (" sang.",)
        await writer.type("sofa")
        await writer.press("enter")
        await writer.on(MainScreen)
        await writer.until(lambda: writer.text == BEGINNING + " on the sofa sang.")
        assert [span.author for span in writer.app.session.story.spans][-2:] == ["writer", "model"]
        await writer.press("ctrl+z")
        await writer.until(lambda: writer.shown == TOLD)


async def test_the_model_writes_anew_from_the_word_under_the_cursor(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        await writer.press(*["left"] * 5)
        await writer.until(lambda: engine.looked[-1] == (BEGINNING, (1001, 1002)))
        engine.words = (" hill.",)
        await writer.press("ctrl+r")
        await writer.until(lambda: writer.text == BEGINNING + " on the hill.")
        await writer.press("ctrl+z")
        await writer.until(lambda: writer.shown == TOLD)
