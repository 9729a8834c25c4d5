"""What the engine is asked beside writing: what else could come, how long a text is, and
how its tokens were chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import (
    Answered,
    Bridged,
    Failed,
    Inspected,
    Measured,
    Ranked,
    Replaced,
    Seen,
    Told,
)
from mgpt_tui.inference.request import ContextPart

Answer = TypeVar("Answer", Seen, Measured, Ranked, Told, Bridged, Inspected)


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
    return isinstance(event, Inspected | Bridged) and event.more


_Open = tuple[Question[Any], Callable[[Any], None] | None, Callable[[str], None] | None]


class Questions:
    """What is asked about the story, and which questions are open, by the engine's ids.

    Args:
        engine: which is asked.
        context: what it is to read of so many characters of the story, of all of them for None;
            None where it is not ready.
    """

    def __init__(
        self,
        engine: EngineLike,
        context: Callable[[int | None], Sequence[ContextPart] | None],
    ) -> None:
        self._engine, self._context = engine, context
        self._open: dict[int | None, _Open] = {}

    def ask(
        self,
        kind: type[Answer],
        ask: Callable[[Sequence[ContextPart]], int],
        end: int | None = None,
        then: Callable[[Answer], None] | None = None,
        fails: Callable[[str], None] | None = None,
    ) -> Question[Answer]:
        """Ask the engine something about the story; nothing that is being written stops.

        Args:
            kind: the type of the answer.
            ask: asks the engine, given what it is to read, and gives the id.
            end: how many characters of the story it is about; all of them where left out.
            then: called with the answer, once it is there; with each, where it comes bit by bit.
            fails: called with its `trouble` where there is none.

        Returns:
            The question, which is lost already where the engine is not ready.
        """
        context = self._context(end)
        if context is None:
            return Question(kind, is_lost=True)
        id = ask(context)
        question = Question(kind, id)
        self._open[id] = question, then, fails
        return question

    def leave(self, question: Question[Any]) -> None:
        """Have no more told of what is told bit by bit; what is known of it stays."""
        if question.is_open and question.id is not None:
            self._engine.stop(question.id)

    def take(self, event: Answered | Failed) -> None:
        """Pass on an answer, or that there will be none; what is of no open question is dropped."""
        if event.id not in self._open:
            return
        question, then, fails = self._open[event.id]
        if not _has_more(event):
            del self._open[event.id]
        if isinstance(event, Failed):
            question.trouble = f"{event.message} {event.remedy}".rstrip()
            if fails is not None:
                fails(question.trouble)
        elif isinstance(event, Replaced):
            question.is_lost = True
        elif isinstance(event, question.kind):
            question.answer = event
            if then is not None:
                then(event)

    def lose(self) -> bool:
        """The engine is gone, and all that it was asked with it.

        Returns:
            Whether somebody waits for an answer who does not ask again by himself.
        """
        for question, *_ in self._open.values():
            question.is_lost = True
        waited = any(fails is not None for *_, fails in self._open.values())
        self._open.clear()
        return waited
