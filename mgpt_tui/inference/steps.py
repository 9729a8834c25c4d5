"""Token after token: how one is chosen, alone or in a batch."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mgpt_tui.inference.chances import Chances, chances
from mgpt_tui.inference.decoders.choosing import IN_NUMPY, Choosing, Filters
from mgpt_tui.inference.decoders.decoder import Scores
from mgpt_tui.inference.held_back import Beginning, Spelling
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.said.counting import Words
from mgpt_tui.inference.said.names import NONE, Names
from mgpt_tui.inference.said.runs import Runs
from mgpt_tui.inference.said.sentences import Sentences
from mgpt_tui.inference.said.wishes import Leaning, Wishes
from mgpt_tui.inference.sampling import Filtered, Logits, uniforms
from mgpt_tui.model.config import GPTConfig

NEVER = 1e-30
"""What is less likely is as good as impossible, and has a logarithm."""


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


@dataclass(frozen=True, slots=True)
class Rules:
    """How the tokens of one request are chosen.

    Attributes:
        config: of the model.
        settings: whose seed is not looked at.
        bias: by token id, what `settings` adds to its score.
        spelling: of what was held back.
        end_token: the one that ends a story.
        n_best: how many alternatives each step tells of; None leaves its chances out.
        kept: how many tokens before the story stay in view, see `Beginning`.
        choosing: applies the filters and draws.
        wishes: words that are to come.
    """

    config: GPTConfig
    settings: SamplingSettings
    bias: Mapping[int, float]
    spelling: Spelling
    end_token: int
    n_best: int | None = None
    kept: int = 0
    choosing: Choosing = IN_NUMPY
    wishes: Wishes | None = None

    def left(
        self, logits: Logits, tokens: list[int], rest: bytes = b"", goes_on: float = 1.0
    ) -> Filtered:
        """What may follow `tokens`; arguments as in `filters`."""
        return self.choosing.filtered(self.filters(logits, tokens, rest, goes_on))

    def filters(
        self,
        logits: Logits,
        tokens: list[int],
        rest: bytes = b"",
        goes_on: float = 1.0,
        said: Said | None = None,
    ) -> Filters:
        """What `sampling.filtered` and `sampling.stages` are to be told.

        Args:
            logits: (V,), as the model gave them.
            tokens: what was read.
            rest: what is still to be spelled.
            goes_on: what a token longer than `rest` counts for.
            said: what is in `tokens`, where somebody has begun to read them.
        """
        bias, said = self.bias, said or Said(self.spelling, self.kept)
        if said.leaning is not None and not rest:
            bias = said.leaning.bias(tokens, logits, bias)
        if self._is_to_go_on(tokens, said):
            closing = self.spelling.closings.after(tokens[-1])
            if closing or bias.get(self.end_token) != -math.inf:
                bias = {**bias, **dict.fromkeys([self.end_token, *closing], -math.inf)}
        length = self.settings.no_repeat
        if length is not None and (again := said.runs(length).repeating(tokens)):
            bias = {**bias, **dict.fromkeys(again, -math.inf)}
        if self.settings.no_sentence_twice and len(ends := said.sentences.repeating(tokens)):
            bias = {**bias, **dict.fromkeys(ends.tolist(), -math.inf)}
        others = said.names.others(tokens) if self.settings.new_names < 1 and not rest else NONE
        penalized = self.settings.repetition_penalty != 1
        seen = self.config.seen(tokens, self.kept) if penalized else ()
        allowed = self.spelling.allowed(rest) if rest else None
        if rest and goes_on < 1:
            logits = logits.copy()
            logits[self.spelling.longer(rest)] += np.float32(math.log(max(goes_on, NEVER)))
        return logits, self.settings, bias, seen, allowed, others if len(others) else None

    def _is_to_go_on(self, tokens: list[int], said: Said) -> bool:
        """Whether the story may not end here: neither by its last token, nor by saying so."""
        least = self.settings.end_after
        return self.settings.ignore_end or (
            self.end_token not in self.bias and least > 0 and said.words.of(tokens, least) < least
        )


class Said:
    """What a text that grows has said so far; what nobody asks about is not looked for.

    Args:
        spelling: tells what a token says.
        kept: how many tokens at the beginning are none of the text; names count there, too.
        leaning: leads it to words that are to come.
    """

    def __init__(self, spelling: Spelling, kept: int = 0, leaning: Leaning | None = None) -> None:
        self._spelling, self._kept, self.leaning = spelling, kept, leaning
        self._runs: dict[int, Runs] = {}

    def runs(self, length: int) -> Runs:
        """Its runs of so many tokens."""
        if length not in self._runs:
            self._runs[length] = Runs(length, self._kept)
        return self._runs[length]

    @cached_property
    def words(self) -> Words:
        """Its words."""
        return Words(self._spelling.bytes_of, self._kept)

    @cached_property
    def names(self) -> Names:
        """Its names, and those of what stands before it."""
        return Names(self._spelling.names)

    @cached_property
    def sentences(self) -> Sentences:
        """Its sentences."""
        return Sentences(self._spelling.marks, self._kept)


class Continuation:
    """One text as it grows.

    Args:
        beginning: what it continues.
        rules: how its tokens are chosen.
        seed: decides all draws, each by its position.
        limit: the most tokens to take, but for those that spell what was held back.

    Attributes:
        tokens: all of them so far.
        is_over: whether it has ended or reached the limit.
        kept: how many of the tokens stay in view however many there are.
    """

    def __init__(self, beginning: Beginning, rules: Rules, seed: int, limit: int) -> None:
        self.tokens = list(beginning.tokens)
        self.kept = rules.kept
        self.is_over = False
        self.rest = beginning.rest
        self._goes_on = beginning.goes_on  # of the first token alone
        self._rules = rules
        self._numbers = uniforms(seed)
        self._left = limit
        self._said = self._saying()

    def begin_with(self, tokens: Sequence[int]) -> None:
        """Go on from these instead; nothing is taken yet."""
        self.tokens[:] = tokens
        self._said = self._saying()

    def _saying(self) -> Said:
        rules, wishes = self._rules, self._rules.wishes
        leaning = Leaning(wishes, self.tokens, self.rest) if wishes else None
        return Said(rules.spelling, rules.kept, leaning)

    def follow(self, tokens: Sequence[int]) -> None:
        """Take tokens as they were drawn before, each with its number."""
        for token in tokens:
            next(self._numbers)
            self.take(token)

    def filters(self, logits: Logits) -> tuple[Filters, float]:
        """What the next token goes through, and the number in [0, 1) that draws it."""
        filters = self._rules.filters(logits, self.tokens, self.rest, self._goes_on, self._said)
        return filters, next(self._numbers)

    def draw(self, logits: Logits) -> tuple[int, Chances | None]:
        """The token that is to come next, and its chances."""
        rules = self._rules
        filters, number = self.filters(logits)
        if rules.n_best is None:
            return rules.choosing.drawn(filters, number), None
        left = rules.choosing.filtered(filters)
        token = left.token(number)
        return token, chances(logits, left, token, rules.n_best, rules.spelling.text)

    def take(self, token: int) -> None:
        """Go on with `token`."""
        self._goes_on = 1.0
        self.tokens.append(token)
        if self.rest:
            self.rest = self._rules.spelling.after(self.rest, token)
        else:
            self._left -= 1
        self.is_over = self._left == 0 or token == self._rules.end_token


def alone(reader: Reader, continuation: Continuation) -> Generator[Step]:
    """The steps of one text; each is computed when it is asked for."""
    sequences, seconds = [continuation.tokens], 0.0
    while not continuation.is_over:
        began = time.perf_counter()
        token, how = continuation.draw(reader.read(sequences, continuation.kept)[0])
        continuation.take(token)
        seconds += time.perf_counter() - began
        yield Step(token, seconds, how)


class Batch:
    """Texts that go on together: whoever is ahead computes the next token of all.

    A text that has ended leaves the batch, so that the others have the processor to themselves.

    Args:
        reader: reads what they all begin with, once.
        continuations: at least one, all with the same beginning.
    """

    def __init__(self, reader: Reader, continuations: Sequence[Continuation]) -> None:
        self._first = reader
        self._reader: Reader | None = None
        self._continuations = continuations
        self._active = list(range(len(continuations)))
        self._sequences = [one.tokens for one in continuations]  # of the active ones
        self._waiting: list[deque[Step]] = [deque() for _ in continuations]
        self._unwanted: set[int] = set()
        self._seconds = 0.0

    def steps(self, row: int) -> Generator[Step]:
        """The steps of one of them."""
        try:
            while self._waiting[row] or row in self._active:
                if not self._waiting[row]:
                    self._advance()
                yield self._waiting[row].popleft()
        finally:  # whoever wants no more of it; the decoder may be gone by then, so it waits
            self._unwanted.add(row)

    def is_over(self, row: int, should_stop: Callable[[], bool]) -> bool:
        """Whether one of them is to stop: not before what was computed for it is read."""
        return not self._waiting[row] and should_stop()

    def _advance(self) -> None:
        """One more step of all that have not ended."""
        began = time.perf_counter()
        self._keep([at for at, row in enumerate(self._active) if row not in self._unwanted])
        logits = self._read()
        continuations = [self._continuations[row] for row in self._active]
        drawn = [continuation.draw(logits[at]) for at, continuation in enumerate(continuations)]
        self._seconds += time.perf_counter() - began
        for row, continuation, (token, how) in zip(self._active, continuations, drawn, strict=True):
            self._waiting[row].append(Step(token, self._seconds, how))
            continuation.take(token)
        self._keep(
            [at for at, continuation in enumerate(continuations) if not continuation.is_over]
        )

    def _read(self) -> Scores:
        """Logits for every active text: fp32 (active, V)."""
        kept = self._continuations[0].kept
        if self._reader is not None:
            return self._reader.read(self._sequences, kept)
        rows = len(self._active)
        logits = self._first.read(self._sequences[:1], kept)
        self._reader = self._first.branches([0] * rows)
        return np.broadcast_to(logits, (rows, logits.shape[1]))

    def _keep(self, staying: list[int]) -> None:
        """Let go of the active ones but those at these places."""
        if len(staying) == len(self._active):
            return
        self._active = [self._active[at] for at in staying]
        self._sequences = [self._sequences[at] for at in staying]
        if self._reader is not None and staying:
            self._reader = self._reader.branches(staying)
