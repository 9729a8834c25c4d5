"""Parts of a model switched off, and what that does to the chance of every token.

A part is muted by setting what it computes to zero, or to its mean over the shipped stories: zero
is nothing that the parts behind it are used to, so the mean tells more fairly what the part knows
of this text (Wang et al., "Interpretability in the Wild", 2022, appendix B). A head is muted where
it has gathered, **before** the output projection; behind it the heads are mixed, and columns cut
there are no head's.

A part costs what the surprisal of the text rises by without it. Heads that cost nothing may still
do something: others can stand in for them (McGrath et al., "The Hydra Effect", 2023).

In gpt.py: what a `Hook` returns for "gathered", "added" or "neurons" is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.record import Begin, Floats
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.experiments import Cost
from mgpt_tui.inference.inspection.names import Part, all_heads
from mgpt_tui.inference.inspection.surprise import Numbers, logprobs_of
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.model.tokenizer import Tokenizer

if TYPE_CHECKING:
    from mgpt_tui.inference.decoders.decoder import OpenDecoder


class Means:
    """What each part of a model computes on the mean over all tokens of some stories.

    `<|endoftext|>`, which begins each, is left out: it is like no other token.

    Args:
        decoder: which reads them.
        stories: tokens of each, `<|endoftext|>` in front; what the model cannot see is left out.
    """

    def __init__(self, decoder: OpenDecoder, stories: Sequence[Sequence[int]]) -> None:
        names, count = ("gathered", "added", "neurons"), 0
        sums: dict[str, Floats] = {}
        for story in stories:
            tokens = story[: decoder.config.block_size]
            record = decoder.recorded(tokens, names)
            for name in names:
                array = getattr(record, name)[:, 1:]
                sums[name] = sums.get(name, 0.0) + array.sum(1, dtype=np.float64)
            count += len(tokens) - 1
        mean = {name: total / count for name, total in sums.items()}
        self._gathered, self._added, self._neurons = (mean[name] for name in names)

    def vector(self, part: Part) -> Floats:
        """(size,) of a head, an attention, an MLP or a neuron, as an `Edit` takes it; fp64."""
        layer, index = part.layer - 1, part.index - 1
        match part.kind:
            case "head":
                found: Floats = self._gathered[layer, index]
            case "neuron":
                found = self._neurons[layer, index : index + 1]
            case _:
                found = self._added[2 * layer + (part.kind == "mlp")]
        return found


def tokens_of(stories: Sequence[str], tokenizer: Tokenizer) -> list[list[int]]:
    """Stories as a model reads them."""
    return [[tokenizer.end_token, *tokenizer.encode(story)] for story in stories]


def edits_of(parts: Sequence[Part], means: Means | None = None) -> list[Edit]:
    """What switches parts off.

    Args:
        parts: which the model has.
        means: what stands in their places; zero if left out.
    """
    return [
        Edit(
            part=piece.kind,
            layer=piece.layer - 1,
            index=piece.index - 1 if piece.index else None,
            factor=0,
            vector=None if means is None else means.vector(piece),
        )
        for part in parts
        for piece in part.pieces
    ]


def muted_logprobs(reading: Reading, parts: Sequence[Part], means: Means | None = None) -> Numbers:
    """(n_tokens,), of every token of a text without these parts, in nats.

    Args:
        reading: the text.
        parts: to mute.
        means: see `edits_of`.
    """
    found = [
        logprobs_of(
            muted_logits(reading, numbers, parts, means),
            reading.tokens[numbers.start : numbers.stop],
        )
        for numbers in reading.chosen()
    ]
    return np.concatenate(found) if found else np.empty(0)


def head_costs(reading: Reading, logprobs: Numbers, means: Means | None = None) -> Iterator[Cost]:
    """What every head costs, one after the other as they are computed.

    Args:
        reading: the text.
        logprobs: (n_tokens,), of its tokens by the whole model.
        means: see `edits_of`.
    """
    for part in all_heads(reading.config):
        without = muted_logprobs(reading, [part], means)
        yield Cost(str(part), float((logprobs - without).sum()) * BITS)


def muted_logits(
    reading: Reading, numbers: range, parts: Sequence[Part], means: Means | None = None
) -> Floats:
    """(len(numbers), V), by which these tokens, all of one window, would have been chosen.

    In the window that is looked at, what stands before the parts is not computed again.

    Args:
        reading: the text.
        numbers: of the tokens.
        parts: to mute.
        means: see `edits_of`.
    """
    if not parts:
        return reading.logits(numbers)
    decoder = reading.decoder.edited(edits_of(parts, means))
    start = reading.config.window_start(numbers[0])
    tokens = reading.tokens[start : numbers[-1]]
    station, begin = min(part.station for part in parts), None
    if station and (stream := reading.stream(start)) is not None:
        begin = Begin(station, stream[station, : len(tokens)])
    rows = [number - 1 - start for number in numbers]
    return decoder.recorded(tokens, ["logits"], rows, begin=begin).logits
