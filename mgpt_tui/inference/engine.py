"""The engine: continues a text, token by token.

Three storeys, each usable by itself:

    Engine.next_logits   tokens so far -> logits of the next one    (window, cache)
    Engine.steps         -> token ids, and what each step knows     (sampling)
    Engine.stream        -> text                                    (characters, cleaning)

The upper two are iterators, so to stop is to stop iterating. `Engine.together` makes several
texts at once, of which each is such an iterator too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.errors import UserError
from mgpt_tui.inference.chances import chances
from mgpt_tui.inference.closing import says_the_end
from mgpt_tui.inference.decoders.decoder import Decoder
from mgpt_tui.inference.held_back import Beginning, Spelling
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import (
    ContextPart,
    Distribution,
    Note,
    SamplingSettings,
    Until,
    fresh_seed,
    seed_after,
)
from mgpt_tui.inference.said.wishes import wishes_of
from mgpt_tui.inference.sampling import Logits
from mgpt_tui.inference.steps import Batch, Continuation, Rules, Step, alone
from mgpt_tui.inference.text.endings import token_limit
from mgpt_tui.inference.text.generation import Generation
from mgpt_tui.model.tokenizer import Tokenizer

EXPECTED = 0.5
"""How likely the model has to hold it that a word goes on, where it was read but for its end."""

NOTE_END = "\n\n"
"""What stands between a note and the story."""

LARGEST_BIAS = 1e6
"""Far beyond what decides anything, and far below what overflows."""


class Engine:
    """A model and its tokenizer, with a memory of what was read last.

    Args:
        decoder: the model as it runs.
        tokenizer: the one the model was trained with.
    """

    def __init__(self, decoder: Decoder[Any], tokenizer: Tokenizer) -> None:
        self.decoder = decoder
        self.config = decoder.config
        self.tokenizer = tokenizer
        self._reader = Reader(decoder)
        self._spelling = Spelling(tokenizer)

    def next_logits(self, tokens: list[int], kept: int = 0) -> Logits:
        """Logits of what follows `tokens`, of which the model sees the last window.

        Args:
            tokens: at least one; any number of them.
            kept: how many at the beginning stay in view.

        Returns:
            fp32 (V,).
        """
        logits: Logits = self._reader.read([tokens], kept)[0]
        return logits

    def steps(
        self,
        tokens: Sequence[int],
        settings: SamplingSettings,
        seed: int,
        n_best: int | None = None,
    ) -> Generator[Step]:
        """Tokens that continue `tokens`, at most `settings.max_tokens`.

        The end token, if it comes, is the last. A token is computed when it is asked for.

        Args:
            tokens: at least one (a story begins with the end token).
            settings: its `seed` is not looked at.
            seed: decides all draws, each by its position in this generation.
            n_best: how many alternatives each step tells of; None leaves its chances out.

        Raises:
            UserError: where `settings` names tokens that the model does not have.
        """
        beginning = Beginning(tuple(tokens), b"", "")
        rules = self.rules(settings, n_best)
        return alone(self._reader, Continuation(beginning, rules, seed, settings.max_tokens))

    def tokens(self, tokens: Sequence[int], settings: SamplingSettings, seed: int) -> Iterator[int]:
        """The token ids of `steps`."""
        return (step.token for step in self.steps(tokens, settings, seed))

    def stream(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        should_stop: Callable[[], bool] = lambda: False,
        n_best: int | None = None,
        *,
        until: Until = Until.LENGTH,
    ) -> Generation:
        """Text that continues `context`.

        A word that the context leaves unfinished, or blanks at its end, are held back: the first
        tokens drawn spell them, and the text is what comes after (see `held_back`).

        Args:
            context: the story so far, without the `<|endoftext|>` in front of it.
            settings: where it has no seed, one is drawn.
            should_stop: asked before every token; once true, the generation ends.
            n_best: how many alternatives each step tells of; None leaves its chances out.
            until: how far to go.

        Raises:
            UserError: where `context` or `settings` has tokens that the model does not know.
        """
        seed = fresh_seed() if settings.seed is None else settings.seed
        beginning = self.beginning(context)
        rules = self.rules(settings, n_best, beginning.kept, until)
        steps = alone(
            self._reader, Continuation(beginning, rules, seed, token_limit(settings, until))
        )
        own = replace(settings, seed=seed)
        return self._generation(beginning, own, steps, should_stop, until)

    def together(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        samples: int,
        should_stop: Callable[[], bool] = lambda: False,
        n_best: int | None = None,
        *,
        until: Until = Until.LENGTH,
        apart: int = 1,
    ) -> list[Generation]:
        """Several texts that continue `context`, decoded side by side.

        Each may be iterated by itself, in any order and to any length; a token that one of them
        asks for is computed for all. Sample i has the seed of the first one plus i times `apart`.

        Args and errors as in `stream`.
        """
        first = fresh_seed() if settings.seed is None else settings.seed
        seeds = [seed_after(first, sample * apart) for sample in range(samples)]
        beginning = self.beginning(context)
        rules = self.rules(settings, n_best, beginning.kept, until)
        limit = token_limit(settings, until)
        batch = Batch(self._reader, [Continuation(beginning, rules, seed, limit) for seed in seeds])
        return [
            self._generation(
                beginning,
                replace(settings, seed=seed),
                batch.steps(row),
                partial(batch.is_over, row, should_stop),
                until,
            )
            for row, seed in enumerate(seeds)
        ]

    def _generation(
        self,
        beginning: Beginning,
        settings: SamplingSettings,
        steps: Generator[Step],
        should_stop: Callable[[], bool],
        until: Until,
    ) -> Generation:
        return Generation(
            self.config, self.tokenizer, beginning, settings, steps, should_stop, until
        )

    def look(
        self, context: Sequence[ContextPart], settings: SamplingSettings, count: int
    ) -> Distribution:
        """What could come next after `context`, which is read to its last character.

        Looking changes no later text.

        Args:
            settings: whose filters the answer tells of.
            count: how many of the likeliest tokens to tell of.

        Raises:
            UserError: as in `stream`, and where every token is banned.
        """
        kept, tokens = self.kept(context), self.encode(context)
        rules, logits = self.rules(settings, count, kept), self.next_logits(tokens, kept)
        left = rules.left(logits, tokens)
        first = int(left.candidates.tokens[0])
        return chances(logits, left, first, count, self._spelling.text).distribution

    def rank(self, context: Sequence[ContextPart], candidates: Sequence[str]) -> list[float]:
        """How likely each of some texts is after `context`, which is read to its last character.

        Args:
            context: as in `stream`.
            candidates: texts that are not empty.

        Returns:
            The mean log-probability of each one's tokens, in nats, so that long ones and short
            ones compare.

        Raises:
            UserError: as in `encode`.
        """
        before, kept = self.encode(context), self.kept(context)
        return [self._mean(before, kept, self.tokenizer.encode(text)) for text in candidates]

    def _mean(self, before: list[int], kept: int, following: list[int]) -> float:
        total, tokens = 0.0, list(before)
        for token in following:
            logits = self.next_logits(tokens, kept).astype(np.float64)
            top = logits.max()
            total += float(logits[token] - top - math.log(np.exp(logits - top).sum()))
            tokens.append(token)
        return total / len(following)

    def beginning(self, context: Sequence[ContextPart]) -> Beginning:
        """What a generation after `context` reads, and what it is to spell.

        Whether the last word is unfinished, the model has a say in; see `held_back`.

        Raises:
            UserError: as in `encode`.
        """
        encoded, kept = self.encode(context), self.kept(context)
        told = self.tokenizer.decode(encoded[max(1, kept) :])
        held = self._spelling.beginning(context, encoded)
        held = replace(held, kept=kept, is_closed=says_the_end(told))
        if not held.rest or held.rest.isspace():
            return held
        longer, going_on = self._spelling.longer(held.rest), self._spelling.going_on(held.rest)
        if held.is_within:
            is_expected = self._probability([*held.tokens], kept, longer) >= EXPECTED
            return (
                held
                if is_expected
                else replace(held, tokens=tuple(encoded), rest=b"", is_within=False)
            )
        whole = self.tokenizer.ranks.get(held.rest)
        if whole is None or not len(longer) or not len(going_on):
            return held
        return replace(held, goes_on=self._probability([*held.tokens, whole], kept, going_on))

    def _probability(self, tokens: list[int], kept: int, following: NDArray[np.int64]) -> float:
        """How likely the model holds it that one of `following` comes after `tokens`."""
        logits = self.next_logits(tokens, kept).astype(np.float64)
        weights = np.exp(logits - logits.max())
        return float(weights[following].sum() / weights.sum())

    def encode(self, context: Sequence[ContextPart]) -> list[int]:
        """The tokens of a story so far, with `<|endoftext|>` in front.

        Raises:
            UserError: where a part has tokens that the model does not know, or a note is too long.
        """
        tokens = [self.tokenizer.end_token]
        for part in context:
            if isinstance(part, Note):
                tokens += self._encode_note(part)
            else:
                tokens += self.tokenizer.encode(part) if isinstance(part, str) else part
        if not 0 <= min(tokens) <= max(tokens) < self.tokenizer.vocab_size:
            raise UserError(
                "The story has tokens that this model does not know.",
                "They come from a model with another vocabulary; send the story as text.",
            )
        return tokens

    def kept(self, context: Sequence[ContextPart]) -> int:
        """How many of the tokens that `encode` makes of a context stay in view: up to its note.

        Raises:
            UserError: where the note is too long.
        """
        notes = [part for part in context if isinstance(part, Note)]
        return 1 + len(self._encode_note(notes[0])) if notes else 0

    def _encode_note(self, note: Note) -> list[int]:
        tokens, size = self.tokenizer.encode(note.text + NOTE_END), self.config.block_size
        most = size // 2 - 1  # beside the <|endoftext|> in front of it
        if len(tokens) > most:
            raise UserError(
                f"The note has {len(tokens):,} tokens, more than half of the {size:,} that this "
                "model can see.",
                f"Give one of up to {most:,} tokens with /remember.",
            )
        return tokens

    def biases(self, settings: SamplingSettings) -> dict[int, float]:
        """What `bias`, `ban` and `ignore_end` add to the score of each token they name.

        Raises:
            UserError: where a text is not one token of this model, or a number is none.
        """
        bias: dict[int, float] = {}
        for entry in settings.bias:
            text, equals, number = entry.rpartition("=")
            try:
                value = float(number)
            except ValueError:
                value = math.nan
            if not equals or not (value == -math.inf or abs(value) <= LARGEST_BIAS):
                raise UserError(
                    f"The bias {entry!r} is not TOKEN=NUMBER.",
                    f'Give " cat=-2", say; numbers go up to {LARGEST_BIAS:g}, and -inf bans.',
                )
            token = self.tokenizer.one_token(text)
            bias[token] = bias.get(token, 0.0) + value
        bias |= dict.fromkeys(map(self.tokenizer.one_token, settings.ban), -math.inf)
        if settings.ignore_end:
            bias[self.tokenizer.end_token] = -math.inf
        return bias

    def rules(
        self,
        settings: SamplingSettings,
        n_best: int | None = None,
        kept: int = 0,
        until: Until = Until.LENGTH,
    ) -> Rules:
        """How the tokens of a request are chosen; errors as in `biases` and `wishes_of`.

        Args:
            settings: what was asked for.
            n_best: how many alternatives each step tells of; None leaves its chances out.
            kept: how many tokens before the story stay in view.
            until: how far it goes.
        """
        bias, end_token = self.biases(settings), self.tokenizer.end_token
        wishes, choosing = wishes_of(settings, self.tokenizer, until), self.decoder.choosing
        return Rules(
            self.config, settings, bias, self._spelling, end_token, n_best, kept, choosing, wishes
        )
