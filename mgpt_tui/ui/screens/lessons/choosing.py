"""From the stream to a token: logits, softmax and the draw."""

from __future__ import annotations

import math
from dataclasses import replace

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Asked, DrawView, PartsView, Stage, View
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.ui.screens.inside.sight import bar, cells, filter_name, percent, said
from mgpt_tui.ui.screens.lessons.card import (
    ALONE,
    Card,
    Look,
    Place,
    Seen,
    draw,
    drawn,
)
from mgpt_tui.ui.session.asking import Wanted

TEMPERATURES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
NEUTRAL = TEMPERATURES.index(1.0)
TOP_KS = (1, 2, 3, 5, 10, 20, 50, 100, 1000)
MEMORY = 8
"""So many draws are told, this one and those before."""


def _softmax(place: Place) -> Look:
    temperature = TEMPERATURES[NEUTRAL + place.dial]
    count = max(2, place.rows - 3)
    settings = replace(ALONE, temperature=temperature)
    told = drawn((yield draw(place, settings, count=count)))
    model, warm = told.stages[0], told.stages[-1]
    first = model.top[0]
    asked = Asked(View.PARTS, place.asked, target=first.token)
    parts = yield Wanted(asked)
    assert isinstance(parts, PartsView)
    logit = parts.parts.logit
    shares = {guess.token: guess.p for guess in warm.top}
    lines = [
        Content.styled(
            f"next after {cells(place.word(place.number), 12)}logit   softmax"
            f"   of logit / {temperature:g}",
            "bold",
        )
    ]
    for guess in model.top:
        share = shares.get(guess.token, 0.0)
        style = "bold" if place.next and guess.token == place.next.token else ""
        lines.append(
            Content.assemble(
                (cells(said(guess.text), 20), style),
                f"{logit + math.log(guess.p / first.p):8.2f}   {percent(guess.p)}   "
                f"{percent(share)}  ",
                (bar(share, max(8, min(40, place.width - 52))), "$accent"),
            )
        )
    rest = 1 - sum(guess.p for guess in model.top)
    others = max(0.0, 1 - sum(shares.get(guess.token, 0.0) for guess in model.top))
    many = model.left - len(model.top)
    lines.append(
        Content(f"{cells(f'{many:,} others', 20)}{'':8}   {percent(rest)}   {percent(others)}")
    )
    return Seen([*lines, _sum(logit, first.p, said(first.text), model.left)])


def _sum(logit: float, p: float, word: str, many: int) -> Content:
    """The quotient that softmax is."""
    part = math.exp(logit)
    return Content.styled(
        f"e^{logit:.2f} = {_amount(part)}, the sum for {many:,} tokens is {_amount(part / p)}: "
        f"{word} has {100 * p:.1f} %.",
        "dim",
    )


def _amount(x: float) -> str:
    return f"{x:,.0f}" if 10 <= x < 1e9 else f"{x:.3g}"


def _steps(place: Place) -> tuple[tuple[int | None, ...], int]:
    """What top-k may be here, the smallest first, and where the writer's own setting stands."""
    own = place.settings.top_k
    numbers = sorted({*TOP_KS, *([own] if own else [])})
    steps = (*numbers, None)
    return steps, steps.index(own)


def _settings(place: Place) -> SamplingSettings:
    steps, at = _steps(place)
    return replace(place.settings, top_k=steps[at + place.dial])


def _dials(place: Place) -> range:
    steps, at = _steps(place)
    return range(-at, len(steps) - at)


def _choosing(place: Place) -> Look:
    settings = _settings(place)
    told: list[DrawView] = []
    for seed in range(max(0, place.tries + 1 - MEMORY), place.tries + 1):
        told.append(drawn((yield draw(place, settings, seed=seed, count=4))))
    now = told[-1]
    lines = [Content.styled(f"{'':13}can come   the likeliest", "bold")]
    lines += [_stage(stage, place, settings) for stage in now.stages[-max(1, place.rows - 4) :]]
    assert now.uniform is not None and now.drawn is not None
    draws = " ".join(said(each.drawn.text) for each in told if each.drawn)
    lines += [
        Content.assemble(
            f"number {now.uniform:.4f}: of [0, 1) {said(now.drawn.text)} has "
            f"{now.low:.4f} to {now.high:.4f}, so ",
            (said(now.drawn.text), "bold reverse"),
            " comes",
        ),
        Content.assemble(f"{_times(place.tries + 1)}: ", (draws, "$accent")),
    ]
    return Seen(lines)


def _times(draws: int) -> str:
    if draws == 1:
        return "drawn once"
    return f"drawn {draws:,} times" + (f", the last {MEMORY}" if draws > MEMORY else "")


def _stage(stage: Stage, place: Place, settings: SamplingSettings) -> Content:
    """What a filter left."""
    name = filter_name(stage.filter, settings)
    guesses = "  ".join(f"{said(guess.text)} {100 * guess.p:.1f} %" for guess in stage.top)
    return Content(cells(f"{cells(name, 16)}{stage.left:>6,}  {guesses}", place.width))


SOFTMAX = Card(
    title="logits and softmax",
    words="""\
Behind the last layer the stream is normed once more and compared with the embedding of every
token: the dot product of the two is its score, its logit (GPT.head in gpt.py). Softmax makes
chances of logits: e to the logit, over the sum of that for all tokens. So all chances are above 0
and sum to 1, and a logit larger by 1 means 2.72 times the chance. Before that, logits can be
divided by a temperature: GPT.generate.""",
    to_do="""\
↑ ↓ turn the temperature: below 1 the likely becomes likelier, above 1 less so, at 0 it
comes for sure. Walk: where is the model sure?""",
    look=_softmax,
    dials=lambda place: range(-NEUTRAL, len(TEMPERATURES) - NEUTRAL),
)
CHOOSING = Card(
    title="choosing",
    words="""\
The model says how likely each token is; which one comes, a sampler decides (sampling.py, and in
its plainest form GPT.generate in gpt.py). By your settings it leaves out the unlikely; top-k
keeps the k likeliest. Then it draws: each token left has a stretch of [0, 1) as long as its
share, and a random number falls in one of them. The number is computed from the seed and the
place in the passage, so the same seed writes the same story.""",
    to_do="""\
r draws with another seed. ↑ ↓ turn top-k: at 1 nothing is left to chance. The other settings
are yours.""",
    look=_choosing,
    dials=_dials,
)
