"""Generations under way: a passage of the story, or continuations side by side.

Each is told what the engine says of it, and gives the story as it is then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import ClassVar

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Chunks
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until, noted
from mgpt_tui.stories.story import Story
from mgpt_tui.text import StreamingCleaner, TextChunk
from mgpt_tui.ui.session.comparison import Comparison, ended_at_once


class Generation(ABC):
    """What the engine writes now, and where it goes.

    Args:
        fingerprints: of the model that writes it.

    Attributes:
        id: the engine's; 0 before it was asked.
        grows: whether the story becomes longer by it.
    """

    grows: ClassVar[bool]

    def __init__(self, fingerprints: Collection[str]) -> None:
        self.id = 0
        self._fingerprints = fingerprints
        self._cleaners: list[StreamingCleaner] = []

    @abstractmethod
    def ask(self, engine: EngineLike, story: Story) -> None:
        """Ask the engine to go on with a story so."""

    @abstractmethod
    def began(self, story: Story, seed: int) -> Story:
        """The engine has begun, and drawn this seed."""

    @abstractmethod
    def add(self, story: Story, events: Sequence[Chunks]) -> Story:
        """Take in what was written, all of it at the cost of one chunk."""

    @abstractmethod
    def ended(self, story: Story, sample: int, reason: FinishReason) -> Story | FinishReason | None:
        """One of its samples is over.

        Returns:
            None where others go on; why all of it is over (`CANCELLED` where it is to be stopped);
            or the story of which the engine is to be asked for it again.
        """

    @abstractmethod
    def finish(self, story: Story) -> Story:
        """It is over, for whatever reason: keep what came, or restore what was."""

    def _asked(self, id: int, samples: int) -> None:
        self.id = id
        self._cleaners = [StreamingCleaner() for _ in range(samples)]

    def _cleaned(self, event: Chunks) -> list[TextChunk]:
        cleaner = self._cleaners[event.sample]
        return [TextChunk(cleaner.feed(chunk.text), chunk.tokens) for chunk in event.chunks]


class Passage(Generation):
    """Fills the node that the story has opened for the model."""

    grows = True

    def ask(self, engine: EngineLike, story: Story) -> None:
        settings, until = _wanted(story)
        maker = story.nodes[story.here].span.maker
        context = noted(maker.note, story.context(self._fingerprints))
        self._asked(engine.generate(context, settings, until, muted=maker.muted), samples=1)

    def began(self, story: Story, seed: int) -> Story:
        return story.extend(seed=seed)

    def add(self, story: Story, events: Sequence[Chunks]) -> Story:
        return story.extend_by([chunk for event in events for chunk in self._cleaned(event)])

    def ended(self, story: Story, sample: int, reason: FinishReason) -> Story | FinishReason:
        """Have an empty passage written although the model ended the story instead.

        Who asks it to go on wants more. To try again would bring nothing: the end is by far the
        likeliest then. Where that end was asked for, the length has to do.
        """
        settings, until = _wanted(story)
        text = story.nodes[story.here].span.text
        if not ended_at_once(text, reason) or settings.ignore_end:
            return reason
        until = Until.LENGTH if until is Until.END else until
        return story.begin_anew(replace(settings, ignore_end=True), until)

    def finish(self, story: Story) -> Story:
        return story.extend(self._cleaners[0].finish()).settle()


def _wanted(story: Story) -> tuple[SamplingSettings, Until]:
    """How, and how far, the passage here is to be written."""
    span = story.nodes[story.here].span
    assert span.settings is not None
    return span.settings, Until(span.until)


class SideBySide(Generation):
    """Fills the columns of a comparison; the story stays as it is.

    Args:
        fingerprints: of the model that writes it.
        comparison: where the samples go.
        settings: which they are drawn with.
    """

    grows = False

    def __init__(
        self, fingerprints: Collection[str], comparison: Comparison, settings: SamplingSettings
    ) -> None:
        super().__init__(fingerprints)
        self._comparison = comparison
        self._settings = settings

    def ask(self, engine: EngineLike, story: Story) -> None:
        maker, samples = self._comparison.maker, len(self._comparison.columns)
        context = noted(maker.note, self._comparison.base.context(self._fingerprints))
        id = engine.generate(context, self._settings, Until.LENGTH, samples, maker.muted)
        self._asked(id, samples)

    def began(self, story: Story, seed: int) -> Story:
        self._comparison.began(seed)
        return story

    def add(self, story: Story, events: Sequence[Chunks]) -> Story:
        for event in events:
            self._comparison.columns[event.sample].add(self._cleaned(event))
        return story

    def ended(self, story: Story, sample: int, reason: FinishReason) -> Story | FinishReason | None:
        comparison = self._comparison
        column = comparison.columns[sample]
        column.reason = column.reason or reason
        if not comparison.is_over:
            return None
        onward = comparison.begin_anew()
        if onward is not None:
            self._settings = onward
            return story
        if any(column.goes_past_the_end for column in comparison.columns):
            return FinishReason.CANCELLED  # the others were asked for again for their seeds alone
        return reason

    def finish(self, story: Story) -> Story:
        self._comparison.stop()
        return story
