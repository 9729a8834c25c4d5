"""Another word in place of one of the story's, and what that changes."""

from __future__ import annotations

import re
from dataclasses import replace

from textual.content import Content

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Answer, Asked, View
from mgpt_tui.inference.inspection.experiments import TraceView, WhatIfView
from mgpt_tui.inference.request import ContextPart
from mgpt_tui.ui.screens.inside.experiments.changes import LEGEND, bars_of, more
from mgpt_tui.ui.screens.inside.experiments.trace import draw_trace
from mgpt_tui.ui.screens.inside.sight import (
    Bars,
    Chosen,
    Field,
    Place,
    Put,
    Sight,
    Slow,
    Spot,
    bits,
    cells,
    said,
    signed,
)
from mgpt_tui.ui.session.asking import Wanted

CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)
"""A word without the marks around it."""
LONGEST = 16
"""Characters of words in a line about them."""
NOTHING_YET = (
    "Walk to a word and press w: type another to stand in its place, and see what comes of it.\n"
    "The story itself stays as it is."
)


def ask(spot: Spot) -> Wanted | str:
    """How surprising the changed story is, once there is one."""
    put = spot.chosen.put
    if put is None:
        return NOTHING_YET
    return Wanted(Asked(View.WHAT_IF, instead=_changed(spot, put)))


def ask_trace(spot: Spot) -> Wanted | None:
    """Where the change of the token's chance comes about, once that is wanted."""
    put, traced = spot.chosen.put, spot.chosen.traced
    if put is None or traced is None:
        return None
    token = traced if isinstance(traced, int) and traced <= len(spot.text.tokens) else None
    return Wanted(Asked(View.TRACE, token, instead=_changed(spot, put)))


def _changed(spot: Spot, put: Put) -> tuple[ContextPart, ...]:
    """What the model reads then: the same tokens elsewhere."""
    text = spot.story.text
    changed = text[: put.start] + put.text + text[put.end :]
    return spot.story.edited(changed).context(spot.fingerprints)


def bars(answer: Answer, place: Place) -> Bars:
    """By how many bits each token behind the change is more surprising."""
    told = _told(answer)
    return bars_of(told.added, told.end, range(told.first, told.end))


def draw(answer: Answer, place: Place) -> list[Content]:
    """What the change costs, the token's share of it, and where it came about or is largest."""
    told, put = _told(answer), place.chosen.put
    if put is None:
        return [Content(NOTHING_YET)]
    head = [_whole(told, place, put), _of_token(told, place)]
    foot = [
        _progress(told, place),
        Content.styled(f"w: another word · {LEGEND}", "dim"),
    ]
    lines = -(-len(place.slowly.trouble) // place.width) or 1  # of what is said of the trace
    room = max(3, place.rows - len(head) - len(foot) - lines + 1)
    traced = place.slowly.answer
    if isinstance(traced, TraceView) and not place.is_stale:
        return [*head, *draw_trace(traced, place, room), *foot]
    return [*head, *_largest(told, place, room), *foot]


def _told(answer: Answer) -> WhatIfView:
    assert isinstance(answer, WhatIfView)
    return answer


def _whole(told: WhatIfView, place: Place, put: Put) -> Content:
    before = place.story.text[put.start : put.end]
    return Content.assemble(
        (_clipped(put.text), "bold"),
        " instead of ",
        (_clipped(before), "bold"),
        f": {more(sum(told.added))} on what follows",
    )


def _clipped(words: str) -> str:
    shown = said(words)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def _of_token(told: WhatIfView, place: Place) -> Content:
    token, at = place.token, place.number - told.end
    if token is None:
        return Content.styled("what could come next has no bits yet", "dim")
    if place.number < told.first:
        return Content.styled("before the change all is as it was", "dim")
    if not 0 <= at < len(told.added):
        return Content.styled("this is what was changed", "dim")
    after = token.logprob - told.added[at] / BITS
    return Content(
        f"this token: {bits(token.logprob)} before, {bits(after)} now ({more(told.added[at])})"
    )


def _largest(told: WhatIfView, place: Place, rows: int) -> list[Content]:
    """The tokens that it changes most, in their order."""
    added = told.added[: len(place.text.tokens) - told.end + 1]
    most = sorted(range(len(added)), key=lambda at: -abs(added[at]))[: max(1, rows - 1)]
    largest = max((abs(added[at]) for at in most), default=0.0)
    width = max(12, min(40, place.width - 34))
    lines = [Content.styled("what it changes most:", "dim")]
    for at in sorted(most):
        number = told.end + at
        name = cells(place.word(number), 14)
        lines.append(
            Content.assemble(
                (name, "reverse" if number == place.number else ""),
                f"{number:>5} {more(added[at]):>12}  ",
                signed(added[at], largest, width),
            )
        )
    return lines


def _progress(told: WhatIfView, place: Place) -> Content:
    """How far the trace is."""
    slowly, traced = place.slowly, place.slowly.answer
    if slowly.trouble:
        return Content(slowly.trouble)
    if not isinstance(traced, TraceView):
        if slowly.is_open:
            return Content("the model begins with the last token… · t stops")
        if place.number < told.end:
            return Content.styled("t at a later token: where in the model does it change?", "dim")
        word = place.word(place.number) if place.token else "what could come next"
        return Content.styled(f"t: where in the model does {word} change?", "dim")
    known = f"{len(traced.columns)} of {traced.total} tokens"
    if slowly.is_open:
        return Content(f"{known}, the last first · t stops")
    if len(traced.columns) < traced.total:
        return Content(f"stopped after {known} · t begins anew")
    return Content.styled("t: trace the token under the cursor", "dim")


def _word_at(place: Place) -> tuple[int, int] | None:
    """Which characters of the story the word under the cursor has; a mark stands for itself."""
    if place.token is None:
        return None
    ends = [0, *(token.end for token in place.text.tokens)]
    start, end = ends[place.number - 1], ends[place.number]
    for word in place.text.words:
        if word.first <= place.number < word.end:
            first = ends[word.first - 1]
            core = CORE.search(place.story.text[first : ends[word.end - 1]])
            if core and first + core.start() < end and start < first + core.end():
                return first + core.start(), first + core.end()
    piece = place.story.text[start:end]
    start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
    return (start, end) if start < end else None


def _begin(place: Place) -> str | None:
    at, put = _word_at(place), place.chosen.put
    if at is None:
        return None
    if put is not None and (put.start, put.end) == at:
        return put.text
    return place.story.text[slice(*at)]


def _take(typed: str, place: Place) -> Chosen:
    """Nothing typed takes the change back.

    Raises:
        UserError: where it is no change.
    """
    at, word = _word_at(place), typed.strip()
    if at is None or not word:
        return replace(place.chosen, put=None, traced=None)
    if word == place.story.text[slice(*at)]:
        raise UserError("That is the word that stands there.", "Type another, or nothing.")
    return replace(place.chosen, put=Put(*at, word), traced=None)


SIGHT = Sight(
    digit="8",
    title="what if",
    line="What another word would have changed, and where in the model it matters.",
    about="""\
What if: -log2 p of every token behind another word, less what it was.

Causal tracing (Meng et al., "Locating and Editing Factual Associations in GPT", 2022): the changed
story is read, but at one token and station the residual stream of the original is restored. That
undoes (log p restored - log p changed) / (log p original - log p changed): 100 percent where all
that makes the difference passes there; below 0 it gets worse. E is the embedding, A1 behind the
attention of layer 1, M1 behind its MLP: the two are alike, as an MLP works on each token alone.
Behind the last attention only the last token counts.

In gpt.py: what a Hook returns for "stream" is used.""",
    ask=ask,
    draw=draw,
    bars=bars,
    fields={"w": Field("instead", _begin, _take)},
    slow=Slow(
        {"t": lambda place: replace(place.chosen, traced=place.asked_number or "next")},
        lambda chosen: replace(chosen, traced=None),
        ask_trace,
    ),
)
