"""Tokens themselves: how text is cut into them, and what lies near their embeddings.

Byte-pair encoding merges neighbours, pair by pair, the pairs that were frequent where it was made
first, until nothing more can be merged (Sennrich et al., "Neural Machine Translation of Rare Words
with Subword Units", 2016). A token's merges are the pairs of which it was made, in that order.

Every token has a vector, its row of the embedding, which is the model's head as well. Near are
those with the largest cosine: tokens that the model takes, and predicts, alike. So has every
position.

In gpt.py: `token_embedding`, `position_embedding`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.answers import Merge, Near
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.model.tokenizer import Tokenizer


def merges(tokenizer: Tokenizer, token: int) -> tuple[Merge, ...]:
    """The pairs of which a token was made; none for a single byte and for `<|endoftext|>`."""
    made = tokenizer.token_bytes(token)
    if len(made) < 2:
        return ()
    return tuple(
        Merge(_shown(left), _shown(right), tokenizer.ranks[left + right])
        for left, right in tokenizer.merges(made)
    )


def near_tokens(
    weights: Weights, token: int, text_of: Callable[[int], str], count: int
) -> tuple[Near, ...]:
    """The tokens whose embeddings are nearest to that of `token`, the nearest first."""
    found = _nearest(weights["token_embedding.weight"], token, count)
    return tuple(Near(at, text_of(at), cosine) for at, cosine in found)


def near_positions(weights: Weights, position: int, count: int) -> tuple[Near, ...]:
    """The positions, from 0, whose embeddings are nearest, the nearest first."""
    found = _nearest(weights["position_embedding.weight"], position, count)
    return tuple(Near(at, "", cosine) for at, cosine in found)


def _nearest(rows: Floats, row: int, count: int) -> list[tuple[int, float]]:
    """Other rows by their cosine to one."""
    lengths = np.maximum(np.linalg.norm(rows, axis=-1), 1e-12)
    cosines = (rows @ rows[row]) / (lengths * lengths[row])
    order = [int(at) for at in np.argsort(-cosines, kind="stable") if at != row][:count]
    return [(at, float(cosines[at])) for at in order]


def _shown(said: bytes) -> str:
    return said.decode(errors="replace")
