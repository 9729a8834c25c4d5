"""The prompt: text and commands, what is offered meanwhile, and what was typed before."""

from __future__ import annotations

import pytest
from textual.events import Key
from textual.widgets import Input

from mgpt_tui.ui.slash import COMMANDS
from mgpt_tui.ui.widgets.prompt import Prompt

NAMES = {"open": ["The key", "A door"]}


@pytest.fixture
def prompt() -> Prompt:
    return Prompt("prompt", lambda id: NAMES.get(id, []))


@pytest.fixture
def open_prompt(host, prompt: Prompt):
    """Opens an app with the prompt and the list above it."""
    return lambda: host(prompt.completions, prompt)


def sent(writer) -> list[str]:
    return [message.text for message in writer.heard(Prompt.Sent)]


def commands(writer) -> list[tuple[str, str]]:
    return [(message.key.id, message.argument) for message in writer.heard(Prompt.Command)]


async def test_enter_sends_a_line_or_runs_a_command(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        for line in ("A key", "/undo", "/set temperature 0.9", "//slash", "/STORIES a  b"):
            await writer.type(line)
            await writer.press("enter")
            assert prompt.is_empty
            assert not prompt.completions.display
        assert sent(writer) == ["A key", "/slash"]
        assert commands(writer) == [
            ("undo", ""), ("set", "temperature 0.9"), ("open", "a  b"),
        ]  # fmt: skip


async def test_a_command_that_cannot_be_stays_and_nothing_is_sent(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/sav")
        await writer.press("enter")
        assert prompt.text == "/sav"
        assert [str(message.error) for message in writer.heard(Prompt.Refused)] == [
            "/sav is no command.\nDid you mean /save?"
        ]
        await writer.press("e", "enter")
        assert commands(writer) == [("save", "")]
        assert not sent(writer)


async def test_what_is_pasted_is_text(open_prompt, prompt) -> None:
    long = "/quit\n" + "word " * 20_000 + "\n/quit"
    async with open_prompt() as writer:
        for text in ("/quit", "//quit", long):
            await writer.paste(text)
            assert not prompt.completions.display
            await writer.press("enter")
        await writer.type("ab")
        await writer.press("home")
        await writer.paste("/quit ")
        await writer.press("enter")
        assert sent(writer) == ["/quit", "//quit", long, "/quit ab"]
        assert not commands(writer)


async def test_a_slash_that_is_typed_makes_a_command_of_what_is_pasted_after_it(
    open_prompt, prompt
) -> None:
    async with open_prompt() as writer:
        await writer.paste("/quit")
        await writer.press("ctrl+u", "/")
        await writer.paste("save The key")
        await writer.press("enter")
        assert commands(writer) == [("save", "The key")]


async def test_a_pasted_line_comes_back_as_text(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.paste("/quit")
        await writer.press("enter", "up")
        assert prompt.text == "//quit"
        await writer.press("enter")
        assert sent(writer) == ["/quit", "/quit"]


async def test_tab_completes_and_the_arrows_choose(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/se")
        await writer.sees("/set SETTING VALUE")
        await writer.sees("show or hide the settings")
        await writer.press("up", "tab")
        assert prompt.text == "/set "
        await writer.type("length 4")
        await writer.sees("a whole number, 1 or more")
        await writer.press("ctrl+u")
        await writer.until(lambda: not prompt.completions.display)
        await writer.type("/op")
        await writer.press("tab", "down", "tab")
        assert prompt.text == "/open A door"
        await writer.press("enter")
        assert commands(writer) == [("open", "A door")]


async def test_a_click_completes(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/s")
        await writer.sees("/sentence")
        line = writer.screen.splitlines().index(
            next(line for line in writer.screen.splitlines() if "/sentence" in line)
        )
        await writer.pilot.click(offset=(4, line))
        await writer.until(lambda: prompt.text == "/sentence")
        assert prompt.has_focus
        assert prompt.cursor_location == (0, len("/sentence"))


async def test_names_with_brackets_are_shown_as_they_are(open_prompt, prompt) -> None:
    NAMES["models"] = ["[bold]x", "a\x1b[2Jb"]
    async with open_prompt() as writer:
        await writer.type("/model ")
        await writer.sees("[bold]x")
        await writer.sees("a␛[2Jb")


async def test_a_command_can_be_begun_for_the_writer(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("draft")
        prompt.begin(COMMANDS["/rename"])
        await writer.settle()
        assert prompt.text == "/rename "
        await writer.type("The key")
        await writer.press("enter")
        assert commands(writer) == [("rename", "The key")]


async def test_what_was_typed_before_comes_back(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        for line in ("one", "/undo", "three"):
            await writer.type(line)
            await writer.press("enter")
        await writer.type("draft")
        await writer.press("up")
        assert prompt.text == "three"
        await writer.press("up")
        assert prompt.text == "/undo"
        assert not prompt.completions.display
        await writer.press("up", "up", "up")
        assert prompt.text == "one"
        await writer.press("down", "down", "down", "down")
        assert prompt.text == "draft"
        await writer.press("up", "up", "enter")
        assert commands(writer) == [("undo", "")] * 2


async def test_the_arrows_move_inside_a_text_of_several_lines(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("before")
        await writer.press("enter", "a", "ctrl+j", "b", "up")
        assert prompt.text == "a\nb"
        assert prompt.cursor_location[0] == 0
        await writer.press("down")
        assert prompt.cursor_location[0] == 1
        await writer.press("up", "up")
        assert prompt.text == "before"
        await writer.press("down")
        assert prompt.text == "a\nb"


async def test_enter_overtakes_no_letter(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        for key in ("/", "u", "n", "tab", "enter", "h", "i", "enter"):
            writer.app.post_message(Key(key, key if len(key) == 1 else None))
        await writer.until(lambda: sent(writer) == ["hi"])
        assert commands(writer) in ([("undo", "")], [])


async def test_tab_without_a_command_goes_on_to_the_next_field(host, prompt) -> None:
    field = Input()
    async with host(prompt, field) as writer:
        assert prompt.has_focus
        await writer.press("x", "tab")
        assert field.has_focus


async def test_undo_takes_back_a_completion(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/ren")
        await writer.press("tab")
        assert prompt.text == "/rename "
        await writer.press("ctrl+z")
        assert prompt.text == "/ren"


async def test_enter_runs_what_is_marked_once_the_mark_was_moved(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/re")
        await writer.sees("/redo")
        await writer.press("down", "down", "enter")
        await writer.until(lambda: commands(writer) == [("redo", "")])
        assert prompt.is_empty
        await writer.type("/op")
        await writer.press("up", "enter")
        await writer.until(lambda: commands(writer)[1:] == [("open", "")])
        await writer.type("/open ")
        await writer.press("down", "enter")
        await writer.until(lambda: commands(writer)[2:] == [("open", "A door")])
        assert not sent(writer)


async def test_what_is_marked_and_needs_more_is_typed_on(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/ren")
        await writer.press("down", "enter")
        assert prompt.text == "/rename "
        await writer.type("Two keys")
        await writer.press("enter")
        assert commands(writer) == [("rename", "Two keys")]
        assert not writer.heard(Prompt.Refused)


async def test_a_letter_after_the_mark_was_moved_means_what_is_typed(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/re")
        await writer.press("down", "x", "enter")
        assert prompt.text == "/rex"
        assert not commands(writer)
        assert writer.heard(Prompt.Refused)


async def test_escape_closes_the_list_until_something_else_is_typed(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        await writer.type("/un")
        await writer.until(lambda: prompt.completions.display)
        await writer.press("escape")
        await writer.until(lambda: not prompt.completions.display)
        assert prompt.text == "/un"
        await writer.press("d")
        await writer.until(lambda: prompt.completions.display)
        await writer.press("escape", "o", "enter")
        assert commands(writer) == [("undo", "")]


async def test_escape_closes_the_list_before_it_stops_the_model(open_prompt, prompt) -> None:
    async with open_prompt() as writer:
        stopped: list[str] = []
        writer.app.screen.action_stop = lambda: stopped.append("stop")
        writer.app.screen._bindings.bind("escape", "stop", priority=False)
        await writer.type("/un")
        await writer.until(lambda: prompt.completions.display)
        await writer.press("escape")
        assert not stopped
        await writer.press("escape")
        assert stopped == ["stop"]
