"""Several continuations of one story, written side by side, of which the writer keeps one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until, seed_after
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.text import TextChunk

MOST = 8
"""As many as can be compared at once."""


def ended_at_once(text: str, reason: FinishReason | None) -> bool:
    """Whether a passage has nothing in it because the model ended the story instead."""
    return reason is FinishReason.END and not text.strip()


@dataclass(slots=True)
class Column:
    """One of them.

    Attributes:
        chunks: what has come so far.
        seed: its seed, once it has begun.
        reason: why it ended; None while it goes on.
        goes_past_the_end: whether it was begun again because it ended at once.
    """

    chunks: list[TextChunk] = field(default_factory=list)
    seed: int | None = None
    reason: FinishReason | None = None
    goes_past_the_end: bool = False

    @property
    def text(self) -> str:
        """What has come so far."""
        return "".join(chunk.text for chunk in self.chunks)

    def add(self, chunks: list[TextChunk]) -> None:
        """So much more has come; what comes after its end is not of it."""
        if self.reason is None:
            self.chunks += chunks


class Comparison:
    """Continuations of `base` that are being written or wait for a choice.

    Args:
        base: the story that they continue.
        settings: which they are written with.
        maker: the model.
        samples: how many.
        back: the story that none of them goes back to, and undo; `base`, if left out.

    Attributes:
        maker: as above.
    """

    def __init__(
        self,
        base: Story,
        settings: SamplingSettings,
        maker: Maker,
        samples: int,
        back: Story | None = None,
    ) -> None:
        self.base = base
        self._back = back or base
        self.columns = [Column() for _ in range(samples)]
        self._settings = settings
        self.maker = maker

    @property
    def turn(self) -> str:
        """What all of them begin with, which the story that they go back to has not."""
        return self.base.text[len(self._back.text) :]

    @property
    def is_over(self) -> bool:
        """Whether all have ended."""
        return all(column.reason is not None for column in self.columns)

    def begin_anew(self) -> SamplingSettings | None:
        """Begin those again that brought nothing but the end of the story.

        Returns:
            The settings to ask for all of them with, so that each keeps its seed; None where
            there are none.
        """
        empty = [
            column
            for column in self.columns
            if ended_at_once(column.text, column.reason) and not column.goes_past_the_end
        ]
        if not empty:
            return None
        for column in empty:
            column.chunks, column.reason, column.goes_past_the_end = [], None, True
        return replace(self._settings, ignore_end=True, seed=self.columns[0].seed)

    def began(self, seed: int) -> None:
        """The first has this seed, and each of the others one more."""
        for number, column in enumerate(self.columns):
            column.seed = seed_after(seed, number)

    def stop(self) -> None:
        """They go no further."""
        for column in self.columns:
            column.reason = column.reason or FinishReason.CANCELLED

    def kept(self, choice: int | None) -> Story:
        """The story with all of them as branches, and the writer at the end of one.

        Args:
            choice: which to go on from; None stays where the story was.
        """
        story, chosen, first = self.base, self.base.here, True
        for number, column in enumerate(self.columns):
            if not column.text:
                continue
            grow = story.begin if first else story.retry
            ignore_end = self._settings.ignore_end or column.goes_past_the_end
            settings = replace(self._settings, ignore_end=ignore_end)
            story, first = grow(settings, self.maker, Until.LENGTH), False
            story = story.extend_by(column.chunks, seed=column.seed)
            if number == choice:
                chosen = story.here
        back = self._back
        if chosen == self.base.here:
            return replace(story, here=back.here, past=back.past, future=back.future)
        return replace(story, here=chosen, past=(*back.past, back.here), future=())
