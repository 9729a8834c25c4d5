"""What screens ask about a text; what was answered stays, so that a step back asks nothing."""

from __future__ import annotations

from dataclasses import dataclass

from mgpt_tui.inference.inspection.answers import Answer, Asked, SurpriseView, View
from mgpt_tui.inference.inspection.asked import LONG
from mgpt_tui.inference.process.messages import Inspected
from mgpt_tui.inference.request import ContextPart
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session

MOST = 500
"""Answers that are kept at most; those that were wanted last."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question about a text.

    Attributes:
        asked: what is asked.
        end: how many characters of the story it is about; all of them where None.
        context: another text than that of the `Asking`.
    """

    asked: Asked
    end: int | None = None
    context: tuple[ContextPart, ...] | None = None


SURPRISE = Wanted(Asked(View.SURPRISE))
"""How a model reads all of the text."""


@dataclass(frozen=True, slots=True)
class Sofar:
    """What came of a question that is answered bit by bit.

    Attributes:
        answer: all that is known by now; None where nothing is, or nothing was asked.
        is_open: whether more is on its way.
        trouble: why there is no more, or none yet, in a line; "" where that is not so.
    """

    answer: Answer | None = None
    is_open: bool = False
    trouble: str = ""


class Asking:
    """Questions about the story as it stands, also while it grows, or about another text.

    Args:
        session: whose story it is; its model is ready.
        text: where it is none of the writer's story; the story, if left out.

    Attributes:
        story: as it stood.
        model: that is asked.
        trouble: why what was wanted last has no answer and will have none, in a line; else "".
    """

    def __init__(self, session: Session, text: str = "") -> None:
        self.story, self.model = session.story, session.model
        self.trouble = ""
        self._session = session
        self._context: tuple[ContextPart, ...] | None = (text,) if text else None
        self._asked: dict[Wanted, Question[Inspected]] = {}  # what was wanted last comes last
        self._stopped: set[Wanted] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether there is a question, other than a long one, that may still get its answer."""
        return any(
            question.is_open
            for wanted, question in self._asked.items()
            if wanted.asked.view not in LONG
        )

    def answer(self, wanted: Wanted) -> Answer | None:
        """The answer, if it is there; else it is on its way, or there is `trouble`."""
        question = self._ask(wanted)
        self.trouble = question.trouble
        return None if question.answer is None else question.answer.answer

    def surprise(self) -> SurpriseView | None:
        """How surprising the text is; None where that is not known yet."""
        answer = self.answer(SURPRISE)
        return answer if isinstance(answer, SurpriseView) else None

    def _ask(self, wanted: Wanted) -> Question[Inspected]:
        """The question with its answer, be it there or on its way."""
        question = self._asked.pop(wanted, None)
        if question is None or (question.is_lost and wanted not in self._stopped):
            engine, asked = self._session.engine, wanted.asked
            context = self._context if wanted.context is None else wanted.context
            end = len(self.story.text) if wanted.end is None else wanted.end
            question = self._session.questions.ask(
                Inspected, lambda story: engine.inspect(context or story, asked), end
            )
        self._asked[wanted] = question
        if len(self._asked) > MOST:
            oldest = next(iter(self._asked))
            self._stopped.discard(oldest)
            del self._asked[oldest]
        return question

    # What is told bit by bit.

    def sofar(self, wanted: Wanted) -> Sofar:
        """What is known by now; it is asked, unless it was stopped."""
        question = self._ask(wanted)
        answer = None if question.answer is None else question.answer.answer
        return Sofar(answer, question.is_open and wanted not in self._stopped, question.trouble)

    def stop(self, wanted: Wanted) -> bool:
        """Have no more told; False where no more would have come."""
        question = self._asked.get(wanted)
        if question is None or not question.is_open or wanted in self._stopped:
            return False
        self._stopped.add(wanted)
        self._session.questions.leave(question)
        return True

    def let_go(self, wanted: Wanted) -> None:
        """Have no more told for now; it is asked anew when it is wanted again."""
        question = self._asked.get(wanted)
        if question is not None and wanted not in self._stopped:
            self._session.questions.leave(question)

    def stop_all(self) -> None:
        """Have no more told of anything."""
        for wanted in self._asked:
            if wanted.asked.view in LONG:
                self.stop(wanted)

    def begin(self, wanted: Wanted) -> None:
        """Let it be asked anew where it was stopped or refused."""
        question = self._asked.get(wanted)
        if wanted in self._stopped or (question is not None and question.trouble):
            self._stopped.discard(wanted)
            del self._asked[wanted]
