"""Shards: what is in them, and what they become in another vocabulary."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgpt_tui.model.split_pattern import GPT2_PATTERN
from mgpt_tui.model.tokenizer import Tokenizer
from training.data.corpus import Fate, story_key
from training.data.shards import (
    Trim,
    Vocabulary,
    count_tokens,
    encode_portion,
    read_stories,
    shard_name,
    tokens_of_splits,
)
from training.data.word_cache import TextEncoder
from training.sources.stories import Portion

COUNTED = (
    'Mia said, "Let us go." They went on and on.\n\nIt was the end of the day.\n  The end.\n  Oh.'
)
SIZE = 280
WORDS = [
    *COUNTED.split(),
    "'s", "'", " ", "  ", "   ", "\n", " \n ", "\t", "\u3000", "\xa0", "zebra", "Orléans", "🦊",
    "日本", "extraordinary", "12", "!?",
]  # fmt: skip
STORIES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=25).map(
        lambda words: " ".join(words).replace("  ", " ", 1)
    ),
    max_size=6,
)


def vocabulary(kind):
    ranks = Tokenizer.gpt2().ranks
    if kind == "another pattern":
        return Tokenizer(ranks, r"[^\n]+|\n+")  # pieces reach over spaces
    if kind == "spaces":  # tokens that GPT-2's has not: when the first is dropped, others merge
        spaces = [b"  ", b"\n ", b" \n", b" \n ", b"   "]
        tokens = [*list(ranks)[:256], *spaces, *list(ranks)[256:]]
        return Tokenizer({token: rank for rank, token in enumerate(tokens)})
    return Tokenizer(ranks)


@pytest.fixture(scope="module", params=["gpt2", "another pattern", "spaces"])
def trim(request, tmp_path_factory):
    """From a large vocabulary to one that lacks many of its tokens."""
    folder = tmp_path_factory.mktemp("trim")
    tokenizer = vocabulary(request.param)
    trimmed = tokenizer.trimmed(Counter(tokenizer.encode(COUNTED)), SIZE)
    old = Vocabulary.save(tokenizer, folder / "old")
    return Trim.save(old, tokenizer, trimmed, folder / "new", folder / "table.npz")


def shard_of(trim, stories, folder):
    portion = Portion(tuple(stories), 1)
    path = folder / shard_name(portion, trim.old.encoder().tokenizer)
    encode_portion(portion, trim.old, path)
    return path, list(portion.stories())


def straight(encoder, stories):
    end = encoder.tokenizer.end_token
    return b"".join(
        np.array([*encoder.tokenizer.encode(story), end], "<u2").tobytes() for story in stories
    )


@settings(max_examples=150, deadline=None)
@given(stories=STORIES, fates=st.lists(st.sampled_from(Fate), min_size=6, max_size=6))
def test_trimming_a_shard_is_encoding_its_stories(tmp_path_factory, trim, stories, fates):
    path, texts = shard_of(trim, stories, tmp_path_factory.getbasetemp())
    fates = np.array(fates[: len(texts)], np.uint8)
    by_split = [
        [text for text, fate in zip(texts, fates, strict=True) if fate == split]
        for split in (Fate.TRAIN, Fate.VAL)
    ]
    new = TextEncoder(Tokenizer.load(trim.new.path, trim.new.pattern))
    assert tokens_of_splits(path, fates, trim) == [straight(new, own) for own in by_split]
    old = trim.old.encoder()
    assert tokens_of_splits(path, fates, None) == [straight(old, own) for own in by_split]


def test_there_is_something_to_encode_anew(trim):
    with np.load(trim.table) as table:
        numbers, can_cut = table["numbers"], table["can_cut"]
    old = trim.old.encoder().tokenizer
    assert (numbers == -1).sum() == old.vocab_size - SIZE
    assert set(numbers.tolist()) == {-1, *range(SIZE)}
    (the,), (x,) = old.encode(" the")[:1], old.encode("x")
    assert can_cut[the] == (trim.old.pattern == GPT2_PATTERN)
    assert not can_cut[x]
    assert not can_cut[old.end_token]


def test_what_a_shard_knows_of_its_stories(trim, tmp_path):
    path, texts = shard_of(trim, ["Mia  went. 🦊", " ", "On and on."], tmp_path)
    assert texts == ["Mia  went. 🦊", "On and on."]
    stories, encoder = read_stories(path), trim.old.encoder()
    for text, story in zip(texts, stories, strict=True):
        assert story["key"] == story_key(text)
        assert story["bytes"] == len(text.encode())
        assert story["tokens"] == len(encoder.tokenizer.encode(text)) + 1
    fates = np.array([Fate.VAL, Fate.TRAIN], np.uint8)
    size = encoder.tokenizer.vocab_size
    counts = count_tokens(path, fates, Fate.TRAIN, size)
    expected = Counter([*encoder.tokenizer.encode(texts[1]), encoder.tokenizer.end_token])
    assert {token: int(counts[token]) for token in np.flatnonzero(counts)} == expected
    assert len(counts) == size


def test_a_shard_of_nothing(trim, tmp_path):
    path, _ = shard_of(trim, [" ", "\n"], tmp_path)
    assert len(read_stories(path)) == 0
    none = np.array([], np.uint8)
    assert tokens_of_splits(path, none, trim) == [b"", b""]
    assert count_tokens(path, none, Fate.TRAIN, 9).tolist() == [0] * 9


def test_a_shard_is_named_by_all_that_it_is_made_of(trim):
    old = trim.old.encoder().tokenizer
    new = Tokenizer.load(trim.new.path, trim.new.pattern)
    odd = Tokenizer(old.ranks, r"\S+|\s+")
    portions = [Portion(parts, 1) for parts in (("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"))]
    names = {
        shard_name(portion, tokenizer) for portion in portions for tokenizer in (old, new, odd)
    }
    assert len(names) == 12
    assert shard_name(Portion(("a", "b"), 2), old) in names
