"""Another model, looked into beside the one that writes."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from mgpt_tui.inference.inspection.answers import Scored, View
from mgpt_tui.ui.screens.inside.beside import differences
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.screens.models import BesideScreen

BEGINNING = "The girl found a key"


async def test_two_models_are_looked_into_side_by_side(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f9")
        await writer.on(InsideScreen)
        await writer.sees("f8: another model beside this one")
        await writer.press("home", "f8")
        await writer.on(BesideScreen)
        await writer.sees("Look into another model beside it")
        await writer.until(lambda: writer.app.screen.query_one(Input).has_focus)
        await writer.sees("● storyteller")
        await writer.press("enter")
        await writer.on(InsideScreen)
        await writer.sees("f8: without storyteller")
        context, asked = engine.inspected[-1]
        assert (asked.view, asked.model, asked.at) == (View.BESIDE, "storyteller", 0)
        assert context == (writer.text,)
        await writer.sees("Th, token 1")
        await writer.press("right")
        await writer.sees("␣girl, token 2")
        await writer.sees(", token 2")
        assert engine.inspected[-1][1].at == len("The")
        await writer.press("4")
        await writer.until(lambda: writer.screen.count("M2 ") == 2)
        assert writer.screen.count("M6 ") == 1
        await writer.press("f8")
        await writer.until(lambda: writer.screen.count("M2 ") == 1)


async def test_a_model_that_cannot_be_loaded_says_why(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.look_by_hand(BEGINNING)
        await writer.sees("f8: another model")
        await writer.press("f8")
        await writer.on(BesideScreen)
        await writer.sees("● storyteller")
        await writer.press("enter")
        await writer.sees("the other model is loaded, and looks…")
        manual.fail(-100_000 - len(manual.inspected))
        await writer.sees("The model cannot be [read]. Train *another*.")


def test_bits_of_other_tokens_are_spread_over_their_characters() -> None:
    def scored(*tokens: tuple[str, float]) -> list[Scored]:
        found, end = [], 0
        for text, bits in tokens:
            end += len(text)
            found.append(Scored(1, text, end, -bits * 0.6931471805599453, 1, 0.0))
        return found

    own = scored(("The", 1.0), (" fo", 2.0), ("x", 3.0))
    others = scored(("Th", 2.0), ("e fox", 10.0))
    assert differences(own, others) == pytest.approx([2 + 2 - 1, 6 - 2, 2 - 3])
    assert differences(own, own) == pytest.approx([0, 0, 0])
