"""Encoding word by word equals encoding the text as one, whatever stands between the words."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mgpt_tui.model.tokenizer import Tokenizer
from training.data import word_cache as encoder_module
from training.data.word_cache import TextEncoder, can_cut_before

STORY = (
    "Nia's goat ate 3 hats.  \"Oh no!\" they'd said...\n\n\tIt sang \n all night;it wasn't sorry. "
)
WHITE_SPACE = " \n\t\r\x0b\x0c\x1c\x85\xa0\u2003\u3000\u200b\ufeff"
PIECES = st.sampled_from(
    [
        *WHITE_SPACE,
        "  ",
        "   ",
        "goat",
        "Nia",
        "'s",
        "'",
        "12",
        "!?",
        "é",
        "日本",
        "🦊",
        "“",
        "\x7f",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


@pytest.fixture(scope="module")
def gpt2():
    return Tokenizer.gpt2()


@pytest.fixture(scope="module")
def trimmed(gpt2):
    return gpt2.trimmed(Counter(gpt2.encode(STORY)), 320)


def spacious():
    """A vocabulary with what GPT-2's has not: tokens of several spaces."""
    single = [bytes([byte]) for byte in range(256)]
    merged = [
        b"  ",
        b"   ",
        b" \n",
        b"\n ",
        b"\n\n",
        b" \n ",
        b" g",
        b"oa",
        b" goa",
        b"\t ",
        b" \t",
    ]
    return Tokenizer({token: rank for rank, token in enumerate(single + merged)})


@pytest.fixture(scope="module")
def encoders(gpt2, trimmed):
    return TextEncoder(gpt2), TextEncoder(trimmed), TextEncoder(spacious())


def check(encoder, texts):
    """One text after the other, as the tokenizer would."""
    tokens, counts = encoder.encode(texts)
    expected = [encoder.tokenizer.encode(text) for text in texts]
    assert tokens.tolist() == [token for own in expected for token in own]
    assert counts.tolist() == [len(own) for own in expected]
    assert tokens.dtype == np.uint16


@settings(max_examples=400, deadline=None)
@given(texts=st.lists(TEXTS, max_size=5))
@example(texts=[STORY, STORY[::-1]])
@example(texts=["", " ", "", "goat ", "   goat   "])
@example(texts=["goat\n", " \n goat \n goat"])
def test_it_is_what_the_tokenizer_gives(encoders, texts):
    for encoder in encoders:
        check(encoder, texts)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, max_size=3), together=st.integers(1, 20))
def test_neither_batches_nor_cuts_in_long_texts_show(encoders, texts, together):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder_module, "TOGETHER", together)
        patch.setattr(encoder_module, "LONG_TEXT", 2)
        patch.setattr(encoder_module, "LONG_WORD", 4)
        for encoder in encoders:
            check(encoder, texts)


@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 120_000 + "b",
        "a" + " " * 50_000 + "b",
        "a" + " " * 49_999 + "b c",
        "ab" * 40_000,
        (STORY + "\n") * 2000,
    ],
    ids=["space", "a stretch", "nearly one", "word", "long"],
)
def test_monotonous_text(encoders, text):
    for encoder in encoders:
        check(encoder, ["a", text, "b"])


def test_another_pattern_is_not_cut_at_spaces(gpt2):
    lines = Tokenizer(gpt2.ranks, r"[^\n]+|\n+")  # pieces may reach over spaces
    check(TextEncoder(lines), ["the end of the story\nand on", "", "on and on"])


def test_where_text_can_be_cut(gpt2):
    tokens = gpt2.encode(" the goat's  2 \u201chats\n x\t y")
    cut = [gpt2.token_bytes(token) for token in tokens if can_cut_before(gpt2, token)]
    assert cut == [b" the", b" goat", b" 2", b" x", b" y"]
    assert not can_cut_before(gpt2, gpt2.end_token)
