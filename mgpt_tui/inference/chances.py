"""What a step knows besides the token it chose: how likely it was, and what else there was.

Nothing here draws or changes anything, so asking for it never changes the text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mgpt_tui.inference.sampling import Filtered, Logits, keep_top_k


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have come next.

    Attributes:
        token: its id.
        before: its probability by the model alone, at temperature 1.
        after: its share of the draw, once all filters had passed; 0.0 where they left it out.
    """

    token: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Chances:
    """How a choice came about.

    Attributes:
        token: the chosen one.
        log_probability: of it by the model alone, in nats.
        entropy: of the model's distribution, in nats: how open the choice was.
        alternatives: the likeliest tokens by the model alone, the likeliest first.
    """

    token: int
    log_probability: float
    entropy: float
    alternatives: tuple[Alternative, ...]


def chances(logits: Logits, left: Filtered, token: int, n_best: int) -> Chances:
    """The chances of a step.

    Args:
        logits: (V,), as the model gave them.
        left: what the filters left of them.
        token: the chosen one.
        n_best: how many alternatives to tell of.
    """
    # In float32, which is exact enough to look at and twice as fast: V may be 50,257.
    top = float(logits.max())
    shifted = logits - np.float32(top)
    weights = np.exp(shifted)
    total = float(weights.sum())
    log_total = math.log(total)
    # -sum p log p, with log p = shifted - log_total; a banned token (-inf) adds nothing.
    expected = float(np.dot(weights, np.maximum(shifted, np.float32(-1e4)))) / total
    after = dict(zip(left.candidates.tokens.tolist(), left.shares.tolist(), strict=True))
    return Chances(
        token=token,
        log_probability=float(shifted[token]) - log_total,
        entropy=max(0.0, log_total - expected),
        alternatives=tuple(
            Alternative(best, float(weights[best]) / total, after.get(best, 0.0))
            for best in _best(logits, n_best)
        ),
    )


def _best(logits: Logits, count: int) -> list[int]:
    """The tokens with the largest scores, the largest first; the lower id first of equals."""
    count = min(count, len(logits))
    if count == 0:
        return []
    left = keep_top_k(logits, count)
    best: list[int] = left.tokens[np.lexsort((left.tokens, -left.logits))].tolist()
    return best
