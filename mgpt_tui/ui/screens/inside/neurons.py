"""The most active neurons of a layer, and what each writes towards the token."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from textual.content import Content
from textual.style import Style

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.answers import Answer, Asked, Neuron, NeuronsView, View
from mgpt_tui.inference.inspection.experiments import Fired, FiringView
from mgpt_tui.inference.inspection.names import Part
from mgpt_tui.text import one_line
from mgpt_tui.ui.screens.inside.sight import (
    Bars,
    Chosen,
    Field,
    Place,
    Sight,
    Slow,
    Spot,
    said,
    signed,
)
from mgpt_tui.ui.screens.inside.surprise import of_text
from mgpt_tui.ui.session.asking import Wanted

COUNT = 10
"""Neurons of each layer that are told of."""
STORIES = 5
"""Other stories in which one is shown."""
NAME = re.compile(r"N(\d{1,6})\.(\d{1,6})")


def ask(spot: Spot) -> Wanted:
    """The most active of all layers."""
    return Wanted(Asked(View.NEURONS, spot.asked_number, count=COUNT))


def ask_firing(spot: Spot) -> Wanted | None:
    """Where the chosen neuron fires."""
    match = NAME.fullmatch(spot.chosen.neuron)
    if match is None:
        return None
    layer, index = int(match[1]), int(match[2])
    return Wanted(Asked(View.FIRING, spot.asked_number, layer=layer, index=index, count=STORIES))


def bars(answer: Answer, place: Place) -> Bars:
    """How active the chosen neuron is at every token, as parts of the most."""
    told = place.slowly.answer
    if not isinstance(told, FiringView):
        return of_text(place.text)
    of_words = told.activations[told.first == 0 :]  # without <|endoftext|>, like no other token
    most = max(map(abs, of_words), default=0.0) or 1.0
    return Bars([active / most for active in told.activations], told.first)


def draw(answer: Answer, place: Place) -> list[Content]:
    """A line for each of one layer, and where the chosen one fires."""
    assert isinstance(answer, NeuronsView)
    of_layer = [neuron for neuron in answer.strongest if neuron.layer == place.chosen.layer]
    largest = max((abs(neuron.towards) for neuron in answer.strongest), default=0.0)
    width = max(12, min(60, place.width - 32))
    head = f"neuron     activation   towards {said(answer.target.text)}"
    firing = _firing(place)
    rows = max(3, place.rows - 2 - len(firing)) if firing else max(1, place.rows - 3)
    return [
        Content.styled(
            f"layer {place.chosen.layer}, the most active · tab: the next layer", "bold"
        ),
        Content.styled(head, "dim"),
        *(_line(neuron, place, largest, width) for neuron in of_layer[:rows]),
        *(firing or [Content.styled("j k or a click: where does one fire? · p: by name", "dim")]),
    ]


def _line(neuron: Neuron, place: Place, largest: float, width: int) -> Content:
    name = _name(neuron)
    shown = Content.assemble(
        (f"{name:<10}", "reverse bold" if name == place.chosen.neuron else ""),
        f"{neuron.activation:+11.3f}{neuron.towards:+9.3f}  ",
        signed(neuron.towards, largest, width),
    )
    return shown.stylize(Style.from_meta({"@click": f"screen.neuron({name!r})"}))


def _name(neuron: Neuron) -> str:
    return str(Part("neuron", neuron.layer, neuron.neuron))


def _firing(place: Place) -> list[Content]:
    """Where the chosen neuron fires: most in this story, and in others."""
    told = place.slowly.answer
    if not place.chosen.neuron:
        return []
    if not isinstance(told, FiringView):
        return [Content(place.slowly.trouble or "the model looks…")]
    tokens = range(max(1, told.first), told.first + len(told.activations))
    most = max(tokens, key=lambda number: told.activations[number - told.first], default=0)
    here = ""
    if 0 < most <= len(place.text.tokens):
        active = told.activations[most - told.first]
        here = f" · most at {place.word(most)}, token {most} ({active:+.2f})"
    room = max(1, min(len(told.elsewhere), place.rows - 7))
    return [
        Content.assemble((place.chosen.neuron, "bold"), f" below the story{here}"),
        Content.styled("in stories that come along · j k: another · p: by name", "dim"),
        *(_elsewhere(fired, place.width) for fired in told.elsewhere[:room]),
    ]


def _elsewhere(fired: Fired, width: int) -> Content:
    """The token among its neighbours, in one column below those of other stories."""
    word = said(fired.text)
    side = max(8, (width - 10 - len(word)) // 2)
    before = one_line(fired.before)[-side:]
    return Content.assemble(
        f"{fired.activation:+8.2f}  {before:>{side}}",
        (word, "bold reverse"),
        one_line(fired.after)[:side],
    )


def _next(by: int) -> Callable[[Place], Chosen]:
    """Choose the next neuron of the layer, or the one before."""

    def choose(place: Place) -> Chosen:
        chosen, answer = place.chosen, place.answer
        if not isinstance(answer, NeuronsView):
            return chosen
        names = [_name(each) for each in answer.strongest if each.layer == chosen.layer]
        if chosen.neuron in names:
            return replace(chosen, neuron=names[(names.index(chosen.neuron) + by) % len(names)])
        return replace(chosen, neuron=names[0 if by > 0 else -1])

    return choose


def _take(typed: str, place: Place) -> Chosen:
    """Raises: UserError where it is no name of a neuron; whether the model has it, that says."""
    name = typed.strip().upper()
    if name and NAME.fullmatch(name) is None:
        raise UserError(f"{typed.strip()!r} is no neuron.", "Name one as N4.77, or nothing.")
    return replace(place.chosen, neuron=name)


def _step(by: int) -> Callable[[Answer, Chosen], Chosen]:
    """Choose the next layer, or the one before."""

    def step(answer: Answer, chosen: Chosen) -> Chosen:
        assert isinstance(answer, NeuronsView)
        n_layer = max((neuron.layer for neuron in answer.strongest), default=1)
        return replace(chosen, layer=(chosen.layer - 1 + by) % n_layer + 1)

    return step


SIGHT = Sight(
    digit="6",
    title="neurons",
    line="Which neurons of the MLPs fired, for or against the word; where one does.",
    about="""\
A neuron's activation is its number after GELU. What it writes to the stream is its activation
times its column of the MLP's projection (Geva et al., "Transformer Feed-Forward Layers Build
Predictions by Promoting Concepts in the Vocabulary Space", 2022); what that adds to the token's
logit is measured as in parts. All neurons of a layer together add what its MLP adds.

Where a neuron fires: below the story its activation at every token of the window, as a part of the
most (░▒▓ below 0); and its most active token in each of the shipped stories, the most active first.

In gpt.py: hook("neurons", ...), then MLP.proj.""",
    ask=ask,
    draw=draw,
    bars=bars,
    fields={"p": Field("neuron, as N4.77:", lambda place: place.chosen.neuron, _take)},
    slow=Slow(
        {"j": _next(1), "k": _next(-1)},
        lambda chosen: replace(chosen, neuron=""),
        ask_firing,
    ),
    keys={"tab": _step(1), "shift+tab": _step(-1)},
)
