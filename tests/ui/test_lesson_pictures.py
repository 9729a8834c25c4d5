"""How every card of the lessons looks: pictures, at both sizes."""

from __future__ import annotations

import pytest

from mgpt_tui.ui.screens.lessons.screen import CARDS, COUNT, LessonsScreen
from tests.ui.conftest import Writer

BEGINNING = "The girl found a golden key on the ground, and she took it home to her cat"
TURNED = {6: ("tab", "down"), 8: ("down", "down"), 9: ("r", "r", "down")}
"""Keys that are pressed on a card."""


@pytest.mark.parametrize("card", range(1, COUNT + 1))
def test_a_card_looks_as_it_did(snap_compare, make_app, engine, size, card) -> None:
    async def learn(pilot) -> None:
        app = pilot.app
        app.animation_level = "none"
        writer = Writer(app, pilot, engine)
        await writer.until(lambda: app.room.focused is not None and engine.starts)
        app.session.submit(BEGINNING)
        app.room.desk.show_end()
        await writer.until(lambda: engine.asked and not app.session.is_busy)
        await writer.command("/lessons")
        await writer.on(LessonsScreen)
        for key in ("0", "n") if card == COUNT else (str(card % 10), *TURNED.get(card, ())):
            await writer.press(key)
            await writer.until(lambda: writer.is_heard)
        if card == COUNT:
            await writer.sees("Word 1 of 10.")
            await writer.type("down")
            await writer.press("enter")
            await writer.sees("You said down")
        else:
            await writer.sees(CARDS[card - 1].title)
            await writer.misses("the model looks…")
        keeper, story = app.room.keeper, app.session.story
        await writer.until(lambda: keeper.document is not None and not keeper.needs(story))
        await writer.still()

    assert snap_compare(make_app(engine), run_before=learn, terminal_size=size)
