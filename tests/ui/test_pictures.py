"""How the screens look: pictures, at both sizes."""

from __future__ import annotations

import pytest

from mgpt_tui.ui.widgets.plain import Plain
from tests.ui.conftest import Writer

BEGINNING = "The girl found a small key"
"""As long as a story's name may be, which it gets once it is kept, with or without more words."""
DIALOGS = {
    "edit": ("f4",),
    "find": ("f4", "ctrl+f", *"key"),
    "another word": ("f5", "left", "left"),
    "compare": ("f6",),
    "bridge": ("alt+o",),
    "ways": ("alt+o", "enter"),
    "branches": ("ctrl+r", "f7"),
    "tokens": ("f9", "left", "left", "0"),
    "surprise": ("f9", "left", "left", "1"),
    "two models": ("f9", "left", "left", "4", "f8", "enter"),
    "two models' surprise": ("f9", "left", "left", "f8", "enter"),
    "draw": ("f9", "left", "2"),
    "attention": ("f9", "left", "left", "3", "tab"),
    "layers": ("f9", "left", "left", "4"),
    "parts": ("f9", "left", "left", "5"),
    "parts of two": ("f9", "left", "left", "5", "d"),
    "neurons": ("f9", "left", "left", "6", "tab"),
    "a neuron": ("f9", "left", "left", "6", "j", "j"),
    "mute": ("f9", "left", "left", "7", "tab", "m", "x"),
    "written again": ("f9", "7", "m", "w"),
    "a part is mistyped": ("f9", "7", "p", "M", "9", "enter"),
    "what if": ("f9", "home", "right", "8", "w", "ctrl+u", "f", "o", "x", "enter"),
    "trace": (
        *("f9", "home", "right", "8", "w", "ctrl+u", "f", "o", "x", "enter"),
        *("right", "right", "right", "right", "t"),
    ),
    "a word is found": ("f9", "slash", "k", "e", "y", "enter"),
    "how it is computed": ("f9", "3", "question_mark"),
    "settings": ("ctrl+t",),
    "help": ("f1",),
    "commands": ("/",),
}


WRITES = dict.fromkeys(("draw", "written again"), (" on", " the", " ground"))
"""What the model writes where each of its words is to be read as a token of its own."""


@pytest.mark.parametrize("dialog", DIALOGS)
def test_a_dialog_looks_as_it_did(snap_compare, make_app, engine, size, dialog) -> None:
    async def tell(pilot) -> None:
        app = pilot.app
        app.animation_level = "none"
        writer = Writer(app, pilot, engine)
        until = writer.until
        await until(lambda: app.room.focused is not None and engine.starts)
        app.session.submit(BEGINNING)
        app.room.desk.show_end()
        await until(lambda: engine.asked and not app.session.is_busy)
        for key in DIALOGS[dialog]:
            await writer.press(key)
            await until(lambda: writer.is_heard and not app.session.is_busy)
        in_room = dialog in ("settings", "commands")
        await until(lambda: (app.screen is app.room) is in_room)
        await until(lambda: app.screen.focused is not None and app.screen.focused.has_focus)
        keeper, story = app.room.keeper, app.session.story
        await until(lambda: keeper.document is not None and not keeper.needs(story))
        title = app.room.query_one("#top .title", Plain)
        await until(lambda: title.said == app.room.desk.title)
        await writer.still()

    engine.words = WRITES.get(dialog, engine.words)
    assert snap_compare(make_app(engine), run_before=tell, terminal_size=size)
