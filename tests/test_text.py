"""Cleaning: nothing that a terminal would obey is left in a text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.text import StreamingCleaner, clean_text

NASTY = "\r\n\t\x00\x1b\x7f\x85\x9b\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff[x"
texts = st.one_of(st.text(), st.text(st.sampled_from(NASTY)), st.text(st.characters()))


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        ("a\tb", "a\tb"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x07\x00\x7f", "␇␀␡"),
        ("\x9b2J", "␛[2J"),
        ("\x9d0;title\x9c", "␛]0;title␛\\"),
        ("\x85", "␛E"),
        ("a\u202eb\u202c", "a⟦RLO⟧b⟦PDF⟧"),
        ("\u2066x\u2069", "⟦LRI⟧x⟦PDI⟧"),
        ("one\u2028two\u2029three", "one\ntwo\nthree"),
        ("\ud800!", "\ufffd!"),
        ("[bold]*né* 🦊", "[bold]*né* 🦊"),
    ],
)
def test_what_becomes_of_what(raw, cleaned):
    assert clean_text(raw) == cleaned


@given(texts)
def test_nothing_is_left_to_obey(text):
    cleaned = clean_text(text)
    for character in cleaned:
        assert (
            unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} or character in "\n\t"
        )
        assert unicodedata.bidirectional(character) not in {
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        }  # fmt: skip
    cleaned.encode()
    assert clean_text(cleaned) == cleaned


@given(st.lists(texts))
def test_cleaning_pieces_is_cleaning_the_whole(pieces):
    cleaner = StreamingCleaner()
    streamed = "".join(map(cleaner.feed, pieces)) + cleaner.finish()
    assert streamed == clean_text("".join(pieces))
    assert cleaner.finish() == ""


def test_a_line_end_cut_in_two_is_one_newline():
    cleaner = StreamingCleaner()
    assert cleaner.feed("one\r") == "one"
    assert cleaner.feed("\ntwo") == "\ntwo"
    assert cleaner.finish() == ""
