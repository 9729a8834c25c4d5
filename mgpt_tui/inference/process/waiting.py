"""Questions that wait for the thread that answers them."""

from __future__ import annotations

import threading

from mgpt_tui.inference.inspection.asked import WAITING, View
from mgpt_tui.inference.process.messages import Bridge, Generate, Inspect, Question, Tell


class Waiting:
    """Questions in the order in which they came, but of each view the newest alone.

    For use from two threads: one puts, one takes.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._questions: list[Question] = []
        self._replaced: list[int] = []

    def put(self, question: Question) -> None:
        """Add a question; one that waits for the same view is replaced."""
        with self._changed:
            if isinstance(question, Inspect):
                for old in self._questions:
                    if isinstance(old, Inspect) and old.asked.view == question.asked.view:
                        self._replaced.append(old.id)
                        self._questions.remove(old)
                        break  # there is never more than one
            self._questions.append(question)
            self._changed.notify()

    def next(self) -> Question:
        """The first; waits until there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._questions)
            return self._questions.pop(0)

    def next_short(self, with_text: bool = False) -> Question | None:
        """The first that is answered at once, if one is there.

        Args:
            with_text: whether what writes is meant, too.
        """
        with self._changed:
            for question in self._questions:
                is_text = isinstance(question, Bridge | Generate | Tell)
                is_long = isinstance(question, Inspect) and question.asked.view in WAITING
                if not is_long and (with_text or not is_text):
                    self._questions.remove(question)
                    return question
            return None

    def has(self, view: View) -> bool:
        """Whether a question for this view waits."""
        with self._changed:
            return any(
                isinstance(question, Inspect) and question.asked.view is view
                for question in self._questions
            )

    def take_replaced(self) -> list[int]:
        """Ids of questions that were replaced since this was asked before."""
        with self._changed:
            replaced, self._replaced = self._replaced, []
            return replaced
