"""Paragraphs are set apart for whoever reads, and nothing else changes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.stories.paragraphs import apart, together
from mgpt_tui.text import clean_text

TEXTS = st.text(st.sampled_from("ab.\n\n\n \t\u3000"), max_size=30) | st.text().map(clean_text)
WORDS = st.lists(st.sampled_from(["A", "fox", "ran", ".", " ", "\n", "\n", "\n\n"])).map("".join)


def written(text: str) -> list[str]:
    """The lines that have anything, be it blanks."""
    return [line for line in text.split("\n") if line]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("A fox.", "A fox."),
        ("A fox.\nA bird.\nA key.", "A fox.\n\nA bird.\n\nA key."),
        ("A fox.\n\nA bird.\n\n\nA key.", "A fox.\n\nA bird.\n\n\nA key."),
        ("\nA fox. \n  A bird.\n", "\nA fox. \n\n  A bird.\n"),
        ("A fox.\n \nA bird.", "A fox.\n \nA bird."),
    ],
)
def test_an_empty_line_stands_between_paragraphs(text: str, expected: str) -> None:
    assert apart(text) == expected


@given(TEXTS)
def test_what_is_apart_stays_so_and_no_line_is_lost(text: str) -> None:
    once = apart(text)
    assert apart(once) == once
    assert not any(a.strip() and b.strip() for a, b in pairwise(once.split("\n")))
    assert written(once) == written(text)


@given(TEXTS)
def test_what_nobody_changed_is_the_text_again(text: str) -> None:
    assert together(text, apart(text)) == text


@given(WORDS | TEXTS, WORDS | TEXTS)
def test_whatever_is_changed_reads_as_the_writer_left_it(text: str, changed: str) -> None:
    assert apart(together(text, changed)) == apart(changed)


@given(WORDS, WORDS)
def test_a_change_leaves_the_paragraphs_before_and_behind_as_they_were(
    before: str, behind: str
) -> None:
    text = f"{before}\nThe girl sang.\n{behind}"
    changed = apart(text).replace("girl", "boy")
    assert together(text, changed) == text.replace("girl", "boy")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("A fox.\n\nA bird.\n\nA key.", "A fox.\nA bird.\n\nA key."),
        ("A red fox.\n\nA bird.\n\nA key.", "A red fox.\nA bird.\n\nA key."),
        ("A fox.\n\nA bird.\n\nA key.\n\nA door.", "A fox.\nA bird.\n\nA key.\n\nA door."),
        ("A fox.\nA bird.\n\nA key.", "A fox.\nA bird.\n\nA key."),  # the line was deleted
        ("A fox. A bird.\n\nA key.", "A fox. A bird.\n\nA key."),
        ("A fox.A bird.\n\nA key.", "A fox.A bird.\n\nA key."),
        ("A fox.\n\n\nA bird.\n\nA key.", "A fox.\n\n\nA bird.\n\nA key."),  # a wider gap is meant
        ("A bird.\n\nA key.", "A bird.\n\nA key."),
        ("", ""),
    ],
)
def test_a_change_is_the_only_change(changed: str, expected: str) -> None:
    assert together("A fox.\nA bird.\n\nA key.", changed) == expected


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("Here is Tom.\nTom ran.\n\nTom\nTom.", "Tom", "Ben"),
        ("Tom\nTom\nTom", "Tom", "Ben Bo"),
        ("A fox.\nA bird.\nA key.", "A", "One"),
        # So many words, the first and the last among the changed ones, are not compared.
        ("\n".join(f"The fox number {n} ran away with all of it." for n in range(2500)), "f", "F"),
    ],
    ids=lambda value: value[:20],
)
def test_words_that_change_on_both_sides_leave_what_is_between_as_it_was(
    text: str, old: str, new: str
) -> None:
    assert together(text, apart(text).replace(old, new)) == text.replace(old, new)
