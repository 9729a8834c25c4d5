"""Where in a story stands what was searched for."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.stories.shelf import passages
from mgpt_tui.stories.shelf.passages import BEFORE, LONGEST, Passage, passage
from mgpt_tui.text import folded


def found(text: str, *words: str) -> Passage | None:
    return passage(text, folded(text), [folded(word) for word in words])


def marked(text: str, *words: str) -> str:
    """The passage with what is marked in brackets."""
    where = found(text, *words)
    assert where is not None
    shown = where.text
    for start, end in reversed(where.marks):
        shown = f"{shown[:start]}[{shown[start:end]}]{shown[end:]}"
    return shown


@pytest.mark.parametrize(
    ("text", "words", "shown"),
    [
        ("A girl.\nA golden key sang.\nKey.", ("key",), "A golden [key] sang."),
        ("A key.\nA golden key.", ("KEY", "gold"), "A [gold]en [key]."),
        ("Fox, fox.", ("fox",), "[Fox], [fox]."),
        ("Straße und Maße.", ("masse",), "Straße und [Maße]."),
        ("Straße und Maße.", ("STRASSE",), "[Straße] und Maße."),
        ("In the\tcafé.", ("cafe\u0301",), "In the [café]."),
        ("In the cafe\u0301 now.", ("café", "now"), "In the [cafe\u0301] [now]."),
        ("İstanbul sang.", ("sang",), "İstanbul [sang]."),
    ],
)
def test_the_line_that_has_most_of_the_words_is_shown_with_these_marked(
    text: str, words: tuple[str, ...], shown: str
) -> None:
    assert marked(text, *words) == shown


def test_a_long_line_is_shown_where_the_words_stand_together() -> None:
    line = "The key lay there. " + "Nothing came of it. " * 40 + "A golden key sang in the wood. "
    where = found(line + "And so on. " * 40, "golden", "key")
    assert where is not None
    assert where.text.startswith("…") and where.text.endswith("…")
    assert len(where.text) <= LONGEST + 2
    first = where.text.index("golden key")
    assert first <= BEFORE + 1
    assert where.marks[:2] == ((first, first + 6), (first + 7, first + 10))


def test_what_a_text_has_not_is_no_passage() -> None:
    assert found("A key.", "fox") is None
    assert found("", "fox") is None


@given(st.text(st.characters(categories=["L", "M", "Zs"]), max_size=60), st.data())
def test_whatever_the_letters_what_is_marked_is_what_was_searched_for(text: str, data) -> None:
    words = folded(text).split()
    if not words:
        return
    word = data.draw(st.sampled_from(words))
    where = found(text, word)
    assert where is not None
    for start, end in where.marks:
        assert folded(where.text[start:end]) == word


@pytest.mark.parametrize("letter", ["a", "ß", "\u0f43"])
def test_a_line_without_end_is_no_trouble(letter: str) -> None:
    where = found(letter * 300_000 + " key " + letter * 300_000, "key")
    assert where is not None
    assert len(where.text) <= LONGEST + 2
    assert unicodedata.is_normalized("NFC", "key")


def test_half_letters_are_not_looked_at_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each s that a long line of ß has when it is folded was looked for: minutes of it."""
    text, asked = "ß" * 5000, []
    written = folded(text)

    def counted(part: str) -> str:
        asked.append(part)
        return folded(part)

    monkeypatch.setattr(passages, "folded", counted)
    assert passages.passage(text, written, ["s"]) == passages.Passage(f"{text[:200]}…", ())
    assert len(asked) < 50 * passages.MOST
