"""Drawing again what was drawn: every number of a generation is known from its seed.

So it can be told how a token was drawn: what every filter made of the candidates, in the order of
`sampling.stages`, and where the number fell. What is left at the end shares [0, 1) in the order of
ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mgpt_tui.inference.decoders.choosing import Filters
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.held_back import RestDecoder
from mgpt_tui.inference.inspection.answers import DrawView, Guess, Interval, Said, Stage
from mgpt_tui.inference.request import ContextPart, SamplingSettings, Until
from mgpt_tui.inference.sampling import Candidates, Filtered, Logits, probabilities, stages
from mgpt_tui.inference.steps import Continuation
from mgpt_tui.text import clean_text


def replay(
    engine: Engine,
    context: Sequence[ContextPart],
    lead: str,
    tokens: Sequence[int],
    settings: SamplingSettings,
    seed: int,
    until: Until = Until.LENGTH,
) -> int:
    """How many of the recorded draws come out the same.

    Every draw follows the recorded tokens before it, so that one that differs, as it may with
    another precision, leads none astray.

    Args:
        engine: which draws.
        context: what the generation continued.
        lead: text of the generation that no token brought: the rest of a word held back.
        tokens: the recorded ones, from the generation's first.
        settings: with which they were drawn.
        seed: of the draws.
        until: how far they were to go.

    Raises:
        UserError: as in `Engine.stream`.
    """
    continuation = _begun(engine, context, lead, tokens, settings, seed, until)
    same = 0
    for number, token in enumerate(tokens):
        drawn, _ = continuation.draw(engine.next_logits(continuation.tokens, continuation.kept))
        if drawn != token and settings.stop and _begins(engine, drawn, tokens[number:]):
            return same + len(tokens) - number  # a stop string left its beginning
        same += drawn == token
        continuation.take(token)
    return same


def filters_of(
    engine: Engine,
    context: Sequence[ContextPart],
    lead: str,
    tokens: Sequence[int],
    settings: SamplingSettings,
    seed: int,
    until: Until = Until.LENGTH,
) -> tuple[Filters, float]:
    """What the last of some recorded draws went through, and the number that drew it.

    Arguments and errors as in `replay`, of which this is one step.
    """
    continuation = _begun(engine, context, lead, tokens, settings, seed, until)
    if not settings.words:
        continuation.follow(tokens[:-1])
    else:  # how a text is led to words depends on all scores that were there before
        for token in tokens[:-1]:
            _next_filters(engine, continuation)
            continuation.take(token)
    return _next_filters(engine, continuation)


def _next_filters(engine: Engine, continuation: Continuation) -> tuple[Filters, float]:
    return continuation.filters(engine.next_logits(continuation.tokens, continuation.kept))


def _begun(
    engine: Engine,
    context: Sequence[ContextPart],
    lead: str,
    tokens: Sequence[int],
    settings: SamplingSettings,
    seed: int,
    until: Until = Until.LENGTH,
) -> Continuation:
    """A generation before the first of its recorded tokens."""
    followed = engine.encode([*context, lead, tuple(tokens)])
    del followed[len(followed) - len(tokens) :]
    beginning = engine.beginning(context)
    rules = engine.rules(settings, kept=beginning.kept, until=until)
    continuation = Continuation(beginning, rules, seed, settings.max_tokens)
    if not _draw_lead(engine, continuation, lead):
        continuation.begin_with(followed)
    return continuation


def _begins(engine: Engine, token: int, parts: Sequence[int]) -> bool:
    """Whether the bytes of `token` begin with those of `parts`."""
    beginning = b"".join(map(engine.tokenizer.token_bytes, parts))
    return engine.tokenizer.token_bytes(token).startswith(beginning)


def _draw_lead(engine: Engine, continuation: Continuation, lead: str) -> bool:
    """Draw what was held back and `lead` after it; whether that is what comes of it."""
    decoder, text = RestDecoder(engine.tokenizer, continuation.rest), ""
    while continuation.rest or decoder.pending or (text != lead and lead.startswith(text)):
        token, _ = continuation.draw(engine.next_logits(continuation.tokens, continuation.kept))
        continuation.take(token)
        if token == engine.tokenizer.end_token:
            break
        chunk = decoder.feed(token)
        text += clean_text(chunk.text) if chunk else ""
    return text == lead


def draw_view(
    filters: Filters,
    uniform: float | None,
    target: int | None,
    text_of: Callable[[int], str],
    count: int = 5,
) -> DrawView:
    """How a choice went.

    Args:
        filters: what the choice went through, see `Rules.filters`.
        uniform: the number that decided; None where none did, as for a word of the writer's.
        target: the token whose share is told; the likeliest that is left, where None.
        text_of: what a token says.
        count: how many of the likeliest to tell of, after each filter.

    Raises:
        UserError: as `sampling.stages`.
    """
    found = [(name, _candidates(left)) for name, left in stages(*filters)]
    last = Filtered(found[-1][1], probabilities(found[-1][1]))
    likeliest = _likeliest(last, count)
    if target is None:
        target = int(last.candidates.tokens[likeliest[0]])
    each = tuple(_stage(name, left, target, text_of, count) for name, left in found)
    drawn = None if uniform is None else last.token(uniform)
    low, high = _share(last, target if drawn is None else drawn)
    return DrawView(
        target=Said(target, text_of(target)),
        stages=each,
        uniform=uniform,
        drawn=None if drawn is None else Said(drawn, text_of(drawn)),
        low=low,
        high=high,
        line=_line(last, sorted(likeliest), text_of),
    )


def _candidates(left: Logits | Candidates) -> Candidates:
    """All that can still come."""
    if isinstance(left, Candidates):
        return left
    tokens = np.flatnonzero(left > -np.inf)
    return Candidates(tokens, left[tokens].astype(np.float64))


def _stage(
    name: str, left: Candidates, target: int, text_of: Callable[[int], str], count: int
) -> Stage:
    shares = probabilities(left)
    top = (
        Guess(int(left.tokens[at]), text_of(int(left.tokens[at])), float(shares[at]))
        for at in _likeliest(Filtered(left, shares), count)
    )
    return Stage(name, len(left.tokens), tuple(top), float(shares[left.tokens == target].sum()))


def _likeliest(left: Filtered, count: int) -> list[int]:
    """Places of the tokens with the largest shares, the largest first."""
    found: list[int] = np.lexsort((left.candidates.tokens, -left.shares))[:count].tolist()
    return found


def _line(left: Filtered, places: list[int], text_of: Callable[[int], str]) -> tuple[Interval, ...]:
    """Where the shares of some tokens lie in [0, 1)."""
    tokens = [int(left.candidates.tokens[at]) for at in places]
    return tuple(Interval(token, text_of(token), *_share(left, token)) for token in tokens)


def _share(left: Filtered, token: int) -> tuple[float, float]:
    """From where to where a token's share of [0, 1) goes; nowhere, where it is filtered out."""
    bounds = np.concatenate([[0.0], np.cumsum(left.shares)])
    at = int(np.searchsorted(left.candidates.tokens, token))
    if at == len(left.candidates.tokens) or left.candidates.tokens[at] != token:
        return 0.0, 0.0
    return float(bounds[at] / bounds[-1]), float(bounds[at + 1] / bounds[-1])
