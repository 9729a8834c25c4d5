"""Several continuations side by side, to keep one of them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message

from mgpt_tui.inference.request import FinishReason
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.ui.screens.dialog import LiveDialog
from mgpt_tui.ui.session.comparison import Column
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.widgets.plain import Plain


def why_empty(reason: FinishReason | None) -> str:
    """Why there is nothing to keep in a column that ended so."""
    match reason:
        case None:
            return "The model has written nothing there yet."
        case FinishReason.END:
            return "The story ends there; there is nothing to keep."
        case FinishReason.CANCELLED:
            return "It was stopped before it had written anything."
    return "It came to nothing; there is nothing to keep."


class Candidate(VerticalScroll, can_focus=True):
    """One continuation; enter or a click on it keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "keep", "keep", show=False)]

    class Kept(Message):
        """The writer wants this one."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, number: int) -> None:
        super().__init__(id=f"candidate-{number}")
        self.number = number
        self._words = Plain(classes="candidate-text")

    def compose(self) -> ComposeResult:
        yield self._words

    def show(self, column: Column, turn: str, *, is_last_word: bool) -> None:
        """Bring it up to date; an empty one may be begun again, unless that is the last word."""
        nothing = ""
        if is_last_word and column.reason is FinishReason.END:
            nothing = "(the story ends here)"
        state = "…" if column.reason is None else f"seed {column.seed}"
        self.tell(state, apart((turn + column.text).lstrip("\n ")) or nothing)

    def tell(self, state: str, text: str) -> None:
        """Show a text, and how it stands, behind its number."""
        self.border_title = Content(f"{self.number + 1}  {state}".rstrip())
        self._words.say(text)

    def action_keep(self) -> None:
        self.post_message(self.Kept(self.number))

    def on_click(self) -> None:
        """A second click on the one that has the focus keeps it."""
        if self.has_class("-chosen"):
            self.action_keep()

    def on_focus(self) -> None:
        self.call_later(self.add_class, "-chosen")

    def on_blur(self) -> None:
        self.remove_class("-chosen")


class CompareScreen(LiveDialog[int | None]):
    """Answers with the number of the one to keep, or None.

    Args:
        session: whose comparison is shown.
        samples: how many there are.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "none", show=False),
        Binding("left", "app.focus_previous", show=False, priority=True),
        Binding("right", "app.focus_next", show=False, priority=True),
        *(Binding(str(digit), f"keep({digit - 1})", show=False) for digit in range(1, 10)),
    ]

    def __init__(self, session: Session, samples: int) -> None:
        super().__init__()
        self._session = session
        self._samples = samples

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box whole")
        box.border_title = "How could it go on?"
        box.border_subtitle = f"1–{self._samples} or enter keeps one · esc keeps none"
        with box:
            with Horizontal(id="candidates"):
                for number in range(self._samples):
                    yield Candidate(number)
            yield Plain(
                "← → choose, ↑ ↓ scroll. The others stay in the story as branches.",
                classes="help",
            )

    def on_mount(self) -> None:
        self.show_session()

    def show_session(self) -> None:
        """Bring every column up to date."""
        comparison, is_over = self._session.comparison, not self._session.is_writing
        if comparison is not None:
            for candidate, column in zip(self.query(Candidate), comparison.columns, strict=False):
                candidate.show(column, comparison.turn, is_last_word=is_over)

    @on(Candidate.Kept)
    def keep(self, message: Candidate.Kept) -> None:
        """Answer."""
        self.action_keep(message.number)

    def action_keep(self, number: int) -> None:
        comparison = self._session.comparison
        if comparison is None or number >= len(comparison.columns):
            return
        column = comparison.columns[number]
        if column.text:
            self.dismiss(number)
        else:
            reason = None if self._session.is_writing else column.reason
            self.query_one(".help", Plain).say(why_empty(reason))

    def action_leave(self) -> None:
        """The first press stops them, so that they can be read; the next one leaves."""
        if self._session.is_writing:
            self._session.stop()
            self.show_session()
        else:
            self.dismiss(None)
