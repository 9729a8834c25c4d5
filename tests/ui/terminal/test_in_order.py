"""Keys act in the order in which they were typed, though they come all at once."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste
from textual.widgets import Input

from mgpt_tui.ui.screens.edit import EditScreen, StoryEditor
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.screens.library import LibraryScreen
from mgpt_tui.ui.screens.save import SaveScreen
from mgpt_tui.ui.terminal.parser import SafeParser
from tests.ui.conftest import Writer

FOCUS, BLUR, PASTE = "\x1b[I", "\x1b[O", "\x1b[200~paste\x1b[201~"
BACKSPACE, ENTER, ESC, LEFT, UP, TAB = "\x7f", "\r", "\x1b[27u", "\x1b[D", "\x1b[A", "\t"


async def burst(writer: Writer, read: str) -> None:
    """What one read of the terminal brings."""
    for event in SafeParser().feed(read):
        writer.app.post_message(event)
    await writer.settle()


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (f"abc{BACKSPACE}X", "abX"),
        (f"abc{LEFT}X", "abXc"),
        ("zzz\x15hello", "hello"),
        (f"ab{BACKSPACE}{BACKSPACE}cd\x1b[H>", ">cd"),
        ("one two\x17three", "one three"),
        ("ab\x1b[200~ PASTED\x1b[201~c\x1b[1~d", "dab PASTEDc"),
        ("ab\x1aX", "X"),
        ("a\nb\x1b[AX", "aX\nb"),
    ],
)
async def test_in_the_prompt(open_room, engine, read: str, text: str) -> None:
    async with open_room(engine) as writer:
        await burst(writer, read)
        assert writer.prompt.text == text


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (f"{PASTE}{BLUR}ab", "pasteab"),
        (f"{BLUR}{PASTE}", "paste"),
        (f"{BLUR}{PASTE}a{FOCUS}b", "pasteab"),
        (f"ab{LEFT}{PASTE}\x1a{BLUR}c", "acb"),
        (f"ab{BLUR}{FOCUS}{BLUR}{BACKSPACE}c{FOCUS}d", "acd"),
        (f"ab{LEFT}{FOCUS}{BLUR}\x1b[Fc", "abc"),
        (f"ab{BLUR}\x1b[Hc", "cab"),
        (f"ab{BLUR}\x1ac", "c"),
    ],
)
async def test_a_window_that_loses_the_focus_takes_no_key_away(
    open_room, engine, read: str, text: str
) -> None:
    async with open_room(engine) as writer:
        await burst(writer, read)
        await writer.until(lambda: not writer.app.is_acting)
        assert writer.prompt.text == text


async def test_enter_sends_what_stands_there(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await burst(writer, "The cat")
        await burst(writer, f"{BACKSPACE}r{ENTER}A dog{BACKSPACE}t")
        await writer.until(lambda: engine.asked and not writer.app.session.is_busy)
        assert writer.text.startswith("The car")
        assert writer.prompt.text == "A dot"


async def test_a_line_can_be_called_back_in_the_read_that_sent_it(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await burst(writer, f"One.{ENTER}Two.{ENTER}{UP}{UP}{BACKSPACE}!")
        assert writer.prompt.text == "One!"


async def test_what_is_typed_after_a_dialog_opens_is_for_it(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await burst(writer, f"\x13\x15My tale{BACKSPACE}k{LEFT}{LEFT}X")
        await writer.on(SaveScreen)
        assert writer.app.screen.query_one(Input).value == "My taXlk"


async def test_and_after_it_closes_for_the_prompt(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell("The key")
        text = writer.text
        read = f"\x1bOS! And{BACKSPACE}{BACKSPACE}{BACKSPACE}so{LEFT}{LEFT}X{ESC}more{BACKSPACE}t"
        await burst(writer, read)
        await writer.until(lambda: writer.text != text)
        assert writer.text == f"{text}! Xso"
        assert writer.prompt.text == "mort"


async def test_in_the_editor(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await writer.press("f4")
        await writer.on(EditScreen)
        editor = writer.app.screen.query_one(StoryEditor)
        await burst(writer, f"\x1b[1;5Habc{BACKSPACE}X{ENTER}Y{UP}Z")
        assert editor.text == f"aZbX\nY{writer.text}"


async def test_a_key_acts_on_what_the_one_before_did(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await burst(writer, f"/sav{TAB}x{BACKSPACE}one{ENTER}")
        await burst(writer, f"/help{ENTER}")
        await writer.on(HelpScreen)
        await burst(writer, f"{ESC}A key{ENTER}\x0f")
        await writer.on(LibraryScreen)
        assert writer.text.startswith("A key")


async def test_a_failing_key_ends_the_app(make_app, engine) -> None:
    app = make_app(engine)
    with pytest.raises(RuntimeError, match="it failed"):
        async with app.run_test() as pilot:
            writer = Writer(app, pilot, engine)
            await writer.until(lambda: engine.starts == 1)

            def fail() -> None:
                raise RuntimeError("it failed")

            app.action_help = fail
            app.post_message(Key("f1", None))
            await writer.until(lambda: app.return_code == 1)


async def test_a_key_on_its_way_while_the_app_leaves_is_nothing(make_app, engine) -> None:
    app = make_app(engine)
    async with app.run_test():
        assert app.screen_stack
    late = Key("escape", None)
    late._set_forwarded()  # it was sent to the prompt, and climbs back
    assert not app.screen_stack
    await app.on_event(late)


async def test_a_paste_keeps_its_place(open_room, engine) -> None:
    async with open_room(engine) as writer:
        for event in (Key("a", "a"), Key("left", None), Paste("bc"), Key("d", "d")):
            writer.app.post_message(event)
        await writer.settle()
        assert writer.prompt.text == "bcda"
