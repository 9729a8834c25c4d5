"""What an engine was asked and has not answered yet, and what is no answer to it."""

from __future__ import annotations

from mgpt_tui.inference.process.lines import ProtocolError
from mgpt_tui.inference.process.messages import (
    Answered,
    Bridge,
    Bridged,
    Chunks,
    Ended,
    Event,
    Failed,
    Generate,
    Inspect,
    Inspected,
    Look,
    Measure,
    Measured,
    Question,
    Rank,
    Ranked,
    Replaced,
    Seen,
    Started,
    Tell,
    Told,
)

_ANSWERS: dict[type, tuple[type, ...]] = {
    Generate: (Started, Chunks, Ended),
    Look: (Seen,),
    Measure: (Measured,),
    Rank: (Ranked,),
    Tell: (Told,),
    Bridge: (Bridged, Replaced),
    Inspect: (Inspected, Replaced),
}


class Pending:
    """Questions in the order in which they were asked, each until its last answer."""

    def __init__(self) -> None:
        self._kinds: dict[int, tuple[type, ...]] = {}
        self._left: dict[int, set[int]] = {}  # samples that go on

    def ask(self, question: Question) -> None:
        """Wait for the answers to a question."""
        samples = question.samples if isinstance(question, Generate) else 1
        self._kinds[question.id] = _ANSWERS[type(question)]
        self._left[question.id] = set(range(samples))

    def take(self, event: Event) -> None:
        """Strike off what an event answers.

        Raises:
            ProtocolError: where it answers nothing that was asked and still goes on.
        """
        if isinstance(event, Failed):
            if event.id is not None:
                self._drop(event.id)
        elif isinstance(event, Started | Chunks | Ended | Answered):
            left = self._left.get(event.id)
            if left is None or not isinstance(event, self._kinds[event.id]):
                raise ProtocolError(f"{type(event).__name__} answers nothing")
            if isinstance(event, Chunks | Ended) and event.sample not in left:
                raise ProtocolError(f"there is no sample {event.sample}, or it is over")
            if isinstance(event, Ended):
                left.discard(event.sample)
            if not left or (isinstance(event, Answered) and not getattr(event, "more", False)):
                self._drop(event.id)

    def give_up(self) -> list[int]:
        """Nothing more will come; the questions that were left, as they were asked."""
        left = list(self._left)
        self._left, self._kinds = {}, {}
        return left

    def _drop(self, id: int) -> None:
        if self._left.pop(id, None) is None:
            raise ProtocolError(f"nothing waits for {id}")
        del self._kinds[id]
