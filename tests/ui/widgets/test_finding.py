"""Find and replace in the editor."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mgpt_tui.ui.screens.edit import EditScreen, StoryEditor
from mgpt_tui.ui.screens.finding import find_all, replace_all
from tests.ui.widgets.conftest import OpenHost

STORY = "你好, a fox.\n\nThe Fox saw\n\na \U0001f98a fox and a FOX."
LETTERS = st.text("aAbİß.\n你")


@given(wanted=LETTERS, by=LETTERS, text=LETTERS)
def test_with_a_capital_all_is_replaced_as_python_does(wanted: str, by: str, text: str) -> None:
    assume(wanted != wanted.lower())
    matches = find_all(wanted, text)
    assert len(matches) == text.count(wanted)
    assert replace_all(matches, by, text) == text.replace(wanted, by)


@given(wanted=st.text("ab.*", min_size=1), text=st.text("aAbB.*\n"))
def test_without_a_capital_case_does_not_matter(wanted: str, text: str) -> None:
    matches = find_all(wanted, text)
    assert len(matches) == text.lower().count(wanted)
    assert all(text[start:end].lower() == wanted for start, end in matches)
    assert replace_all(matches, "-", text).lower() == text.lower().replace(wanted, "-")


def test_nothing_wanted_is_nowhere() -> None:
    assert find_all("", "a fox") == []
    assert replace_all([], "b", "a fox") == "a fox"


@pytest.fixture
def screen() -> EditScreen:
    return EditScreen(STORY)


async def test_matches_are_selected_in_turn_around_the_ends(
    host: OpenHost, screen: EditScreen
) -> None:
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("ctrl+f", *"fox")
        seen = []
        for key in ("enter", "down", "enter", "enter", "up", "shift+enter"):
            seen.append((editor.selected_text, editor.selection.start))
            await writer.press(key)
        assert seen == [
            ("fox", (0, 6)), ("Fox", (2, 4)), ("fox", (4, 4)), ("FOX", (4, 14)),
            ("fox", (0, 6)), ("FOX", (4, 14)),
        ]  # fmt: skip
        await writer.sees("3 of 4")
        await writer.press("ctrl+f", *"Fox")
        await writer.sees("1 of 1")
        assert editor.selection.start == (2, 4)
        await writer.press("!")
        await writer.sees("nothing found")
        await writer.press("enter", "up")
        assert editor.selected_text == "Fox"


async def test_esc_closes_the_line_first_and_the_match_stays_selected(
    host: OpenHost, screen: EditScreen
) -> None:
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("ctrl+f", *"saw", "escape")
        await writer.misses("replace by")
        assert editor.has_focus and editor.selected_text == "saw"
        await writer.press(*"is", "escape")
        assert writer.app.answers == [STORY.replace("saw", "is")]


async def test_each_replacement_is_taken_back_by_itself(host: OpenHost, screen: EditScreen) -> None:
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("ctrl+f", *"fox", "tab", *"hen", "enter", "enter")
        once = STORY.replace("fox", "hen", 1)
        assert editor.text == once.replace("Fox", "hen")
        assert editor.selected_text == "fox"
        await writer.sees("1 of 2")
        await writer.press("ctrl+z")
        assert editor.text == once
        await writer.press("escape", "ctrl+z")
        assert editor.text == STORY


@pytest.mark.parametrize("from_", range(4))
async def test_what_is_put_is_not_found_again_and_it_ends_once_around(
    host: OpenHost, screen: EditScreen, from_: int
) -> None:
    """Enter upon enter made of one fox ever more of them."""
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("ctrl+f", *"fox", *["down"] * from_, "tab", *"a fox and a fox")
        for left in (3, 2, 1, 0):
            await writer.press("enter")
            assert bool(editor.selected_text) == bool(left)
        await writer.sees("4 replaced")
        story = STORY.replace("Fox", "fox").replace("FOX", "fox")
        assert editor.text == story.replace("fox", "a fox and a fox")


async def test_a_round_goes_on_over_what_is_left_out(host: OpenHost, screen: EditScreen) -> None:
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("ctrl+f", *"fox", "down", "tab", *"foxes", "enter", "down", "enter")
        assert editor.selection.start == (0, 6)
        await writer.press("enter")
        await writer.sees("3 replaced")
        assert editor.text == "你好, a foxes.\n\nThe foxes saw\n\na \U0001f98a fox and a foxes."


async def test_to_open_the_line_again_keeps_what_was_wanted(
    host: OpenHost, screen: EditScreen
) -> None:
    """It took in the match, whose capital then made case matter."""
    async with host(screen) as writer:
        await writer.press("ctrl+f", *"fox", "down")
        await writer.sees("2 of 4")
        await writer.press("escape", "ctrl+f")
        await writer.sees("2 of 4")
        await writer.press("tab", "ctrl+f")
        await writer.sees("2 of 4")


async def test_replacing_all_stays_where_the_writer_is(host: OpenHost) -> None:
    """It went to the end of the story."""
    screen = EditScreen("a fox\n" * 100)
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("ctrl+home", "ctrl+f", *"fox", "down", "tab", *"big hen", "ctrl+r")
        await writer.sees("100 replaced")
        assert editor.cursor_location == (2, 2)  # paragraphs are set apart there


@pytest.mark.parametrize("by", ["", "x", "a fox of foxes"])
async def test_all_are_replaced_at_once_and_taken_back_at_once(
    host: OpenHost, screen: EditScreen, by: str
) -> None:
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        await writer.press("!", "ctrl+f", *"fox", "tab")
        await writer.type(by)
        await writer.press("ctrl+r")
        await writer.sees("4 replaced")
        replaced = (STORY + "!").replace("Fox", "fox").replace("FOX", "fox").replace("fox", by)
        assert editor.text == replaced
        await writer.press("ctrl+z")
        assert editor.text == STORY + "!"
        await writer.press("ctrl+y")
        assert editor.text == replaced


async def test_an_empty_search_changes_nothing(host: OpenHost, screen: EditScreen) -> None:
    async with host(screen) as writer:
        editor = screen.query_one(StoryEditor)
        at = editor.selection
        await writer.press("ctrl+f", "enter", "up", "tab", "x", "enter", "ctrl+r")
        assert (editor.text, editor.selection) == (STORY, at)
        assert "found" not in writer.screen


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_a_match_far_away_is_scrolled_to(host: OpenHost, size: tuple[int, int]) -> None:
    screen = EditScreen("needle\n" + "hay\n" * 200)
    async with host(screen, size=size) as writer:
        assert "hay\n" in screen.typed and "needle" not in writer.screen
        await writer.press("ctrl+f", *"needle")
        await writer.until(lambda: writer.screen.count("needle") == 2)
