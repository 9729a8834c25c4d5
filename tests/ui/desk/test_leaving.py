"""What comes while the app is being left."""

from __future__ import annotations

import pytest

from mgpt_tui.ui.messages import EngineSpoke
from mgpt_tui.ui.screens.dialog import Dialog

BEGINNING = "The girl found a key"


@pytest.mark.parametrize("dialog", ["f1", "f5", "f6", "f8", "f9", "/lessons", "/learn"])
async def test_what_the_engine_says_then_finds_a_dialog_that_is_closing(
    open_room, engine, dialog
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        if dialog.startswith("/"):
            await writer.type(dialog)
            await writer.press("enter")
        else:
            await writer.press(dialog)
        await writer.on(Dialog)
        front = writer.app.screen
        await writer.until(lambda: front.is_mounted)
        await front.remove()  # as Textual does before it closes the room
        assert writer.app.screen is front
        writer.app.room.hear(EngineSpoke([]))
        writer.app.room._models.hear()
