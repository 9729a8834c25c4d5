"""What a step knows besides the token it chose: how likely it was, and what else there was.

Nothing here draws or changes anything, so asking for it never changes the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mgpt_tui.inference.request import Alternative, Distribution
from mgpt_tui.inference.sampling import Filtered, Logits, keep_top_k

FEW = 8
"""Up to so many largest scores are found faster one after the other than all at once."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How a choice came about.

    Attributes:
        token: the chosen one.
        log_probability: of it by the model alone, in nats.
        distribution: what it was chosen from.
    """

    token: int
    log_probability: float
    distribution: Distribution


def chances(
    logits: Logits, left: Filtered, token: int, n_best: int, text_of: Callable[[int], str]
) -> Chances:
    """The chances of a step.

    Args:
        logits: (V,), as the model gave them.
        left: what the filters left of them.
        token: the chosen one.
        n_best: how many alternatives to tell of.
        text_of: what a token says.
    """
    # In float32, which is exact enough to look at and twice as fast: V may be 50,257.
    top = logits.max()
    shifted = logits - top
    weights = np.exp(shifted)
    total = float(weights.sum())
    log_total = math.log(total)
    # -sum p log p, with log p = shifted - log_total.
    with np.errstate(invalid="ignore"):
        expected = float(weights.dot(shifted)) / total
    if math.isnan(expected):  # of 0 * -inf: what cannot come adds nothing
        expected = float(weights.dot(np.maximum(shifted, np.float32(-1e4)))) / total
    after = dict(zip(left.candidates.tokens.tolist(), left.shares.tolist(), strict=True))
    alternatives = tuple(
        Alternative(best, text_of(best), float(weights[best]) / total, after.get(best, 0.0))
        for best in _best(shifted, n_best)
    )
    return Chances(
        token=token,
        log_probability=float(logits[token] - top) - log_total,
        distribution=Distribution(alternatives, max(0.0, log_total - expected)),
    )


def _best(scores: Logits, count: int) -> list[int]:
    """The tokens with the largest scores, the largest first; the lower id first of equals.

    Args:
        scores: (V,); they are not the same afterwards.
    """
    count = min(count, len(scores))
    if count > FEW:
        left = keep_top_k(scores, count)
        best: list[int] = left.tokens[np.lexsort((left.tokens, -left.logits))].tolist()
        return best
    few: list[int] = []
    while len(few) < count and scores[at := int(scores.argmax())] > -math.inf:
        few.append(at)
        scores[at] = -math.inf
    return few
