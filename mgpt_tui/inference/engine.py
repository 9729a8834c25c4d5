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
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.inference.chances import chances
from mgpt_tui.inference.decoder import Decoder
from mgpt_tui.inference.endings import token_limit
from mgpt_tui.inference.generation import Generation
from mgpt_tui.inference.held_back import Beginning, RestDecoder, Spelling
from mgpt_tui.inference.messages import Choice, ContextPart
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import SamplingSettings, Until, fresh_seed
from mgpt_tui.inference.sampling import Logits
from mgpt_tui.inference.steps import Batch, Rules, Step, Telling, alone
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import clean_text

LARGEST_BIAS = 1e6
"""Far beyond what decides anything, and far below what overflows."""


@dataclass(frozen=True, slots=True)
class View:
    """What could come next.

    Attributes:
        alternatives: the likeliest tokens, the likeliest first.
        entropy: of the model's distribution, in nats.
    """

    alternatives: tuple[Choice, ...]
    entropy: float


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
        self._spelling = Spelling(tokenizer)

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
        beginning = Beginning(tuple(context_tokens), b"", "")
        rules = self._rules(settings, n_best)
        return alone(self._reader, Telling(beginning, rules, seed, settings.max_tokens))

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
        rules = self._rules(settings, n_best)
        steps = alone(self._reader, Telling(beginning, rules, seed, token_limit(settings, until)))
        own = replace(settings, seed=seed)
        return Generation(self, beginning, own, steps, should_stop, until)

    def together(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        samples: int,
        should_stop: Callable[[], bool] = lambda: False,
        n_best: int | None = None,
        *,
        until: Until = Until.LENGTH,
    ) -> list[Generation]:
        """Several texts that continue `context`, decoded side by side.

        Each may be iterated by itself, in any order and to any length; a token that one of them
        asks for is computed for all. Sample i has the seed of the first one plus i.

        Args and errors as in `stream`.
        """
        first = fresh_seed() if settings.seed is None else settings.seed
        seeds = range(first, first + samples)
        beginning, rules = self.beginning(context), self._rules(settings, n_best)
        limit = token_limit(settings, until)
        batch = Batch(self._reader, [Telling(beginning, rules, seed, limit) for seed in seeds])
        return [
            Generation(
                self,
                beginning,
                replace(settings, seed=seed),
                batch.steps(row),
                partial(batch.is_over, row, should_stop),
                until,
            )
            for row, seed in enumerate(seeds)
        ]

    def look(self, context: Sequence[ContextPart], settings: SamplingSettings, count: int) -> View:
        """What could come next after `context`, which is read to its last character.

        Looking changes no later text.

        Args:
            settings: whose filters the answer tells of.
            count: how many of the likeliest tokens to tell of.

        Raises:
            UserError: as in `stream`, and where every token is banned.
        """
        rules, story = self._rules(settings, count), self.encode(context)
        logits = self._scores(story)
        left = rules.left(logits, story)
        seen = chances(logits, left, int(left.candidates.tokens[0]), count)
        return View(
            tuple(
                Choice(
                    entry.token,
                    clean_text(self.tokenizer.decode([entry.token])),
                    entry.before,
                    entry.after,
                )
                for entry in seen.alternatives
            ),
            seen.entropy,
        )

    def replay(
        self,
        context: Sequence[ContextPart],
        lead: str,
        tokens: Sequence[int],
        settings: SamplingSettings,
        seed: int,
    ) -> int:
        """How many of the recorded draws come out the same.

        Every draw follows the recorded tokens before it, so that one that differs, as it may
        with another precision, leads none astray.

        Args:
            context: what the generation continued.
            lead: text of the generation that no token brought: the rest of a word held back.
            tokens: the recorded ones, from the generation's first.
            settings: with which they were drawn.
            seed: of the draws.

        Raises:
            UserError: as in `stream`.
        """
        followed = self.encode([*context, lead, tuple(tokens)])
        del followed[len(followed) - len(tokens) :]
        rules = self._rules(settings, None)
        telling = Telling(self.beginning(context), rules, seed, settings.max_tokens)
        if not self._draw_lead(telling, lead):
            telling.story[:] = followed
        same = 0
        for number, token in enumerate(tokens):
            drawn, _ = telling.draw(self._scores(telling.story))
            if drawn != token and settings.stop and self._begins(drawn, tokens[number:]):
                return same + len(tokens) - number  # a stop string left its beginning
            same += drawn == token
            telling.take(token)
        return same

    def _begins(self, token: int, parts: Sequence[int]) -> bool:
        """Whether the bytes of `token` begin with those of `parts`."""
        beginning = b"".join(map(self.tokenizer.token_bytes, parts))
        return self.tokenizer.token_bytes(token).startswith(beginning)

    def _draw_lead(self, telling: Telling, lead: str) -> bool:
        """Draw what was held back and `lead` after it; whether that is what comes of it."""
        decoder, text = RestDecoder(self.tokenizer, telling.rest), ""
        while telling.rest or decoder.pending or (text != lead and lead.startswith(text)):
            token, _ = telling.draw(self._scores(telling.story))
            telling.take(token)
            if token == self.tokenizer.end_token:
                break
            chunk = decoder.feed(token)
            text += clean_text(chunk.text) if chunk else ""
        return text == lead

    def _scores(self, story: list[int]) -> Logits:
        scores: Logits = self.next_logits(story).cpu().numpy()
        return scores

    def beginning(self, context: Sequence[ContextPart]) -> Beginning:
        """What a generation after `context` reads, and what it is to spell.

        Raises:
            UserError: as in `encode`.
        """
        return self._spelling.beginning(context, self.encode(context))

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

    def _rules(self, settings: SamplingSettings, n_best: int | None) -> Rules:
        bias, end_token = self.biases(settings), self.tokenizer.end_token
        return Rules(self.config, settings, bias, self._spelling, end_token, n_best)

    def _one_token(self, text: str) -> int:
        tokens = self.tokenizer.encode(text)
        if len(tokens) != 1:
            parts = " + ".join(repr(self.tokenizer.decode([token])) for token in tokens)
            raise UserError(
                f"{text!r} is not one token of this model" + (f" but {parts}." if parts else "."),
                "Name one of its tokens; most words have a space in front.",
            )
        return tokens[0]
