"""How the text is cut into tokens, of what the token was made, and what lies near to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, Near, Scored, TokensView, View
from mgpt_tui.ui.screens.inside.sight import Place, Sight, Spot, bar, cells, said
from mgpt_tui.ui.session.asking import Wanted

GAP = "  "
COUNT = 20
"""Neighbours that are asked for; as many are shown as there is room for."""


def ask(spot: Spot) -> Wanted:
    """The token and its place."""
    return Wanted(Asked(View.TOKENS, spot.asked_number, count=COUNT))


def draw(answer: Answer, place: Place) -> list[Content]:
    """The tokens around, the merges, and the nearest rows of both embeddings side by side."""
    assert isinstance(answer, TokensView)
    lines = [*strip(place.text.tokens, place.number, place.width), *_made(answer, place)]
    return lines + _nearest(answer, place, max(2, place.rows - len(lines)))


def strip(tokens: Sequence[Scored], number: int, width: int) -> list[Content]:
    """The tokens around one above their ids, a column each.

    Args:
        tokens: of the story, at least one.
        number: of the token in the midst, from 1; one more than there are for their end.
        width: cells.
    """
    widths = [
        min(width, max(cell_len(said(token.text)), len(f"{token.token}"))) for token in tokens
    ]
    words = list[str | tuple[str, str]]()
    ids = list[str | tuple[str, str]]()
    for at in range(*_around(widths, min(number, len(tokens)) - 1, width)):
        here = "bold reverse" if at == number - 1 else ""
        words += [(cells(said(tokens[at].text), widths[at]), here), GAP]
        ids += [(cells(f"{tokens[at].token}", widths[at]), "$accent"), GAP]
    return [Content.assemble(*words[:-1]), Content.assemble(*ids[:-1])]


def _around(widths: Sequence[int], at: int, width: int) -> tuple[int, int]:
    """The first of the columns that have room with the one at `at`, and the one behind the last."""
    first, end, left = at, at + 1, width - widths[at]
    while True:
        before = widths[first - 1] + len(GAP) if first else left + 1
        if before <= left:
            first, left = first - 1, left - before
        after = widths[end] + len(GAP) if end < len(widths) else left + 1
        if after <= left:
            end, left = end + 1, left - after
        elif before > left:
            return first, end


def _made(answer: TokensView, place: Place) -> list[Content]:
    """Which token it is, and the pairs that were joined to make it."""
    target, merges = answer.target, answer.merges
    end = "" if place.token else ", the likeliest to come,"
    name = f"{said(target.text)}{end} is token {target.token:,}"
    if not merges:
        of = (
            "a single byte, of which nothing is joined" if target.text else "no text is ever cut so"
        )
        return [Content(f"{name}: {of}.")]
    pairs = [f"{said(merge.left)} + {said(merge.right)} ({merge.rank:,})" for merge in merges]
    return [
        Content(f"{name}, joined so (each pair's number behind it):"),
        *(Content.styled(line, "bold") for line in _filled(pairs, place.width)),
    ]


def _filled(pieces: Iterable[str], width: int) -> list[str]:
    """Lines of so many cells, each with as many of the pieces as it has room for."""
    lines = [""]
    for piece in pieces:
        longer = f"{lines[-1]}{' · ' if lines[-1] else ''}{piece}"
        lines[-1:] = [longer] if cell_len(longer) <= width else [*filter(None, lines[-1:]), piece]
    return lines


def _nearest(answer: TokensView, place: Place, rows: int) -> list[Content]:
    """On the left the tokens that are near, on the right the positions."""
    half = place.width // 2
    left, right = "nearest tokens, by cosine", f"nearest to its position, {answer.position}"
    tokens = [(said(near.text), near) for near in answer.neighbours[: rows - 1]]
    positions = [(f"position {near.number}", near) for near in answer.positions[: rows - 1]]
    return [
        Content.styled(f"{cells(left, half)}{cells(right, half)}", "dim"),
        *(
            Content.assemble(_near(token, half), _near(position, half))
            for token, position in zip_longest(tokens, positions)
        ),
    ]


def _near(near: tuple[str, Near] | None, width: int) -> Content:
    """A column's entry."""
    if near is None:
        return Content(" " * width)
    name, found = near
    room = max(0, width - 24)
    return Content.assemble(
        f"{cells(name, 15)}{found.cosine:+.2f}  ",
        (cells(bar(max(0.0, found.cosine), room), room + 2), "$accent"),
    )


SIGHT = Sight(
    digit="0",
    title="tokens",
    line="What the model reads: pieces of text from a fixed list, each with a number.",
    about="""\
Byte-pair encoding (Sennrich et al. 2016; of bytes, GPT-2, Radford et al. 2019): the list began with
the 256 bytes, and again and again the two neighbours that stood together most often in the text
it was made from were joined and got the next number. A text is cut alike: of its neighbours the
pair with the lowest number is joined first, until none is in the list.

A token's number means nothing to the model; it looks up a row of learned numbers for it, and
another for its position, and adds them. Near are the rows with the largest cosine,
a . b / (|a| |b|): tokens, or places, that the model takes alike. Token rows are the head's, too
(Press & Wolf 2017), so near tokens are also predicted alike.

In gpt.py: token_embedding, position_embedding; the list is in tokenizer.py.""",
    ask=ask,
    draw=draw,
)
