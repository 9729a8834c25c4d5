"""Who is held out, and when two stories are one."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.data import corpus as corpus_module
from training.data.corpus import Corpus, Fate, story_key
from training.sources.stories import tidy

WORDS = st.lists(
    st.sampled_from(["a", "né", "\n", "\n\n", " ", "  ", "\t", "\x1f", "\u3000", "🦊"])
)


@given(text=st.one_of(st.text(), WORDS.map("".join)))
@example(text="a \n\n b\n\n\nc")
def test_the_key_is_of_the_words_alone(text):
    text = tidy(text)
    words = " ".join(text.split())
    expected = hashlib.blake2b(words.encode(), digest_size=8).digest()
    assert story_key(text) == int.from_bytes(expected, "big")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_module, "_LONG", 0)
        assert story_key(text) == int.from_bytes(expected, "big")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Once.")
    return str(path)


def allot(corpus, *parts):
    """Of (source, keys) pairs; every story is 10 bytes long."""
    return corpus.allot(
        [source for source, _ in parts],
        [np.array(keys, np.uint64) for _, keys in parts],
        [np.full(len(keys), 10, np.uint32) for _, keys in parts],
    )


@pytest.mark.parametrize("fraction", [0.0001, 0.01, 1 / 3, 0.9])
def test_the_share_is_cut_exactly(source, fraction):
    limit = fraction * 2**64
    keys = [0, int(limit) - 1, int(limit), int(limit) + 1, 2**64 - 1]
    (fates,) = allot(Corpus((source,), None, fraction), (0, keys)).fates
    assert fates.tolist() == [Fate.VAL if key < limit else Fate.TRAIN for key in keys]


def test_stories_of_the_validation_source_are_dropped_elsewhere(source):
    large = 2**64 - 1
    corpus = Corpus((source, source), source, 0.01)
    allotment = allot(
        corpus, (0, [5, large]), (0, [3, 5]), (1, [large, 9, 0, 9]), (2, []), (2, [0])
    )
    train, val, dropped = Fate
    assert [own.tolist() for own in allotment.fates] == [
        [val, val],
        [val, val],
        [dropped, train, train, train],
        [],
        [train],
    ]
    assert allotment.stories == (4, 4, 1)
    assert allotment.bytes == (40, 40, 10)
    assert allotment.duplicates == 2  # of 9 and of 0; that 5 is held out twice does not count
