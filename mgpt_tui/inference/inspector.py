"""The model looked into: what the command line and the app ask about a text, view by view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.answers import (
    AttentionView,
    Guess,
    Head,
    LensView,
    NeuronsView,
    PartsView,
    Said,
    Scored,
    Shares,
    SurpriseView,
    TokensView,
)
from mgpt_tui.inference.inspection.attention import (
    KINDS,
    carried,
    gathered_sizes,
    head_kinds,
    kind_of,
    weights_of,
)
from mgpt_tui.inference.inspection.experiments import Fired, FiringView
from mgpt_tui.inference.inspection.lens import guesses, lens, likeliest
from mgpt_tui.inference.inspection.mute import Means, tokens_of
from mgpt_tui.inference.inspection.neurons import Peaks, firing, neurons
from mgpt_tui.inference.inspection.parts import parts
from mgpt_tui.inference.inspection.surprise import Surprise, text_ends
from mgpt_tui.inference.inspection.vocabulary import merges, near_positions, near_tokens
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Reading, Window
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import clean_text

if TYPE_CHECKING:
    from mgpt_tui.inference.decoders.decoder import OpenDecoder

AROUND = 8
"""Tokens before and after one of another text that are told with it."""


class Inspector:
    """Keeps what was read and computed for one text, so that walking in it costs little.

    A text is its tokens with `<|endoftext|>` in front, and `number` the token whose choice is
    asked for, from 1; one more than there are asks for what could come next.

    Args:
        decoder: the model.
        tokenizer: its own.
        text_of: what a token says, as it is to be shown; cleaned, if left out.

    Attributes:
        weights: of the model.
    """

    def __init__(
        self,
        decoder: OpenDecoder,
        tokenizer: Tokenizer,
        text_of: Callable[[int], str] | None = None,
    ) -> None:
        self.decoder, self.tokenizer = decoder, tokenizer
        self.weights = Weights(decoder)
        self.text_of = text_of or (lambda token: clean_text(tokenizer.decode([token])))
        self._reading: Reading | None = None
        self._surprise: Surprise | None = None
        self._kinds: tuple[Window, list[list[tuple[str, Shares]]], Shares] | None = None

    def read(self, tokens: Sequence[int]) -> Reading:
        """A text; what was computed before is kept where it is the same.

        Raises:
            UserError: where there is no text.
        """
        if len(tokens) < 2:
            raise UserError("There is no text to look into.", "Write something first.")
        if self._reading is None or self._reading.tokens != tuple(tokens):
            self._reading, self._surprise, self._kinds = Reading(self.decoder, tokens), None, None
        return self._reading

    def scores(self, tokens: Sequence[int]) -> Surprise:
        """How surprising a text is, as arrays."""
        reading = self.read(tokens)
        if self._surprise is None:
            self._surprise = Surprise(reading, self.tokenizer)
        return self._surprise

    def surprise(self, tokens: Sequence[int]) -> SurpriseView:
        """How surprising every token, word and sentence is."""
        found = self.scores(tokens)
        scores = found.scores
        rows = zip(
            tokens[1:],
            text_ends(tokens[1:], self.tokenizer),
            *(scores.logprobs.tolist(), scores.ranks.tolist(), scores.entropies.tolist()),
            strict=False,  # of entropies there is one more
        )
        return SurpriseView(
            tokens=tuple(Scored(token, self.text_of(token), *rest) for token, *rest in rows),
            words=found.words,
            sentences=found.sentences,
            whole=found.whole(),
            entropy=float(scores.entropies[-1]),
        )

    def attention(
        self, tokens: Sequence[int], number: int | None, layer: int = 1, head: int = 1
    ) -> AttentionView:
        """What the choice of a token looked at; `layer` and `head` choose whose weights to tell.

        Raises:
            UserError: where there is no such token or head.
        """
        window, number = self._window(tokens, number)
        self._check("layer", layer, self.weights.config.n_layer)
        self._check("head", head, self.weights.config.n_head)
        _, kinds, chance = self._head_kinds(window)
        weights, sizes = weights_of(window, number), gathered_sizes(window, number, self.weights)
        heads = tuple(
            tuple(
                Head(*kind, window.start + int(row.argmax()), float(row.max()), float(size))
                for kind, row, size in zip(*of_layer, strict=True)
            )
            for of_layer in zip(kinds, weights, sizes, strict=True)
        )
        own = (layer - 1, head - 1)
        brought = carried(window, number, self.weights)[own]
        return AttentionView(
            window.start, heads, chance, tuple(weights[own].tolist()), tuple(brought.tolist())
        )

    def lens(
        self,
        tokens: Sequence[int],
        number: int | None,
        target: int | str | None = None,
        count: int = 5,
    ) -> LensView:
        """What the model would guess after each part, `count` guesses each."""
        window, number = self._window(tokens, number)
        chosen = self.target(tokens, number, target)
        found = lens(window, number, self.weights, chosen, self.text_of, count)
        return LensView(self.said(chosen), found)

    def parts(
        self,
        tokens: Sequence[int],
        number: int | None,
        target: int | str | None = None,
        minus: int | str | None = None,
        *,
        rival: bool = False,
    ) -> PartsView:
        """What the target's logit is made of, or its difference to that of `minus`.

        With `rival`, where there is no `minus`, to that of the likeliest other token.
        """
        window, number = self._window(tokens, number)
        chosen, other = self._compared(tokens, number, target, minus)
        if rival and other is None:
            best = likeliest(self._logits(tokens, number), 2)
            other = next(token for token in best if token != chosen)
        found = parts(window, number, self.weights, chosen, other)
        return PartsView(self.said(chosen), None if other is None else self.said(other), found)

    def neurons(
        self,
        tokens: Sequence[int],
        number: int | None,
        target: int | str | None = None,
        minus: int | str | None = None,
        count: int = 10,
    ) -> NeuronsView:
        """The `count` most active neurons of each layer, and what they write."""
        window, number = self._window(tokens, number)
        chosen, other = self._compared(tokens, number, target, minus)
        found = neurons(window, number, self.weights, chosen, other, count)
        return NeuronsView(self.said(chosen), None if other is None else self.said(other), found)

    def token(self, tokens: Sequence[int], number: int | None, count: int = 5) -> TokensView:
        """A token by itself and its place: of the text, or the likeliest to come."""
        reading = self.read(tokens)
        number = reading.check(number)
        token = self.target(tokens, number)
        position = number - reading.config.window_start(number)
        position = min(position, reading.config.block_size - 1)  # where a seam comes next
        return TokensView(
            target=self.said(token),
            merges=merges(self.tokenizer, token),
            neighbours=near_tokens(self.weights, token, self.text_of, count),
            position=position,
            positions=near_positions(self.weights, position, count),
        )

    def guesses(self, tokens: Sequence[int], number: int, count: int) -> tuple[Guess, ...]:
        """The likeliest tokens where one was chosen."""
        return guesses(self.read(tokens).logits(range(number, number + 1))[0], self.text_of, count)

    def firing(
        self, tokens: Sequence[int], number: int | None, layer: int, neuron: int, count: int = 5
    ) -> FiringView:
        """Where a neuron fires: in the window of a token, and in `count` of the shipped stories.

        Raises:
            UserError: where there is no such token, layer or neuron.
        """
        window, number = self._window(tokens, number)
        self._check("layer", layer, self.weights.config.n_layer)
        active = window.record("neurons").neurons
        self._check("neuron", neuron, active.shape[2])
        return FiringView(
            layer=layer,
            neuron=neuron,
            first=window.start,
            activations=tuple(firing(window, layer, neuron).tolist()),
            elsewhere=tuple(self._fired(*peak) for peak in self._peaks.of(layer, neuron)[:count]),
        )

    def _fired(self, story: int, at: int, activation: float) -> Fired:
        tokens, around = self._shipped[story], AROUND
        said = [
            clean_text(self.tokenizer.decode(part))
            for part in (tokens[max(1, at - around) : at], tokens[at + 1 : at + 1 + around])
        ]
        return Fired(said[0], self.text_of(tokens[at]), said[1], activation)

    @cached_property
    def _peaks(self) -> Peaks:
        return Peaks(self.decoder, self._shipped)

    @cached_property
    def _shipped(self) -> list[list[int]]:
        return tokens_of(shipped_stories(), self.tokenizer)

    @cached_property
    def means(self) -> Means:
        """Of the model's parts over the shipped stories."""
        return Means(self.decoder, self._shipped)

    def said(self, token: int) -> Said:
        """A token with its text."""
        return Said(token, self.text_of(token))

    def target(self, tokens: Sequence[int], number: int, asked: int | str | None = None) -> int:
        """The token whose chance and logit is told: what was asked for, else what came, else the
        likeliest.

        Raises:
            UserError: where what was asked for is no token.
        """
        if isinstance(asked, str):
            return self.tokenizer.one_token(asked)
        if asked is not None:
            if asked >= self.tokenizer.vocab_size:
                raise UserError(f"There is no token {asked}.", "Name one of this model's.")
            return asked
        if number < len(tokens):
            return tokens[number]
        return likeliest(self._logits(tokens, number), 1)[0]

    def _logits(self, tokens: Sequence[int], number: int) -> Floats:
        """(V,), by which a token was chosen."""
        window = self.read(tokens).window(number)
        record = window.record("logits")
        found: Floats = record.logits[record.logit_rows.index(window.row(number))]
        return found

    def _compared(
        self, tokens: Sequence[int], number: int, target: int | str | None, minus: int | str | None
    ) -> tuple[int, int | None]:
        """The token whose logit is told, and the one that it is compared with, if any."""
        other = None if minus is None else self.target(tokens, number, minus)
        return self.target(tokens, number, target), other

    def _window(self, tokens: Sequence[int], number: int | None) -> tuple[Window, int]:
        reading = self.read(tokens)
        number = reading.check(number)
        return reading.window(number), number

    def _head_kinds(self, window: Window) -> tuple[Window, list[list[tuple[str, Shares]]], Shares]:
        """Kinds and shares by layer and head, and chance levels; kept for one window."""
        if self._kinds is None or self._kinds[0] is not window:
            shares, chance = head_kinds(window)
            kinds = [
                [_kind(dict(zip(KINDS, of_head, strict=True)), chance) for of_head in of_layer]
                for of_layer in np.stack([shares[kind] for kind in KINDS], axis=-1).tolist()
            ]
            self._kinds = window, kinds, Shares(**chance)
        return self._kinds

    def _check(self, what: str, number: int, many: int) -> None:
        if not 1 <= number <= many:
            raise UserError(f"The model has no {what} {number}.", f"Name one from 1 to {many}.")


def _kind(shares: dict[str, float], chance: dict[str, float]) -> tuple[str, Shares]:
    return kind_of(shares, chance), Shares(**shares)
