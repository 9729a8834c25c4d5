"""What the model reads: tokens, and the vectors that stand for them."""

from __future__ import annotations

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Asked, Near, TokensView, View
from mgpt_tui.ui.screens.inside.sight import bar, cells, said
from mgpt_tui.ui.screens.inside.tokens import strip
from mgpt_tui.ui.screens.lessons.card import (
    ALONE,
    Card,
    Look,
    Place,
    Seen,
    draw,
    vocabulary,
)
from mgpt_tui.ui.session.asking import Wanted

NEAR = 5
"""Tokens that are told as the nearest."""


def _tokens(place: Place) -> Look:
    told = yield Wanted(Asked(View.TOKENS, place.number, count=NEAR))
    assert isinstance(told, TokensView)
    many = vocabulary((yield draw(place, ALONE)))
    text, tokens = place.text.whole.characters, len(place.text.tokens)
    each = f"{text / tokens:.1f} characters" if tokens else ""
    name = said(told.target.text)
    lines = [
        Content(f"The {text:,} characters of the text are {tokens:,} tokens, {each} each:"),
        *strip(place.text.tokens, place.number, place.width),
        Content(""),
    ]
    made = f"{name} is number {told.target.token:,} of {many:,}"
    if not told.merges:
        return Seen([*lines, Content(f"{made}: a byte by itself, of which nothing was joined.")])
    joined = (f"{said(merge.left)} + {said(merge.right)}" for merge in told.merges)
    steps = "one pair" if len(told.merges) == 1 else f"{len(told.merges)} pairs"
    return Seen(
        [
            *lines,
            Content(f"{made}. To make it, {steps} were joined:".replace("pair were", "pair was")),
            Content(", ".join(joined)),
        ]
    )


def _embeddings(place: Place) -> Look:
    told = yield Wanted(Asked(View.TOKENS, place.number, count=NEAR))
    assert isinstance(told, TokensView)
    head = f"The rows nearest to that of {said(told.target.text)}:"
    width = max(8, min(40, place.width - 30))
    shown = [_near(near, width) for near in told.neighbours[: max(1, place.rows - 2)]]
    positions = ", ".join(f"{near.number} ({near.cosine:.2f})" for near in told.positions[:3])
    where = f"It stands at position {told.position}; nearest rows: {positions}."
    return Seen([Content.styled(head, "bold"), *shown, Content(where)])


def _near(near: Near, width: int) -> Content:
    return Content.assemble(
        f"{cells(said(near.text), 18)}cosine {near.cosine:+.2f}  ",
        (bar(max(0.0, near.cosine), width), "$accent"),
    )


TOKENS = Card(
    title="tokens",
    words="""\
The model reads neither letters nor words but tokens: pieces of text from a fixed list. Byte-pair
encoding made the list (Sennrich et al., 2016): it began with single bytes, and again and again
joined the two neighbours that stood together most often in the text it was made from. So a
frequent word is one token, with the blank before it (␣); a rare one is several. All that the
model gets is the tokens' numbers: `tokens` in GPT.forward (gpt.py).""",
    to_do="""\
Walk with ← and →. Which words are in pieces? Below is what was joined to make the token.""",
    look=_tokens,
)
EMBEDDINGS = Card(
    title="embeddings",
    words="""\
A token's number means nothing. So the model looks up a row of learned numbers for it, its
embedding (token_embedding in gpt.py). In training, tokens that are used alike came to have rows
that point the same way, and the cosine measures that: 1 is the same way, 0 nothing in common. A
row of a second table (position_embedding) is added, so that it counts where the token stands. The
sum is the vector that all layers work on.""",
    to_do="""\
Walk to a name, to a verb, to a full stop: which tokens are near? Which places are near to
a place?""",
    look=_embeddings,
)
