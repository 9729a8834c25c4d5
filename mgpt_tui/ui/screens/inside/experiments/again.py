"""A passage written again with the same seed by the muted model, and where it becomes another."""

from __future__ import annotations

import re
from dataclasses import replace

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Asked, View
from mgpt_tui.inference.inspection.experiments import AgainView
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
NOTHING_MUTED = "Nothing is muted, so it would be the same: m mutes a part."


def ask_again(spot: Spot) -> Wanted | None:
    """The passage at the cursor once more, without what is muted."""
    origin = passage_at(spot)
    if origin is None or not spot.chosen.muted:
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
    if origin is None or not place.chosen.muted:
        return [Content(NO_PASSAGE if origin is None else NOTHING_MUTED)]
    if not isinstance(told, AgainView):
        return [Content(place.slowly.trouble or "the model begins…")]
    was, count = origin.span.text, len(origin.span.tokens)
    if told.text == was and not place.slowly.is_open:
        return [Content(f"It writes the same again, with seed {origin.drawing.seed}.")]
    lines = max(LEAST, (rows - 3) // 2)
    common = f"seed {origin.drawing.seed}: the same for {told.tokens} of {count} tokens"
    return [
        Content(common),
        *_text("as it was", was, told.same, lines, place.width),
        *_text("without", told.text, told.same, lines, place.width),
    ]


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
