"""How surprising the line is that is being typed, after the story as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.asked import Asked, View
from mgpt_tui.inference.process.messages import Inspected
from mgpt_tui.stories.story import Story
from mgpt_tui.text import one_line
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session

# What views tell is made of thirty types, which are imported when the first one is told.
if TYPE_CHECKING:
    from mgpt_tui.inference.inspection.answers import SurpriseView

LONGEST = 16
"""Characters of the word that is told."""


class TypedLine:
    """Asks how surprising a line is while it is typed; one question at a time.

    Args:
        session: whose story it is to go on with.
        is_on: whether anything is asked; may be changed at any time.

    Attributes:
        said: its bits, and its most surprising word; "" where they are not known.
    """

    def __init__(self, session: Session, *, is_on: bool = False) -> None:
        self.is_on = is_on
        self.said = ""
        self._session = session
        self._line = ""
        self._question: Question[Inspected] | None = None

    def read(self, line: str) -> None:
        """So much is typed now; a command is no line."""
        self._line = line if self.is_on and not self._session.is_busy else ""
        if not self._line.strip():
            self.said = ""
        elif self._question is None or not self._question.is_open:
            self._ask()

    def _ask(self) -> None:
        session, line = self._session, self._line
        story = session.story.write(line)
        before = len(session.story.text)
        if session.model is None or story is session.story:
            return
        context = story.context(session.model.fingerprints)
        self._question = session.questions.ask(
            Inspected,
            lambda _: session.engine.inspect(context, Asked(View.SURPRISE)),
            then=lambda event: self._told(line, story, before, event),
        )

    def _told(self, line: str, story: Story, before: int, event: Inspected) -> None:
        from mgpt_tui.inference.inspection.answers import SurpriseView

        if self._line and isinstance(event.answer, SurpriseView):
            self.said = _said(event.answer, story.text, before)
        if self._line.strip() and self._line != line:
            self._ask()


def _said(told: SurpriseView, text: str, before: int) -> str:
    """The bits of what stands behind so many characters, and the word that has most of them."""
    ends = [0, *(token.end for token in told.tokens)]
    bits = sum(-token.logprob * BITS for token in told.tokens if token.end > before)
    words = [word for word in told.words if ends[word.end - 1] > before]
    most = max(words, key=lambda word: word.bits, default=None)
    if most is None:
        return f"line {bits:.1f} bits"
    word = one_line(text[ends[most.first - 1] : ends[most.end - 1]].strip())
    word = word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"
    return f"line {bits:.1f} bits, most at {word} {most.bits:.1f}"
