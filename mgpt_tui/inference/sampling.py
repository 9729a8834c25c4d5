"""From logits to a token: pure functions, with no state and no global generator.

In this order, each as in Hugging Face's processor of like name where there is one:

    1. logit bias, bans       add_bias               SequenceBias, SuppressTokens
    2. new names              make_unlikely
    3. repetition penalty     penalize_repetition    RepetitionPenalty
    4. what may come at all   keep_allowed           PrefixConstrained
    5. top-k                  keep_top_k             TopK
    6. temperature            apply_temperature      Temperature
    7. top-p                  keep_top_p             TopP
    8. min-p                  keep_min_p             MinP
    9. the draw               draw

Top-k comes before the temperature, which changes no order, so that all that follows works on a
few numbers instead of the whole vocabulary.

Randomness is counter-based: the number that decides a token is a function of the seed and of
the token's position in the generation, so a generation can be rewound, or drawn in a batch with
others, without saving the state of a generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings

COLD = 1e-3
"""Temperatures below it may overflow to -inf, as they should, and without a warning."""

AT_ONCE = 64
"""Uniforms made in one call."""

Logits = NDArray[np.float32]
"""(V,): a score for every token of the vocabulary."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tokens that may come next, in ascending order of their ids.

    Attributes:
        tokens: int64 (n,).
        logits: float64 (n,), their scores.
    """

    tokens: NDArray[np.int64]
    logits: NDArray[np.float64]

    def kept(self, mask: NDArray[np.bool_]) -> Candidates:
        """Those where `mask` (n,) is True."""
        return Candidates(self.tokens[mask], self.logits[mask])


TopK = Callable[[Logits, int], Candidates]
"""`keep_top_k` for a number, or what tells the same faster."""


def add_bias(logits: Logits, bias: Mapping[int, float]) -> Logits:
    """Add a number to the scores of some tokens; -inf bans one.

    Args:
        bias: by token id.

    Returns:
        (V,), a new array.
    """
    changed = logits.copy()
    for token, value in bias.items():
        changed[token] += np.float32(value)
    return changed


def make_unlikely(logits: Logits, tokens: NDArray[np.int64], share: float) -> Logits:
    """Leave some tokens but a share of their odds.

    Args:
        tokens: int64 (n,), their ids.
        share: from 0, which bans them, to 1.

    Returns:
        (V,), a new array.
    """
    changed = logits.copy()
    changed[tokens] += log_share(share)
    return changed


def log_share(share: float) -> np.float32:
    """What is added to a score that is to keep so large a share, 0 to 1, of its odds."""
    return np.float32(math.log(share) if share > 0 else -math.inf)


def penalize_repetition(logits: Logits, tokens: Sequence[int], penalty: float) -> Logits:
    """Make tokens that occurred less likely: positive logits / penalty, negative ones * penalty.

    Keskar et al., "CTRL" (2019), section 4.1.

    Args:
        tokens: ids that the model sees.
        penalty: above 1 discourages, below 1 encourages; 1 changes nothing.

    Returns:
        (V,), a new array.
    """
    changed = logits.copy()
    occurred = np.unique(np.asarray(tokens, dtype=np.int64))
    scores = changed[occurred]
    changed[occurred] = np.where(scores > 0, scores / penalty, scores * penalty)
    return changed


def keep_allowed(changed: Logits, logits: Logits, allowed: NDArray[np.int64]) -> Logits:
    """Ban all tokens but the allowed ones.

    Where the settings have banned all of these, the model's own scores decide among them, and
    where it rules them out itself, they are all equal: something has to come.

    Args:
        changed: (V,), the scores so far.
        logits: (V,), as the model gave them.
        allowed: int64 (n,), at least one token id.

    Returns:
        (V,), a new array.
    """
    left = np.full_like(changed, -math.inf)
    for scores in (changed[allowed], logits[allowed], np.zeros(len(allowed), np.float32)):
        left[allowed] = scores
        if scores.max() > -math.inf:
            break
    return left


def keep_top_k(logits: Logits, k: int | None) -> Candidates:
    """The k tokens with the largest scores (Fan et al. 2018, section 5.4); all where k is None.

    Exactly k are left, if there are so many: of equal ones those with the lower ids. Tokens
    whose score is -inf are never left.
    """
    if k is None or k >= len(logits):
        tokens = np.flatnonzero(logits > -math.inf)
        return Candidates(tokens, logits[tokens].astype(np.float64))
    tokens = np.flatnonzero(logits >= _reached_by_k(logits, k))
    scores = logits[tokens]
    if len(tokens) > k:
        enough = scores >= np.partition(scores, -k)[-k]
        tokens, scores = tokens[enough], scores[enough]
    surplus = len(tokens) - k
    if surplus > 0:
        equal = np.flatnonzero(scores == scores.min())
        tokens, scores = np.delete(tokens, equal[-surplus:]), np.delete(scores, equal[-surplus:])
    return Candidates(tokens, scores.astype(np.float64))


def _reached_by_k(logits: Logits, k: int) -> np.float32:
    """A score above -inf that at least k tokens reach, if so many are above -inf, and few more do.

    The scores are laid out in columns. The k largest of the columns' maxima are k scores, so all
    of the k largest reach the smallest of them. Going once through a vocabulary is several times
    faster than to sort or to partition it.
    """
    columns = max(256, 4 * k)
    rows = len(logits) // columns
    maxima = logits[: rows * columns].reshape(rows, columns).max(axis=0) if rows > 1 else logits
    return max(np.partition(maxima, -k)[-k], np.finfo(np.float32).min)


def apply_temperature(candidates: Candidates, temperature: float) -> Candidates:
    """Divide by the temperature: below 1 the likely gets likelier, above 1 less so.

    The largest score is moved to 0 first, which changes no probability and keeps the result
    finite, or -inf, for any temperature however small.

    Args:
        temperature: above 0; see `filtered` for 0.
    """
    below = candidates.logits - candidates.logits.max()
    if temperature < COLD:
        with np.errstate(over="ignore"):
            return Candidates(candidates.tokens, below / temperature)
    return Candidates(candidates.tokens, below / temperature)


def keep_top_p(candidates: Candidates, p: float | None) -> Candidates:
    """The fewest tokens that have the share `p` of the probability together, the likeliest first.

    Nucleus sampling, Holtzman et al. 2020, section 3.1. At least one is left, and of equal ones
    that with the lower id.
    """
    if p is None or p >= 1:
        return candidates
    shares = probabilities(candidates)
    # All that are below the mean of what is dropped are dropped for sure; sorting takes longest.
    mask = shares >= (1 - p) / len(shares)
    order = np.flatnonzero(mask)
    order = order[np.lexsort((-candidates.tokens[order], shares[order]))]  # ascending
    dropped = np.cumsum(shares[order]) + shares[~mask].sum() <= 1 - p
    dropped[-1] = False
    mask[order] = ~dropped
    return candidates.kept(mask)


def keep_min_p(candidates: Candidates, p: float | None) -> Candidates:
    """Tokens at least `p` times as likely as the likeliest (Nguyen et al. 2024)."""
    if p is None or p <= 0:
        return candidates
    shares = probabilities(candidates)
    return candidates.kept(shares >= p * shares.max())


def probabilities(candidates: Candidates) -> NDArray[np.float64]:
    """Softmax over the candidates: float64 (n,)."""
    weights = np.exp(candidates.logits - candidates.logits.max())
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def uniforms(seed: int) -> Iterator[float]:
    """The numbers in [0, 1) that decide the tokens of a generation with this seed, without end.

    Number n is the first output of the counter-based generator Philox4x64-10 (Salmon et al.
    2011) with the seed as its key and n as its counter. The 53 high bits are taken here rather
    than by `numpy.random.Generator`, whose conversion may change between releases; the raw
    stream may not.

    Args:
        seed: 0 to 2**63 - 1.
    """
    for start in count(0, AT_ONCE):
        raw = np.random.Philox(key=seed, counter=start).random_raw(4 * AT_ONCE)[::4]
        yield from ((raw >> np.uint64(11)) * 2.0**-53).tolist()


def draw(probabilities: NDArray[np.float64], uniform: float) -> int:
    """Whose share of [0, 1) holds `uniform`: inversion of the cumulative sum.

    Tokens lie in the order of their ids, not of their probabilities. So the last digits of the
    logits, which differ with the batch and between cached and uncached decoding, move the
    borders of the shares by as little, whereas two nearly equal tokens that changed places
    would swap whole shares.

    Args:
        probabilities: (n,), none negative; the sum need not be exactly 1.
        uniform: in [0, 1).

    Returns:
        An index with a probability above 0.
    """
    cumulative = probabilities.cumsum()
    total = cumulative[-1]
    index = int(cumulative.searchsorted(uniform * total, side="right"))
    if index == len(cumulative):  # uniform * total was rounded up to total
        index = int(cumulative.searchsorted(total, side="left"))
    return index


@dataclass(frozen=True, slots=True)
class Filtered:
    """What is left to draw from.

    Attributes:
        candidates: the tokens; their logits are those after all filters.
        shares: float64 (n,), their probabilities.
    """

    candidates: Candidates
    shares: NDArray[np.float64]

    def token(self, uniform: float) -> int:
        """The one that a number in [0, 1) draws; see `draw`."""
        return int(self.candidates.tokens[draw(self.shares, uniform)])


def stages(
    logits: Logits,
    settings: SamplingSettings,
    bias: Mapping[int, float],
    tokens: Sequence[int],
    allowed: NDArray[np.int64] | None = None,
    others: NDArray[np.int64] | None = None,
    top_k: TopK = keep_top_k,
) -> Iterator[tuple[str, Logits | Candidates]]:
    """What every filter that is on leaves, by its name, in their order.

    The first is "model", what it gave; the last is what a token is drawn from, `Candidates`.
    Arguments and errors as in `filtered`.
    """
    if not math.isfinite(logits.max()):  # NaN, too, is passed on by max
        raise UserError(
            "The model's scores are not finite numbers, so no token can be chosen.",
            "Its training may have gone wrong; take another checkpoint (`mgpt-tui models`).",
        )
    given = logits
    yield "model", given
    if bias:
        logits = add_bias(logits, bias)
        yield "bias", logits
    if others is not None:
        logits = make_unlikely(logits, others, settings.new_names)
        yield "new_names", logits
    if settings.repetition_penalty != 1:
        logits = penalize_repetition(logits, tokens, settings.repetition_penalty)
        yield "repetition_penalty", logits
    if allowed is not None:
        logits = keep_allowed(logits, given, allowed)
        yield "allowed", logits
    greedy = settings.temperature == 0
    k = 1 if greedy else settings.top_k
    candidates = keep_top_k(logits, None) if k is None else top_k(logits, k)
    if not len(candidates.tokens):
        raise UserError("Every token is banned.", "Ban fewer of them.")
    if settings.top_k is not None and not greedy:
        yield "top_k", candidates
    if not greedy:
        candidates = apply_temperature(candidates, settings.temperature)
    yield "temperature", candidates
    if settings.top_p is not None and not greedy:
        candidates = keep_top_p(candidates, settings.top_p)
        yield "top_p", candidates
    if settings.min_p is not None and not greedy:
        candidates = keep_min_p(candidates, settings.min_p)
        yield "min_p", candidates


def filtered(
    logits: Logits,
    settings: SamplingSettings,
    bias: Mapping[int, float],
    tokens: Sequence[int],
    allowed: NDArray[np.int64] | None = None,
    others: NDArray[np.int64] | None = None,
    top_k: TopK = keep_top_k,
) -> Filtered:
    """All filters in their order.

    Temperature 0 leaves the likeliest token alone (the lowest id among equals).

    Args:
        bias: by token id; see `add_bias`.
        tokens: ids that the model sees, for the repetition penalty.
        allowed: the only tokens that may come, see `keep_allowed`; None for all.
        others: those that would begin a new name, see `make_unlikely`; None where that is fine.
        top_k: finds the largest scores.

    Raises:
        UserError: where the model gave no usable numbers, or every token is banned.
    """
    *_, (_, left) = stages(logits, settings, bias, tokens, allowed, others, top_k)
    assert isinstance(left, Candidates)
    return Filtered(left, probabilities(left))
