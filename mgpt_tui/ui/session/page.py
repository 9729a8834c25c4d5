"""The story, and what the engine writes of it now."""

from __future__ import annotations

from collections.abc import Sequence

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Chunks, Ended, Started
from mgpt_tui.inference.request import FinishReason
from mgpt_tui.stories.story import Span, Story
from mgpt_tui.ui.notices import Notice
from mgpt_tui.ui.session.generation import Generation
from mgpt_tui.ui.session.meter import Meter

HURRIED = Notice(
    "A second was too short to compare all tries for the words: a seed may bring others next time."
)


class Page:
    """A story, and at most one generation, which is told what the engine says of it.

    Args:
        engine: what generates.
        meter: counts what it brings.

    Attributes:
        story: the story so far, the passage being written included.
        written: the passage that was written last; None where it brought nothing, or one is being
            written.
    """

    def __init__(self, engine: EngineLike, meter: Meter) -> None:
        self.story = Story()
        self._engine = engine
        self._meter = meter
        self.written: Span | None = None
        self._running: Generation | None = None
        self._told_window = False

    @property
    def is_writing(self) -> bool:
        """Whether a generation runs."""
        return self._running is not None

    def is_of(self, id: int | None) -> bool:
        """Whether the generation that runs is this one of the engine's."""
        return self._running is not None and self._running.id == id

    def begin(self, generation: Generation, story: Story) -> None:
        """Ask the engine for a generation, for the first time or again.

        Args:
            generation: what is to be written; none runs, or this one.
            story: which it goes on with.
        """
        self._meter.begin()
        self.story, self._running, self.written = story, generation, None
        generation.ask(self._engine, story)

    def turn(self) -> None:
        """Another story begins; nothing runs."""
        self._meter.begin()
        self._told_window = False

    def stop(self) -> None:
        """Stop what runs; the text so far stays."""
        if self._running is not None:
            self._engine.stop(self._running.id)
            self.finish(FinishReason.CANCELLED)

    def finish(self, reason: FinishReason | None) -> None:
        """End what runs here, if anything does: keep what came, or restore what was."""
        running, self._running = self._running, None
        if running is None:
            return
        self._meter.count()
        here = self.story.here
        self.story = running.finish(self.story)
        if running.grows and self.story.here == here:
            self.written = self.story.nodes[here].span
        self._meter.end(self.story, reason)

    # What the engine says.

    def started(self, event: Started) -> list[Notice]:
        """The generation begins; gives what the writer should be told."""
        if self._running is None or not self.is_of(event.id):
            return []
        self._meter.started(self.story, event)
        self.story = self._running.began(self.story, event.seed)
        return [*self._tell_window(event), *([HURRIED] if event.is_hurried else [])]

    def add(self, events: Sequence[Chunks]) -> None:
        """Text has come."""
        running = self._running
        events = [event for event in events if self.is_of(event.id)]
        if running is None or not events:
            return
        for event in events:
            tokens = sum(len(chunk.tokens) for chunk in event.chunks)
            self._meter.add(tokens, grows=running.grows)
        self.story = running.add(self.story, events)

    def ended(self, event: Ended) -> None:
        """A sample is over, and with it, maybe, all of the generation."""
        running = self._running
        if running is None or not self.is_of(event.id):
            return
        match running.ended(self.story, event.sample, event.finished.reason):
            case None:
                pass
            case Story() as story:
                self.begin(running, story)
            case FinishReason.CANCELLED:
                self.stop()
            case reason:
                self.finish(reason)
                if running.grows:
                    self._meter.rate = event.finished.tokens_per_second

    def _tell_window(self, event: Started) -> list[Notice]:
        """Say once of a story that the model cannot read all of it."""
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
