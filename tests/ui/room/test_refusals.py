"""What cannot be done now is said, in a sentence, whichever way it was asked for."""

from __future__ import annotations

import re

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.settings import Settings, save_settings
from mgpt_tui.ui.declaration import Key
from mgpt_tui.ui.keys import KEYS
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.themes import find_theme, theme_names

REFUSING = [key for key in KEYS if key.unless]
ARGUMENTS = {"rename": " The key", "export": " key.md", "save": " The key"}
SENTENCE = re.compile(r"[A-Z][^.]*\b(is|has|did|have|was)\b[^.]*\.( [A-Z{].*\.)?")


async def test_all_that_can_be_impossible_has_a_sentence_for_it(open_room, engine) -> None:
    async with open_room(engine) as writer:
        impossible = {key.id for key in KEYS if not writer.room.desk.is_possible(key)}
        assert impossible == {key.id for key in REFUSING}
        await writer.tell("A key")
        assert [key.id for key in KEYS if not writer.room.desk.is_possible(key)] == [
            "stop", "forget", "redo", "earlier_branch", "later_branch", "unmute",
        ]  # fmt: skip
    for key in REFUSING:
        assert SENTENCE.fullmatch(key.unless), key.unless


@pytest.mark.parametrize("key", REFUSING, ids=lambda key: key.id)
async def test_an_empty_story_says_what_it_cannot(open_room, engine, key: Key) -> None:
    async with open_room(engine) as writer:
        said = key.unless.partition("{")[0].strip()
        for pressed in filter(None, key.keys.split(",")):
            await writer.press(pressed)
            if key.id == "stop":
                assert not writer.toasts  # it is pressed on the way out of anything
            else:
                await writer.until(lambda: said in writer.toasts)
            writer.room.desk.say("Something else.")
        if key.slash:
            await writer.command(f"{key.slash}{ARGUMENTS.get(key.id, '')}")
            await writer.until(lambda: said in writer.toasts)
        assert isinstance(writer.app.screen, MainScreen)
        assert not engine.asked


async def test_undo_gives_a_cleared_line_back_before_it_says_anything(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.type("abc")
        await writer.press("ctrl+u")
        await writer.until(lambda: writer.prompt.is_empty)
        await writer.press("ctrl+z")
        await writer.until(lambda: writer.prompt.text == "abc")
        assert not writer.toasts


@pytest.mark.parametrize(
    ("name", "theme"),
    [
        ("dark", "flexoki"), ("light", "textual-light"), ("Light", "textual-light"),
        ("terminal", "ansi-dark"), ("nord", "nord"), (" NORD ", "nord"),
    ],
)  # fmt: skip
async def test_the_colours_are_changed_by_the_names_that_the_help_gives(
    open_room, engine, name: str, theme: str
) -> None:
    async with open_room(engine) as writer:
        for meant in ("dark", "light", "terminal"):
            assert meant in next(key.help for key in KEYS if key.id == "theme")
        await writer.command(f"/theme {name}")
        await writer.until(lambda: writer.app.theme == theme)
        if theme == "textual-light":
            await writer.command("/theme terminal")
            await writer.until(lambda: writer.app.theme == "ansi-light")


def test_a_theme_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    known = ["nord", "solarized-light"]
    assert theme_names(known) == ["dark", "light", "terminal", "nord", "solarized-light"]
    with pytest.raises(UserError, match=r"Did you mean solarized-light\?"):
        find_theme("solarised-light", known)
    with pytest.raises(UserError, match="There are dark, light, terminal, nord"):
        find_theme("xyz", known)


@pytest.mark.parametrize(
    ("name", "theme"), [("light", "textual-light"), ("terminal", "ansi-dark"), ("", "flexoki")]
)
async def test_the_settings_file_knows_the_same_names(open_room, engine, name, theme) -> None:
    save_settings(Settings(theme=name))
    async with open_room(engine) as writer:
        assert writer.app.theme == theme
        await writer.sees("storyteller 14M")
        assert not writer.toasts


async def test_a_value_that_was_set_is_told_as_it_counts(open_room, engine) -> None:
    async with open_room(engine) as writer:
        for line, said in (
            (r"/set stop '\n' | The end", r"stop is \n | The end from the next passage on."),
            ("/set stop off", "stop is off from the next passage on."),
            ("/set seed -1", "seed is random from the next passage on."),
        ):
            await writer.command(line)
            await writer.until(lambda said=said: said in writer.toasts)


async def test_escape_is_shown_as_what_it_does_now(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.sees("esc stop")
        await writer.type("/re")
        await writer.sees("/redo")
        await writer.press("escape")
        await writer.misses("/redo")
        await writer.sees("esc stop")
        assert writer.prompt.text == "/re"
