"""The neurons of the MLPs: how active they are at a token, and what each writes.

A neuron's activation is its number after GELU. What it writes to the residual stream is its
activation times its column of the MLP's projection (Geva et al., "Transformer Feed-Forward Layers
Build Predictions by Promoting Concepts in the Vocabulary Space", 2022); what that adds to the
logit of a token is measured as in `parts`, with the final norm frozen. All neurons of a layer
together add what its MLP adds.

In gpt.py: `hook("neurons", ...)`, then `MLP.proj`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.answers import Neuron
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Window

if TYPE_CHECKING:
    from mgpt_tui.inference.decoders.decoder import OpenDecoder


def neurons(
    window: Window,
    number: int,
    weights: Weights,
    target: int,
    minus: int | None = None,
    n_strongest: int = 10,
) -> tuple[Neuron, ...]:
    """The most active neurons where token `number` was chosen, layer by layer.

    Args:
        window: in which it was chosen.
        number: of the token.
        weights: of the model.
        target: towards whose logit.
        minus: another token, whose logit is taken off.
        n_strongest: how many of each layer, those whose activations are farthest from 0 first.
    """
    record, row = window.record("neurons", "rstd"), window.row(number)
    towards = weights.towards(record.rstd[-1, row], target, minus)
    found: list[Neuron] = []
    for layer, active in enumerate(record.neurons[:, row]):
        order = np.argsort(-np.abs(active), kind="stable")[:n_strongest]
        writes = written(weights, layer, towards)
        found += [
            Neuron(layer + 1, int(at) + 1, float(active[at]), float(active[at] * writes[at]))
            for at in order
        ]
    return tuple(found)


def written(weights: Weights, layer: int, towards: Floats) -> Floats:
    """(F,): what each neuron of a layer adds to a logit for an activation of 1; fp64."""
    found: Floats = towards @ weights[f"blocks.{layer}.mlp.proj.weight"]
    return found


def firing(window: Window, layer: int, neuron: int) -> Floats:
    """(T,): the activation of one neuron, both from 1, at every token of a window."""
    return window.record("neurons").neurons[layer - 1, :, neuron - 1]


class Peaks:
    """Where each neuron is most active in each of some stories.

    `<|endoftext|>`, which begins each, is left out: it is like no other token.

    Args:
        decoder: which reads them.
        stories: tokens of each, at least two; what the model cannot see at once is left out.
    """

    def __init__(self, decoder: OpenDecoder, stories: Sequence[Sequence[int]]) -> None:
        places, activations = [], []
        for story in stories:
            read = story[: decoder.config.block_size]
            active = decoder.recorded(read, ["neurons"]).neurons[:, 1:]
            places.append(active.argmax(1) + 1)
            activations.append(active.max(1))
        self._places, self._activations = np.stack(places), np.stack(activations)

    def of(self, layer: int, neuron: int) -> list[tuple[int, int, float]]:
        """The story, the token's number there, and the activation, the highest first.

        Args:
            layer, neuron: from 1.
        """
        active = self._activations[:, layer - 1, neuron - 1]
        return [
            (int(story), int(self._places[story, layer - 1, neuron - 1]), float(active[story]))
            for story in np.argsort(-active, kind="stable")
        ]
