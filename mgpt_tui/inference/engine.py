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
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.inference.chances import Chances, chances
from mgpt_tui.inference.decoder import Decoder
from mgpt_tui.inference.generation import Generation
from mgpt_tui.inference.messages import ContextPart
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import SamplingSettings, fresh_seed
from mgpt_tui.inference.sampling import Logits, choose, uniforms
from mgpt_tui.model.tokenizer import Tokenizer

LARGEST_BIAS = 1e6
"""Far beyond what decides anything, and far below what overflows."""


@dataclass(frozen=True, slots=True)
class Step:
    """One token of a generation.

    Attributes:
        token: its id.
        seconds: time that the engine has worked so far on its generation, or on all of a batch.
        chances: how it came about, where that was asked for.
    """

    token: int
    seconds: float
    chances: Chances | None = None


class Engine:
    """A model and its tokenizer, with a memory of what was read last.

    Args:
        decoder: the model as it runs.
        tokenizer: the one the model was trained with.
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer) -> None:
        self.decoder = decoder
        self.config = decoder.config
        self.tokenizer = tokenizer
        self._reader = Reader(decoder)

    def next_logits(self, tokens: list[int]) -> Tensor:
        """Logits of what follows `tokens`, of which the model sees the last window.

        Args:
            tokens: at least one; any number of them.

        Returns:
            fp32 (V,), on the decoder's device.
        """
        return self._reader.read([tokens])[0]

    def steps(
        self,
        context_tokens: Sequence[int],
        settings: SamplingSettings,
        seed: int,
        n_best: int | None = None,
    ) -> Generator[Step]:
        """Tokens that continue `context_tokens`, at most `settings.max_tokens`.

        The end token, if it comes, is the last. A token is computed when it is asked for.

        Args:
            context_tokens: at least one (a story begins with the end token).
            settings: its `seed` is not looked at.
            seed: decides all draws, each by its position in this generation.
            n_best: how many alternatives each step tells of; None leaves its chances out.

        Raises:
            UserError: where `settings` names tokens that the model does not have.
        """
        choice, limit = _Choice(self, settings, n_best), settings.max_tokens
        end = self.tokenizer.end_token
        return _alone(self._reader, list(context_tokens), choice, seed, limit, end)

    def tokens(
        self, context_tokens: Sequence[int], settings: SamplingSettings, seed: int
    ) -> Iterator[int]:
        """The token ids of `steps`."""
        return (step.token for step in self.steps(context_tokens, settings, seed))

    def stream(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        should_stop: Callable[[], bool] = lambda: False,
        n_best: int | None = None,
    ) -> Generation:
        """Text that continues `context`.

        Args:
            context: the story so far, without the `<|endoftext|>` in front of it.
            settings: where it has no seed, one is drawn.
            should_stop: asked before every token; once true, the generation ends.
            n_best: how many alternatives each step tells of; None leaves its chances out.

        Raises:
            UserError: where `context` or `settings` has tokens that the model does not know.
        """
        seed = fresh_seed() if settings.seed is None else settings.seed
        tokens = self.encode(context)
        steps = self.steps(tokens, settings, seed, n_best)
        return Generation(self, len(tokens), replace(settings, seed=seed), steps, should_stop)

    def together(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        samples: int,
        should_stop: Callable[[], bool] = lambda: False,
        n_best: int | None = None,
    ) -> list[Generation]:
        """Several texts that continue `context`, decoded side by side.

        Each may be iterated by itself, in any order and to any length; a token that one of them
        asks for is computed for all. Sample i has the seed of the first one plus i.

        Args and errors as in `stream`.
        """
        first = fresh_seed() if settings.seed is None else settings.seed
        tokens = self.encode(context)
        seeds = range(first, first + samples)
        choice, limit = _Choice(self, settings, n_best), settings.max_tokens
        batch = _Batch(self._reader, tokens, choice, seeds, limit, self.tokenizer.end_token)
        return [
            Generation(
                self,
                len(tokens),
                replace(settings, seed=seed),
                batch.steps(row),
                partial(batch.is_over, row, should_stop),
            )
            for row, seed in enumerate(seeds)
        ]

    def encode(self, context: Sequence[ContextPart]) -> list[int]:
        """The tokens of a story so far, with `<|endoftext|>` in front.

        Raises:
            UserError: where a part has tokens that the model does not know.
        """
        tokens = [self.tokenizer.end_token]
        for part in context:
            tokens += self.tokenizer.encode(part) if isinstance(part, str) else part
        if not 0 <= min(tokens) <= max(tokens) < self.tokenizer.vocab_size:
            raise UserError(
                "The story has tokens that this model does not know.",
                "They come from a model with another vocabulary; send the story as text.",
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
            token = self._one_token(text)
            bias[token] = bias.get(token, 0.0) + value
        bias |= dict.fromkeys(map(self._one_token, settings.ban), -math.inf)
        if settings.ignore_end:
            bias[self.tokenizer.end_token] = -math.inf
        return bias

    def _one_token(self, text: str) -> int:
        tokens = self.tokenizer.encode(text)
        if len(tokens) != 1:
            parts = " + ".join(repr(self.tokenizer.decode([token])) for token in tokens)
            raise UserError(
                f"{text!r} is not one token of this model" + (f" but {parts}." if parts else "."),
                "Name one of its tokens; most words have a space in front.",
            )
        return tokens[0]


class _Choice:
    """How the tokens of one request are chosen."""

    def __init__(self, engine: Engine, settings: SamplingSettings, n_best: int | None) -> None:
        self._config = engine.config
        self._settings = settings
        self._bias = engine.biases(settings)
        self._n_best = n_best

    def __call__(
        self, logits: Logits, story: list[int], number: float
    ) -> tuple[int, Chances | None]:
        """The token that follows `story`, and its chances; `number` is the uniform that decides."""
        penalized = self._settings.repetition_penalty != 1
        seen = story[self._config.window_start(len(story)) :] if penalized else ()
        token, left = choose(logits, self._settings, number, self._bias, seen)
        if self._n_best is None:
            return token, None
        return token, chances(logits, left, token, self._n_best)


def _alone(
    reader: Reader, story: list[int], choice: _Choice, seed: int, limit: int, end: int
) -> Generator[Step]:
    """The steps of one generation, at most `limit`; `story` grows."""
    told, seconds = [story], 0.0
    for number in islice(uniforms(seed), limit):
        began = time.perf_counter()
        logits = reader.read(told)[0].cpu().numpy()
        token, how = choice(logits, story, number)
        seconds += time.perf_counter() - began
        yield Step(token, seconds, how)
        if token == end:
            return
        story.append(token)


class _Batch:
    """Generations that go on together: whoever is ahead computes the next token of all.

    A generation that has ended leaves the batch, so that the others have the processor to
    themselves.
    """

    def __init__(
        self,
        reader: Reader,
        story: list[int],
        choice: _Choice,
        seeds: Sequence[int],
        limit: int,
        end: int,
    ) -> None:
        self._first = reader  # reads the context once for all
        self._reader: Reader | None = None
        self._context = story
        self._choice, self._limit, self._end = choice, limit, end
        self._numbers = [uniforms(seed) for seed in seeds]
        self._active = list(range(len(seeds)))
        self._told = [list(story) for _ in seeds]  # of the active ones
        self._waiting: list[deque[Step]] = [deque() for _ in seeds]
        self._unwanted: set[int] = set()
        self._position = 0
        self._seconds = 0.0

    def steps(self, row: int) -> Generator[Step]:
        """The steps of one of them."""
        try:
            while self._waiting[row] or row in self._active:
                if not self._waiting[row]:
                    self._advance()
                yield self._waiting[row].popleft()
        finally:  # whoever wants no more of it; torch may be gone by then, so it waits
            self._unwanted.add(row)

    def is_over(self, row: int, should_stop: Callable[[], bool]) -> bool:
        """Whether one of them is to stop: not before what was computed for it is read."""
        return not self._waiting[row] and should_stop()

    def _advance(self) -> None:
        """One more step of all that have not ended."""
        began = time.perf_counter()
        self._keep([at for at, row in enumerate(self._active) if row not in self._unwanted])
        scores = self._read().cpu().numpy()
        chosen = [
            self._choice(scores[at], story, next(self._numbers[row]))
            for at, (row, story) in enumerate(zip(self._active, self._told, strict=True))
        ]
        self._seconds += time.perf_counter() - began
        for row, story, (token, how) in zip(self._active, self._told, chosen, strict=True):
            self._waiting[row].append(Step(token, self._seconds, how))
            story.append(token)
        self._position += 1
        full = self._position == self._limit
        self._keep(
            [at for at, story in enumerate(self._told) if not full and story[-1] != self._end]
        )

    def _read(self) -> Tensor:
        """Scores for every active generation: fp32 (active, V)."""
        if self._reader is not None:
            return self._reader.read(self._told)
        rows = len(self._active)
        logits = self._first.read([self._context])
        self._reader = self._first.branches([0] * rows)
        return logits.expand(rows, -1)

    def _keep(self, staying: list[int]) -> None:
        """Let go of the active ones but those at these places."""
        if len(staying) == len(self._active):
            return
        self._active = [self._active[at] for at in staying]
        self._told = [self._told[at] for at in staying]
        if self._reader is not None and staying:
            self._reader = self._reader.branches(staying)
