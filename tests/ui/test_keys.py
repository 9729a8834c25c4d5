"""One table of what can be done: footer, palette, help and bindings agree with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.actions import parse
from textual.binding import Binding
from textual.command import CommandPalette
from textual.widget import Widget

from mgpt_tui.ui.app import WritingRoom
from mgpt_tui.ui.declaration import Footer, Where
from mgpt_tui.ui.keymap import check_keys, keymap
from mgpt_tui.ui.keys import KEYS, bindings
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.widgets.key_bar import KeyHint
from mgpt_tui.ui.widgets.prompt import Prompt


def test_the_table_is_consistent() -> None:
    ids = [key.id for key in KEYS]
    assert len(set(ids)) == len(ids)
    pressed = [single for key in KEYS if key.keys for single in key.keys.split(",")]
    assert len(set(pressed)) == len(pressed)
    for key in KEYS:
        assert key.keys or key.slash, key.id
        assert key.slash or not key.argument, key.id


def test_no_key_is_one_that_the_prompt_edits_with() -> None:
    """An action of the room takes its keys from the prompt, which must not miss them."""
    editing = {f"ctrl+{letter}" for letter in "adekuvwx"}
    for key in KEYS:
        if key.where in (Where.ROOM, Where.APP):
            assert not editing & set(key.keys.split(",")), key.id


def test_an_argument_reaches_the_action_whatever_it_holds() -> None:
    key = next(key for key in KEYS if key.id == "rename")
    assert key.call() == "rename"
    for argument in ("a", "it's", 'a "b" (c, d)', "\\", "[b]\n"):
        assert parse(key.call(argument)) == ("", "rename", (argument,))


def test_every_key_has_something_that_answers(make_app, engine) -> None:
    parts = make_app(engine).room.parts
    owners = {Where.PROMPT: Prompt, Where.APP: WritingRoom}
    for key in KEYS:
        if key.where is not Where.TEXTUAL:
            namespace, _, name = key.action.rpartition(".")
            owner = owners.get(key.where) or parts.get(key.group) or WritingRoom
            assert (owner is WritingRoom) is (namespace == "app" or key.where is Where.APP)
            name = name.partition("(")[0]
            assert hasattr(owner, f"action_{name}"), key.id


def test_bindings_come_from_the_table() -> None:
    for where in (Where.PROMPT, Where.ROOM, Where.APP):
        for binding in bindings(where):
            assert isinstance(binding, Binding)
            assert binding.id in {key.id for key in KEYS if key.where is where}


def test_a_keymap_takes_known_ids_only() -> None:
    assert keymap({"send": "ctrl+g", "no-such": "f9", "quit": " ", "copy": "f8"}) == {
        "send": "ctrl+g"
    }


def test_a_key_that_cannot_be_is_told_and_costs_no_other() -> None:
    kept, wrong = check_keys(
        {"send": "blah blah", "no-such": "f9", "rename": "f12", "redo": " ", "newline": "ctrl+n"}
        | {"save": "ctrl+r", "retry": "ctrl+s", "help": "shift+ctrl+h, f11"}
    )
    assert kept == {"save": "ctrl+r", "retry": "ctrl+s", "help": "ctrl+shift+h,f11"}
    assert wrong == (
        "keys: send cannot be 'blah blah', which is no key",
        "keys: no key belongs to 'no-such'",
        "keys: no key belongs to 'rename'",
        "keys: redo cannot be '', which is no key",
        "keys: newline cannot be ctrl+n, which is new",
    )


def test_every_key_of_the_table_is_one_that_there_is() -> None:
    own = {key.id: key.keys for key in KEYS if key.keys and key.where is not Where.TEXTUAL}
    assert check_keys(own) == (own, ())


async def test_the_footer_shows_what_can_be_done(open_room, engine) -> None:
    async with open_room(engine) as writer:
        footer = writer.screen.splitlines()[-1]
        at = [footer.index(key.label) for key in KEYS if key.footer is Footer.ALWAYS]
        assert at == sorted(at)

        def off() -> set[str]:
            hints = writer.room.query("KeyHint.-off").results(KeyHint)
            return {hint.key.id for hint in hints if hint.display}

        assert off() == {"stop", "retry", "undo", "save"}
        await writer.press("x")
        await writer.until(lambda: off() == {"stop", "retry", "save"})
        await writer.press("enter")
        await writer.until(lambda: off() == {"stop"})
        await writer.pilot.click("#key-undo")
        await writer.until(lambda: writer.text == "x")


async def test_a_wide_footer_shows_more_and_a_narrow_one_never_cuts(open_room, engine) -> None:
    async with open_room(engine) as writer:
        assert "f4 edit" not in writer.screen
        for width in (160, 130, 110, 100, 90, 80):
            await writer.pilot.resize_terminal(width, 30)
            await writer.until(lambda width=width: writer.app.size.width == width)
            footer = writer.screen.splitlines()[-1]
            assert footer.rstrip().endswith("f1 help")
            assert ("f7 branches" in footer) or width < 160


async def test_help_lists_every_key_and_closes(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.press("f1")
        await writer.on(HelpScreen)
        said = "\n".join(str(text.content) for text in writer.app.screen.query("Plain"))
        for key in KEYS:
            assert key.shown in said
            assert key.usage in said
            assert key.help in said
        await writer.sees("send the line")
        await writer.press("escape")
        await writer.on(MainScreen)


async def test_the_palette_offers_the_same_and_runs_it(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        commands = {command.title for command in writer.app.get_system_commands(writer.room)}
        wanted = {key.label.capitalize() for key in KEYS if key.palette}
        assert commands == wanted
        await writer.tell("A key")
        await writer.press("ctrl+p")
        await writer.on(CommandPalette)
        await writer.press(*"undo")
        await writer.sees("take back the last step")
        await writer.until(lambda: writer.app.screen.query("CommandList")[0].option_count == 1)
        await writer.press("enter")
        await writer.until(lambda: writer.shown == "A key")


@pytest.mark.parametrize("id", ["save", "rename", "settings", "undo", "quit"])
async def test_what_the_palette_runs_as_the_app_is_left_does_nothing(
    open_room, engine, monkeypatch, id
) -> None:
    ran = []
    async with open_room(engine) as writer:
        app = writer.app
        (key,) = (key for key in KEYS if key.id == id)
        prune = app._prune

        async def prune_first(*nodes: Widget, **rest: Any) -> None:
            """The room is empty, and still the screen."""
            await prune(*nodes, **rest)
            if app.room in nodes:
                app.call_later(app._do, key)
                app.call_later(app.room._adjusting.resized)
                app.call_later(ran.append, key)
                while not (ran or app._exception):
                    await asyncio.sleep(0)

        monkeypatch.setattr(app, "_prune", prune_first)
    assert ran == [key]


async def test_no_key_of_the_room_works_behind_a_dialog(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell("A key")
        told = writer.text
        await writer.press("f1", "ctrl+z", "ctrl+r", "ctrl+n", "ctrl+p", "x")
        assert isinstance(writer.app.screen, HelpScreen)
        assert writer.text == told
        assert len(engine.asked) == 1
        await writer.press("ctrl+q")
        await writer.until(lambda: not writer.app.is_running)


async def test_ctrl_c_does_not_quit(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.press("ctrl+c", "ctrl+c")
        assert writer.app.is_running
        assert "ctrl+q" in writer.toasts
