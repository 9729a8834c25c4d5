"""What the engine is asked beside writing: what else could come, how long a text is, and
how its tokens were chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mgpt_tui.inference.process.messages import Failed, Inspected, Measured, Replaced, Seen

Answer = TypeVar("Answer", Seen, Measured, Inspected)


@dataclass(slots=True, eq=False)
class Question(Generic[Answer]):
    """Something that the engine was asked.

    Whoever asked looks here whenever the engine has spoken (see `screens.dialog.LiveDialog`), and
    lets go of it to hear no more.

    Attributes:
        kind: the type of the answer.
        id: the engine's; None where it was never asked.
        answer: None until it is there; of what comes bit by bit the last bit, which tells all.
        trouble: why there is none and will be none, and what helps, in a line; "" where that is not
            so.
        is_lost: whether it died with the engine, or a newer one took its place; it can be asked
            again once the engine is ready.
    """

    kind: type[Answer]
    id: int | None = None
    answer: Answer | None = None
    trouble: str = ""
    is_lost: bool = False

    @property
    def is_open(self) -> bool:
        """Whether an answer is on its way, or more of it."""
        if self.trouble or self.is_lost:
            return False
        return self.answer is None or _has_more(self.answer)


def _has_more(event: object) -> bool:
    return isinstance(event, Inspected) and event.more


class Questions:
    """Which questions are open, by the engine's ids."""

    def __init__(self) -> None:
        self._open: dict[int | None, tuple[Question[Any], Callable[[Any], None] | None]] = {}

    def ask(
        self, id: int, kind: type[Answer], then: Callable[[Answer], None] | None = None
    ) -> Question[Answer]:
        """Wait for the answer to a question.

        Args:
            id: the engine's, for what it was asked.
            kind: the type of the answer.
            then: called with it, once it is there; with each, where it comes bit by bit.
        """
        question = Question(kind, id)
        self._open[id] = question, then
        return question

    def take(self, event: Seen | Measured | Inspected | Replaced | Failed) -> None:
        """Pass on an answer, or that there will be none; what is of no open question is dropped."""
        if event.id not in self._open:
            return
        question, then = self._open[event.id]
        if not _has_more(event):
            del self._open[event.id]
        if isinstance(event, Failed):
            question.trouble = f"{event.message} {event.remedy}".rstrip()
        elif isinstance(event, Replaced):
            question.is_lost = True
        elif isinstance(event, question.kind):
            question.answer = event
            if then is not None:
                then(event)

    def lose(self) -> None:
        """The engine is gone, and all that it was asked with it."""
        for question, _ in self._open.values():
            question.is_lost = True
        self._open.clear()
