"""Tokens by themselves."""

import itertools

import numpy as np
import pytest

from mgpt_tui.inference.inspection.vocabulary import merges, near_positions, near_tokens
from mgpt_tui.model.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def words():
    return Tokenizer.gpt2()


@pytest.mark.parametrize("text", [" gold", "Once", " upon", "...", "\n\n", "é", " Mississippi"])
def test_merges_build_a_token_of_its_bytes(words, text):
    [token] = words.encode(text)
    parts = [bytes([byte]) for byte in text.encode()]
    ranks = [merge.rank for merge in merges(words, token)]
    assert ranks == sorted(ranks) and len(ranks) == len(parts) - 1
    assert ranks == [] or ranks[-1] == token
    # Byte-pair encoding step by step: always the pair with the lowest rank.
    by_hand = []
    while len(parts) > 1:
        pairs = [words.ranks.get(a + b, 10**6) for a, b in itertools.pairwise(parts)]
        at = int(np.argmin(pairs))
        by_hand.append((parts[at], parts[at + 1], pairs[at]))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    found = {(merge.left, merge.right, merge.rank) for merge in merges(words, token)}
    shown = {(a.decode(errors="replace"), b.decode(errors="replace"), r) for a, b, r in by_hand}
    assert found == shown


def test_bytes_and_the_end_are_made_of_nothing(words):
    assert merges(words, words.end_token) == () and merges(words, words.ranks[b"a"]) == ()


def test_the_nearest_have_the_largest_cosines(case):
    embeddings = case.hand.get("token_embedding.weight")
    unit = embeddings / np.sqrt((embeddings**2).sum(-1, keepdims=True))
    cosines = unit @ unit[65]
    order = [at for at in np.argsort(-cosines) if at != 65][:7]
    found = near_tokens(case.weights, 65, str, 7)
    assert [near.number for near in found] == order
    assert [near.text for near in found] == [str(at) for at in order]
    np.testing.assert_allclose([near.cosine for near in found], cosines[order], atol=1e-9)
    positions = case.hand.get("position_embedding.weight")
    unit = positions / np.sqrt((positions**2).sum(-1, keepdims=True))
    order = [at for at in np.argsort(-(unit @ unit[4])) if at != 4][:3]
    assert [near.number for near in near_positions(case.weights, 4, 3)] == order
