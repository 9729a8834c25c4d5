"""The story and the engine that goes on with it: asking for passages, and hearing what comes.

One generation runs at a time. Nothing here waits.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby

from mgpt_tui import paths
from mgpt_tui.inference.client import EngineLike
from mgpt_tui.inference.messages import (
    Chunks,
    Died,
    Ended,
    Event,
    Failed,
    Ready,
    Seen,
    Started,
)
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.text import StreamingCleaner, TextChunk
from mgpt_tui.ui.comparison import Comparison
from mgpt_tui.ui.meter import Meter
from mgpt_tui.ui.notices import Notice, Severity

DEATHS = 3
DEATHS_WITHIN = 20.0
"""The engine is started again unless it died `DEATHS` times within so many seconds."""


class Phase(Enum):
    """How the engine is."""

    WAKING = "waking"
    READY = "ready"
    DOWN = "down"


@dataclass(slots=True)
class _Generation:
    """A generation under way.

    Attributes:
        id: the engine's.
        cleaners: what cleans the text of each sample.
        comparison: where the samples go that are not for the story yet; None for the story.
    """

    id: int
    cleaners: list[StreamingCleaner]
    comparison: Comparison | None = None


class Conversation:
    """A story and an engine.

    Args:
        engine: what generates; `start` is called by `wake`.
        settings: for the next generation; may be replaced at any time.
        clock: seconds, monotonic.

    Attributes:
        story: the story so far, the passage being written included.
        phase: how the engine is.
        model: what the engine said when it was ready; None before.
        meter: numbers to show.
        comparison: continuations side by side that wait for a choice; None where there are none.
        seen: what could come at the place that was asked about last.
        trouble: what keeps the engine down, in a line; "" where nothing does.
    """

    def __init__(
        self,
        engine: EngineLike,
        settings: SamplingSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.story = Story()
        self.phase = Phase.WAKING
        self.model: Ready | None = None
        self.meter = Meter(clock)
        self.comparison: Comparison | None = None
        self.seen: Seen | None = None
        self.trouble = ""
        self._look = 0
        self._clock = clock
        self._generation: _Generation | None = None
        self._waiting: Callable[[], None] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._told_window = False

    @property
    def is_writing(self) -> bool:
        """Whether a generation runs."""
        return self._generation is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a generation begins as soon as the engine is ready."""
        return self._waiting is not None

    @property
    def is_busy(self) -> bool:
        """Whether there is something to stop."""
        return self.is_writing or self.is_waiting

    def wake(self) -> None:
        """Start the engine."""
        self.phase, self.trouble = Phase.WAKING, ""
        self.engine.start()

    def stop(self) -> None:
        """Stop what runs or waits; the text so far stays."""
        self._waiting = None
        if self._generation is not None:
            self.engine.stop(self._generation.id)
            self._finish(FinishReason.CANCELLED)

    def switch(self, model: str | None) -> None:
        """Write with another model from now on; the story stays."""
        self.stop()
        self.phase, self.trouble, self.model = Phase.WAKING, "", None
        self._deaths.clear()
        self.engine.switch(model)

    # What the engine says.

    def handle(self, events: Iterable[Event]) -> list[Notice]:
        """Take in events, in order; gives what the writer should be told."""
        notices: list[Notice] = []
        for kind, group in groupby(events, type):
            if kind is Chunks:
                self._chunks([event for event in group if isinstance(event, Chunks)])
            else:
                for event in group:
                    notices += self._take(event)
        if self._generation is not None:
            self.meter.count()
        return notices

    def _take(self, event: Event) -> list[Notice]:
        """Take in one event that is no chunk."""
        match event:
            case Ready():
                self._ready(event)
            case Started():
                return self._started(event)
            case Ended():
                return self._ended(event)
            case Failed():
                return self._failed(event)
            case Seen() if event.id == self._look:
                self.seen = event
            case Died():
                return self._died(event)
        return []

    def _ready(self, event: Ready) -> None:
        self.model, self.phase, self.trouble = event, Phase.READY, ""
        self.meter.block_size = event.block_size
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting()

    def _started(self, event: Started) -> list[Notice]:
        running = self._generation
        if running is None or running.id != event.id:
            return []
        self.meter.started(self.story.text, event)
        if running.comparison is None:
            self.story = self.story.extend(seed=event.seed)
        else:
            running.comparison.began(event.seed)
        if event.window_start == 0 or self._told_window:
            return []
        self._told_window = True
        unread = event.window_start
        return [
            Notice(
                "The story is longer than the model can read at once, so it reads from the end: "
                f"the last {event.context_tokens - unread} of {event.context_tokens} tokens."
            )
        ]

    def _chunks(self, events: list[Chunks]) -> None:
        """Take in chunks, all at the cost of one."""
        running = self._generation
        if running is None:
            return
        chunks: list[TextChunk] = []
        for event in events:
            if event.id != running.id:
                continue
            cleaner = running.cleaners[event.sample]
            new = [TextChunk(cleaner.feed(chunk.text), chunk.tokens) for chunk in event.chunks]
            self.meter.add(sum(len(chunk.tokens) for chunk in new))
            if running.comparison is None:
                chunks += new
            else:
                running.comparison.columns[event.sample].chunks += new
        if chunks:
            self.story = self.story.extend_by(chunks)

    def _ended(self, event: Ended) -> list[Notice]:
        running = self._generation
        if running is None or running.id != event.id:
            return []
        if running.comparison is not None:
            running.comparison.columns[event.sample].reason = event.finished.reason
            if running.comparison.is_over:
                self._finish(event.finished.reason)
            return []
        self._finish(event.finished.reason)
        self.meter.rate = event.finished.tokens_per_second
        if event.finished.tokens or event.finished.reason is not FinishReason.END:
            return []
        return [Notice("The model has nothing to add here. Write a line yourself, or try again.")]

    def _failed(self, event: Failed) -> list[Notice]:
        text = f"{event.message}\n{event.remedy}".rstrip()
        if event.id is None:
            return self._down(text)
        if self._generation is None or self._generation.id != event.id:
            return []
        self._finish(None)
        return [Notice(text, Severity.ERROR)]

    def _died(self, event: Died) -> list[Notice]:
        if self._generation is not None:
            self._finish(None)
        if self.phase is Phase.DOWN:
            return []
        self._deaths.append(self._clock())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] <= DEATHS_WITHIN:
            return self._down(
                f"The engine stopped {DEATHS} times in a row (exit code {event.exit_code}).\n"
                f"Its log is {paths.engine_log()}. Enter tries again."
            )
        notice = Notice(
            f"The engine stopped unexpectedly (exit code {event.exit_code}). "
            "Your text is safe; it is being started again.",
            Severity.WARNING,
        )
        self.wake()
        return [notice]

    # How it is done.

    def _down(self, text: str) -> list[Notice]:
        self.phase, self._waiting = Phase.DOWN, None
        self.trouble = text.partition("\n")[0]
        self._deaths.clear()
        return [Notice(text, Severity.ERROR)]

    def _request(self, begin: Callable[[], None]) -> None:
        if self.phase is Phase.READY:
            begin()
            return
        self._waiting = begin
        if self.phase is Phase.DOWN:
            self.wake()

    def _maker(self) -> Maker:
        """What a passage remembers of the model that writes it."""
        assert self.model is not None
        model = self.model
        return Maker(model=model.model, fingerprint=model.fingerprint, decoding=model.decoding)

    def _onward(self) -> SamplingSettings:
        """The settings; where the model has just ended the story, it may not end it again at once.

        It would: the end is by far the likeliest then, and asking for more would bring nothing.
        """
        ended = self.meter.reason is FinishReason.END
        return replace(self.settings, ignore_end=True) if ended else self.settings

    def _write(self, begun: Story) -> None:
        """Have the passage written that `begun` has opened."""
        assert self.model is not None
        self.meter.begin()
        self.story = begun
        context = begun.context(self.model.fingerprint)
        span = begun.nodes[begun.here].span
        id = self.engine.generate(context, span.settings or self.settings, Until(span.until))
        self._generation = _Generation(id, [StreamingCleaner()])

    def _compare(self, samples: int) -> None:
        assert self.model is not None
        settings = self._onward()
        self.meter.begin()
        context = self.story.context(self.model.fingerprint)
        self.comparison = Comparison(self.story, settings, self._maker(), samples)
        id = self.engine.generate(context, settings, Until.LENGTH, samples)
        cleaners = [StreamingCleaner() for _ in range(samples)]
        self._generation = _Generation(id, cleaners, self.comparison)

    def _finish(self, reason: FinishReason | None) -> None:
        """End the running generation here: keep what came, or restore what was."""
        running, self._generation = self._generation, None
        assert running is not None
        self.meter.count()
        if running.comparison is None:
            self.story = self.story.extend(running.cleaners[0].finish()).settle()
        else:
            running.comparison.stop()
        self.meter.end(self.story.text, reason)
