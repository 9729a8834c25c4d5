"""How tokens take from one another: attention, its mask, its heads."""

from __future__ import annotations

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, AttentionView, Head, View
from mgpt_tui.inference.inspection.asked import LETTERS
from mgpt_tui.ui.screens.inside.attention import BLOCKS, bars_of
from mgpt_tui.ui.screens.inside.sight import START, bar, cells, percent
from mgpt_tui.ui.screens.lessons.card import Card, Look, Place, Seen
from mgpt_tui.ui.session.asking import Wanted

NAME, COLUMN = 14, 10
"""Cells of what stands before each row of the mask, and of its columns."""
KINDS = {
    "previous": "the token before",
    "first": "the first token",
    "same": "the same token, earlier",
    "induction": "what came after that",
    "none": "none of these",
}
"""Where a head looks that has a letter."""

NAMED = [kind for kind in KINDS if kind != "none"]


def _head(place: Place, shape: tuple[int, int]) -> tuple[int, int]:
    """Layer and head that were chosen with tab, from 1, of so many layers and heads."""
    layer, head = divmod(place.part % (shape[0] * shape[1]), shape[1])
    return layer + 1, head + 1


def _asked(number: int | None, layer: int, head: int) -> Wanted:
    return Wanted(Asked(View.ATTENTION, number, layer=layer, index=head))


def _told(answer: Answer) -> AttentionView:
    assert isinstance(answer, AttentionView)
    return answer


def _attention(place: Place) -> Look:
    told = _told((yield _asked(place.asked, 1, 1)))
    layer, head = _head(place, (len(told.heads), len(told.heads[0])))
    told = _told((yield _asked(place.asked, layer, head)))
    lines = [
        Content.assemble(
            (f"{place.word(place.number)}, in layer {layer}, head {head}", "bold"),
            f", takes of {len(told.weights)} tokens, in all {sum(told.weights):.0%}:",
        )
    ]
    most = sorted(range(len(told.weights)), key=lambda at: -told.weights[at])
    for at in most[: max(1, place.rows - 1)]:
        number = told.window_start + at
        lines.append(
            Content.assemble(
                f"{cells(place.word(number), 16)}{_back(place.number - number):<12}"
                f"{percent(told.weights[at])}  ",
                (cells(bar(told.weights[at], 20), 21), "$accent"),
                (f"brings {told.carried[at]:.2f}", "dim"),
            )
        )
    return _with_bars(lines, told)


def _back(steps: int) -> str:
    return f"{steps} back" if steps else "itself"


def _with_bars(lines: list[Content], told: AttentionView) -> Seen:
    return Seen(lines, bars_of(told))


def _mask(place: Place) -> Look:
    told = _told((yield _asked(place.asked, 1, 1)))
    layer, head = _head(place, (len(told.heads), len(told.heads[0])))
    own = _told((yield _asked(place.asked, layer, head)))
    last = len(place.text.tokens)
    across = max(2, min(place.rows - 1, (place.width - NAME - COLUMN + 3) // COLUMN, 8))
    first = max(1, min(place.number - across // 2, last - across + 1))
    numbers = range(first, min(last, first + across - 1) + 1)
    names = "".join(cells(place.word(number), COLUMN - 1) + " " for number in numbers)
    lines = [
        Content.assemble(
            (cells(f"L{layer}H{head} takes of", NAME), "bold"),
            (cells("before", COLUMN), "dim"),
            names,
        )
    ]
    for number in numbers:
        told = _told((yield _asked(number + 1 if number < last else None, layer, head)))
        lines.append(_row(place, told, number, numbers))
    return _with_bars(lines, own)


def _row(place: Place, told: AttentionView, query: int, keys: range) -> Content:
    """What one token takes of those around it: nothing of what comes after it."""

    def share(number: int) -> float:
        at = number - told.window_start
        return told.weights[at] if 0 <= at < len(told.weights) else 0.0

    before = sum(told.weights[: max(0, keys[0] - told.window_start)])
    here = query == place.number
    cells_of = [
        (f"{100 * share(key):5.1f} %   ", "bold" if here else "")
        if key <= query
        else (f"{'0':>5}     ", "dim")
        for key in keys
    ]
    name = cells(place.word(query), NAME - 1)
    return Content.assemble(
        (name, "reverse" if here else ""), " ", (f"{100 * before:5.1f} %   ", "dim"), *cells_of
    )


def _heads(place: Place) -> Look:
    told = _told((yield _asked(place.asked, 1, 1)))
    shape = len(told.heads), len(told.heads[0])
    layer, head = _head(place, shape)
    told = _told((yield _asked(place.asked, layer, head)))
    room = max(1, place.rows - 2)
    first = max(0, min(layer - 1 - room // 2, shape[0] - room))
    largest = max((each.carried for heads in told.heads for each in heads), default=0.0)
    lines = [
        _of_layer(number, told.heads[number - 1], largest, head if number == layer else 0)
        for number in range(first + 1, min(shape[0], first + room) + 1)
    ]
    notes = [f"   {letter} {KINDS[kind]}" for kind, letter in LETTERS.items()]
    lines = [
        Content.assemble(line, (note, "dim"))
        for line, note in zip(lines, [*notes, *[""] * len(lines)], strict=False)
    ]
    return _with_bars([*lines, *_of_head(told, place, layer, head)], told)


def _of_layer(number: int, heads: tuple[Head, ...], largest: float, chosen: int) -> Content:
    marks: list[Content | str] = []
    for at, head in enumerate(heads, 1):
        size = head.carried / largest if largest else 0.0
        mark = Content.assemble(
            LETTERS.get(head.kind, "·"), (BLOCKS[min(7, int(8 * size))], "$accent")
        )
        marks += [mark.stylize("reverse bold") if at == chosen else mark, " "]
    return Content.assemble(f"layer {number:<3}", *marks)


def _of_head(told: AttentionView, place: Place, layer: int, head: int) -> list[Content]:
    own = told.heads[layer - 1][head - 1]
    all_heads = [each for heads in told.heads for each in heads]
    if own.kind in NAMED:
        share, chance = getattr(own.shares, own.kind), getattr(told.chance, own.kind)
        what = f" gives {share:.0%} to {KINDS[own.kind]}; {chance:.0%} would be chance."
    else:
        many = sum(each.kind in NAMED for each in all_heads)
        what = f" has no letter; {many} of all {len(all_heads)} heads have one, in this text."
    most = sorted(range(len(told.weights)), key=lambda at: -told.weights[at])[:4]
    now = ", ".join(f"{place.word(told.window_start + at)} {told.weights[at]:.0%}" for at in most)
    return [
        Content.assemble((f"L{layer}H{head}", "bold"), what),
        Content(f"At {place.word(place.number)} it takes of {now}"),
    ]


ATTENTION = Card(
    title="attention",
    words=f"""\
So far each token knows itself and its place. Attention lets it take from those before it ({START}
is before all). Learned matrices (qkv) make three vectors of each: a query, what it looks for; a
key, what it is found by; a value, what it gives. The dot product of query and key, over √D if
each has D numbers, is a score. Softmax makes shares of scores, which sum to 1; what is taken is
the sum of all values by their shares (Vaswani et al., 2017): written_out_attention in gpt.py.""",
    to_do="""\
Walk, and tab to other heads: where does a name look, where a full stop? A large share of
a small value brings little (last column).""",
    look=_attention,
)
MASK = Card(
    title="the mask",
    words="""\
In training the model guesses at every token what comes next, at all of them at once. If a token
saw what follows, it would copy the answer. So the scores of later tokens are set to minus
infinity before softmax (causal_mask in gpt.py): e to that power is 0, so their share is 0,
exactly. It pays in writing, too: what was computed for a token does not change as the story goes
on. Keys and values are kept (kv_cache.py), and a new token costs the work of one.""",
    to_do="""\
Walk: every row sums to 100 %, and behind its own token all is 0. tab: another head, other
shares, the same zeros.""",
    look=_mask,
)
HEADS = Card(
    title="heads",
    words="""\
Each layer does this several times side by side, each time with small matrices of its own: its
heads. A last matrix, proj, puts together what they bring (CausalSelfAttention in gpt.py). Nobody
gives a head its task; training does. A letter names those that give one place a fifth of all
their attention, and three times what chance would. The block beside it is how much the head
brings to the token under the cursor.""",
    to_do="""\
tab goes over the heads, and the bars under the story show where each looks. Find a p: is
the bar where it should be?""",
    look=_heads,
)
