"""A passage written again with the same seed by the muted model, and where it becomes another.

It is drawn as it was, too, by the same decoder: only what differs then is due to what is muted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Asked, View
from mgpt_tui.inference.inspection.experiments import AgainView
from mgpt_tui.inference.inspection.names import spell_muted
from mgpt_tui.text import one_line
from mgpt_tui.ui.screens.inside.sight import END, Place, Spot
from mgpt_tui.ui.session.asking import Wanted
from mgpt_tui.ui.session.passages import Origin, origin_of

FIRST_WORD = re.compile(r"\s*\S*")
BEFORE = 30
"""Characters that are shown of what both have in common."""
LEAST = 2
"""Lines of each of the two, even where there is no room."""
NO_PASSAGE = "Walk to a word that the model drew: its passage is written again."
NOTHING_MUTED = "Nothing is muted: m mutes a part, w then writes the passage without it."
AS_IT_WAS = "It was written without these parts as it is: choose others, or none."
FIRST = "the model draws it first as it was…"
NAMED = 30
"""Characters of what is muted, or of how a passage was written."""


def ask_again(spot: Spot) -> Wanted | None:
    """The passage at the cursor once more, without what is muted."""
    origin = passage_at(spot)
    if origin is None or _is_as_it_was(origin, spot):
        return None
    passage = replace(origin.drawing, tokens=origin.span.tokens)
    muted, mean = ",".join(spot.chosen.muted), spot.chosen.mean
    return Wanted(Asked(View.AGAIN, draw=passage, mute=muted, mean=mean), origin.end)


def passage_at(spot: Spot) -> Origin | None:
    """The passage that the cursor is in, at the story's end the last; None where it cannot be
    drawn again."""
    tokens = spot.text.tokens
    if not tokens:
        return None
    number = min(spot.number, len(tokens))
    origin = origin_of(spot.story, tokens, number, spot.fingerprints, spot.settings)
    return origin if origin.drawing.seed is not None else None


def draw_again(place: Place, rows: int) -> list[Content]:
    """How far both are the same, then the two of them from there on."""
    origin, told = passage_at(place), place.slowly.answer
    if origin is None:
        return [Content(NO_PASSAGE)]
    if _is_as_it_was(origin, place):
        return [Content(AS_IT_WAS if place.chosen.muted else NOTHING_MUTED)]
    if not isinstance(told, AgainView):
        return [Content(place.slowly.trouble or "the model begins…")]
    if place.slowly.is_open and not told.after.text:
        return [Content(FIRST)]
    before, after, recorded = told.before, told.after, origin.span
    is_proved = before.same_tokens >= len(recorded.tokens)
    note: Sequence[Content] = ()
    was, count, label = recorded.text, len(recorded.tokens), "as it was"
    if not is_proved:
        was, count, label = before.text, before.tokens, f"in {told.precision}"
        note = Content.styled(_unproved(told, origin), "$warning").wrap(place.width)
    is_over = not place.slowly.is_open and after.text == before.text
    if is_over or after.same >= len(was) < len(before.text):  # it was stopped there
        return [*note, Content(f"It writes the same again, with seed {origin.drawing.seed}.")]
    same = min(after.same, len(was))
    lines = max(LEAST, (rows - 3 - len(note)) // 2)
    common = f"seed {origin.drawing.seed}: the same for {min(after.same_tokens, count)} of {count}"
    return [
        *note,
        Content(f"{common} tokens"),
        *_text(label + _without(recorded.muted, ", "), was, same, lines, place.width),
        *_text(_other(origin, place), after.text, same, lines, place.width),
    ]


def _is_as_it_was(origin: Origin, spot: Spot) -> bool:
    """Whether what is muted is what was when the passage was written."""
    return _chosen(spot) == origin.drawing.muted


def _chosen(spot: Spot) -> str:
    return spell_muted(spot.chosen.muted, mean=spot.chosen.mean)


def _unproved(told: AgainView, origin: Origin) -> str:
    """That the decoder draws another passage although nothing else is muted."""
    how = _short(origin.span.decoding.partition(",")[0]) or "elsewhere"
    here = f"here, in {told.precision}, it is another from token {told.before.same_tokens + 1} on"
    return f"Written {how}; {here}, so both are drawn here."


def _other(origin: Origin, place: Place) -> str:
    """What the passage is written by now, named where it was not the whole model before."""
    if not origin.drawing.muted:
        return "without"
    return _without(_chosen(place)) or "the whole model"


def _without(muted: str, before: str = "") -> str:
    return f"{before}without {_short(muted)}" if muted else ""


def _short(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= NAMED else f"{shown[: NAMED - 1]}…"


def _text(label: str, text: str, same: int, lines: int, width: int) -> list[Content]:
    """The end of what both have in common, the first word that is another, marked, and the rest."""
    before, after = text[max(0, same - BEFORE) : same], text[same:]
    mark = "…" if same > BEFORE else ""
    word = FIRST_WORD.match(after)
    first = word.group() if word else ""
    room = lines * (width - 1) - len(label) - len(before) - len(first) - 8
    rest = _line(after[len(first) :])
    rest = rest if len(rest) <= room else f"{rest[: max(0, room - 1)]}…"
    shown = Content.assemble(
        (f"{label}: ", "dim"),
        (f"{mark}{_line(before)}", "dim"),
        (_line(first) or END, "bold reverse"),
        rest,
    )
    return list(shown.wrap(width))[:lines]


def _line(text: str) -> str:
    return one_line(text).replace("␊", "↵")
