"""Encoding word by word equals encoding the text as one, whatever stands between the words."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mgpt_tui.model.tokenizer import Tokenizer
from training import encoder as encoder_module
from training.encoder import StoryEncoder

STORY = (
    "Nia's goat ate 3 hats.  \"Oh no!\" they'd said...\n\n\tIt sang \n all night;it wasn't sorry. "
)
WHITE_SPACE = " \n\t\r\x0b\x0c\x1c\x85\xa0\u2003\u3000\u200b\ufeff"
PIECES = st.sampled_from(
    [*WHITE_SPACE, "  ", "   ", "goat", "Nia", "'s", "'", "12", "!?", "é", "日本", "🦊", "\ud800"]
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
    return Tokenizer({token: rank for rank, token in enumerate([*single, *merged])})


@pytest.fixture(scope="module")
def encoders(gpt2, trimmed):
    """Kept over all examples, so that words are remembered from one text to the next."""
    return StoryEncoder(gpt2), StoryEncoder(trimmed), StoryEncoder(spacious())


def ids(encoder, text):
    return np.frombuffer(encoder.encode(text), dtype="<u2").tolist()


@settings(max_examples=400, deadline=None)
@given(text=TEXTS)
@example(text=STORY)
@example(text=" ")
@example(text="   goat   ")
@example(text="goat \n goat")
def test_it_is_what_the_tokenizer_gives(encoders, text):
    for encoder in encoders:
        assert ids(encoder, text) == encoder.tokenizer.encode(text)
        assert ids(encoder, text) == encoder.tokenizer.encode(text)  # now from memory


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_long_texts_are_cut_where_it_does_not_show(gpt2, text):
    for tokenizer in (gpt2, spacious()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoder_module, "STRETCH", 3)
            assert ids(StoryEncoder(tokenizer), text) == tokenizer.encode(text)


@pytest.mark.parametrize(
    "text",
    ["a" + " " * 120_000 + "b", "a" + " " * 50_000 + "b", "ab" * 40_000, (STORY + "\n") * 2000],
    ids=["space", "one stretch", "word", "long"],
)
def test_monotonous_text(trimmed, text):
    assert ids(StoryEncoder(trimmed), text) == trimmed.encode(text)


def test_few_words_are_remembered(gpt2, monkeypatch):
    monkeypatch.setattr(encoder_module, "MOST_WORDS", 3)
    encoder = StoryEncoder(gpt2)
    for text in ("one two three four five six", "one " + "x" * 100 + " two", "six five"):
        assert ids(encoder, text) == gpt2.encode(text)
    assert len(encoder._words) <= 3
    assert not any(len(word) > 64 for word in encoder._words)


def test_another_pattern_is_not_cut_at_spaces(gpt2):
    lines = Tokenizer(gpt2.ranks, r"[^\n]+|\n+")  # pieces may reach over spaces
    text = "the end of the story\nand on"
    assert ids(StoryEncoder(lines), text) == lines.encode(text)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    counted=TEXTS,
    size=st.integers(257, 600),
)
def test_numbers_of_kept_tokens_are_the_trimmed_encoding(gpt2, texts, counted, size):
    trimmed = gpt2.trimmed(Counter(gpt2.encode(counted + STORY)), size)
    numbers = gpt2.numbers_in(trimmed)
    kept = [number for number in numbers if number is not None]
    assert kept == list(range(size))  # every kept token has its number, in order
    for text in [*texts, STORY]:
        renumbered = [numbers[token] for token in gpt2.encode(text)]
        if None not in renumbered:
            assert renumbered == trimmed.encode(text)


def test_numbers_in_an_unsound_vocabulary():
    """A whole that ranks before its parts is not to be trusted, once a part is gone."""
    single = {bytes([byte]): byte for byte in range(256)}
    odd = Tokenizer({**single, b"abc": 256, b"ab": 257, b" x": 258})
    assert odd.encode("abcd") == [256, ord("d")]  # through "ab", which ranks after it
    trimmed = odd.trimmed({256: 9}, 258)
    assert b"abc" in trimmed.ranks
    assert trimmed.encode("abcd") == [97, 98, 99, 100]
    numbers = odd.numbers_in(trimmed)
    assert numbers[256] is None
    assert numbers[97] == 97
