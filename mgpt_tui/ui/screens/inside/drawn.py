"""How the token was drawn: what the sampler made of the candidates, and where the number fell."""

from __future__ import annotations

from itertools import groupby

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, DrawView, Interval, Stage, View
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.ui.screens.inside.layers import guesses
from mgpt_tui.ui.screens.inside.sight import Place, Sight, Spot, cells, filter_name, percent, said
from mgpt_tui.ui.session.asking import Wanted
from mgpt_tui.ui.session.passages import Origin, origin_of

COUNT = 20
"""Candidates that are told of, after every filter and on the line."""
GUESSES = 5
"""Of those, as many are shown after every filter."""
SHORT = 5
"""Cells of a share in which there is no room to show a blank."""
NAME = 17
"""Cells of a filter's name."""
BEFORE = NAME + 18
"""Cells before the guesses."""


def ask(spot: Spot) -> Wanted:
    """The draw of the token, or of what could come next."""
    origin = _origin(spot)
    drawing = Drawing(spot.settings, ()) if origin is None else origin.drawing
    asked = Asked(View.DRAW, spot.asked_number, count=COUNT, draw=drawing)
    return Wanted(asked, None if origin is None else origin.end)


def draw(answer: Answer, place: Place) -> list[Content]:
    """What came of it in words, the line of all shares, and what every filter left."""
    assert isinstance(answer, DrawView)
    origin = _origin(place)
    settings = place.settings if origin is None else origin.drawing.settings
    stages = [_stage(stage, settings, answer, place.width) for stage in answer.stages]
    verdict = _verdict(answer, origin, settings)
    if place.is_stale:  # the answer is still another token's
        verdict = [Content("the model looks…")]
    lines = [*verdict, *line_of(answer, place.width)]
    if len(lines) + len(stages) < place.rows:
        target = cells(said(answer.target.text), 9)
        head = f"{cells('after', NAME)}   left  {target}the likeliest then, in percent"
        lines.append(Content.styled(head, "dim"))
    return lines + stages


def _origin(spot: Spot) -> Origin | None:
    """Where the token is from; None at the end."""
    if spot.token is None:
        return None
    tokens, settings = spot.text.tokens, spot.settings
    return origin_of(spot.story, tokens, spot.number, spot.fingerprints, settings)


# In words.


def _verdict(answer: DrawView, origin: Origin | None, settings: SamplingSettings) -> list[Content]:
    if origin is None:
        return [Content("What could come with the settings as they are now; no number has fallen.")]
    if answer.uniform is None or answer.drawn is None:
        return [Content(f"{origin.why} {_would_have(answer)}".lstrip())]
    if answer.drawn.token != answer.target.token:
        return [Content.styled(_unproved(answer, origin), "bold $warning")]
    if settings.temperature == 0:
        how = "Temperature 0 takes the likeliest, wherever the number falls."
    else:
        share = f"from {answer.low:.4f} to {answer.high:.4f}"
        how = f"The number {answer.uniform:.4f} fell on {said(answer.drawn.text)}, {share}."
    where = f" Seed {origin.drawing.seed}."
    return [Content.assemble(how, (where, "dim"))]


def _would_have(answer: DrawView) -> str:
    """What chance the target would have had."""
    share = answer.stages[-1].p
    if share:
        return f"The model would have given it {percent(share).strip()}."
    return f"The model gave it {percent(answer.stages[0].p).strip()}; the settings leave it out."


def _unproved(answer: DrawView, origin: Origin) -> str:
    """The number draws another token than the one that came, and what that may be due to."""
    assert answer.drawn is not None
    drawn, came = said(answer.drawn.text), said(answer.target.text)
    told = f"The number {answer.uniform:.4f} falls on {drawn}, but {came} came: "
    if answer.drawn.text.startswith(answer.target.text) and _is_last(origin):
        return f"{told}the passage ends within it."
    how = said(origin.span.decoding) if origin.span.decoding else "another machine"
    return f"{told}it was written with {how}, where scores may have been a little different."


def _is_last(origin: Origin) -> bool:
    return len(origin.drawing.tokens) == len(origin.span.tokens)


# As a line from 0 to 1.


def line_of(answer: DrawView, width: int) -> list[Content]:
    """The shares of all candidates, one after the other, and the mark where the number fell."""
    chosen = answer.drawn or answer.target
    own = Interval(chosen.token, chosen.text, answer.low, answer.high)
    fell = None if answer.uniform is None else min(width - 1, int(answer.uniform * width))
    others = [each for each in answer.line if each.token != own.token]
    held = [
        own if at == fell else _holder([own, *others], (at + 0.5) / width) for at in range(width)
    ]
    shown = list[Content]()
    is_odd = False
    for interval, run in groupby(held):
        length, is_odd = len(list(run)), not is_odd
        if interval is None:
            shown.append(Content.styled("·" * length, "dim"))
            continue
        look = "$warning" if interval is own else "$accent" if is_odd else "$secondary"
        word = said(interval.text)
        word = word.lstrip("␣") if length < SHORT else word
        shown.append(Content.styled(cells(word, length), f"reverse {look}"))
    ends = f"0{cells(' the shares of all that was left, in the order of ids', width - 2)}1"
    mark = [] if fell is None else [Content.styled(f"{' ' * fell}▼", "bold")]
    return [*mark, Content("").join(shown), Content.styled(ends, "dim")]


def _holder(intervals: list[Interval], at: float) -> Interval | None:
    """Which of them holds a number."""
    return next((each for each in intervals if each.low <= at < each.high), None)


# Filter by filter.


def _stage(stage: Stage, settings: SamplingSettings, answer: DrawView, width: int) -> Content:
    name = cells(filter_name(stage.filter, settings), NAME)
    return Content.assemble(
        f"{name}{stage.left:>7,}  {percent(stage.p)}  ",
        guesses(stage.top[:GUESSES], answer.target.token, width - BEFORE),
    )


SIGHT = Sight(
    digit="2",
    title="draw",
    line="What the sampler made of the candidates, and where the random number fell.",
    about="""\
Filters in their order: bias and bans add to the scores; new names keep a share of their odds; the
penalty worsens the scores of what was read (Keskar et al. 2019); top-k keeps the k likeliest (Fan
et al. 2018); scores are divided by the temperature; top-p keeps the fewest with the share p
together (Holtzman et al. 2020); min-p what is p times as likely as the likeliest (Nguyen et al.
2024).

What is left shares [0, 1) in the order of ids, and a number u takes the first token for which
p(1) + ... + p(i) > u. It is Philox4x64-10 of the seed and the place in the passage (Salmon et al.
2011), so it is known again; what it falls on proves it.

In gpt.py: GPT.head gives the scores. In sampling.py: stages, uniforms, draw.""",
    ask=ask,
    draw=draw,
)
