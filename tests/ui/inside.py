"""What a made-up model tells of itself: words are tokens, and every number has a reason."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mgpt_tui.inference.inspection.answers import (
    Answer,
    Asked,
    AttentionView,
    BesideView,
    DrawView,
    Guess,
    Head,
    Interval,
    LensView,
    Merge,
    Near,
    Neuron,
    NeuronsView,
    Parts,
    PartsView,
    Said,
    Scored,
    Shares,
    Stage,
    Station,
    Stretch,
    SurpriseView,
    TokensView,
    View,
)
from mgpt_tui.inference.inspection.experiments import (
    AgainView,
    Column,
    Cost,
    CostsView,
    Fired,
    FiringView,
    MuteView,
    Redrawn,
    Shape,
    TraceView,
    WhatIfView,
)
from mgpt_tui.inference.request import ContextPart

LAYERS, HEADS = 6, 6
SHARES, CHANCE = Shares(0.62, 0.11, 0.04, 0.01), Shares(0.05, 0.06, 0.02, 0.01)


def told(context: Sequence[ContextPart], asked: Asked, said: dict[int, str]) -> Answer:
    """What is answered of a story; `said` has what the engine's own tokens say."""
    words = words_of(context, said)
    own = dict(own_tokens(context, said))
    number = asked.token or len(words) + 1
    target = Said(number, words[number - 1] if number <= len(words) else " [b]next")
    match asked.view:
        case View.SURPRISE:
            return surprise(words, own)
        case View.ATTENTION:
            return attention(number, asked)
        case View.LENS:
            return LensView(target, tuple(map(station, range(2 * LAYERS + 1))))
        case View.PARTS:
            return PartsView(target, said_of(1) if asked.rival else None, parts(number))
        case View.NEURONS:
            strongest = tuple(
                Neuron(layer, 10 * layer + at, 3.0 / at, (-1) ** at * 0.5 / at)
                for layer in range(1, LAYERS + 1)
                for at in range(1, asked.count + 1)
            )
            return NeuronsView(target, None, strongest)
        case View.TOKENS:
            return tokens_view(target, number)
        case View.DRAW:
            return drawn(asked, said)
        case View.MUTE:
            return muted(words, asked)
        case View.COSTS:
            return CostsView(costs(asked), LAYERS * HEADS)
        case View.WHAT_IF:
            return what_if(words, words_of(asked.instead, said))
        case View.TRACE:
            first = what_if(words, words_of(asked.instead, said)).first
            return traced(target, first, number)
        case View.FIRING:
            active = tuple((-1) ** at * (at + asked.index) / 10 for at in range(len(words) + 1))
            fired = Fired("Once a [b]", " fox", " ran to the", 2.5)
            elsewhere = tuple(replace(fired, activation=2.5 - at) for at in range(asked.count))
            return FiringView(asked.layer, asked.index, 0, active, elsewhere)
        case View.BESIDE:
            return beside("".join(words), asked)
        case View.AGAIN:
            assert asked.draw is not None
            before = Redrawn(" on the ground", 3, 14, 3)
            if asked.draw.seed == UNLUCKY:
                before = Redrawn(" on the grass", 4, 7, 2)
            return AgainView(before, Redrawn(" on the hill, far", 5, 7, 2), "fp32")


def beside(text: str, asked: Asked) -> BesideView:
    """Another model, whose tokens are two letters each, of which the nth has n bits up to 12."""
    pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
    number = asked.at // 2 + 1
    target = Said(number, pairs[number - 1] if number <= len(pairs) else " other")
    stations = tuple(station(at) for at in range(5))
    return BesideView(surprise(pairs), number, LensView(target, stations))


def words_of(context: Sequence[ContextPart], said: dict[int, str]) -> list[str]:
    """Its tokens."""
    text = "".join(
        part if isinstance(part, str) else "".join(said.get(token, f" w{token}") for token in part)
        for part in context
    )
    return re.findall(r"\s?[^\s]+|\s", text)


def own_tokens(
    context: Sequence[ContextPart], said: dict[int, str]
) -> Iterator[tuple[tuple[int, str], int]]:
    """The model's own tokens, by where they begin and what they say."""
    start = 0
    for part in context:
        for token in part:
            text = token if isinstance(token, str) else said.get(token, f" w{token}")
            if isinstance(token, int):
                yield (start, text), token
            start += len(text)


def surprise(words: list[str], own: Mapping[tuple[int, str], int] = {}) -> SurpriseView:
    """The nth token has n bits up to 12; each word is a token."""
    tokens, end = [], 0
    for number, word in enumerate(words, 1):
        token = own.get((end, word), number)
        end += len(word)
        logprob = -math.log(2) * (1 + number % 12)
        tokens.append(Scored(token, word, end, logprob, 2**number % 997, 1.5))
    stretches = tuple(
        Stretch(at, at + 1, token.logprob, len(token.text)) for at, token in enumerate(tokens, 1)
    )
    whole = Stretch(1, len(words) + 1, sum(token.logprob for token in tokens), end)
    return SurpriseView(tuple(tokens), stretches, (whole,), whole, 2.0)


def attention(number: int, asked: Asked) -> AttentionView:
    """Half of it goes to the token before, the rest to all."""
    weights = [0.5 / number] * number
    weights[-1] += 0.5
    kinds = ("previous", "first", "same", "induction", "none", "none")
    heads = tuple(
        tuple(
            Head(kinds[(layer + head) % 6], SHARES, number - 1, weights[-1], 1.0 + layer * head)
            for head in range(HEADS)
        )
        for layer in range(LAYERS)
    )
    carried = tuple(weight * (1 + at) * asked.index for at, weight in enumerate(weights))
    return AttentionView(0, heads, CHANCE, tuple(weights), carried)


def station(at: int) -> Station:
    """The target comes up with the layers."""
    name = "embedding" if at == 0 else f"{'MA'[at % 2]}{(at + 1) // 2}"
    top = tuple(Guess(100 + place, f" w{place}[", 0.4 / (place + 1)) for place in range(5))
    return Station(name, top, (at + 1) / 20, 14 - at)


def parts(number: int) -> Parts:
    """Their sum is the logit."""
    heads = tuple(
        tuple((-1) ** head * (layer + 1) * 0.1 for head in range(HEADS)) for layer in range(LAYERS)
    )
    mlps = tuple(0.5 * layer for layer in range(LAYERS))
    known = 0.25 + sum(map(sum, heads)) + sum(mlps) - 0.125
    return Parts(known + 0.001 * number, 0.25, heads, mlps, -0.125, 0.001 * number, 0.2)


def tokens_view(target: Said, number: int) -> TokensView:
    """Its neighbours are less and less near; it was made of two pairs."""
    merges = (Merge("a", "[b]", 300 + number), Merge(" ", "a[b]", 400 + number))
    near = tuple(Near(at, f" near{at}[", 0.9 - 0.2 * at) for at in range(5))
    places = tuple(Near(number + at, "", 0.8 - 0.1 * at) for at in range(1, 4))
    return TokensView(target, merges, near, number, places)


def muted(words: list[str], asked: Asked) -> MuteView:
    """Each part takes a bit from every token but each third, which gains one."""
    parts = tuple(filter(None, asked.mute.split(",")))
    added = [(-1 if at % 3 == 2 else 1) * len(parts) for at in range(len(words))]
    logprobs = tuple(
        token.logprob - math.log(2) * bits
        for token, bits in zip(surprise(words).tokens, added, strict=True)
    )
    top = tuple(Guess(100 + at, f" w{at}[", 0.4 / (at + 1)) for at in range(asked.count))
    without = (top[1], top[0], Guess(99, " [b]new", 0.1), *top[3:]) if parts else top
    return MuteView(parts, logprobs, float(sum(added)), top, without, Shape(LAYERS, HEADS, 1536))


def costs(asked: Asked, known: int = LAYERS * HEADS) -> tuple[Cost, ...]:
    """The nth head costs n bits, half of that by the mean, and less than nothing if it is third."""
    amounts = [(-1 if at % 3 == 2 else 1) * (at + 1.0) for at in range(known)]
    return tuple(
        Cost(f"L{at // HEADS + 1}H{at % HEADS + 1}", amount / (2 if asked.mean else 1))
        for at, amount in enumerate(amounts)
    )


def what_if(words: list[str], changed: list[str]) -> WhatIfView:
    """The first token behind the change has a bit for each of its letters; from there it is a bit
    less a token, down to 3 below 0."""
    pairs = zip(words, changed, strict=False)
    first = next((at for at, (a, b) in enumerate(pairs, 1) if a != b), len(words))
    end = len(words) + 1
    while end > first + 1 and words[end - 2] == changed[end - 2 + len(changed) - len(words)]:
        end -= 1
    most = len("".join(changed[first - 1 : end - 1]).strip())
    return WhatIfView(first, end, tuple(max(-3.0, most - at) for at in range(len(words) + 1 - end)))


def traced(target: Said, first: int, number: int, known: int = 10**9) -> TraceView:
    """The later the station, the less is undone at the changed token, the more at the last."""
    columns = []
    for token in range(number - 1, first - 1, -1)[:known]:
        sign = {first: -1, number - 1: 1}.get(token, 0)
        shares = [(station if sign > 0 else 12 - station) / 12 for station in range(2 * LAYERS + 1)]
        columns.append(Column(token, tuple(share if sign else -0.07 for share in shares)))
    changed = -math.log(2) * 9.5
    return TraceView(target, -math.log(2) * 2.5, changed, tuple(columns), number - first)


CANDIDATES = 500


UNLUCKY = 13
"""The seed whose numbers fall on another token than the one that came."""


def drawn(asked: Asked, said: dict[int, str]) -> DrawView:
    """Of 500 candidates each has a logit lower by one than the one before it.

    A number falls on what the model wrote with it, or on a candidate where it wrote nothing.
    """
    assert asked.draw is not None
    settings, seed = asked.draw.settings, asked.draw.seed
    left = 1 if settings.temperature == 0 else settings.top_k or CANDIDATES
    warm = settings.temperature or 1.0
    stages = [stage("model", CANDIDATES, 1.0, asked.count)]
    if settings.top_k is not None and settings.temperature:
        stages.append(stage("top_k", left, 1.0, asked.count))
    stages.append(stage("temperature", left, warm, asked.count))
    shares = shares_of(left, warm)
    ends = [sum(shares[: at + 1]) for at in range(left)]
    line = tuple(
        Interval(100 + at, f" w{at}[", ends[at] - shares[at], ends[at])
        for at in range(min(left, asked.count))
    )
    target = said_of(0)
    if asked.draw.tokens and asked.draw.tokens[-1] in said:
        target = Said(asked.draw.tokens[-1], said[asked.draw.tokens[-1]])
    if seed is None:
        return DrawView(target, tuple(stages), None, None, 0.0, ends[0], line)
    uniform = seed * 0.37 % 1.0
    at = next((at for at, end in enumerate(ends) if uniform < end), left - 1)
    came = said_of(at) if target == said_of(0) or seed == UNLUCKY else target
    return DrawView(target, tuple(stages), uniform, came, ends[at] - shares[at], ends[at], line)


def stage(name: str, left: int, warm: float, count: int) -> Stage:
    shares = shares_of(left, warm)
    top = tuple(Guess(100 + at, f" w{at}[", share) for at, share in enumerate(shares[:count]))
    return Stage(name, left, top, shares[0])


def shares_of(left: int, warm: float) -> list[float]:
    weights = [math.exp(-at / warm) for at in range(left)]
    return [weight / sum(weights) for weight in weights]


def said_of(at: int) -> Said:
    return Said(100 + at, f" w{at}[")
