"""What the model would guess if it stopped after each part: the logit lens.

The residual stream at each station (after the embedding, then after every attention and MLP) is
read as if it were the last: W_E . LN_f(stream), the final norm with its own statistics there
(nostalgebraist, "interpreting GPT: the logit lens", 2020). Left out, or frozen at those of the
end, the norm would mislead. The last station is the model's own output.

In gpt.py: `hook("stream", ...)`, then `GPT.final_norm` and `GPT.head`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.answers import Guess, Station
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Window


def station_names(n_layer: int) -> list[str]:
    """The names of all 2 n_layer + 1 stations."""
    return ["embedding"] + [f"{part}{layer}" for layer in range(1, n_layer + 1) for part in "AM"]


def lens(
    window: Window,
    number: int,
    weights: Weights,
    target: int,
    text_of: Callable[[int], str],
    n_top: int = 5,
) -> tuple[Station, ...]:
    """The guesses at every station on the way to token `number`.

    Args:
        window: in which it was chosen.
        number: of the token.
        weights: of the model.
        target: the token whose chance is told.
        text_of: what a token says.
        n_top: how many of the likeliest to tell of.
    """
    record, row = window.record("stream", "logits"), window.row(number)
    logits = weights.logits(record.stream[:, row])
    logits[-1] = record.logits[record.logit_rows.index(row)]  # where 8 bits round, as they did
    names = station_names(weights.config.n_layer)
    found = []
    for name, scores in zip(names, logits, strict=True):
        top = guesses(scores, text_of, n_top)
        p = float(softmax(scores)[target])
        found.append(Station(name, top, p, rank(scores, target)))
    return tuple(found)


def guesses(logits: Floats, text_of: Callable[[int], str], count: int) -> tuple[Guess, ...]:
    """The likeliest tokens by logits (V,), the likeliest first."""
    p = softmax(logits)
    return tuple(Guess(at, text_of(at), float(p[at])) for at in likeliest(logits, count))


def softmax(logits: Floats) -> Floats:
    """(V,) in fp64."""
    weights = np.exp(logits.astype(np.float64) - logits.max())
    found: Floats = weights / weights.sum()
    return found


def likeliest(logits: Floats, count: int) -> list[int]:
    """The tokens with the largest scores, the largest first and of equal ones the lower id."""
    count = min(count, len(logits))
    reached = np.flatnonzero(logits >= np.partition(logits, -count)[-count])
    order = np.lexsort((reached, -logits[reached]))
    found: list[int] = reached[order][:count].tolist()
    return found


def rank(logits: Floats, target: int) -> int:
    """How many tokens come before it in that order, itself included."""
    score = logits[target]
    return int(1 + (logits > score).sum() + (logits[:target] == score).sum())
