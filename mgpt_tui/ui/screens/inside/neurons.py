"""The most active neurons of a layer, and what each writes towards the token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, NeuronsView, View
from mgpt_tui.ui.screens.inside.sight import Chosen, Place, Sight, Spot, said, signed
from mgpt_tui.ui.session.asking import Wanted

COUNT = 10
"""Neurons of each layer that are told of."""


def ask(spot: Spot) -> Wanted:
    """The most active of all layers."""
    return Wanted(Asked(View.NEURONS, spot.asked_number, count=COUNT))


def draw(answer: Answer, place: Place) -> list[Content]:
    """A line for each of one layer."""
    assert isinstance(answer, NeuronsView)
    of_layer = [neuron for neuron in answer.strongest if neuron.layer == place.chosen.layer]
    largest = max((abs(neuron.towards) for neuron in answer.strongest), default=0.0)
    width = max(12, min(60, place.width - 32))
    head = f"neuron     activation   towards {said(answer.target.text)}"
    return [
        Content.styled(
            f"layer {place.chosen.layer}, the most active · tab: the next layer", "bold"
        ),
        Content.styled(head, "dim"),
        *(
            Content.assemble(
                f"{f'N{neuron.layer}.{neuron.neuron}':<10}{neuron.activation:+11.3f}"
                f"{neuron.towards:+9.3f}  ",
                signed(neuron.towards, largest, width),
            )
            for neuron in of_layer[: max(1, place.rows - 2)]
        ),
    ]


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
    line="Which neurons of the MLPs fired, and whether for the word or against it.",
    about="""\
A neuron's activation is its number after GELU. What it writes to the stream is its activation
times its column of the MLP's projection (Geva et al., "Transformer Feed-Forward Layers Build
Predictions by Promoting Concepts in the Vocabulary Space", 2022); what that adds to the token's
logit is measured as in parts. All neurons of a layer together add what its MLP adds.

In gpt.py: hook("neurons", ...), then MLP.proj.""",
    ask=ask,
    draw=draw,
    keys={"tab": _step(1), "shift+tab": _step(-1)},
)
