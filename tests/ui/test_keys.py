"""One table of keys: the footer, the palette, the help and the bindings agree with it."""

from __future__ import annotations

from textual.binding import Binding
from textual.command import CommandPalette

from mgpt_tui.ui.app import WritingRoom
from mgpt_tui.ui.keys import KEYS, Where, bindings, keymap
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.screens.main import MainScreen
from mgpt_tui.ui.widgets.prompt import Prompt


def test_the_table_is_consistent() -> None:
    ids = [key.id for key in KEYS]
    assert len(set(ids)) == len(ids)
    pressed = [single for key in KEYS for single in key.keys.split(",")]
    assert len(set(pressed)) == len(pressed)


def test_every_key_has_something_that_answers() -> None:
    owners = {Where.PROMPT: Prompt, Where.ROOM: MainScreen, Where.APP: WritingRoom}
    for key in KEYS:
        if key.where is not Where.TEXTUAL:
            namespace, _, name = key.action.rpartition(".")
            owner = WritingRoom if namespace == "app" else owners[key.where]
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


async def test_the_footer_shows_what_can_be_done(open_room, engine) -> None:
    async with open_room(engine) as writer:
        footer = writer.screen.splitlines()[-1]
        at = [footer.index(key.label) for key in KEYS if key.footer]
        assert at == sorted(at)

        def off() -> set[str]:
            return {hint.key.id for hint in writer.room.query("KeyHint.-off")}

        assert off() == {"stop", "retry", "undo", "save"}
        await writer.press("x")
        await writer.until(lambda: off() == {"stop", "retry", "save"})
        await writer.press("enter")
        await writer.until(lambda: off() == {"stop"})
        await writer.pilot.click("#key-undo")
        await writer.until(lambda: writer.text == "x")


async def test_help_lists_every_key_and_closes(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.press("f1")
        await writer.on(HelpScreen)
        said = "\n".join(str(text.content) for text in writer.app.screen.query("Plain"))
        for key in KEYS:
            assert key.shown in said
            assert key.help in said
        await writer.sees("send the line")
        await writer.press("escape")
        await writer.on(MainScreen)


async def test_the_palette_offers_the_same_and_runs_it(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        commands = {command.title for command in writer.app.get_system_commands(writer.room)}
        wanted = {key.label.capitalize() for key in KEYS if key.palette}
        assert commands == wanted | {"Theme"}
        await writer.tell("A key")
        await writer.press("ctrl+p")
        await writer.on(CommandPalette)
        await writer.press(*"undo")
        await writer.sees("take back the last step")
        await writer.until(lambda: writer.app.screen.query("CommandList")[0].option_count == 1)
        await writer.press("enter")
        await writer.until(lambda: writer.shown == "A key")


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
