"""Copying by keyboard: what is copied, where it goes, and that it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgpt_tui import paths
from mgpt_tui.ui.screens.edit import EditScreen
from mgpt_tui.ui.terminal.clipboard import MOST, why_not

BEGINNING = "The girl found a key"
TOLD = BEGINNING + " on the ground. It was shiny."


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that has a clipboard."""
    monkeypatch.setenv("TERM", "xterm-256color")


async def test_the_story_or_its_last_passage_is_copied_and_that_is_told(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("alt+c")
        await writer.until(lambda: "Copied 11 words." in writer.toasts)
        assert writer.app.clipboard == TOLD
        await writer.command("/copy passage")
        await writer.until(lambda: "Copied 6 words." in writer.toasts)
        assert writer.app.clipboard == "on the ground. It was shiny."
        await writer.command("/copy everything")
        await writer.until(lambda: "everything cannot be copied." in writer.toasts)


async def test_what_is_copied_has_its_paragraphs_set_apart(open_room, engine) -> None:
    async with open_room(engine) as writer:
        engine.words = (" sang.\nIt was", " shiny.\nThe end.")
        await writer.tell("The key")
        await writer.press("alt+c")
        await writer.sees("Copied 8 words.")
        assert writer.app.clipboard == "The key sang.\n\nIt was shiny.\n\nThe end."
        await writer.command("/copy passage")
        await writer.sees("Copied 6 words.")
        assert writer.app.clipboard == "sang.\n\nIt was shiny.\n\nThe end."


async def test_what_is_marked_in_the_editor_is_copied(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f4")
        await writer.on(EditScreen)
        await writer.press(*["shift+left"] * 6, "ctrl+c")
        await writer.sees("Copied 1 word.")
        assert writer.app.clipboard == "shiny."


async def test_a_file_takes_what_the_writer_wants_there_and_nothing_is_written_over(
    open_room, engine, tmp_path: Path
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        file = tmp_path / "a.txt"
        await writer.command(f"/copy story {file}")
        await writer.until(lambda: f"Copied to {file}" in writer.toasts)
        assert file.read_text("utf-8") == TOLD + "\n"
        await writer.command(f"/copy story {tmp_path / 'no' / 'such' / 'a.txt'}")
        await writer.until(lambda: "does not exist" in writer.toasts)
        assert not (tmp_path / "no").exists()
        await writer.command(f"/copy passage {file}")
        await writer.until(lambda: "already" in writer.toasts)
        assert file.read_text("utf-8") == TOLD + "\n"


async def test_where_the_terminal_has_no_clipboard_a_file_takes_it(
    open_room, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "linux")
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("alt+c")
        await writer.until(lambda: "no clipboard; the 11 words are in" in writer.toasts)
        assert (paths.state_dir() / "copied.txt").read_text("utf-8") == TOLD


def test_a_text_is_as_long_as_a_clipboard_takes() -> None:
    most = MOST * 3 // 4
    assert why_not("a" * (most - 3)) == ""
    assert "more than" in why_not("a" * (most + 3))
