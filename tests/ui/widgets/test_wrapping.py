"""Wrapped lines hold all of a text, with its paragraphs set apart, however it grew."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st
from rich.cells import cell_len

from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.ui.widgets.wrapping import Wrapping

PIECES = ("a", "bird ", " ran.", "你 ", " ", "\t", "\n", "\n", "\n\n")
TEXTS = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
WIDTHS = st.integers(2, 30)


def wrapped(text: str, width: int) -> Wrapping:
    wrapping = Wrapping()
    wrapping.wrap(text, width)
    return wrapping


@given(TEXTS)
def test_on_a_wide_screen_a_line_is_a_line_of_the_text_set_apart(text: str) -> None:
    shown = [text[start:end] for start, end in wrapped(text, 200).lines]
    assert [line.rstrip() for line in shown] == [line.rstrip() for line in apart(text).split("\n")]


@given(st.lists(TEXTS, max_size=4), WIDTHS)
def test_a_text_that_grew_is_wrapped_as_if_it_had_been_there_at_once(
    pieces: list[str], width: int
) -> None:
    wrapping, text = Wrapping(), ""
    for piece in pieces:
        before, text = list(wrapping.lines), text + piece
        assume(all(cell_len(word) <= width for word in text.split()))
        first = wrapping.wrap(text, width)
        assert wrapping.lines == wrapped(text, width).lines
        assert wrapping.lines[:first] == before[:first]


@given(TEXTS, WIDTHS)
def test_lines_come_in_order_and_hold_every_letter(text: str, width: int) -> None:
    lines = wrapped(text, width).lines
    assert all(start <= end <= after for (start, end), (after, _) in pairwise(lines))
    held = "".join(text[start:end] for start, end in lines)
    assert "".join(held.split()) == "".join(text.split())
