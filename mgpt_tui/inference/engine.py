"""The engine: continues a text, token by token.

Three storeys, each usable by itself:

    Engine.next_logits   tokens so far -> logits of the next one    (window, cache)
    Engine.tokens        -> token ids                               (sampling)
    Engine.stream        -> text                                    (characters, cleaning)

The upper two are iterators, so to stop is to stop iterating.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.inference.messages import ContextPart
from mgpt_tui.inference.request import Finished, FinishReason, SamplingSettings, fresh_seed
from mgpt_tui.inference.sampling import choose, uniform
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.kv_cache import KVCache
from mgpt_tui.model.tokenizer import StreamingDecoder, Tokenizer
from mgpt_tui.text import StreamingCleaner, TextChunk


class Engine:
    """A model and its tokenizer, with a memory of what was read last.

    Args:
        model: put into evaluation mode and moved to `device`.
        tokenizer: the one the model was trained with.
    """

    def __init__(
        self, model: GPT, tokenizer: Tokenizer, device: torch.device | str = "cpu"
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        weight = model.token_embedding.weight
        self._cache = KVCache(model.config, device=weight.device, dtype=weight.dtype)
        self._held: list[int] = []  # the tokens whose keys and values the cache holds

    @torch.inference_mode()
    def next_logits(self, tokens: Sequence[int]) -> Tensor:
        """Logits of what follows `tokens`, of which the model sees the last window.

        What the cache holds is compared with the window: the longest common beginning is not
        read again, whether it comes from the token before, from the same story told otherwise
        (retry) or from its last page (continue). Keys and values depend on nothing but the
        tokens up to their own and on their positions, so this changes no result. When the
        window moves, every position in it does, and it is read anew.

        Args:
            tokens: at least one; any number of them.

        Returns:
            (V,), on the model's device.
        """
        window = list(tokens[self.model.config.window_start(len(tokens)) :])
        kept = _common_beginning(self._held, window[:-1])  # the last is always read, for logits
        self._cache.truncate(kept)
        del self._held[kept:]  # before reading, so that an interrupted read leaves no lie
        new = torch.tensor([window[kept:]], device=self._cache.keys.device)  # (1, T)
        hidden = self.model.hidden(new, self._cache)  # (1, T, C)
        self._held = window
        return self.model.head(hidden[0, -1])  # (V,)

    def tokens(
        self, context_tokens: Sequence[int], settings: SamplingSettings, seed: int
    ) -> Iterator[int]:
        """Token ids that continue `context_tokens`, at most `settings.max_tokens`.

        The end token, if it comes, is the last. A token is computed when it is asked for.

        Args:
            context_tokens: at least one (a story begins with the end token).
            settings: its `seed` is not looked at.
            seed: decides all draws, each by its position in this generation.
        """
        told = list(context_tokens)
        for position in range(settings.max_tokens):
            token = choose(self.next_logits(told), settings, uniform(seed, position))
            yield token
            if token == self.tokenizer.end_token:
                return
            told.append(token)

    def stream(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation:
        """Text that continues `context`.

        Args:
            context: the story so far, without the `<|endoftext|>` in front of it.
            settings: where it has no seed, one is drawn.
            should_stop: asked before every token; once true, the generation ends.

        Raises:
            UserError: where `context` has tokens that the model does not know.
        """
        return Generation(self, self.encode(context), settings, should_stop)

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


class Generation(Iterator[TextChunk]):
    """One generation in progress: iterate over it for its text.

    Nothing is computed before the first chunk is asked for.

    Attributes:
        seed: the seed in use.
        context_tokens: tokens of the context, the first `<|endoftext|>` included.
        window_start: the first of them that the model sees; above 0 where they are too many.
    """

    def __init__(
        self,
        engine: Engine,
        context: list[int],
        settings: SamplingSettings,
        should_stop: Callable[[], bool],
    ) -> None:
        self.seed = fresh_seed() if settings.seed is None else settings.seed
        self.context_tokens = len(context)
        self.window_start = engine.model.config.window_start(len(context))
        self._engine = engine
        self._tokens = engine.tokens(context, settings, self.seed)
        self._should_stop = should_stop
        self._reason = FinishReason.CANCELLED  # until it ends by itself
        self._kept = 0
        self._seconds = 0.0
        self._chunks = self._decoded()

    def __next__(self) -> TextChunk:
        return next(self._chunks)

    @property
    def finished(self) -> Finished:
        """How it ended; "cancelled" where it was not iterated to its end."""
        context_tokens = self.context_tokens + self._kept
        return Finished(
            reason=self._reason,
            tokens=self._kept,
            seconds=self._seconds,
            seed=self.seed,
            window_start=self._engine.model.config.window_start(context_tokens),
            context_tokens=context_tokens,
        )

    def _decoded(self) -> Iterator[TextChunk]:
        """Whole characters, cleaned; tokens of an unfinished one at the end are dropped."""
        decoder, cleaner = StreamingDecoder(self._engine.tokenizer), StreamingCleaner()
        held: tuple[int, ...] = ()  # tokens of a CR that waits for its LF
        for token in self._drawn():
            chunk = decoder.feed(token)
            if chunk is not None:
                held += chunk.tokens
                text = cleaner.feed(chunk.text)
                if text:
                    self._kept += len(held)
                    yield TextChunk(text, held)
                    held = ()
        text = cleaner.finish()
        if text:
            self._kept += len(held)
            yield TextChunk(text, held)

    def _drawn(self) -> Iterator[int]:
        """The tokens of the text, with the clock running and the reason noted."""
        while not self._should_stop():
            began = time.perf_counter()
            token = next(self._tokens, None)
            self._seconds += time.perf_counter() - began
            if token is None:
                self._reason = FinishReason.LENGTH
                return
            if token == self._engine.tokenizer.end_token:
                self._reason = FinishReason.END
                return
            yield token


def _common_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common from their beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
