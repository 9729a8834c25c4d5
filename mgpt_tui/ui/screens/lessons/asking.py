"""What cards ask; what was answered stays, so that a step back asks nothing."""

from __future__ import annotations

from mgpt_tui.inference.inspection.answers import Answer, SurpriseView
from mgpt_tui.inference.inspection.asked import Asked, View
from mgpt_tui.inference.process.messages import Inspected
from mgpt_tui.ui.screens.lessons.card import Look, Seen, Wanted
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session

MOST = 2_000
"""Answers that are kept at most."""


class Asking:
    """Questions about one text and others beside it.

    Args:
        session: with a model that is ready.
        text: where it is none of the writer's story; the story, if left out.

    Attributes:
        trouble: why the last question has no answer and will have none, in a line; else "".
    """

    def __init__(self, session: Session, text: str = "") -> None:
        self.trouble = ""
        self._session = session
        self._text = text
        self._end = len(session.story.text)
        self._asked: dict[Wanted, Question[Inspected]] = {}

    def surprise(self) -> SurpriseView | None:
        """How surprising the text is; None where that is not known yet."""
        answer = self.answer(Wanted(Asked(View.SURPRISE)))
        return answer if isinstance(answer, SurpriseView) else None

    def seen(self, look: Look) -> Seen | None:
        """What a card shows; None where something that it wants to know is not known yet."""
        try:
            wanted = next(look)
            while (answer := self.answer(wanted)) is not None:
                wanted = look.send(answer)
        except StopIteration as end:
            seen: Seen = end.value
            return seen
        return None

    def answer(self, wanted: Wanted) -> Answer | None:
        """The answer, if it is there; else it is on its way."""
        question = self._asked.get(wanted)
        if question is None or question.is_lost:
            question = self._ask(wanted)
        self.trouble = question.trouble
        return None if question.answer is None else question.answer.answer

    def _ask(self, wanted: Wanted) -> Question[Inspected]:
        engine, asked, context = self._session.engine, wanted.asked, wanted.context
        if context is None and self._text:
            context = (self._text,)
        question = self._session.ask(
            Inspected, lambda story: engine.inspect(context or story, asked), self._end
        )
        if len(self._asked) >= MOST:
            del self._asked[next(iter(self._asked))]
        self._asked[wanted] = question
        return question
