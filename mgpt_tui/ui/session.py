"""Writing together, without a screen: one story, one engine, and what stands between them.

The screen calls the verbs (`submit`, `retry`, `stop`, ...), passes on the engine's events with
`handle`, and shows what is in the attributes. Nothing here waits.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from mgpt_tui import paths
from mgpt_tui.inference.client import EngineLike
from mgpt_tui.inference.messages import (
    Chunk,
    Died,
    Ended,
    Event,
    Failed,
    Ready,
    Started,
)
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.text import StreamingCleaner
from mgpt_tui.ui.meter import Meter

DEATHS = 3
DEATHS_WITHIN = 20.0
"""The engine is started again unless it died `DEATHS` times within so many seconds."""


class Phase(Enum):
    """How the engine is."""

    WAKING = "waking"
    READY = "ready"
    DOWN = "down"


class Severity(StrEnum):
    """How much a notice matters, in Textual's words."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the writer."""

    text: str
    severity: Severity = Severity.INFORMATION


@dataclass(slots=True)
class _Generation:
    """A generation under way: its id, and what cleans its text."""

    id: int
    cleaner: StreamingCleaner


class Session:
    """A writer, a story and an engine.

    Args:
        engine: what generates; `start` is called by `wake`.
        settings: for the next generation; may be replaced at any time.
        clock: seconds, monotonic.

    Attributes:
        story: the story so far, the passage being written included.
        phase: how the engine is.
        model: what the engine said when it was ready; None before.
        meter: numbers to show.
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
        self.trouble = ""
        self._clock = clock
        self._generation: _Generation | None = None
        self._waiting: Callable[[], None] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._told_window = False

    # What the screen asks.

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
    def can_retry(self) -> bool:
        """Whether the model wrote last."""
        return self.story.ends_with_model

    @property
    def can_undo(self) -> bool:
        """Whether undo changes anything."""
        return bool(self.story.past)

    @property
    def can_redo(self) -> bool:
        """Whether redo changes anything."""
        return bool(self.story.future) and not self.is_writing

    # What the writer does.

    def wake(self) -> None:
        """Start the engine."""
        self.phase, self.trouble = Phase.WAKING, ""
        self.engine.start()

    def submit(self, line: str) -> None:
        """Add a line, if it holds anything, and let the model go on."""
        written = self.story.write(line)
        if written is self.story and self.is_busy:
            return
        self.stop()
        self.story = self.story.write(line)
        self._request(self._go_on)

    def retry(self) -> None:
        """Replace the model's last passage, or go on where the writer wrote last."""
        self.stop()
        if not self.story.spans:
            return
        self._request(self._anew)

    def stop(self) -> None:
        """Stop what runs or waits; the text so far stays."""
        self._waiting = None
        if self._generation is not None:
            self.engine.stop(self._generation.id)
            self._finish(FinishReason.CANCELLED)

    def undo(self) -> None:
        """Stop, and go one step back."""
        self.stop()
        self._go_to(self.story.undo())

    def redo(self) -> None:
        """Go one step forward again."""
        self.stop()
        self._go_to(self.story.redo())

    def tell(self, story: Story) -> None:
        """Turn to another story."""
        self.stop()
        self.meter.begin()
        self._told_window = False
        self._go_to(story)

    # What the engine says.

    def handle(self, events: Iterable[Event]) -> list[Notice]:
        """Take in events, in order; gives what the writer should be told."""
        notices: list[Notice] = []
        for event in events:
            match event:
                case Ready():
                    self._ready(event)
                case Started():
                    notices += self._started(event)
                case Chunk():
                    self._chunk(event)
                case Ended():
                    notices += self._ended(event)
                case Failed():
                    notices += self._failed(event)
                case Died():
                    notices += self._died(event)
        if self._generation is not None:
            self.meter.count()
        return notices

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
        self.story = self.story.extend(seed=event.seed)
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

    def _chunk(self, event: Chunk) -> None:
        running = self._generation
        if running is None or running.id != event.id:
            return
        self.meter.add(len(event.chunk.tokens))
        self.story = self.story.extend(running.cleaner.feed(event.chunk.text), event.chunk.tokens)

    def _ended(self, event: Ended) -> list[Notice]:
        if self._generation is None or self._generation.id != event.id:
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

    def _go_on(self) -> None:
        before = self.story
        self.story = before.begin(self.settings, self._maker())
        self._generate(before)

    def _anew(self) -> None:
        self.story = self.story.retry(self.settings, self._maker())
        self._generate(Story(spans=self.story.spans[:-1]))

    def _maker(self) -> Maker:
        """What a passage remembers of the model that writes it."""
        assert self.model is not None
        model = self.model
        return Maker(model=model.model, fingerprint=model.fingerprint, decoding=model.decoding)

    def _generate(self, before: Story) -> None:
        assert self.model is not None
        self.meter.begin()
        context = before.context(self.model.fingerprint)
        self._generation = _Generation(
            self.engine.generate(context, self.settings), StreamingCleaner()
        )

    def _finish(self, reason: FinishReason | None) -> None:
        """End the running generation here: keep what came, or restore what was."""
        running, self._generation = self._generation, None
        assert running is not None
        self.meter.count()
        self.story = self.story.extend(running.cleaner.finish()).settle()
        self.meter.end(self.story.text, reason)

    def _go_to(self, story: Story) -> None:
        self.story = story
        self.meter.reason = None
        self.meter.show(story.text)
