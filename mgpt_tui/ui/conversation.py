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
    Measured,
    Ready,
    Seen,
    Started,
)
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.text import StreamingCleaner, TextChunk
from mgpt_tui.ui.comparison import Comparison, ended_at_once
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
        self._measure: tuple[int, str] = (0, "")  # the question after a length, and of which text
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

    @property
    def is_looking(self) -> bool:
        """Whether `seen` is there, or on its way: a question dies with the engine."""
        return self.seen is not None or bool(self._look)

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
                self._ended(event)
            case Failed():
                return self._failed(event)
            case Seen() if event.id == self._look:
                self.seen = event
            case Measured() if event.id == self._measure[0]:
                self.meter.learn(self._measure[1], event.context_tokens)
                self.meter.show(self.story.text)
            case Died():
                return self._died(event)
        return []

    def _ready(self, event: Ready) -> None:
        if self.model is None or self.model.fingerprint != event.fingerprint:
            self.meter.use(event.block_size)
        self.model, self.phase, self.trouble = event, Phase.READY, ""
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting()
        else:
            self._show_length()

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
            tokens = sum(len(chunk.tokens) for chunk in new)
            self.meter.add(tokens, grows=running.comparison is None)
            if running.comparison is None:
                chunks += new
            else:
                running.comparison.columns[event.sample].add(new)
        if chunks:
            self.story = self.story.extend_by(chunks)

    def _ended(self, event: Ended) -> None:
        running = self._generation
        if running is None or running.id != event.id:
            return
        reason = event.finished.reason
        if running.comparison is not None:
            self._column_ended(running.comparison, event.sample, reason)
            return
        span = self.story.nodes[self.story.here].span
        settings = span.settings or self.settings
        if ended_at_once(span.text, reason) and not settings.ignore_end:
            self._go_past_the_end(settings, Until(span.until))
        else:
            self._finish(reason)
            self.meter.rate = event.finished.tokens_per_second

    def _column_ended(self, comparison: Comparison, number: int, reason: FinishReason) -> None:
        column = comparison.columns[number]
        column.reason = column.reason or reason
        if not comparison.is_over:
            return
        onward = comparison.begin_anew()
        if onward is not None:
            self._ask_columns(comparison, onward)
        elif any(column.goes_past_the_end for column in comparison.columns):
            self.stop()  # the others, which were asked for again for the sake of the seeds alone
        else:
            self._finish(reason)

    def _go_past_the_end(self, settings: SamplingSettings, until: Until) -> None:
        """Have the empty passage here written although the model ended the story instead.

        Who asks it to go on wants more. To try again would bring nothing: the end is by far the
        likeliest then. Where that end was asked for, the length has to do.
        """
        until = Until.LENGTH if until is Until.END else until
        self._write(self.story.begin_anew(replace(settings, ignore_end=True), until))

    def _failed(self, event: Failed) -> list[Notice]:
        text = f"{event.message}\n{event.remedy}".rstrip()
        if event.id is None:
            return self._down(text)
        if self._generation is None or self._generation.id != event.id:
            return []
        self._finish(None)
        return [Notice(text, Severity.ERROR)]

    def _died(self, event: Died) -> list[Notice]:
        self._look = 0
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
        self.comparison = Comparison(self.story, self.settings, self._maker(), samples)
        self._ask_columns(self.comparison, self.settings)

    def _ask_columns(self, comparison: Comparison, settings: SamplingSettings) -> None:
        """Have the columns written that are not over."""
        assert self.model is not None
        self.meter.begin()
        context = comparison.base.context(self.model.fingerprint)
        samples = len(comparison.columns)
        id = self.engine.generate(context, settings, Until.LENGTH, samples)
        cleaners = [StreamingCleaner() for _ in range(samples)]
        self._generation = _Generation(id, cleaners, comparison)

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
        self._show_length()

    def _show_length(self) -> None:
        """Show how long the story is; where nobody has said it yet, ask, and do not wait."""
        text, model = self.story.text, self.model
        self.meter.show(text)
        if text and self.meter.context_tokens is None and model and self.phase is Phase.READY:
            self._measure = self.engine.measure(self.story.context(model.fingerprint)), text
