"""What views tell, in small dataclasses that go through a pipe.

Nothing here needs numpy, which the app's process does without. Logarithms are natural; tokens of
a text, layers, heads and neurons are counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.asked import Asked as Asked
from mgpt_tui.inference.inspection.asked import Guess as Guess
from mgpt_tui.inference.inspection.asked import Interval as Interval
from mgpt_tui.inference.inspection.asked import Merge as Merge
from mgpt_tui.inference.inspection.asked import Near as Near
from mgpt_tui.inference.inspection.asked import Said as Said
from mgpt_tui.inference.inspection.asked import View as View
from mgpt_tui.inference.inspection.experiments import (
    AgainView,
    CostsView,
    FiringView,
    MuteView,
    TraceView,
    WhatIfView,
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A token of the text, and how surprising it was; see `surprise`.

    Attributes:
        token: its id.
        text: what it says.
        end: how many characters of the text there are up to its end.
        logprob: in nats, by the model alone.
        rank: 1 is the likeliest.
        entropy: of the choice, in nats.
    """

    token: int
    text: str
    end: int
    logprob: float
    rank: int
    entropy: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some tokens that belong together, and how surprising they are.

    Attributes:
        first, end: numbers of its first token and of the one behind the last.
        logprob: of all of them, in nats; of a word, with the chance that it ends there.
        characters: of its text.
    """

    first: int
    end: int
    logprob: float
    characters: int

    @property
    def bits(self) -> float:
        """Its surprisal."""
        return -self.logprob * BITS

    @property
    def bits_per_character(self) -> float:
        """Its surprisal by its length, which compares between vocabularies; 0.0 without text."""
        return self.bits / self.characters if self.characters else 0.0


@dataclass(frozen=True, slots=True)
class SurpriseView:
    """How surprising a text is.

    Attributes:
        tokens: all of the text.
        words, sentences: which tokens make them up.
        whole: the text.
        entropy: of what could come next, in nats.
    """

    tokens: tuple[Scored, ...]
    words: tuple[Stretch, ...]
    sentences: tuple[Stretch, ...]
    whole: Stretch
    entropy: float


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of its attention a head gives to what names a kind; see `attention`."""

    previous: float
    first: float
    same: float
    induction: float


@dataclass(frozen=True, slots=True)
class Head:
    """A head at a glance.

    Attributes:
        kind: of "previous", "first", "same", "induction", "none", over the whole window.
        shares: by which it is of this kind.
        most: the token that it takes most of here; 0 is `<|endoftext|>`.
        weight: of it.
        carried: size of all that it brings here, behind the projection.
    """

    kind: str
    shares: Shares
    most: int
    weight: float
    carried: float


@dataclass(frozen=True, slots=True)
class AttentionView:
    """What the choice of a token looked at.

    Attributes:
        window_start: number of the first token that the model sees, 0 for `<|endoftext|>`.
        heads: by layer and head.
        chance: what `shares` would be for a head that looks everywhere alike.
        weights: of the chosen head, over all tokens that it sees; they sum to 1.
        carried: of the same, sizes of what it brings from each of them.
    """

    window_start: int
    heads: tuple[tuple[Head, ...], ...]
    chance: Shares
    weights: tuple[float, ...]
    carried: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Station:
    """The guess at one place on the way; see `lens`.

    Attributes:
        station: "embedding", "A1" behind the attention of layer 1, "M1" behind its MLP ...
        top: the likeliest tokens, the likeliest first.
        p: of the target.
        rank: of the target, 1 is the likeliest.
    """

    station: str
    top: tuple[Guess, ...]
    p: float
    rank: int


@dataclass(frozen=True, slots=True)
class LensView:
    """What the model would guess if it stopped after each part.

    Attributes:
        target: the token whose chance is told.
        stations: 2 n_layer + 1 of them, in their order.
    """

    target: Said
    stations: tuple[Station, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """A logit, or a difference of two, and what it is the sum of; see `parts`.

    Attributes:
        logit: as the model gave it.
        embedding: of the token and its position.
        heads: by layer and head.
        mlps: by layer.
        rest: what biases and the norm add.
        rounding: what is left over.
        bound: `rounding` is no larger, whatever is rounded.
    """

    logit: float
    embedding: float
    heads: tuple[tuple[float, ...], ...]
    mlps: tuple[float, ...]
    rest: float
    rounding: float
    bound: float

    @property
    def sum(self) -> float:
        """Of all parts: the logit."""
        known = self.embedding + sum(map(sum, self.heads)) + sum(self.mlps)
        return known + self.rest + self.rounding

    @property
    def named(self) -> list[tuple[str, float]]:
        """All of them by name, as `names` spells them, the largest first."""
        heads = [
            (f"L{layer}H{head}", value)
            for layer, values in enumerate(self.heads, 1)
            for head, value in enumerate(values, 1)
        ]
        mlps = [(f"M{layer}", value) for layer, value in enumerate(self.mlps, 1)]
        others = [(name, getattr(self, name)) for name in ("embedding", "rest", "rounding")]
        return sorted([*heads, *mlps, *others], key=lambda entry: -abs(entry[1]))


@dataclass(frozen=True, slots=True)
class PartsView:
    """What the logit of a token is made of.

    Attributes:
        target: the token.
        minus: another one, whose logit is taken off.
        parts: the sum.
    """

    target: Said
    minus: Said | None
    parts: Parts


@dataclass(frozen=True, slots=True)
class Neuron:
    """A neuron at a token; see `neurons`.

    Attributes:
        layer, neuron: which.
        activation: after GELU.
        towards: what it adds to the target's logit.
    """

    layer: int
    neuron: int
    activation: float
    towards: float


@dataclass(frozen=True, slots=True)
class NeuronsView:
    """The most active neurons at a token.

    Attributes:
        target: the token towards whose logit they write.
        minus: another one, whose logit is taken off.
        strongest: of every layer, or of one, the most active first.
    """

    target: Said
    minus: Said | None
    strongest: tuple[Neuron, ...]


@dataclass(frozen=True, slots=True)
class TokensView:
    """A token, and its place.

    Attributes:
        target: the token.
        merges: of which it was made, in their order.
        neighbours: tokens with the nearest embeddings.
        position: where it stands in the window, from 0.
        positions: those with the nearest embeddings.
    """

    target: Said
    merges: tuple[Merge, ...]
    neighbours: tuple[Near, ...]
    position: int
    positions: tuple[Near, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a filter of the sampler has left; see `draw`.

    Attributes:
        filter: "model" before all of them, then as settings name them.
        left: how many tokens can still come.
        top: the likeliest of them, with their shares now.
        p: the target's share now; 0.0 where it is out.
    """

    filter: str
    left: int
    top: tuple[Guess, ...]
    p: float


@dataclass(frozen=True, slots=True)
class DrawView:
    """How a token was drawn.

    Attributes:
        target: the token that came.
        stages: what every filter left, in their order.
        uniform: the number in [0, 1) that decided; None where none did.
        drawn: what it drew; other than the target where another machine or model drew that.
        low, high: the share of [0, 1) that it fell into; of the target where there is no number.
        line: the shares of the likeliest, in the order in which they lie, that of ids.
    """

    target: Said
    stages: tuple[Stage, ...]
    uniform: float | None
    drawn: Said | None
    low: float
    high: float
    line: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class BesideView:
    """The look of another model, upon the same text.

    Attributes:
        surprise: of the text as it reads it.
        number: of its token at the character that was asked about; one more than there are behind
            the last.
        lens: what it would guess there.
    """

    surprise: SurpriseView
    number: int
    lens: LensView


Answer = (
    TokensView
    | SurpriseView
    | DrawView
    | AttentionView
    | LensView
    | PartsView
    | NeuronsView
    | MuteView
    | CostsView
    | WhatIfView
    | TraceView
    | AgainView
    | FiringView
    | BesideView
)
"""What a question about a text is answered with."""
