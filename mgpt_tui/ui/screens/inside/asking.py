"""What views ask about a story; what was answered stays, so that a step back asks nothing."""

from __future__ import annotations

from mgpt_tui.inference.inspection.asked import LONG
from mgpt_tui.inference.process.messages import Inspected
from mgpt_tui.ui.screens.inside.sight import Sofar, Wanted
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session


class Asking:
    """Questions about the story as it stands, also while it grows.

    Args:
        session: whose story it is.

    Attributes:
        story: as it stood.
        model: that is asked.
    """

    def __init__(self, session: Session) -> None:
        self.story, self.model = session.story, session.model
        self._session = session
        self._asked: dict[Wanted, Question[Inspected]] = {}
        self._stopped: set[Wanted] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether there is a question, other than a long one, that may still get its answer."""
        return any(
            question.is_open
            for wanted, question in self._asked.items()
            if wanted.asked.view not in LONG
        )

    def ask(self, wanted: Wanted) -> Question[Inspected]:
        """The question with its answer, be it there or on its way; the engine is ready."""
        question = self._asked.get(wanted)
        if question is None or (question.is_lost and wanted not in self._stopped):
            engine, asked = self._session.engine, wanted.asked
            end = len(self.story.text) if wanted.end is None else wanted.end
            question = self._asked[wanted] = self._session.ask(
                Inspected, lambda context: engine.inspect(context, asked), end
            )
        return question

    # What is told bit by bit.

    def sofar(self, wanted: Wanted) -> Sofar:
        """What is known by now; it is asked, unless it was stopped."""
        question = self.ask(wanted)
        answer = None if question.answer is None else question.answer.answer
        return Sofar(answer, question.is_open and wanted not in self._stopped, question.trouble)

    def stop(self, wanted: Wanted) -> bool:
        """Have no more told; False where no more would have come."""
        question = self._asked.get(wanted)
        if question is None or not question.is_open or wanted in self._stopped:
            return False
        self._stopped.add(wanted)
        self._session.leave(question)
        return True

    def let_go(self, wanted: Wanted) -> None:
        """Have no more told for now; it is asked anew when it is wanted again."""
        question = self._asked.get(wanted)
        if question is not None and wanted not in self._stopped:
            self._session.leave(question)

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
