"""The desk of the writing room: what is where on it, and how it shows the session."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.screen import Screen

from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import list_models
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.text import clean_text
from mgpt_tui.ui.notices import Notice, Severity
from mgpt_tui.ui.session import Session
from mgpt_tui.ui.widgets.bars import StatusLine, TopBar
from mgpt_tui.ui.widgets.key_bar import KeyBar
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel
from mgpt_tui.ui.widgets.story_pane import StoryPane

STATUS_EVERY = 0.25
"""Seconds between two looks of the status line while the model writes."""

WIDE = 110
"""Columns from which the settings stand beside the story."""


class Desk(Screen[None]):
    """The story, the numbers, the prompt and the settings.

    Args:
        session: the writer, the story and the engine.
        library: where stories are kept.
        model_name: the model's name, until the engine says it.

    Attributes:
        keeper: of the story that is open.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#prompt"

    def __init__(self, session: Session, library: StoryLibrary, model_name: str) -> None:
        super().__init__()
        self.session = session
        self.library = library
        self.keeper = Keeper(library)
        self._model_name = model_name
        self._possible: tuple[bool, ...] = ()

    def compose(self) -> ComposeResult:
        prompt = Prompt(id="prompt", offers=self.offers)
        yield TopBar(id="top")
        with Horizontal(id="desk"):
            with Container(id="page"):
                yield StoryPane(id="story")
                yield Plain("↓ the story goes on below · end", id="below")
            yield SettingsPanel(self.session.settings, id="settings")
        yield StatusLine(id="status")
        yield prompt.completions
        with Horizontal(id="line"):
            yield Plain("›", id="mark")
            yield prompt
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        self.set_interval(STATUS_EVERY, self._show_status)
        self.show_session()

    def show_session(self) -> None:
        """Bring every part up to date with the session."""
        session = self.session
        spans = session.story.spans
        writing = session.is_writing and session.comparison is None
        self.query_one(StoryPane).show(spans, caret=writing, unread=session.meter.unread(spans))
        if not session.is_writing:  # else the clock does it, for tokens come faster than one reads
            self._show_status()
        model = session.model.model if session.model else self._model_name
        self.query_one(TopBar).show(self.title_shown, model, session.model)
        self.query_one(Prompt).invite(session)
        self.show_possible()

    def _show_status(self) -> None:
        self.query_one(StatusLine).show(self.session)
        self.query_one(TopBar).count(self.session.story.words)

    def act(self) -> None:
        """After the writer did something to the story: show its end."""
        self.show_session()
        self.query_one(StoryPane).jump_end()

    def offers(self, id: str) -> Iterable[str]:
        """The names that may stand after the command of a key."""
        if id == "open":
            return [entry.name for entry in self.library.entries()]
        if id == "models":
            return [entry.name for entry in list_models()]
        return sorted(self.app.available_themes) if id == "theme" else ()

    @property
    def title_shown(self) -> str:
        """What the story is called at the top."""
        story = self.session.story
        if not story.text:
            return story.title or "A new story"
        return self.keeper.called(story)

    def show_possible(self) -> None:
        """Let the footer show what can be done now, when that has changed."""
        session = self.session
        possible = (
            session.is_busy,
            session.can_retry,
            session.can_undo,
            session.can_redo,
            session.can_move,
            bool(session.story.spans),
            self.query_one(Prompt).is_empty,
        )
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what cannot be done now."""
        if not self.is_mounted:
            return True
        session, typing = self.session, not self.query_one(Prompt).is_empty
        told = bool(session.story.spans)
        can = {
            "stop": session.is_busy,
            "retry": session.can_retry,
            "undo": session.can_undo or typing,
            "redo": session.can_redo or typing,
            "sibling": session.can_move,
            "another_word": any(span.tokens for span in session.story.spans),
            "branches": len(session.story.nodes) > 1,
            **dict.fromkeys(("save", "save_as", "new", "edit", "rename", "export"), told),
        }
        return True if can.get(action, True) else None

    def tell(self, notices: Iterable[Notice]) -> None:
        """Show notices, as plain text."""
        for notice in notices:
            self.app.clear_notifications()  # the newest counts; a stack would cover the story
            long = notice.severity is not Severity.INFORMATION
            self.notify(
                clean_text(notice.text),
                severity=notice.severity.value,
                markup=False,
                timeout=12 if long else 6,
            )

    def say(self, text: str) -> None:
        """Tell the writer something."""
        self.tell([Notice(text)])

    def complain(self, error: UserError) -> None:
        """Show what went wrong."""
        self.tell([Notice.of(error)])

    @on(Prompt.Changed)
    def typed(self) -> None:
        """The footer's undo depends on whether something is typed."""
        self.show_possible()
