"""The line that the writer types in; it grows to a few lines."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import FinishReason
from mgpt_tui.text import clean_text
from mgpt_tui.ui import slash
from mgpt_tui.ui.declaration import Key, Where
from mgpt_tui.ui.history import PromptHistory
from mgpt_tui.ui.keymap import KeyNames
from mgpt_tui.ui.keys import bindings
from mgpt_tui.ui.session.session import Session
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
        names: what the keys in force are called.

    Attributes:
        completions: the list that belongs above or below the prompt; the screen places it.
    """

    BINDINGS = [  # noqa: RUF012
        *bindings(Where.PROMPT),
        Binding("escape", "close_list", "close the list", show=False),
    ]

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

    def __init__(
        self, id: str, offers: slash.Offers = nothing, names: KeyNames | None = None
    ) -> None:
        super().__init__(id=id)
        self._names = names or KeyNames()
        self._invitation = ""
        self.completions = Completions(self._complete_to)
        self._offers = offers
        self._offered: dict[str, list[str]] = {}
        self._lines = PromptHistory()
        self._recalled: str | None = None
        self._list_closed_at: str | None = None  # what stood there when the list was closed
        self._pasted = False  # whether a slash at the beginning was pasted: then it is text

    @property
    def is_empty(self) -> bool:
        """Whether nothing is typed."""
        return not self.text

    @property
    def line(self) -> str:
        """What is typed, as `put_back` takes it; "" where that is blank."""
        if not self.text.strip():
            return ""
        return slash.as_typed(self.text) if self._pasted else self.text

    def put_back(self, line: str) -> None:
        """Let a line stand in the field that was typed before, in this run or another."""
        self._put(line)
        self.history.clear()

    def invite(self, session: Session) -> None:
        """Say, while nothing is typed, what can be typed now."""
        if session.is_writing:
            words = self._names.fill("The model is writing; {stop} stops it")
        elif not session.story.spans:
            words = "How does the story begin?"
        elif session.meter.reason is FinishReason.END:
            words = self._names.fill(
                "The model ended the story here; {Send} has it go on all the same"
            )
        else:
            words = self._names.fill("And then? {Send} lets the model go on")
        if words != self._invitation:
            self._invitation = words
            self.placeholder = Content(words)

    def action_send(self) -> None:
        self._look()
        chosen = self.completions.chosen
        if chosen is not None and self.completions.walked and chosen.line != self.text:
            self._complete_to(chosen)
            try:
                slash.read_command(chosen.line)
            except UserError:  # it needs more, which is typed now
                return
        line = clean_text(self.text)
        message: Message
        if self.is_command:
            try:
                message = self.Command(*slash.read_command(line))
            except UserError as error:
                self.post_message(self.Refused(error))
                return
        else:
            message = self.Sent(line if self._pasted else slash.as_text(line))
        self._sent(line)
        self.post_message(message)

    def take_line(self) -> str:
        """What stands in the field, as text for the story; the field is empty then.

        A command stays, and is no text: "".
        """
        if self.is_command:
            return ""
        line = clean_text(self.text)
        text = line if self._pasted else slash.as_text(line)
        self._sent(line)
        return text

    def _sent(self, line: str) -> None:
        """Remember what stood in the field, and empty it."""
        self._lines.add(slash.as_typed(line) if self._pasted else line)
        self._pasted = False
        self.clear()
        self.history.clear()

    def action_newline(self) -> None:
        self.insert("\n")

    def take(self, text: str) -> None:
        """Put text in; a slash that is pasted at the beginning is text."""
        if min(self.selection) == (0, 0) and text:
            self._pasted = text.startswith("/")
        super().take(text)

    # Commands.

    @property
    def is_command(self) -> bool:
        """Whether what is typed is a command."""
        return slash.is_command(self.text) and not self._pasted

    def begin(self, key: Key, argument: str = "") -> None:
        """Put a command into the field, for its argument to be typed, or changed."""
        self._put(f"{key.slash} {argument}")
        self.focus()

    async def _on_key(self, event: events.Key) -> None:
        if event.character == "/" and min(self.selection) == (0, 0):
            self._pasted = False

    def on_text_area_changed(self) -> None:
        """Offer what the line may become."""
        self._look()

    def _look(self) -> None:
        """Take in what stands in the field now."""
        if self.text != self._recalled:
            self._recalled = None
            self._lines.rest()
        if not self.is_command:
            self._offered.clear()
        if self.text != self._list_closed_at:
            self._list_closed_at = None
        offered = self.is_command and self._recalled is None and self._list_closed_at is None
        self.completions.show(slash.complete(self.text, self._offer) if offered else [])

    def _offer(self, id: str) -> list[str]:
        """The names that may stand after a command, asked for once while it is typed."""
        if id not in self._offered:
            self._offered[id] = list(self._offers(id))
        return self._offered[id]

    def action_complete(self) -> None:
        self._look()
        chosen = self.completions.chosen
        if chosen is None:
            self.screen.focus_next()
        else:
            self._complete_to(chosen)

    def action_close_list(self) -> None:
        """Close the list until something else is typed."""
        self._list_closed_at = self.text
        self._look()
        self.screen.refresh_bindings()  # escape is the room's again

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is the room's where no list is open."""
        return action != "close_list" or self.completions.display

    def _complete_to(self, chosen: slash.Completion) -> None:
        if chosen.line != self.text:
            self._put(chosen.line)
        self.focus()

    def _put(self, line: str) -> None:
        """Let `line` stand in the field, as if typed; undo goes back to what stood there."""
        self._pasted = False
        self.replace(line, (0, 0), self.document.end)
        self.move_cursor(self.document.end)

    def can_take_back(self, id: str) -> bool:
        """Whether undo or redo, whichever `id` says, changes what is typed."""
        history = self.history
        stack = {"undo": history.undo_stack, "redo": history.redo_stack}.get(id)
        return bool(stack)

    # What was typed before.

    def action_earlier_line(self) -> None:
        self._look()
        if self.completions.chosen is not None:
            self.completions.walk(-1)
        elif self.navigator.is_first_wrapped_line(self.cursor_location):
            self._recall(self._lines.earlier(self.text))
        else:
            self.action_cursor_up()

    def action_later_line(self) -> None:
        self._look()
        if self.completions.chosen is not None:
            self.completions.walk(1)
        elif self.navigator.is_last_wrapped_line(self.cursor_location):
            self._recall(self._lines.later())
        else:
            self.action_cursor_down()

    def _recall(self, line: str | None) -> None:
        if line is not None:
            self._recalled = line
            self._put(line)
