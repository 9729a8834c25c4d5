"""What views ask about a story; what was answered stays, so that a step back asks nothing."""

from __future__ import annotations

from mgpt_tui.inference.process.messages import Inspected
from mgpt_tui.ui.screens.inside.sight import Wanted
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session


class Asking:
    """Questions about the story as it stands, also while it grows.

    Args:
        session: whose story it is.

    Attributes:
        story: as it stood.
    """

    def __init__(self, session: Session) -> None:
        self.story = session.story
        self._session = session
        self._asked: dict[Wanted, Question[Inspected]] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether there is a question that may still get its answer."""
        return any(question.is_open for question in self._asked.values())

    def ask(self, wanted: Wanted) -> Question[Inspected]:
        """The question with its answer, be it there or on its way; the engine is ready."""
        question = self._asked.get(wanted)
        if question is None or question.is_lost:
            engine, asked = self._session.engine, wanted.asked
            end = len(self.story.text) if wanted.end is None else wanted.end
            question = self._asked[wanted] = self._session.ask(
                Inspected, lambda context: engine.inspect(context, asked), end
            )
        return question
