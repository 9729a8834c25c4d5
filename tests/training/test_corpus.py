"""Who is held out, and when two stories are one."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training import corpus as corpus_module
from training.corpus import Corpus, Fate, story_key
from training.sources import tidy

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


@pytest.mark.parametrize("fraction", [0.0001, 0.01, 1 / 3, 0.9])
def test_the_share_is_cut_exactly(source, fraction):
    limit = fraction * 2**64
    keys = [0, int(limit) - 1, int(limit), int(limit) + 1, 2**64 - 1]
    (fates,) = Corpus((source,), None, fraction).fates([(0, np.array(keys, np.uint64))])
    assert fates.tolist() == [Fate.VAL if key < limit else Fate.TRAIN for key in keys]


def test_stories_of_the_validation_source_are_dropped_elsewhere(source):
    shards = [(0, [5, 2**64 - 1]), (0, [3, 5]), (1, [2**64 - 1, 9, 0]), (2, [])]
    keys = [(number, np.array(own, np.uint64)) for number, own in shards]
    fates = Corpus((source, source), source, 0.01).fates(keys)
    assert [own.tolist() for own in fates] == [
        [Fate.VAL] * 2,
        [Fate.VAL] * 2,
        [Fate.DROPPED, Fate.TRAIN, Fate.TRAIN],
        [],
    ]
