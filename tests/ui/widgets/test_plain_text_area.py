"""Fields to type in: whatever is typed, pasted, undone and redone at whatever size, they hold."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from textual.document._history import EditHistory
from textual.document._wrapped_document import WrappedDocument

from mgpt_tui.ui.screens.edit import EditScreen, StoryEditor
from mgpt_tui.ui.widgets.plain_text_area import PlainTextArea
from mgpt_tui.ui.widgets.prompt import Prompt
from tests.ui.person import Person
from tests.ui.widgets.conftest import Host

LINES = "\n".join(f"Line {number} of a tale." for number in range(1, 9))
STORY = "Once upon a time there was a fox. " * 9

STEPS = st.one_of(
    st.sampled_from("ab .\t"),
    st.sampled_from(["enter", "undo", "undo", "redo", "backspace", "delete_line", "cut_word"]),
    st.sampled_from(["up", "down", "left", "home", "select_all", "select_left", "top", "clear"]),
    st.sampled_from([LINES, LINES * 6, STORY, "é\u4f60\U0001f600\n", "\n\n\n"]),
    st.tuples(st.integers(20, 130), st.integers(8, 50)),
)


async def do(writer: Person[Host], area: PlainTextArea, step: str | tuple[int, int]) -> None:
    """One thing that a writer does to a field."""
    actions = {
        "enter": lambda: area.insert("\n"),
        "undo": area.action_undo,
        "redo": area.action_redo,
        "backspace": area.action_delete_left,
        "delete_line": area.action_delete_line,
        "cut_word": area.action_delete_word_left,
        "up": area.action_cursor_up,
        "down": area.action_cursor_down,
        "left": area.action_cursor_left,
        "home": area.action_cursor_line_start,
        "select_all": area.action_select_all,
        "select_left": lambda: area.action_cursor_word_left(select=True),
        "top": lambda: area.move_cursor((0, 0)),
        "clear": area.clear,
    }
    if isinstance(step, tuple):
        await writer.pilot.resize_terminal(*step)
    elif step in actions:
        actions[step]()
    elif len(step) == 1:
        await writer.type(step)
    else:
        area.take(step)
    await writer.settle(1)


def check(area: PlainTextArea) -> None:
    """What must hold of a field after anything."""
    for row, column in area.selection:
        assert 0 <= row < area.document.line_count
        assert 0 <= column <= len(area.document[row])
    again = WrappedDocument(area.document)
    again.wrap(area.wrap_width, area.indent_width)
    assert area.wrapped_document.lines == again.lines
    assert area.virtual_size.height == again.height


async def torment(field: str, size: tuple[int, int], steps: list[str | tuple[int, int]]) -> None:
    """Do all the steps in a field, then undo them to the beginning and redo them to the end."""
    part = Prompt("prompt") if field == "prompt" else EditScreen(STORY)
    app = Host((part,))
    async with app.run_test(size=size) as pilot:
        writer = Person(app, pilot)
        await writer.settle()
        area = app.screen.query_one(Prompt if field == "prompt" else StoryEditor)
        first = area.text
        for step in steps:
            await do(writer, area, step)
            check(area)
        while area.history.redo_stack:
            await do(writer, area, "redo")
        last = area.text
        while area.history.undo_stack:
            await do(writer, area, "undo")
            check(area)
        assert area.text == first
        while area.history.redo_stack:
            await do(writer, area, "redo")
            check(area)
        assert area.text == last


@settings(max_examples=12, deadline=None)
@example(field="prompt", size=(80, 24), steps=[LINES, "undo", "redo"])
@example(field="editor", size=(80, 24), steps=[LINES * 6, "undo", "redo"])
@given(
    field=st.sampled_from(["prompt", "editor"]),
    size=st.sampled_from([(80, 24), (30, 10), (160, 48)]),
    steps=st.lists(STEPS, max_size=12),
)
def test_undo_and_redo_lead_back_and_forth(
    field: str, size: tuple[int, int], steps: list[str | tuple[int, int]]
) -> None:
    asyncio.run(torment(field, size, steps))


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (160, 48)])
async def test_a_paste_can_be_undone_in_the_prompt(host, size: tuple[int, int]) -> None:
    prompt = Prompt("prompt")
    async with host(prompt.completions, prompt, size=size) as writer:
        await writer.paste(LINES)
        assert prompt.text == LINES
        await writer.press("ctrl+z")
        assert prompt.text == ""
        await writer.press("ctrl+y")
        assert prompt.text == LINES


@pytest.mark.parametrize("pause", [0.0, 10.0], ids=["fast", "slowly"])
async def test_a_word_is_taken_back_at_a_time(
    host, monkeypatch: pytest.MonkeyPatch, pause: float
) -> None:
    """However long the writer thinks between two keys."""
    now = itertools.count(step=pause)
    monkeypatch.setattr(EditHistory, "_get_time", lambda self: next(now))
    prompt = Prompt("prompt")
    async with host(prompt.completions, prompt) as writer:
        await writer.type("one  two, three")
        for left in ("one  two, ", "one  ", ""):
            await writer.press("ctrl+z")
            assert prompt.text == left
        for back in ("one  ", "one  two, ", "one  two, three"):
            await writer.press("ctrl+y")
            assert prompt.text == back
        await writer.press("backspace", "backspace", "x", "space", "backspace", "y")
        for left in ("one  two, thrx", "one  two, thrx ", "one  two, thr", "one  two, three"):
            await writer.press("ctrl+z")
            assert prompt.text == left
