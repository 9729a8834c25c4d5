"""What is told where more is computed than how a text came about: parts muted, words changed, other
texts read. Small dataclasses for a pipe."""

from __future__ import annotations

from dataclasses import dataclass

from mgpt_tui.inference.inspection.asked import Guess, Said


@dataclass(frozen=True, slots=True)
class Shape:
    """How many layers a model has, and how many heads and neurons are in each."""

    layers: int
    heads: int
    neurons: int


@dataclass(frozen=True, slots=True)
class MuteView:
    """What a text is without some parts of the model; nothing may be muted, too.

    Attributes:
        parts: their names.
        logprobs: of every token of the text without them, in nats.
        bits: by which the whole text is more surprising.
        before: the likeliest tokens at the choice that is looked at, by the whole model.
        top: the same without the parts.
        shape: what could be muted.
    """

    parts: tuple[str, ...]
    logprobs: tuple[float, ...]
    bits: float
    before: tuple[Guess, ...]
    top: tuple[Guess, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Cost:
    """What a part does for a text.

    Attributes:
        part: its name.
        bits: by which the text is more surprising without it; below 0 it does harm.
    """

    part: str
    bits: float


@dataclass(frozen=True, slots=True)
class CostsView:
    """What heads cost.

    Attributes:
        costs: of those that are known by now.
        total: how many heads there are.
    """

    costs: tuple[Cost, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Redrawn:
    """A passage drawn once more, and how far it is as it was.

    Attributes:
        text: what has come by now.
        tokens: how many have.
        same: how many characters are as they were: up to the first token that is another.
        same_tokens: how many tokens that are.
    """

    text: str = ""
    tokens: int = 0
    same: int = 0
    same_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AgainView:
    """A passage written again with its seed: as it was, then while other parts are muted.

    Both are drawn by one decoder, so that what makes them differ is what is muted.

    Attributes:
        before: with what was muted when it was written, held against the recorded passage.
        after: with what is to be muted, held against `before`; empty until that is whole.
        precision: of the decoder.
    """

    before: Redrawn
    after: Redrawn
    precision: str


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """What another word changes.

    Attributes:
        first, end: numbers of the first token that is another, and of the one behind the last.
        added: by how many bits each token from `end` on is more surprising than before.
    """

    first: int
    end: int
    added: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """How much of a change is undone at one token, station by station; see `tracing`."""

    token: int
    undone: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TraceView:
    """Where a change matters.

    Attributes:
        target: the token whose chance is traced.
        original, changed: its log-probability in both texts, in nats.
        columns: of the tokens that are known by now, the last of the text first.
        total: how many there will be.
    """

    target: Said
    original: float
    changed: float
    columns: tuple[Column, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Fired:
    """A token at which a neuron is active, in some other text.

    Attributes:
        before, text, after: some words before the token, the token, and some words after it.
        activation: after GELU.
    """

    before: str
    text: str
    after: str
    activation: float


@dataclass(frozen=True, slots=True)
class FiringView:
    """Where a neuron fires.

    Attributes:
        layer, neuron: which.
        first: number of the first token of the window; 0 is `<|endoftext|>`.
        activations: at every token of the window.
        elsewhere: where it is most active in each of the shipped stories, the most active first.
    """

    layer: int
    neuron: int
    first: int
    activations: tuple[float, ...]
    elsewhere: tuple[Fired, ...]
