"""After the end: a story that has ended goes on with a turn, the likeliest of many."""

from __future__ import annotations

from collections.abc import Callable

from mgpt_tui.inference.closing import is_closed, turns_for
from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Ranked
from mgpt_tui.inference.request import FinishReason, noted
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.session.meter import Meter
from mgpt_tui.ui.session.page import Page
from mgpt_tui.ui.session.questions import Questions


class Turning:
    """Has a story that has come to its end take a turn before it goes on.

    Args:
        engine: which ranks the turns.
        page: the story.
        meter: knows why the last passage ended.
        questions: how the engine is asked.
    """

    def __init__(self, engine: EngineLike, page: Page, meter: Meter, questions: Questions) -> None:
        self._engine, self._page, self._meter, self._questions = engine, page, meter, questions
        self._asked: object = None  # by whoever waits for an answer

    def forget(self) -> None:
        """Whoever waits for a turn wants none any more."""
        self._asked = None

    def go_on(self, then: Callable[[Story], None]) -> None:
        """Go on with the story as it stands, or with the turn that the model holds for likeliest.

        Args:
            then: goes on; called with the story, at once unless the engine is to be asked.
        """
        story = self._page.story
        if not (self._meter.reason is FinishReason.END or is_closed(story.text)):
            then(story)
            return
        turns, note = turns_for(story.text), story.note
        self._asked = asked = object()

        def go(story: Story) -> None:
            if self._asked is asked:  # else the writer has done something meanwhile
                self._asked = None
                then(story)

        def ranked(event: Ranked) -> None:
            _, turn = max(zip(event.scores, turns, strict=True))
            go(story.turn(turn))

        self._questions.ask(
            Ranked,
            lambda context: self._engine.rank(noted(note, context), turns),
            then=ranked,
            fails=lambda _: go(story),
        )
