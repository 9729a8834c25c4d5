"""What is counted in texts, by hand and against definitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.measures import (
    distinct_share,
    most_repeated,
    ngrams,
    pieces,
    self_similarity,
    words,
)

TEXTS = st.lists(st.sampled_from("abc"), max_size=12)


def test_words_and_pieces():
    text = "“Don't go!” said Mia’s cat, twice-told."
    assert words(text) == ["don't", "go", "said", "mia’s", "cat", "twice", "told"]
    assert pieces("Oh, no! Don't") == ["oh", ",", "no", "!", "don", "'", "t"]


def test_a_text_shorter_than_the_gram_has_none():
    assert ngrams(["a", "b"], 3) == []
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert most_repeated(["a"], 4) == 0
    assert distinct_share([["a"]], 2) == 0.0


def test_repetition_counts_the_most_frequent_run():
    text = pieces("the cat sat down. " * 5 + "the end.")
    assert most_repeated(text, 4) == 5
    assert most_repeated(pieces("once upon a time there was"), 4) == 1


def test_distinct_share_is_over_all_texts():
    assert distinct_share([["a", "b", "a", "b"]], 2) == pytest.approx(2 / 3)
    assert distinct_share([["a", "b"], ["a", "b"]], 2) == pytest.approx(1 / 2)


def rouge(one, other):
    """Of two texts each is the other's nearest."""
    return self_similarity([one, other])


def test_rouge_by_hand():
    one, other = words("the cat sat on the mat"), words("the cat lay on the mat")
    # Pairs in common: the-cat, on-the, the-mat, of five in each.
    assert rouge(one, other) == pytest.approx(3 / 5)
    assert rouge(["a", "b"], words("a b c d e")) == pytest.approx(2 * 1 * 0.25 / 1.25)


@given(TEXTS, TEXTS)
def test_rouge_is_symmetric_and_a_share(one, other):
    assert rouge(one, other) == rouge(other, one)
    assert 0 <= rouge(one, other) <= 1
    if len(one) > 1:
        assert rouge(one, one) == 1


def test_self_similarity_takes_the_nearest_other():
    texts = [words("the cat sat"), words("the cat ran"), words("one two three")]
    assert self_similarity(texts) == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert self_similarity([texts[0], texts[0]]) == 1
    assert self_similarity(texts[:1]) == 0
