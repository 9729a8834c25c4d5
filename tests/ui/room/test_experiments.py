"""Views of the look that change something: parts muted, another word, and what they tell of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Input

from mgpt_tui.inference.inspection.answers import Asked, Said, View
from mgpt_tui.inference.inspection.experiments import CostsView
from mgpt_tui.inference.process.messages import Failed, Inspected, Replaced
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.formats import from_json, to_json
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.inside.experiments.changes import short
from mgpt_tui.ui.screens.inside.experiments.trace import draw_trace
from mgpt_tui.ui.screens.inside.line import Line
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.screens.inside.sight import Chosen, Place, Sofar
from mgpt_tui.ui.screens.inside.walk import BLOCKS, MARK, SHADES, Walk
from tests.ui.conftest import READY, FakeEngine, Writer
from tests.ui.inside import HEADS, LAYERS, UNLUCKY, costs, surprise, traced

BEGINNING = "The girl found a key"
N_TOKENS = 11
"""Of the story that is told: five words of the writer and six of the model."""
N_HEADS = LAYERS * HEADS


async def look(writer: Writer, digit: str, tokens: int = N_TOKENS) -> InsideScreen:
    """Open a view of the look on a story that is told, and wait until it is answered."""
    await writer.tell(BEGINNING)
    await writer.press("f9")
    await writer.on(InsideScreen)
    await writer.sees(f"after {tokens} tokens")
    await writer.press(digit)
    await writer.until(lambda: writer.is_heard)
    screen = writer.app.screen
    assert isinstance(screen, InsideScreen)
    return screen


def last(engine: FakeEngine, **expected: Any) -> bool:
    """Whether what was asked last is this, in what is named."""
    asked = engine.inspected[-1][1]
    return all(getattr(asked, name) == value for name, value in expected.items())


def below(writer: Writer, word: str) -> str:
    """What stands below a word of the story."""
    lines = writer.screen.splitlines()
    row, column = next((at, line.index(word)) for at, line in enumerate(lines) if word in line)
    return lines[row + 1][column : column + len(word)]


# Parts that are muted.


async def test_a_part_is_muted_and_lets_be_again(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "7")
        await writer.sees("Nothing is muted")
        assert below(writer, "girl") == "    "
        await writer.press("home", "tab", "m")
        await writer.sees("without L1H2: ")
        assert last(engine, view=View.MUTE, token=1, mute="L1H2", mean=False)
        assert "by zero" in writer.screen
        assert writer.screen.count("✕") == 1
        assert "2.0 bits before, 3.0 bits without (+1.0 bits)" in writer.screen
        assert set(below(writer, "girl")) <= set(BLOCKS)
        assert set(below(writer, "found")) <= set(SHADES)
        await writer.press("shift+tab", "shift+tab", "m")
        await writer.sees("without L1H2, M6: ")
        assert last(engine, mute="L1H2,M6")
        await writer.press("m")
        await writer.misses("M6: ")
        assert last(engine, mute="L1H2,M6")  # the answer without it was there already
        await writer.press("z")
        await writer.sees("by its mean")
        assert last(engine, mute="L1H2", mean=True)


async def test_a_passage_is_written_again_without_a_part(open_room, engine, size) -> None:
    engine.words = (" on", " the", " ground")
    async with open_room(engine, size) as writer:
        await look(writer, "7", tokens=8)
        await writer.press("w")
        await writer.sees("Nothing is muted: m mutes a part, w then writes")
        await writer.press("w", "m", "w")
        await writer.sees("seed 101: the same for 2 of 3 tokens")
        assert last(engine, view=View.AGAIN, mute="L1H1", mean=False)
        context, asked = engine.inspected[-1]
        assert context == (BEGINNING,)
        assert (len(asked.draw.tokens), asked.draw.seed) == (3, 101)
        await writer.sees("as it was:  on the ground")
        await writer.sees("without:  on the hill, far")
        await writer.press("home")
        await writer.sees("Walk to a word that the model drew")
        await writer.press("w")
        await writer.sees("L1H1 a head, muted")


async def test_what_precision_does_is_not_blamed_on_a_part(open_room, engine, size) -> None:
    engine.words = (" on", " the", " ground")
    async with open_room(engine, size) as writer:
        await writer.command(f"/set seed {UNLUCKY}")
        await look(writer, "7", tokens=8)
        await writer.press("m", "w")
        await writer.sees("Written int8 on cpu; here, in fp32, it is another from token 3 on")
        await writer.sees(f"seed {UNLUCKY}: the same for 2 of 4 tokens")
        await writer.sees("in fp32:  on the grass")
        await writer.sees("without:  on the hill, far")


async def test_what_was_written_muted_is_written_again_by_the_whole_model(
    open_room, engine, size
) -> None:
    engine.words = (" on", " the", " ground")
    async with open_room(engine, size) as writer:
        writer.app.session.muted = "L1H1"
        await look(writer, "7", tokens=8)
        await writer.press("w")
        await writer.sees("as it was, without L1H1:  on the ground")
        await writer.sees("the whole model:  on the hill, far")
        assert last(engine, view=View.AGAIN, mute="")
        assert engine.inspected[-1][1].draw.muted == "L1H1"
        await writer.press("w", "m", "w")
        await writer.sees("It was written without these parts as it is")
        await writer.press("w", "tab", "m", "w")
        await writer.sees("without L1H1,L1H2:  on the hill, far")


async def test_the_muted_model_goes_on_in_the_room_until_it_is_whole_again(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "7")
        await writer.press("m", "z", "g")
        await writer.sees("g: write whole")
        await writer.press("escape")
        await writer.sees("without L1H1 by mean")
        await writer.tell("It sang.")
        assert engine.muted == "L1H1 by mean"
        story = writer.app.session.story
        assert [span.muted for span in story.spans] == ["", "", "", "L1H1 by mean"]
        assert [story.spans[at].decoding for at in (1, 3)] == [READY.decoding, READY.muted_decoding]
        kept, _ = from_json(to_json(story), "")
        assert kept.nodes == story.nodes
        await writer.command("/unmute")
        await writer.misses("without L1H1")
        await writer.press("ctrl+r")
        await writer.until(lambda: len(engine.asked) == 3)
        assert engine.muted == ""
        await writer.command("/unmute")
        await writer.sees("Nothing of the model is muted.")


async def test_a_mark_says_what_became_of_each_guess(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "7")
        await writer.press("m")
        await writer.sees("↑␣w1[ ")
        await writer.sees("↓␣w0[ ")
        await writer.sees("+␣[b]new ")


async def test_parts_are_clicked(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "7")
        await writer.sees("L1H1 a head")
        await writer.pilot.click("#numbers", offset=(3 + 6 * 2 + 2, 4))
        await writer.sees("L2H3 a head")
        await writer.pilot.click("#numbers", offset=(3 + 6 * 6 + 2, 5))
        await writer.sees("M3 an MLP")
        await writer.press("m")
        await writer.sees("M3 an MLP, muted")


async def test_parts_are_typed_and_a_wrong_name_can_be_mended(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "7")
        await writer.sees("Nothing is muted")
        asked = len(engine.inspected)
        await writer.press("p")
        await writer.answer("l2, [b]")
        await writer.sees("There is no part '[b]' in a model. Name L2H3")
        await writer.answer("l2, M9")
        await writer.sees("The model has no layer 9. Name one from 1 to 6.")
        await writer.misses("[b]' in")
        await writer.answer("l2 n4.1537")
        await writer.sees("The model has no neuron 1537. Name one from 1 to 1536.")
        assert len(engine.inspected) == asked
        await writer.press("backspace", "enter")
        await writer.sees("without L2, N4.153: ")
        assert last(engine, mute="L2,N4.153")
        assert writer.screen.count("✕") == HEADS + 1
        await writer.press("p")
        await writer.sees("N4.77: L2, N4.153")
        await writer.press("escape")
        await writer.press("tab", "tab", "tab", "tab", "tab", "tab", "tab", "m")  # within L2
        await writer.sees("without N4.153: ")
        await writer.press("p")
        await writer.answer(" ,")
        await writer.sees("Nothing is muted")


async def test_each_head_has_its_cost(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "7")
        await writer.press("x")
        await writer.sees("the most L6H5")
        assert last(engine, view=View.COSTS, mean=False)
        for cost in costs(Asked(View.COSTS)):
            assert f"{cost.bits:+.1f}" in writer.screen, cost
        assert "L1H1 a head; muted alone it costs the story +1.0 bits" in writer.screen
        await writer.press("tab", "tab")
        await writer.sees("it costs the story -3.0 bits")
        await writer.press("z")
        await writer.sees("it costs the story -1.5 bits")
        asked = len(engine.inspected)
        await writer.press("z", "x")
        await writer.sees("it costs the story -3.0 bits")
        assert len(engine.inspected) == asked


async def test_where_a_neuron_fires(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "6")
        await writer.sees("where does one fire?")
        await writer.press("j", "j")
        await writer.sees("most at ␣was, token 10")
        assert last(engine, view=View.FIRING, layer=1, index=12)
        await writer.sees("+2.50")
        await writer.sees("Once a [b]␣fox ran to the")
        assert set(below(writer, "girl")) <= set(BLOCKS)
        assert set(below(writer, "found")) <= set(SHADES)
        await writer.press("p")
        await writer.answer("n2")
        await writer.sees("'n2' is no neuron. Name one as N4.77, or nothing.")
        await writer.answer("n4.77")
        await writer.sees("N4.77 below the story")
        assert last(engine, view=View.FIRING, layer=4, index=77)
        await writer.press("k", "p")
        await writer.sees("N4.77: N1.20")
        await writer.answer(" ")
        await writer.sees("where does one fire?")


@pytest.mark.parametrize(
    ("bits", "said"),
    [(0.04, "+0.0"), (-0.04, "+0.0"), (-99.9, "-99.9"), (99.96, "+100"), (12_345.0, "+12k")],
)
def test_a_cost_fits_its_column(bits, said) -> None:
    assert short(bits) == said
    assert len(short(bits)) <= 5


# Another word.


async def put(writer: Writer, word: str, *keys: str) -> None:
    """Walk to a word from the story's beginning and put another in its place."""
    await writer.press("home", *keys, "w")
    await writer.answer(word)


async def test_another_word_is_put_and_taken_back(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "8")
        await writer.sees("Walk to a word and press w")
        assert set(below(writer, "found")) <= set(BLOCKS)  # surprise, as before any change
        await writer.press("home", "right", "w")
        await writer.sees("instead girl")
        await writer.answer("girl")
        await writer.sees("That is the word that stands there. Type another, or nothing.")
        await writer.answer("fox")
        await writer.sees("fox instead of girl: -6.0 bits on what follows")
        context, asked = engine.inspected[-1]
        assert (asked.view, context) == (View.WHAT_IF, (BEGINNING, tuple(range(1001, 1009))))
        assert asked.instead == ("The fox found a key", tuple(range(1001, 1009)))
        assert below(writer, "girl") == MARK * 4
        assert set(below(writer, "found")) <= set(BLOCKS)
        assert set(below(writer, "shiny")) <= set(SHADES)
        assert "this is what was changed" in writer.screen
        await writer.press("right")
        await writer.sees("4.0 bits before, 7.0 bits now (+3.0 bits)")
        await writer.press("home")
        await writer.sees("before the change all is as it was")
        await writer.press("end")
        await writer.sees("what could come next has no bits yet")
        await writer.press("w")  # there is no word
        await writer.press("left")
        await writer.sees("token 11 of 11")
        asked_before = len(engine.inspected)
        await put(writer, "", "right")
        await writer.sees("Walk to a word and press w")
        assert len(engine.inspected) == asked_before
        assert writer.text == writer.shown


async def test_a_view_fills_the_room_again_that_a_field_took(open_room, engine) -> None:
    async with open_room(engine) as writer:
        screen = await look(writer, "8")
        for word in ("fox", "", "fox"):  # what is known already is drawn but once
            await put(writer, word, "right")
            await writer.until(lambda: writer.is_heard)
        await writer.sees("fox instead of girl")
        await writer.still()
        drawn = writer.screen
        screen.show_session()
        await writer.still()
        assert writer.screen == drawn


@pytest.mark.parametrize("typed", ["[b]cat", "a big dog", " cat ", "\x1b[31mcat"])
async def test_whatever_is_typed_is_put_and_shown_as_it_is(open_room, engine, size, typed) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "8")
        await put(writer, typed, "right")
        await writer.sees(" instead of girl: ")
        shown = typed.strip().replace("\x1b", "␛")
        assert f"{shown} instead of" in writer.screen
        changed = f"The {shown} found a key"
        assert engine.inspected[-1][1].instead[0] == changed


async def test_a_blank_is_no_word_and_a_field_has_no_lines(open_room, engine) -> None:
    engine.words = (" on.", "\n", "\nThe", " end")
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f9")
        await writer.sees("after 9 tokens")
        await writer.press("8", "left", "left", "left")
        await writer.sees("↵ token 7 of 9")
        await writer.press("w")
        line = writer.app.screen.query_one(Line)
        assert not line.is_open
        await writer.press("right", "w")
        await writer.sees("instead The")
        line.open("instead", "two\nlines", lambda _: None)
        assert line.query_one(Input).value == "two lines"


async def test_marks_around_a_word_stay(open_room, engine) -> None:
    async with open_room(engine, (160, 48)) as writer:
        await writer.tell('"Oh, no!" he said')
        await writer.press("f9")
        await writer.sees("What could come next")
        await writer.press("8")
        await put(writer, "my", "right")
        await writer.sees("my instead of no: ")
        assert engine.inspected[-1][1].instead[0] == '"Oh, my!" he said'
        await writer.press("w")
        await writer.sees("instead my")


async def test_a_change_is_traced(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "8")
        await put(writer, "fox", "right")
        await writer.sees("what it changes most:")
        await writer.press("right", "right", "right", "t")
        await writer.sees("␣key as token 5: 2.5 bits before, 9.5 now; percent undone:")
        asked = engine.inspected[-1][1]
        assert (asked.view, asked.token) == (View.TRACE, 5)
        assert asked.instead == ("The fox found a key", tuple(range(1001, 1009)))
        rows = [line for line in writer.screen.splitlines() if "│ ␣girl " in line or "␣a " in line]
        assert "█100" in rows[0]
        assert re.search(r"█100 █ 92 .*▓ 67 .*▒ 50 .*░  8 +0", rows[0])
        assert re.search(r"  0 ░  8 .*█100", rows[1])
        await writer.sees("-7   -7")
        assert "restored    E   A1   M1" in writer.screen
        await writer.press("right")  # the map stays, of the token that it is about
        await writer.sees("token 6 of 11")
        assert "␣key as token 5" in writer.screen
        await writer.press("end", "t")
        await writer.sees("␣[b]next as token 12")
        assert engine.inspected[-1][1].token is None
        await put(writer, "boy", "right")  # another change is not traced yet
        await writer.sees("what it changes most:")


# An engine that answers bit by bit, late, or never.


async def ask(writer: Writer, manual: FakeEngine, digit: str) -> InsideScreen:
    """Open a view before an engine that answers when the test has it answer."""
    await writer.look_by_hand(BEGINNING)
    await writer.sees("after 6 tokens")
    await writer.press(digit)
    screen = writer.app.screen
    assert isinstance(screen, InsideScreen)
    return screen


async def nth(manual: FakeEngine, writer: Writer, count: int) -> int:
    """Wait for so many questions; the id of the last."""
    await writer.until(lambda: len(manual.inspected) == count)
    return -100_000 - count


def some(id: int, known: int) -> Inspected:
    return Inspected(id, CostsView(costs(Asked(View.COSTS), known), N_HEADS), known < N_HEADS)


async def test_costs_fill_in_and_stop(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await ask(writer, manual, "7")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("Nothing is muted")
        await writer.press("x")
        id = await nth(manual, writer, 3)
        await writer.sees("the first head")
        manual.say(some(id, 2))
        await writer.sees("2 of 36 heads")
        assert "+2.0" in writer.screen
        await writer.press("home")  # the map is of the whole story, and goes on
        await nth(manual, writer, 4)
        manual.answer(3)
        manual.say(some(id, 4))
        await writer.sees("4 of 36 heads")
        await writer.press("x")
        assert manual.stopped == [id]
        await writer.sees("stopped after 4 of 36 heads")
        manual.say(Replaced(id))
        await writer.until(lambda: writer.is_heard)
        await writer.sees("stopped after 4 of 36 heads")
        assert len(manual.inspected) == 4  # it is not asked again by itself
        await writer.press("x")
        id = await nth(manual, writer, 5)
        manual.say(some(id, N_HEADS))
        await writer.sees("the most L6H5")


async def test_a_cursor_moves_while_the_model_looks(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await ask(writer, manual, "7")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("L1H1 a head")
        await writer.press("left", "tab")
        await writer.sees("L1H2 a head")
        assert "bits …" in writer.screen


async def test_leaving_stops_what_is_told_bit_by_bit(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual, "7")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("Nothing is muted")
        await writer.press("x")
        first = await nth(manual, writer, 3)
        await writer.press("1")
        assert manual.stopped == [first]
        await writer.sees("entropy of the choice")
        await writer.press("7")
        await writer.sees("Nothing is muted")
        await writer.press("x")
        second = await nth(manual, writer, 4)
        await writer.press("escape")
        await writer.on(MainScreen)
        await writer.until(lambda: manual.stopped == [first, second])


async def test_a_refusal_is_told_with_its_remedy(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await ask(writer, manual, "7")
        id = await nth(manual, writer, 2)
        manual.say(Failed(id, "There is no [room] for it.", "Mute *less*."))
        await writer.sees("There is no [room] for it. Mute *less*.")
        await writer.press("left")
        await nth(manual, writer, 3)
        manual.answer(2)
        await writer.sees("Nothing is muted")
        await writer.press("x")
        id = await nth(manual, writer, 4)
        manual.say(some(id, 3), Failed(id, "No [memory] is left.", "Close *others*."))
        await writer.sees("No [memory] is left. Close *others*.")
        await writer.press("x")
        await nth(manual, writer, 5)


async def test_an_engine_that_dies_is_asked_again_for_all(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual, "7")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("Nothing is muted")
        await writer.press("m")
        await nth(manual, writer, 3)
        manual.answer(2)
        await writer.sees("without L1H1")
        await writer.press("x")
        id = await nth(manual, writer, 4)
        manual.say(some(id, 2))
        await writer.sees("2 of 36")
        manual.die()
        manual.be_ready()
        id = await nth(manual, writer, 5)
        manual.say(some(id, N_HEADS))
        await writer.sees("the most L6H5")


async def test_another_model_is_asked_anew(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await ask(writer, manual, "7")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("Nothing is muted")
        await writer.press("m")
        await nth(manual, writer, 3)
        manual.answer(2)
        await writer.sees("without L1H1")
        writer.app.session.switch("another")
        manual.say(replace(READY, model="another", fingerprint="e" * 64))
        await nth(manual, writer, 4)
        manual.answer(3)
        await nth(manual, writer, 5)
        assert last(manual, view=View.MUTE, mute="")


async def test_while_the_model_writes_costs_wait(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on")
        await writer.until(lambda: writer.text.endswith("on"))
        await writer.press("f9")
        await writer.on(InsideScreen)
        await nth(manual, writer, 1)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("7")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("Nothing is muted")
        await writer.press("x")
        await writer.sees("This comes once the model has written.")
        await writer.press("x")
        await writer.sees("x: what each head costs")
        await writer.press("x")
        await writer.sees("This comes once the model has written.")
        manual.write(" the")
        await nth(manual, writer, 3)
        manual.answer(2)
        await nth(manual, writer, 4)
        manual.answer(3)
        await writer.sees("after 7 tokens")
        assert {asked.view for _, asked in manual.inspected} == {View.SURPRISE, View.MUTE}
        manual.end()
        id = await nth(manual, writer, 5)
        assert last(manual, view=View.COSTS)
        manual.say(some(id, N_HEADS))
        await writer.sees("the most L6H5")


async def test_a_trace_fills_in_and_stops(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await ask(writer, manual, "8")
        await writer.sees("Walk to a word")
        await put(writer, "fox", "right")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("fox instead of girl")
        await writer.press("right", "right", "right", "t")
        id = await nth(manual, writer, 3)
        await writer.sees("the last token…")
        said = Said(1, " key")
        manual.say(Inspected(id, traced(said, 2, 5, known=1), more=True))
        await writer.sees("1 of 3 tokens")
        await writer.press("t")
        assert manual.stopped == [id]
        await writer.sees("stopped after 1 of 3 tokens")
        manual.say(Replaced(id))
        await writer.press("right", "t")  # another token's
        id = await nth(manual, writer, 4)
        assert last(manual, view=View.TRACE, token=6)
        manual.say(Failed(id, "There is [no] room.", "Ask *less*."))
        await writer.sees("There is [no] room. Ask *less*.")
        assert "what it changes most:" in writer.screen
        await writer.press("t")
        id = await nth(manual, writer, 5)
        await writer.press("left", "t")  # asks in place of the one that runs
        later = await nth(manual, writer, 6)
        assert id in manual.stopped
        manual.say(Replaced(id), Inspected(later, traced(said, 2, 5)))
        await writer.sees("␣key as token 5")


async def test_a_word_that_is_taken_back_ends_its_trace(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await ask(writer, manual, "8")
        await put(writer, "fox", "right")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("fox instead of girl")
        await writer.press("right", "t")
        id = await nth(manual, writer, 3)
        await writer.press("left", "w")
        await writer.answer("")
        await writer.sees("Walk to a word")
        assert manual.stopped == [id]


async def test_what_could_come_next_is_traced_at_the_end_of_a_story_that_grew(
    open_room, manual
) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on")
        await writer.until(lambda: writer.text.endswith("on"))
        await writer.press("f9")
        await writer.on(InsideScreen)
        await nth(manual, writer, 1)
        manual.answer(0)
        await writer.sees("after 6 tokens")
        await writer.press("8")
        await put(writer, "fox", "right")
        await nth(manual, writer, 2)
        manual.answer(1)
        await writer.sees("fox instead of girl")
        await writer.press("end", "t")
        await writer.sees("This comes once the model has written.")
        manual.write(" the")
        await nth(manual, writer, 3)
        manual.answer(2)
        await nth(manual, writer, 4)
        manual.answer(3)
        await writer.sees("after 7 tokens")
        manual.end()
        await nth(manual, writer, 5)
        assert last(manual, view=View.TRACE, token=None)


def test_stations_without_room_are_counted() -> None:
    words = ["The", " girl", " found"]
    place = Place(
        text=surprise(words),
        number=2,
        chosen=Chosen(),
        story=Story(),
        settings=SamplingSettings(),
        fingerprints=(),
        muted="",
        model="",
        answer=None,
        is_stale=False,
        slowly=Sofar(),
        rows=10,
        width=30,
    )
    told = traced(Said(1, " found"), 1, 3)
    assert "10 of 13 stations" in str(draw_trace(told, place, 10)[1])
    assert "of 13" not in str(draw_trace(told, replace(place, width=40), 10)[1])


async def test_a_story_of_one_word_can_be_muted(open_room, engine, size) -> None:
    engine.words = ()
    async with open_room(engine, size) as writer:
        await writer.tell("Once")
        await writer.press("f9")
        await writer.sees("What could come next")
        await writer.press("7")
        await writer.sees("Nothing is muted")
        await writer.press("m")
        await writer.sees("without L1H1: +1.0 bits over the story")
        await writer.press("left")
        await writer.sees("2.0 bits before, 3.0 bits without")
        assert writer.app.screen.query_one(Walk).number == 1
