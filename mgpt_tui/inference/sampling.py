"""From logits to a token: one pure function per step, with no state and no global generator.

Randomness is counter-based: the number that decides a token is a function of the seed and of
the token's position in the generation, so a generation can be rewound, or drawn in a batch with
others, without saving the state of a generator.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide by the temperature: below 1 the likely gets likelier, above 1 less so.

    The largest logit is moved to 0 first, which changes no probability and keeps the result
    finite, or -inf, for any temperature however small.

    Args:
        logits: (..., V).
        temperature: above 0; greedy choice, the limit at 0, needs no draw (see `choose`).

    Returns:
        float64 (..., V).
    """
    logits = logits.double()
    return (logits - logits.amax(dim=-1, keepdim=True)) / temperature


def keep_top_k(logits: Tensor, k: int | None) -> Tensor:
    """Leave the k largest logits and set all others to -inf (Fan et al. 2018, section 5.4).

    Exactly k are left (all V where k is larger, or None): of equal ones those with the lower
    token ids.

    Args:
        logits: (..., V).

    Returns:
        (..., V), of the same dtype.
    """
    if k is None or k >= logits.shape[-1]:
        return logits
    smallest = torch.topk(logits, k, dim=-1).values[..., -1:]  # (..., 1)
    above = logits > smallest
    equal = logits == smallest
    room = k - above.sum(dim=-1, keepdim=True)  # (..., 1), how many of the equal ones fit
    kept = above | (equal & (equal.cumsum(dim=-1) <= room))
    return logits.masked_fill(~kept, -math.inf)


def probabilities(logits: Tensor) -> NDArray[np.float64]:
    """Softmax in float64: (..., V) of any float dtype and device -> numpy (..., V)."""
    result: NDArray[np.float64] = torch.softmax(logits.double(), dim=-1).cpu().numpy()
    return result


def uniform(seed: int, position: int) -> float:
    """The number in [0, 1) that decides token `position` of a generation with this seed.

    One output of the counter-based generator Philox4x64-10 (Salmon et al. 2011) with the seed
    as its key and the position as its counter. The 53 high bits are taken here rather than by
    `numpy.random.Generator`, whose conversion may change between releases; the raw stream may
    not.

    Args:
        seed: 0 to 2**63 - 1.
        position: 0 for the first generated token.
    """
    raw = np.random.Philox(key=seed, counter=position).random_raw()
    return float(int(raw) >> 11) * 2.0**-53


def draw(probabilities: NDArray[np.float64], uniform: float) -> int:
    """The token whose share of [0, 1) holds `uniform`: inversion of the cumulative sum.

    Tokens lie in the order of their ids, not of their probabilities. So the last digits of the
    logits, which differ with the batch and between cached and uncached decoding, move the
    borders of the shares by as little, whereas two nearly equal tokens that changed places
    would swap whole shares.

    Args:
        probabilities: (V,), none negative; the sum need not be exactly 1.
        uniform: in [0, 1).

    Returns:
        A token with a probability above 0.
    """
    cumulative = np.cumsum(probabilities)
    total = cumulative[-1]
    token = int(np.searchsorted(cumulative, uniform * total, side="right"))
    if token == len(cumulative):  # uniform * total was rounded up to total
        token = int(np.searchsorted(cumulative, total, side="left"))
    return token


def choose(logits: Tensor, settings: SamplingSettings, uniform: float) -> int:
    """The next token.

    Temperature 0 takes the likeliest (the lowest id among equals) and ignores `uniform`.

    Args:
        logits: (V,).
        uniform: in [0, 1).

    Raises:
        UserError: where the model gave no usable numbers.
    """
    if not math.isfinite(float(logits.max())):  # NaN, too, is passed on by max
        raise UserError(
            "The model's scores are not finite numbers, so no token can be chosen.",
            "Its training may have gone wrong; take another checkpoint (`mgpt-tui models`).",
        )
    if settings.temperature == 0:
        return int(logits.argmax())  # documented to be the first of equals
    logits = apply_temperature(logits, settings.temperature)
    return draw(probabilities(keep_top_k(logits, settings.top_k)), uniform)
