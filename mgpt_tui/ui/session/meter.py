"""The numbers that stand above the prompt: how full, how fast."""

from __future__ import annotations

from collections.abc import Callable

from mgpt_tui.inference.process.messages import Ready, Started
from mgpt_tui.inference.request import FinishReason
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.stories.story import Spans, Story


class Meter:
    """Counts a generation as it streams, and remembers how long each text was.

    The app has no tokenizer, so it knows a story's length only where the engine has said it:
    before and after each generation, and where it was asked. Undo goes back to such a text, and
    its length is known.

    Args:
        clock: seconds, monotonic.

    Attributes:
        block_size: length of the model's context, in tokens.
        context_tokens: tokens of the story, the first <|endoftext|> included; None if unknown.
        window_start: how many of them, the note's not counted, the model no longer sees.
        note_tokens: how many of them are the note's.
        rate: tokens per second of the generation that runs or ran last; 0.0 before any.
        reason: why the last generation ended; None while one runs, or before any.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.block_size = GPTConfig().block_size
        self.context_tokens: int | None = None
        self.window_start = self.note_tokens = 0
        self.rate = 0.0
        self.reason: FinishReason | None = None
        self._clock = clock
        self._model = ""
        self._lengths: dict[tuple[str, int], int] = {}  # see `_key`
        self._read = self._tokens = self._grown = self._first_tokens = 0
        self._first_at = 0.0

    def begin(self) -> None:
        """Forget the last generation's numbers: another was asked for, or another story begins."""
        self.rate, self.reason = 0.0, None
        self._read = self._tokens = self._grown = 0

    def use(self, model: Ready) -> None:
        """Count for this model, to which a text need not have the length that another gave it."""
        self.block_size, self._model = model.block_size, model.fingerprint

    def started(self, story: Story, event: Started) -> None:
        """The engine has read `story`."""
        self._read = event.context_tokens
        self.learn(story, event.context_tokens)

    def learn(self, story: Story, tokens: int) -> None:
        """The engine has counted the tokens of `story`, and of its note."""
        self._lengths[self._key(story.text, story.note)] = tokens

    def learn_note(self, note: str, tokens: int) -> None:
        """The engine has counted the tokens of a note without a story."""
        self._lengths[self._key("", note)] = tokens

    def _key(self, text: str, note: str) -> tuple[str, int]:
        """What a length is known of: the model, and the text that it reads."""
        return self._model, hash((text, note))

    def add(self, tokens: int, *, grows: bool) -> None:
        """So many tokens came; `grows` says whether the story does by them."""
        if not self._tokens:
            self._first_at, self._first_tokens = self._clock(), tokens
        self._tokens += tokens
        self._grown += tokens if grows else 0

    def count(self) -> None:
        """Bring the numbers of a running generation up to date."""
        if self._read:
            self._see(self._read + self._grown)
        seconds = self._clock() - self._first_at
        if self._tokens > self._first_tokens and seconds > 0:
            self.rate = (self._tokens - self._first_tokens) / seconds

    def end(self, story: Story, reason: FinishReason | None) -> None:
        """The generation is over, and the story is now `story`."""
        self.reason = reason
        if self._read:
            self.learn(story, self._read + self._grown)

    def show(self, story: Story) -> None:
        """The story is now `story`."""
        note = self._lengths.get(self._key("", story.note)) if story.note else None
        self.note_tokens = note - 1 if note else 0
        self._see(self._lengths.get(self._key(story.text, story.note)))

    def _see(self, length: int | None) -> None:
        self.context_tokens = length
        config = GPTConfig(block_size=self.block_size)
        self.window_start = config.window_start(length, self._kept) if length else 0

    @property
    def _kept(self) -> int:
        """How many tokens stay in view, the first <|endoftext|> included."""
        return self.note_tokens + 1 if self.note_tokens else 0

    def unread(self, spans: Spans) -> int:
        """How many characters of the story the model no longer sees.

        What the model's own tokens brought is known; how many tokens the writer's words make is
        known of all of them together, so they count as spread evenly.
        """
        if not self.window_start or self.context_tokens is None:
            return 0
        typed = sum(span.lead for span in spans)
        typed_tokens = self.context_tokens - 1 - self.note_tokens
        typed_tokens -= sum(len(span.tokens) for span in spans)
        rate = max(0, typed_tokens) / typed if typed else 0.0
        left, characters = float(self.window_start - (not self._kept)), 0
        for span in spans:
            if span.lead * rate >= left:
                return characters + int(left / rate) if rate else characters
            left -= span.lead * rate
            characters += span.lead
            if len(span.tokens) >= left:
                return characters + sum(span.lengths[: int(left)])
            left -= len(span.tokens)
            characters += len(span.text) - span.lead
        return characters
