"""The views of the look that say what a token is, and how it was drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from rich.cells import cell_len

from mgpt_tui.inference.inspection.answers import Asked, DrawView, Interval, Said, Scored, View
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.process.messages import Failed
from mgpt_tui.ui.screens.inside.drawn import line_of
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.screens.inside.tokens import COUNT, strip
from tests.ui.conftest import Writer
from tests.ui.inside import UNLUCKY

BEGINNING = "The girl found a key"


async def look(writer: Writer, *keys: str) -> None:
    """Open the look on a story that is told, and press keys there."""
    await writer.tell(BEGINNING)
    await writer.press("f9")
    await writer.on(InsideScreen)
    await writer.sees("What could come next")
    await writer.press(*keys)


async def test_of_a_token_its_pairs_and_its_neighbours_are_seen(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "0", "home", "right")
        await writer.sees("␣girl is token 2, joined so")
        await writer.sees("a + [b] (302) · ␣ + a[b] (402)")
        await writer.sees("␣near0[        +0.90")
        await writer.sees("nearest to its position, 2")
        await writer.sees("position 3     +0.70")
        await writer.press("end")
        await writer.sees("␣[b]next, the likeliest to come, is token 12")
        asked = Asked(View.TOKENS, 2, count=COUNT), Asked(View.TOKENS, None, count=COUNT)
        assert set(asked) <= {question for _, question in engine.inspected}


WORDS = ("The", " girl", " found", " a", " [b]key", " on", " 魔法", ".")
TOKENS = [Scored(1000 + at, word, 0, -1.0, 1, 1.0) for at, word in enumerate(WORDS)]


@pytest.mark.parametrize("width", [10, 30, 44, 200])
@pytest.mark.parametrize("number", range(1, len(WORDS) + 2))
def test_tokens_stand_above_their_ids_with_the_cursors_among_them(width: int, number: int) -> None:
    words, ids = (line.plain for line in strip(TOKENS, number, width))
    here = min(number, len(TOKENS))
    assert f"{1000 + here - 1}" in ids
    assert cell_len(words) == cell_len(ids) <= width
    shown = ids.split()
    assert shown == [f"{int(shown[0]) + at}" for at in range(len(shown))]  # none is left out
    room = width - cell_len(words)
    first, last = int(shown[0]) - 1000, int(shown[-1]) - 1000
    beside = [at for at in (first - 1, last + 1) if 0 <= at < len(TOKENS)]
    assert all(max(cell_len(WORDS[at]), 4) + 2 > room for at in beside)


# How a token was drawn. The scripted model's words are tokens of its own.

OWN = (" on", " the", " ground")


async def test_a_number_fell_on_the_token_that_came(open_room, engine, size) -> None:
    engine.words = OWN
    async with open_room(engine, size) as writer:
        await look(writer, "2", "left", "left")
        await writer.sees("The number")
        await writer.sees("fell on ␣the, from")
        await writer.sees("Seed 101.")
        await writer.sees("▼")
        await writer.sees("the shares of all that was left, in the order of ids")
        await writer.sees("the model alone")
        await writer.sees("top-k 50")
        await writer.sees("temperature 0.8")
        context, asked = engine.inspected[-1]
        settings = writer.app.session.settings
        assert context == (BEGINNING,)
        assert asked.draw == Drawing(settings, (1001, 1002), seed=101)


async def test_words_of_the_writers_have_no_number(open_room, engine, size) -> None:
    engine.words = OWN
    async with open_room(engine, size) as writer:
        await look(writer, "2", "home", "right")
        await writer.sees("You wrote it, so no number drew it. The model would have given it")
        assert "▼" not in writer.screen
        context, asked = engine.inspected[-1]
        assert context == () and asked.draw == Drawing(writer.app.session.settings, (1, 2))


async def test_at_the_end_it_is_seen_what_could_come(open_room, engine, size) -> None:
    engine.words = OWN
    async with open_room(engine, size) as writer:
        await look(writer, "2")
        await writer.sees("What could come with the settings as they are now")
        assert "▼" not in writer.screen
        context, asked = engine.inspected[-1]
        assert context == (BEGINNING, (1001, 1002, 1003))
        assert asked.draw == Drawing(writer.app.session.settings, ())


async def test_a_number_that_falls_elsewhere_is_told(open_room, engine, size) -> None:
    engine.words = OWN
    async with open_room(engine, size) as writer:
        await writer.command(f"/set seed {UNLUCKY}")
        await look(writer, "2", "left")
        await writer.sees(", but ␣ground came")
        await writer.sees("it was written with int8")


async def test_another_models_words_are_told_to_be_that_ones(open_room, engine, size) -> None:
    engine.words = OWN
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        writer.app.session.switch("[b]other")
        await writer.until(lambda: writer.app.session.model is not None)
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.sees("What could come next")
        await writer.press("2", "left")
        await writer.sees("storyteller wrote it, and only that model could draw it")


async def test_while_the_model_writes_draws_are_seen(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: writer.text.endswith("the"))
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.until(lambda: manual.inspected)
        manual.answer(0)
        await writer.sees("after 7 tokens")
        await writer.press("2", "left", "left")
        await writer.until(lambda: len(manual.inspected) == 4)
        manual.answer(3)
        await writer.sees("fell on ␣on, from")
        await writer.press("left")
        await writer.sees("the model looks…")
        await writer.misses("fell on ␣on")
        manual.answer(4)
        await writer.sees("You wrote it, so no number drew it.")
        assert writer.app.session.is_writing


async def test_each_draw_is_told_with_its_own_settings(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on")
        manual.end()
        await writer.until(lambda: not writer.app.session.is_busy)
        await writer.command("/set top-k off")
        await writer.until(lambda: writer.app.session.settings.top_k is None)
        await writer.press("enter")
        await writer.until(lambda: len(manual.asked) == 2)
        manual.begin()
        manual.write(" on")
        manual.end()
        await writer.until(lambda: writer.is_heard)
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.until(lambda: manual.inspected)
        manual.answer(0)
        await writer.sees("after 7 tokens")
        await writer.press("2", "left", "left")
        await writer.until(lambda: len(manual.inspected) == 4)
        manual.answer(3)
        await writer.sees("top-k 50")
        await writer.press("right")
        await writer.sees("the model looks…")
        assert "top-k 50" in writer.screen
        manual.answer(2)
        await writer.sees("Seed 102.")
        assert "top-k" not in writer.screen
        await writer.press("left")
        await writer.sees("top-k 50")


async def test_while_the_engine_starts_anew_no_draw_is_told_of_another_token(
    open_room, manual
) -> None:
    async with open_room(manual) as writer:
        await writer.look_by_hand(BEGINNING)
        await writer.sees("after 6 tokens")
        await writer.press("2", "left")
        await writer.until(lambda: len(manual.inspected) == 3)
        manual.answer(2)
        await writer.sees("fell on ␣on, from")
        manual.die()
        await writer.until(lambda: manual.starts == 2)
        await writer.press("left")
        await writer.sees("the model looks…")
        assert "fell on ␣on" not in writer.screen
        manual.be_ready()
        await writer.until(lambda: len(manual.inspected) == 4)
        manual.answer(3)
        await writer.sees("You wrote it, so no number drew it.")


async def test_a_refused_draw_is_told_in_the_view(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.look_by_hand(BEGINNING)
        await writer.sees("after 6 tokens")
        await writer.press("2")
        await writer.until(lambda: len(manual.inspected) == 2)
        manual.say(Failed(-100_002, "Every [token] is banned.", "Ban fewer of them."))
        await writer.sees("Every [token] is banned.")


async def test_a_word_is_compared_with_the_likeliest_other(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "5")
        await writer.sees("= the logit of")
        await writer.press("home", "d")
        await writer.sees("Why The and not ␣w1[? To the model it was")
        await writer.sees("= the logit of The less that of ␣w1[,")
        assert engine.inspected[-1][1] == Asked(View.PARTS, 1, rival=True)
        await writer.press("d")
        await writer.misses("and not")


@pytest.mark.parametrize("uniform", [0.0, 0.2, 0.4999, 0.999999, None])
@pytest.mark.parametrize("width", [30, 77])
def test_the_mark_stands_on_the_share_of_the_token(uniform: float | None, width: int) -> None:
    ends = (0.0, 0.001, 0.45, 0.5, 1.0)
    line = tuple(
        Interval(at, f" [w{at}]", low, high) for at, (low, high) in enumerate(pairwise(ends))
    )
    own = next(each for each in line if each.low <= (uniform or 0.2) < each.high)
    said = Said(own.token, own.text)
    drawn = None if uniform is None else said
    view = DrawView(said, (), uniform, drawn, own.low, own.high, line)
    *mark, shares, _ = (each.plain for each in line_of(view, width))
    assert cell_len(shares) == width
    assert len(mark) == (uniform is not None)
    if uniform is not None:
        assert mark[0].index("▼") == int(uniform * width)
    assert "␣[w3]" in shares
