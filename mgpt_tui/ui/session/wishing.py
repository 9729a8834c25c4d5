"""Words that are to come in the next passage: which have, and which stay on the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Seen
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.inference.said.forms import held
from mgpt_tui.settings_fields import LONGEST_WORD
from mgpt_tui.stories.story import Span, Story
from mgpt_tui.ui.notices import Notice
from mgpt_tui.ui.session.page import Page
from mgpt_tui.ui.session.questions import Questions


class Wishes:
    """Strikes words off the list once they have come.

    A list belongs to the next passage: what came in it is not wished any more, what did not is.

    Args:
        engine: which can say whether it can say a word.
        page: the story.
        questions: how the engine is asked.
    """

    def __init__(self, engine: EngineLike, page: Page, questions: Questions) -> None:
        self._engine, self._page, self._questions = engine, page, questions
        self._came: tuple[str, ...] = ()

    def check(self, words: tuple[str, ...], told: Callable[[str], None]) -> None:
        """Ask whether the model can say some words.

        Args:
            words: that are to come.
            told: called then with "", or with why it cannot, and what helps, in a line.
        """
        settings = SamplingSettings(words=words)
        self._questions.ask(
            Seen,
            lambda _: self._engine.look((), settings, 1),
            then=lambda _: told(""),
            fails=told,
        )

    def take_came(self) -> tuple[str, ...]:
        """The words that have come since this was asked before."""
        came, self._came = self._came, ()
        return came

    def settle(self, settings: SamplingSettings) -> tuple[SamplingSettings, list[Notice]]:
        """A passage is written: the settings of the next one, and what is to be told.

        Args:
            settings: in force.
        """
        wished = _wished(self._page.written)
        self._page.written = None
        if not wished:
            return settings, []
        came = _held(wished, self._page.story)
        self._came += came
        missing = [word for word in wished if word not in came]
        words = tuple(word for word in settings.words if word not in came)
        if not missing:
            return replace(settings, words=words), []
        has, is_ = ("has", "is") if len(missing) == 1 else ("have", "are")
        what = f"{', '.join(missing)} {has} not come"
        onward = f", and {is_} wished for the next passage" if set(missing) <= {*words} else ""
        return replace(settings, words=words), [Notice(f"{what}{onward}.")]

    def again(self, settings: SamplingSettings) -> SamplingSettings:
        """The settings with which the last passage is written anew: with the words it was to hold.

        Words that the writer has listed since then count instead.
        """
        wished = _wished(self._last)
        is_new = not set(settings.words) <= {*wished}
        return settings if is_new else replace(settings, words=wished)

    def listed(self, settings: SamplingSettings) -> tuple[tuple[str, bool], ...]:
        """The words of the passage that is being written, or of the next, and which have come."""
        wished = _wished(self._last)
        came = _held(wished, self._page.story)
        if wished and self._page.is_writing:
            return tuple((word, word in came) for word in wished)
        if not set(settings.words) <= {*wished}:
            return tuple((word, False) for word in settings.words)
        left = (word for word in wished if word in settings.words or word in came)
        return tuple((word, word not in settings.words) for word in left)

    @property
    def _last(self) -> Span:
        """The passage with which the story ends."""
        story = self._page.story
        return story.nodes[story.here].span


def _wished(span: Span | None) -> tuple[str, ...]:
    """The words that a passage was to hold; a single word is not led to any."""
    if span is None or span.settings is None or span.until == Until.WORD:
        return ()
    return span.settings.words


def _held(words: tuple[str, ...], story: Story) -> tuple[str, ...]:
    """Those that have come in the passage with which the story ends, or at its edge."""
    if not words:
        return ()
    length = len(story.nodes[story.here].span.text)
    tail = story.text[-(length + LONGEST_WORD) :]
    return held(words, tail, len(tail) - length)
