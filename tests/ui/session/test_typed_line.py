"""How surprising the line is that is being typed, where that is asked for."""

from __future__ import annotations

from mgpt_tui.inference.inspection.answers import View
from mgpt_tui.settings import load_settings

BEGINNING = "The girl found a key"


async def test_a_line_tells_its_bits_once_that_is_asked_for(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.type("It sang")
        await writer.until(lambda: writer.is_heard)
        assert engine.inspected == []
        await writer.press("ctrl+u")
        await writer.command("/set line-bits on")
        await writer.sees("is on from")
        assert engine.inspected == []
        await writer.type("It sang")
        # Tokens 12 and 13 have 1 and 2 bits, see `tests.ui.inside.surprise`.
        await writer.sees("line 3.0 bits, most at sang 2.0")
        context, asked = engine.inspected[-1]
        assert (asked.view, context[-1]) == (View.SURPRISE, " It sang")
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 2 and not writer.app.session.is_busy)
        await writer.misses("line 3.0 bits")
        await writer.type("/help")
        asked_before = len(engine.inspected)
        await writer.until(lambda: writer.is_heard)
        assert len(engine.inspected) == asked_before
        writer.app.finish()
    assert load_settings().showing.line_bits


async def test_one_question_at_a_time_and_the_last_line_counts(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.until(lambda: writer.app.session.model)
        await writer.command("/set line-bits on")
        await writer.sees("is on from")
        await writer.type("One fox")
        await writer.until(lambda: writer.prompt.text == "One fox")
        assert [context for context, _ in manual.inspected] == [("O",)]
        manual.answer(0)
        await writer.until(lambda: len(manual.inspected) == 2)
        assert manual.inspected[1][0] == ("One fox",)
        manual.answer(1)
        await writer.sees("line 5.0 bits, most at fox 3.0")
        await writer.press("ctrl+u")
        await writer.misses("line 5.0 bits")
