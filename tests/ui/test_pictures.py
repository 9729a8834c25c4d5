"""How the screens look: pictures, at both sizes."""

from __future__ import annotations

import pytest

from mgpt_tui.ui.widgets.prompt import Prompt

BEGINNING = "The girl found a key"
DIALOGS = {
    "edit": ("f4",),
    "another word": ("f5", "left", "left"),
    "compare": ("f6",),
    "branches": ("ctrl+r", "f7"),
    "settings": ("ctrl+t",),
    "help": ("f1",),
    "commands": ("/",),
}


@pytest.mark.parametrize("dialog", DIALOGS)
def test_a_dialog_looks_as_it_did(snap_compare, make_app, engine, size, dialog) -> None:
    async def tell(pilot) -> None:
        app = pilot.app
        await pilot.pause()
        app.animation_level = "none"

        async def until(holds) -> None:
            for _ in range(2000):
                if holds():
                    return
                await pilot.pause(0.01)
            raise AssertionError("waited in vain")

        await until(lambda: app.room.focused is not None and engine.starts)
        app.room.query_one(Prompt).cursor_blink = False
        app.session.submit(BEGINNING)
        app.room.act()
        await until(lambda: engine.asked and not app.session.is_busy)
        for key in DIALOGS[dialog]:
            await pilot.press(key)
            await until(lambda: engine.events.empty() and not app.session.is_busy)
            await pilot.pause()
        for field in app.screen.query("Input, TextArea"):
            field.cursor_blink = False
        app.clear_notifications()
        await pilot.pause(0.2)

    assert snap_compare(make_app(engine), run_before=tell, terminal_size=size)
