"""From steps to text: whole characters, cleaned, and stopped where they should."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from mgpt_tui.inference.closing import CLOSING
from mgpt_tui.inference.held_back import Beginning, RestDecoder
from mgpt_tui.inference.request import Finished, FinishReason, SamplingSettings, Until
from mgpt_tui.inference.text.endings import EndFinder, cut
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import StreamingCleaner, TextChunk

if TYPE_CHECKING:
    from mgpt_tui.inference.chances import Chances
    from mgpt_tui.inference.steps import Step


class Generation(Iterator[TextChunk]):
    """One generation in progress: iterate over it for its text.

    Nothing is computed before the first chunk is asked for.

    Attributes:
        seed: the seed in use.
        context_tokens: tokens read of the context, the first `<|endoftext|>` included.
        window_start: how many of them, not counting a note, the model no longer sees.
        chances: of every token drawn so far, where they were asked for.
        is_hurried: whether it was chosen among others in too little time for all of them.
    """

    def __init__(
        self,
        config: GPTConfig,
        tokenizer: Tokenizer,
        beginning: Beginning,
        settings: SamplingSettings,
        steps: Generator[Step],
        should_stop: Callable[[], bool],
        until: Until,
    ) -> None:
        assert settings.seed is not None
        self.seed = settings.seed
        self.context_tokens = len(beginning.tokens)
        self.chances: list[Chances] = []
        self.is_hurried = False
        self._config = config
        self._kept_in_view = beginning.kept
        self.window_start = config.window_start(self.context_tokens, beginning.kept)
        self._decoder = RestDecoder(tokenizer, beginning.rest)
        self._end_token = tokenizer.end_token
        self._steps = steps
        self._should_stop = should_stop
        self._stop_finder = StopFinder(settings.stop, tokenizer)
        closes = beginning.is_closed and not settings.ignore_end
        self._closing_finder = StopFinder(CLOSING if closes else (), tokenizer)
        self._end_finder = EndFinder(until, settings.finish_sentence, tokenizer, beginning.end)
        self._enough = settings.max_tokens
        self._drawn_tokens = 0  # but for those that spelled what was held back
        self._reason = FinishReason.CANCELLED  # until it ends by itself
        self._kept = 0
        self._seconds = 0.0
        self._chunks = self._released()

    def __next__(self) -> TextChunk:
        return next(self._chunks)

    def go_back(self, chunks: Iterable[TextChunk], *, is_hurried: bool) -> None:
        """Give what was taken already once more, and then go on."""
        self.is_hurried = is_hurried
        self._chunks = chain(chunks, self._chunks)

    def leave(self) -> None:
        """Go no further."""
        self._steps.close()

    @property
    def finished(self) -> Finished:
        """How it ended; "cancelled" where it was not iterated to its end."""
        context_tokens = self.context_tokens + self._decoder.spelled + self._kept
        return Finished(
            reason=self._reason,
            tokens=self._kept,
            seconds=self._seconds,
            seed=self.seed,
            window_start=self._config.window_start(context_tokens, self._kept_in_view),
            context_tokens=context_tokens,
        )

    def _released(self) -> Iterator[TextChunk]:
        """Chunks that no stop string can take back any more."""
        finder = self._stop_finder
        for chunk in self._closed():
            for free in finder.feed(chunk):
                self._kept += len(free.tokens)
                yield free
            if finder.found:
                self._reason = FinishReason.STOP
                self._steps.close()
                return
        for free in finder.finish():
            self._kept += len(free.tokens)
            yield free

    def _closed(self) -> Iterator[TextChunk]:
        """Chunks up to where a story that has said "The end" would say so again."""
        finder = self._closing_finder
        for chunk in self._up_to_the_end():
            yield from finder.feed(chunk)
            if finder.found:
                self._reason = FinishReason.END
                self._steps.close()
                return
        yield from finder.finish()

    def _up_to_the_end(self) -> Iterator[TextChunk]:
        """Chunks up to where the text is to end."""
        finder = self._end_finder
        for chunk in self._decoded():
            yield from finder.feed(chunk)
            if finder.found or (self._drawn_tokens >= self._enough and finder.enough()):
                self._reason = finder.reason
                self._steps.close()
                return
        yield from finder.finish()

    def _decoded(self) -> Iterator[TextChunk]:
        """Whole characters, cleaned; tokens of an unfinished one at the end are dropped."""
        cleaner = StreamingCleaner()
        held: tuple[int, ...] = ()  # tokens of a CR that waits for its LF
        for token in self._drawn():
            chunk = self._decoder.feed(token)
            if chunk is not None:
                held += chunk.tokens
                text = cleaner.feed(chunk.text)
                if text:
                    yield TextChunk(text, held)
                    held = ()
        text = cleaner.finish()
        if text:
            yield TextChunk(text, held)

    def _drawn(self) -> Iterator[int]:
        """The tokens of the text, with the clock running and the reason noted."""
        while not self._should_stop():
            step = next(self._steps, None)
            if step is None:
                self._reason = FinishReason.LENGTH
                return
            self._seconds = step.seconds
            if step.chances is not None:
                self.chances.append(step.chances)
            if step.token == self._end_token:
                self._reason = FinishReason.END
                return
            self._drawn_tokens += not self._decoder.is_spelling
            yield step.token


class StopFinder:
    """Holds back text that may be the beginning of a stop string, and cuts at the first one.

    Attributes:
        found: whether one has come; what follows it is not wanted.
    """

    def __init__(self, stops: tuple[str, ...], tokenizer: Tokenizer) -> None:
        self.found = False
        self._stops = tuple(stop for stop in stops if stop)
        self._tokenizer = tokenizer
        self._waiting: list[TextChunk] = []

    def feed(self, chunk: TextChunk) -> list[TextChunk]:
        """Take the next chunk; those that are free to go now, in order."""
        if not self._stops:
            return [chunk]
        self._waiting.append(chunk)
        text = "".join(part.text for part in self._waiting)
        places = [at for at in map(text.find, self._stops) if at >= 0]
        if places:
            self.found = True
            return self._up_to(min(places))
        held = max(self._held_by(text, stop) for stop in self._stops)
        free: list[TextChunk] = []
        length = len(text)
        while self._waiting and length > held:
            length -= len(self._waiting[0].text)
            if length < held:
                break
            free.append(self._waiting.pop(0))
        return free

    def finish(self) -> list[TextChunk]:
        """What still waits, once no more comes."""
        free, self._waiting = self._waiting, []
        return free

    def _up_to(self, end: int) -> list[TextChunk]:
        """The waiting chunks before the character `end`; a part of one has tokens of its own."""
        free: list[TextChunk] = []
        for chunk in self._waiting:
            if end <= 0:
                break
            if len(chunk.text) <= end:
                free.append(chunk)
            else:
                free.append(cut(chunk, end, self._tokenizer))
            end -= len(chunk.text)
        self._waiting = []
        return free

    @staticmethod
    def _held_by(text: str, stop: str) -> int:
        """Length of the longest end of `text` that is a beginning of `stop`."""
        longest = min(len(text), len(stop) - 1)
        return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
