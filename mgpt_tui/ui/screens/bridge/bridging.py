"""Bridging, without a screen: where there may be a bridge, and what leads over it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mgpt_tui.inference.process.messages import Bridged
from mgpt_tui.inference.request import ContextPart, Gap, Way, fresh_seed, noted, seed_after
from mgpt_tui.inference.text.endings import sentences_of
from mgpt_tui.stories.tree import read_as, spans_between
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase

SAMPLES = 32
"""Ways that are tried."""


class Stretch(NamedTuple):
    """What a bridge takes the place of: from a character of the story to another, maybe the same.

    Where a sentence begins a line, or the story, it has no blank before it; else it has.
    """

    start: int
    end: int


def places_of(text: str) -> list[Stretch]:
    """The places between two sentences, and the sentences between, in turns.

    There is text before and after each of them.
    """
    sentences = sentences_of(text)
    places: list[Stretch] = []
    for (start, end), (_, before) in zip(sentences[1:], sentences, strict=False):
        begins_line = "\n" in text[before:start]
        places += (Stretch(before, before), Stretch(start if begins_line else before, end))
    return places[:-1]  # nothing comes after the last sentence


class Bridging:
    """Ways over a stretch of the story, as far as the engine has told of them.

    Args:
        session: whose story it is; its model is ready.
        stretch: what they are to lead over.

    Attributes:
        stretch: as above.
        is_stopped: whether no more are looked for, though there would have been.
    """

    def __init__(self, session: Session, stretch: Stretch) -> None:
        self.stretch = stretch
        self.is_stopped = False
        self._session = session
        self._story, self._settings, self._maker = session.story, session.settings, session.maker
        seed = self._settings.seed
        self._seed = fresh_seed() if seed is None else seed
        self._question = self._asked()

    @property
    def text(self) -> str:
        """The story as it is."""
        return self._story.text

    @property
    def found(self) -> Bridged | None:
        """What is known by now; None where nothing is."""
        return self._question.answer

    @property
    def ways(self) -> tuple[Way, ...]:
        """The best of them by now, the best first."""
        return self.found.ways if self.found else ()

    @property
    def trouble(self) -> str:
        """Why there will be none, in a line; "" where that is not so."""
        return self._question.trouble

    @property
    def is_over(self) -> bool:
        """Whether no more come."""
        is_told = self.found is not None and not self.found.more
        return bool(is_told or self.is_stopped or self.trouble)

    def go_on(self) -> None:
        """Ask again where the engine died over it, and is ready again."""
        question = self._question
        if question.is_lost and not self.is_over and self._session.phase is Phase.READY:
            self._question = self._asked()

    def stop(self) -> None:
        """Look for no more; those that are known stay."""
        if not self.is_over:
            self.is_stopped = True
            self._session.questions.leave(self._question)

    def others(self) -> None:
        """Look for others, with the seeds after those that were tried."""
        self.stop()
        self._seed = seed_after(self._seed, SAMPLES)
        self.is_stopped = False
        self._question = self._asked()

    def keep(self, number: int) -> None:
        """Put one of them into the story; one step of undo."""
        way = self.ways[number]
        kept = replace(way, settings=replace(way.settings, seed=self._settings.seed))
        self._session.change(lambda story: story.bridged(*self.stretch, kept, self._maker))

    def _asked(self) -> Question[Bridged]:
        session, settings = self._session, replace(self._settings, seed=self._seed)
        return session.questions.ask(
            Bridged,
            lambda before: session.engine.bridge(
                self._gap(tuple(before)), settings, SAMPLES, self._maker.muted
            ),
            self.stretch.start,
        )

    def _gap(self, before: tuple[ContextPart, ...]) -> Gap:
        start, end = self.stretch
        size = len(self.text)
        after = spans_between(self._story.spans, end, size)
        fingerprints = self._session.model.fingerprints if self._session.model else ()
        return Gap(
            noted(self._maker.note, before),
            read_as(after, fingerprints, size),
            self.text[start:end],
        )
