"""Which stories a model is to learn, what it is called then, and what that takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from mgpt_tui.errors import UserError
from mgpt_tui.files import exists
from mgpt_tui.learning.begun import free_name
from mgpt_tui.model.registry import run_folder
from mgpt_tui.stories.documents import journal_of
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.text import clean_text, counted, without_middle
from mgpt_tui.ui.learning.apprentice import Apprentice
from mgpt_tui.ui.screens.dialog import Answer, Dialog
from mgpt_tui.ui.screens.library import date
from mgpt_tui.ui.widgets.options import Options
from mgpt_tui.ui.widgets.plain import Plain

TAKEN, LEFT = "● ", "○ "
WAYS = "space takes one · a all · tab name · enter goes on · esc cancels"


@dataclass(frozen=True, slots=True)
class ToLearn:
    """What the writer has decided: the name of the new model, and arguments of `learn`."""

    name: str
    arguments: tuple[str, ...]


class LearningDialog(Dialog[Answer]):
    """A dialog about the model that learns."""

    DEFAULT_CSS = """
    LearningDialog {
        align: center middle;
        background: $background 60%;
    }
    LearningDialog .said {
        padding-top: 1;
        color: $text-muted;
    }
    LearningDialog .said.-bad {
        color: $text-error;
    }
    """

    def show_learning(self) -> None:
        """Show how it is with it; the room calls this whenever it has said something."""
        raise NotImplementedError


class ChooseStoriesScreen(LearningDialog[ToLearn | None]):
    """Answers with a `ToLearn`, or None.

    Args:
        apprentice: tells what it takes.
        library: the stories.
        model: the one that learns.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("space", "take", "take or leave", show=False),
        Binding("a", "all", "all or none", show=False),
        Binding("tab", "app.focus_next", "name", show=False),
    ]

    DEFAULT_CSS = """
    ChooseStoriesScreen .named {
        height: 2;
    }
    ChooseStoriesScreen .label {
        width: auto;
    }
    ChooseStoriesScreen #name {
        width: 1fr;
    }
    ChooseStoriesScreen #list {
        height: 1fr;
        background: $surface;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    class Listed(Message):
        """A thread has read the library, or could not."""

        def __init__(self, rows: Sequence[Entry], name: str, error: UserError | None) -> None:
            super().__init__()
            self.rows, self.name, self.error = rows, name, error

    def __init__(self, apprentice: Apprentice, library: StoryLibrary, model: str) -> None:
        super().__init__()
        self._apprentice, self._library, self._model = apprentice, library, model
        self._rows: Sequence[Entry] = ()
        self._taken: set[int] = set()
        self._told: ToLearn | None = None  # of which it is known what it takes, or being found out

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box tall")
        box.border_title = "A model of your stories"
        box.border_subtitle = WAYS
        with box:
            with Horizontal(classes="named"):
                yield Plain("called ", classes="label")
                yield Input(id="name", compact=True)
            yield Options(id="list", compact=True)
            yield Plain("Looking for stories…", classes="said")

    def on_mount(self) -> None:
        self.query_one("#list").focus()
        self.run_worker(self._read, thread=True)

    def _read(self) -> None:
        try:
            rows = [entry for entry in self._library.entries() if not entry.trouble]
            self.post_message(self.Listed(rows, free_name(), None))
        except UserError as error:
            self.post_message(self.Listed((), "", error))

    @on(Listed)
    def listed(self, event: Listed) -> None:
        """Show them, all taken."""
        event.stop()
        if event.error is not None:
            self._say(str(event.error), bad=True)
            return
        self._rows = event.rows
        self._taken = set(range(len(event.rows)))
        self.query_one("#name", Input).value = event.name
        options = self.query_one("#list", OptionList)
        options.add_options(Option(self._row(at)) for at in range(len(self._rows)))
        if self._rows:
            options.highlighted = 0
        self._count()

    def _row(self, at: int) -> Content:
        row = self._rows[at]
        facts = f"{counted(row.words, 'word')} · {date(row.modified, time.time())}"
        mark = TAKEN if at in self._taken else LEFT
        return Content.assemble(mark, (clean_text(row.name), "bold"), "  ", facts)

    def _count(self) -> None:
        """Say how much there is to learn from, which is to be reckoned anew."""
        self._told = None
        self._apprentice.leave()
        words = sum(self._rows[at].words for at in self._taken)
        if not self._rows:
            self._say("There is no story to learn from: write some, or bring some in.")
            return
        self._say(
            f"{len(self._taken)} of {counted(len(self._rows), 'story', 'stories')}, "
            f"{counted(words, 'word')}. {self._model} "
            "learns them and becomes another model; it stays as it is itself. Enter tells what "
            "that takes."
        )

    # What can be done.

    def action_take(self) -> None:
        at = self.query_one("#list", OptionList).highlighted
        if at is not None and at < len(self._rows):
            self._taken ^= {at}
            self._redraw([at])

    def action_all(self) -> None:
        every = set(range(len(self._rows)))
        self._taken = set() if self._taken == every else every
        self._redraw(every)

    def _redraw(self, places: Sequence[int] | set[int]) -> None:
        options = self.query_one("#list", OptionList)
        for at in places:
            options.replace_option_prompt_at_index(at, self._row(at))
        self._count()

    @on(Input.Submitted, "#name")
    def named(self) -> None:
        self.go_on()

    @on(OptionList.OptionSelected, "#list")
    def selected(self) -> None:
        self.go_on()

    def go_on(self) -> None:
        """Find out what it takes; where that is known, begin."""
        wanted = self._wanted()
        if wanted is None:
            return
        if wanted == self._told and self._apprentice.planned is not None:
            self.dismiss(wanted)
        elif wanted != self._told or self._apprentice.trouble:
            self._told = wanted
            self._apprentice.leave()
            self._say("Finding out what it takes…")
            self._apprentice.reckon(wanted.arguments)
            self.show_learning()

    def _wanted(self) -> ToLearn | None:
        if not self._taken:
            self._say("No story is taken: space takes one, a takes all.", bad=True)
            return None
        name = self.query_one("#name", Input).value.strip()
        try:
            run_folder(name)
        except UserError as error:
            self._say(f"{error.message} {error.remedy}", bad=True)
            return None
        chosen = [] if len(self._taken) == len(self._rows) else sorted(self._taken)
        files = [str(_file(self._rows[at])) for at in chosen]
        return ToLearn(name, (f"--name={name}", f"--model={self._model}", "--", *files))

    def show_learning(self) -> None:
        planned, trouble = self._apprentice.planned, self._apprentice.trouble
        if self._told is None:
            return
        if trouble:
            self._say(trouble, bad=True)
        elif planned is not None:
            self._say(
                f"{planned.name} will learn {counted(planned.stories, 'story', 'stories')} in "
                f"{counted(planned.steps, 'step')}, "
                f"with {planned.held_out} more held out to see how well. {planned.told} You can "
                "write on meanwhile. Enter begins."
            )

    def _say(self, text: str, *, bad: bool = False) -> None:
        said = self.query_one(".said", Plain)
        said.set_class(bad, "-bad")
        said.update(clean_text(without_middle(f"✗ {text}" if bad else text)))

    def action_cancel(self) -> None:
        self._apprentice.leave()
        self.dismiss(None)


def _file(entry: Entry) -> object:
    """The file that a story is in; one that was never put away has its journal alone."""
    return entry.path if exists(entry.path) else journal_of(entry.path)
