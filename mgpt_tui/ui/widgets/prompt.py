"""The line that the writer types in; it grows to a few lines."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.content import Content
from textual.message import Message

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import FinishReason
from mgpt_tui.text import clean_text
from mgpt_tui.ui import slash
from mgpt_tui.ui.history import PromptHistory
from mgpt_tui.ui.keys import Key, Where, bindings
from mgpt_tui.ui.session import Session
from mgpt_tui.ui.widgets.completions import Completions
from mgpt_tui.ui.widgets.plain_text_area import PlainTextArea


def nothing(id: str) -> Iterable[str]:
    """No names to offer after a command."""
    return ()


class Prompt(PlainTextArea):
    """A text field whose enter sends, and in which nothing is styled or obeyed.

    A line that is typed with a `/` at its beginning is a command; see `slash`.

    Args:
        id: the widget's.
        offers: tells the names that may stand after a command.

    Attributes:
        completions: the list that belongs above or below the prompt; the screen places it.
    """

    BINDINGS = bindings(Where.PROMPT)

    class Sent(Message):
        """The writer pressed enter.

        Attributes:
            text: what stood in the field, cleaned; the field is empty again.
        """

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Command(Message):
        """The writer typed a command.

        Attributes:
            key: what it asks for.
            argument: what stood after it; "" for nothing.
        """

        def __init__(self, key: Key, argument: str) -> None:
            super().__init__()
            self.key = key
            self.argument = argument

    class Refused(Message):
        """The writer typed a command that cannot be; the line is still there.

        Attributes:
            error: why, and what can be.
        """

        def __init__(self, error: UserError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, id: str, offers: slash.Offers = nothing) -> None:
        super().__init__(id=id)
        self._invitation = ""
        self.completions = Completions(self._complete_to)
        self._offers = offers
        self._offered: dict[str, list[str]] = {}
        self._lines = PromptHistory()
        self._recalled: str | None = None
        self._pasted = False  # whether a slash at the beginning was pasted: then it is text

    @property
    def is_empty(self) -> bool:
        """Whether nothing is typed."""
        return not self.text

    def invite(self, session: Session) -> None:
        """Say, while nothing is typed, what can be typed now."""
        if session.is_writing:
            words = "The model is writing; esc stops it"
        elif not session.story.spans:
            words = "How does the story begin?"
        elif session.meter.reason is FinishReason.END:
            words = "The model ended the story here; you need not"
        else:
            words = "And then? Enter lets the model go on"
        if words != self._invitation:
            self._invitation = words
            self.placeholder = Content(words)

    def action_send(self) -> None:
        # A priority binding runs ahead of keys still on their way to this field; queued behind
        # them, enter cannot overtake the last letters of a fast typist.
        self.call_later(self._send)

    def _send(self) -> None:
        line = clean_text(self.text)
        message: Message
        if self._is_command:
            try:
                message = self.Command(*slash.read_command(line))
            except UserError as error:
                self.post_message(self.Refused(error))
                return
        else:
            message = self.Sent(line if self._pasted else slash.as_text(line))
        self._lines.add(slash.as_typed(line) if self._pasted else line)
        self._pasted = False
        self.clear()
        self.history.clear()
        self.post_message(message)

    def action_newline(self) -> None:
        self.call_later(self.insert, "\n")

    def take(self, text: str) -> None:
        """Put text in; a slash that is pasted at the beginning is text."""
        if min(self.selection) == (0, 0) and text:
            self._pasted = text.startswith("/")
        super().take(text)

    # Commands.

    @property
    def _is_command(self) -> bool:
        return slash.is_command(self.text) and not self._pasted

    def begin(self, key: Key) -> None:
        """Put a command into the field, for its argument to be typed."""
        self._put(f"{key.slash} ")
        self.focus()

    async def _on_key(self, event: events.Key) -> None:
        if event.character == "/" and min(self.selection) == (0, 0):
            self._pasted = False

    def on_text_area_changed(self) -> None:
        """Offer what the line may become."""
        self._look()

    def _look(self) -> None:
        """Take in what stands in the field now; a key that needs it may be ahead of the news."""
        if self.text != self._recalled:
            self._recalled = None
            self._lines.rest()
        if not self._is_command:
            self._offered.clear()
        offered = self._is_command and self._recalled is None
        self.completions.show(slash.complete(self.text, self._offer) if offered else [])

    def _offer(self, id: str) -> list[str]:
        """The names that may stand after a command, asked for once while it is typed."""
        if id not in self._offered:
            self._offered[id] = list(self._offers(id))
        return self._offered[id]

    def action_complete(self) -> None:
        self.call_later(self._complete)

    def _complete(self) -> None:
        self._look()
        chosen = self.completions.chosen
        if chosen is None:
            self.screen.focus_next()
        else:
            self._complete_to(chosen)

    def _complete_to(self, chosen: slash.Completion) -> None:
        if chosen.line != self.text:
            self._put(chosen.line)
        self.focus()

    def _put(self, line: str) -> None:
        """Let `line` stand in the field, as if typed; undo goes back to what stood there."""
        self._pasted = False
        self.replace(line, (0, 0), self.document.end)
        self.move_cursor(self.document.end)

    # What was typed before. These keys, like enter, must not overtake letters on their way.

    def action_earlier_line(self) -> None:
        self.call_later(self._earlier)

    def action_later_line(self) -> None:
        self.call_later(self._later)

    def _earlier(self) -> None:
        self._look()
        if self.completions.chosen is not None:
            self.completions.action_cursor_up()
        elif self.navigator.is_first_wrapped_line(self.cursor_location):
            self._recall(self._lines.earlier(self.text))
        else:
            self.action_cursor_up()

    def _later(self) -> None:
        self._look()
        if self.completions.chosen is not None:
            self.completions.action_cursor_down()
        elif self.navigator.is_last_wrapped_line(self.cursor_location):
            self._recall(self._lines.later())
        else:
            self.action_cursor_down()

    def _recall(self, line: str | None) -> None:
        if line is not None:
            self._recalled = line
            self._put(line)
