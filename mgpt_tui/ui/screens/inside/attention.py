"""What the choice of the token looked at: all heads at a glance, and one of them closely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.content import Content
from textual.style import Style

from mgpt_tui.inference.inspection.answers import Answer, Asked, AttentionView, Head, View
from mgpt_tui.inference.inspection.asked import LETTERS
from mgpt_tui.ui.screens.inside.sight import (
    Bars,
    Chosen,
    Place,
    Sight,
    Spot,
    bar,
    cells,
    percent,
)
from mgpt_tui.ui.session.asking import Wanted

BLOCKS = "▁▂▃▄▅▆▇█"
LEGEND = (
    "p the token before, f the first one,",
    "s the same token earlier, i what came",
    "after it, · none; the bar: how much",
    "it brought. tab or a click: a head;",
    "c: what it brought, not the weights",
)


def ask(spot: Spot) -> Wanted:
    """The heads, and the weights of the chosen one."""
    at = spot.chosen
    return Wanted(Asked(View.ATTENTION, spot.asked_number, layer=at.layer, index=at.head))


def draw(answer: Answer, place: Place) -> list[Content]:
    """A grid of layers and heads, and where the chosen head looked."""
    assert isinstance(answer, AttentionView)
    lines = [*_grid(answer, place), *_of_head(answer, place)]
    return lines + _most(answer, place, max(1, place.rows - len(lines)))


def bars(answer: Answer, place: Place) -> Bars:
    """How much of all that the chosen head looked at, or what that brought."""
    assert isinstance(answer, AttentionView)
    return bars_of(answer, carried=place.chosen.carried)


def bars_of(answer: AttentionView, *, carried: bool = False) -> Bars:
    """The same, without a place."""
    by = answer.carried if carried else answer.weights
    largest = max(by, default=0.0)
    levels = [value / largest if largest else 0.0 for value in by]
    return Bars(levels, answer.window_start)


def _step(by: int) -> Callable[[Answer, Chosen], Chosen]:
    """Choose the next head, or the one before."""

    def step(answer: Answer, chosen: Chosen) -> Chosen:
        assert isinstance(answer, AttentionView)
        n_layer, n_head = len(answer.heads), len(answer.heads[0])
        at = ((chosen.layer - 1) * n_head + chosen.head - 1 + by) % (n_layer * n_head)
        return replace(chosen, layer=at // n_head + 1, head=at % n_head + 1)

    return step


def _grid(answer: AttentionView, place: Place) -> list[Content]:
    largest = max((head.carried for heads in answer.heads for head in heads), default=0.0)
    lines = []
    for layer, heads in enumerate(answer.heads, 1):
        marks = [
            _mark(
                head,
                layer,
                number,
                largest,
                (layer, number) == (place.chosen.layer, place.chosen.head),
            )
            for number, head in enumerate(heads, 1)
        ]
        note = LEGEND[layer - 1] if layer <= len(LEGEND) else ""
        lines.append(Content.assemble(f"layer {layer:<2} ", *marks, (f"  {note}", "dim")))
    return lines


def _mark(head: Head, layer: int, number: int, largest: float, chosen: bool) -> Content:
    size = head.carried / largest if largest else 0.0
    block = BLOCKS[min(7, int(8 * size))]
    click = Style.from_meta({"@click": f"screen.head({layer}, {number})"})
    mark = Content.assemble(LETTERS.get(head.kind, "·"), (block, "$accent"))
    mark = mark.stylize("reverse bold") if chosen else mark
    return Content.assemble(mark.stylize(click), " ")


def _of_head(answer: AttentionView, place: Place) -> list[Content]:
    head = answer.heads[place.chosen.layer - 1][place.chosen.head - 1]
    shares = "   ".join(
        f"{letter} {getattr(head.shares, kind):.2f} ({getattr(answer.chance, kind):.2f})"
        for kind, letter in LETTERS.items()
        if kind != "none"
    )
    name = f"L{place.chosen.layer}H{place.chosen.head}: {head.kind}"
    return [
        Content.assemble((name, "bold"), ". Its attention over the story (by chance):"),
        Content.styled(shares, "dim"),
    ]


def _most(answer: AttentionView, place: Place, rows: int) -> list[Content]:
    """The tokens that the chosen head took most of."""
    by, shown = (answer.carried if place.chosen.carried else answer.weights), []
    largest = max(answer.carried, default=0.0)
    for at in sorted(range(len(by)), key=lambda at: -by[at])[:rows]:
        number = answer.window_start + at
        share = answer.weights[at]
        size = answer.carried[at] / largest if largest else 0.0
        shown.append(
            Content.assemble(
                f"{cells(place.word(number), 13)}{number:>5}  {percent(share)}  ",
                (cells(bar(share, 12), 13), "$accent"),
                f"brought {answer.carried[at]:6.2f} ",
                (bar(size, 10), "$secondary"),
            )
        )
    return shown


SIGHT = Sight(
    digit="3",
    title="attention",
    line="Which earlier words each head looked at when the word was chosen.",
    about="""\
Weights: softmax(Q K^T / sqrt(D)) of the query at the token before, whose scores choose (Vaswani
et al. 2017, formula 1). What is brought: |a * W_O v|, the size of the weighted value behind the
projection (Kobayashi et al., "Attention is Not Only a Weight", 2020): much attention to the first
token carries nearly nothing.

Kinds are shares of a head's attention over the whole window that go to the token before, the
first one, an equal token earlier, or the one after such (induction; Olsson et al. 2022); chance
is the share of a head that looks everywhere alike.

In gpt.py: written_out_attention, and CausalSelfAttention.proj.""",
    ask=ask,
    draw=draw,
    bars=bars,
    keys={
        "tab": _step(1),
        "shift+tab": _step(-1),
        "c": lambda _, chosen: replace(chosen, carried=not chosen.carried),
    },
)
