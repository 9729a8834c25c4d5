"""How long the story and its note are: the engine counts, for the app has no tokenizer."""

from __future__ import annotations

from collections.abc import Callable

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Measured
from mgpt_tui.inference.request import Note, noted
from mgpt_tui.stories.story import Story
from mgpt_tui.text import clean_text
from mgpt_tui.ui.session.meter import Meter
from mgpt_tui.ui.session.page import Page
from mgpt_tui.ui.session.questions import Questions


class Lengths:
    """Asks for what nobody has counted yet, and has the meter show it.

    Args:
        engine: which counts.
        page: the story.
        meter: what shows it.
        questions: how the engine is asked.
    """

    def __init__(self, engine: EngineLike, page: Page, meter: Meter, questions: Questions) -> None:
        self._engine, self._page, self._meter, self._questions = engine, page, meter, questions

    def show(self) -> None:
        """Show how long the story is; where nobody has said it yet, ask, and do not wait."""
        story, note = self._page.story, self._page.story.note
        self._meter.show(story)
        if note and not self._meter.note_tokens:
            self._count_note(note, lambda: self._meter.show(self._page.story))
        if story.text and self._meter.context_tokens is None:
            self._questions.ask(
                Measured,
                lambda context: self._engine.measure(noted(note, context)),
                then=lambda event: self._measured(story, event),
            )

    def remember(self, note: str, told: Callable[[str], None]) -> None:
        """Keep a note in the model's view from the next passage on.

        It counts once the engine has found room for it.

        Args:
            note: one line; "" lets go of the one that there is.
            told: called then with "", or with why it cannot be, and what helps, in a line.
        """
        created, note = self._page.story.created, clean_text(note).strip()

        def counted() -> None:
            if self._page.story.created == created:  # no other was opened meanwhile
                self._page.story = self._page.story.remembering(note)
                self.show()
            told("")

        if note:
            self._count_note(note, counted, told)
        else:
            counted()

    def _count_note(
        self, note: str, then: Callable[[], None], fails: Callable[[str], None] | None = None
    ) -> None:
        def counted(event: Measured) -> None:
            self._meter.learn_note(note, event.context_tokens)
            then()

        self._questions.ask(
            Measured, lambda _: self._engine.measure((Note(note),)), then=counted, fails=fails
        )

    def _measured(self, story: Story, event: Measured) -> None:
        self._meter.learn(story, event.context_tokens)
        self._meter.show(self._page.story)
