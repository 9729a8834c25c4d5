"""The desk of the writing room: what is where on it, and how it shows the session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.screen import Screen

from mgpt_tui.errors import UserError
from mgpt_tui.settings import ShowingSettings
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.text import counted
from mgpt_tui.ui.declaration import Footer, Key
from mgpt_tui.ui.keymap import KeyNames
from mgpt_tui.ui.keys import KEY, KEYS
from mgpt_tui.ui.notices import Notice
from mgpt_tui.ui.room.aiming import Aiming
from mgpt_tui.ui.room.pacing import Pacing
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase
from mgpt_tui.ui.session.typed_line import TypedLine
from mgpt_tui.ui.widgets.bars import StatusLine, TopBar
from mgpt_tui.ui.widgets.key_bar import KeyBar
from mgpt_tui.ui.widgets.notice_line import NoticeLine
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel
from mgpt_tui.ui.widgets.story_pane import HINT, StoryPane

FOOTER = [key for key in KEYS if key.footer is not Footer.NEVER]


class Desk:
    """What the parts of the room share: the session, the open story's keeper, and the widgets.

    Args:
        screen: the widgets' own.
        session: the writer, the story and the engine.
        library: where stories are kept.
        model_name: the model's name, until the engine says it.
        names: what the keys in force are called.
        showing: how what is written is shown.

    Attributes:
        pacing: how much of it is shown.
        keeper: of the story that is open.
        typed_line: how surprising what stands in the prompt is.
        typed: what stands in the prompt; it can be read after the screen is gone, too.
    """

    def __init__(
        self,
        screen: Screen[None],
        session: Session,
        library: StoryLibrary,
        model_name: str,
        names: KeyNames,
        showing: ShowingSettings,
    ) -> None:
        self.screen = screen
        self.session = session
        self.library = library
        self.keeper = Keeper(library)
        self.model_name = model_name
        self.names = names
        self.pacing = Pacing(showing.reading_speed)
        self.typed_line = TypedLine(session, is_on=showing.line_bits)
        self.notice_line = NoticeLine(id="notice")
        self._prompt: Prompt | None = None
        self._possible: dict[str, bool] = {}
        self._was_typing = False
        self._aiming = Aiming()

    # What is where.

    def compose(self) -> ComposeResult:
        """All widgets of the room."""
        self._prompt = prompt = Prompt(id="prompt", offers=self._offers, names=self.names)
        yield TopBar(id="top")
        with Horizontal(id="desk"):
            with Container(id="page"):
                yield StoryPane(id="story", hint=self.names.fill(HINT))
                yield Plain(self.names.fill("↓ the story goes on below · {end}"), id="below")
            yield SettingsPanel(self.session.settings, "settings", self.showing)
        yield self.notice_line
        yield StatusLine(self.names, id="status")
        yield prompt.completions
        with Horizontal(id="line"):
            yield Plain("›", id="mark")
            yield prompt
        yield KeyBar(lambda key: self._possible.get(key.id, False), id="keys")

    @property
    def story_pane(self) -> StoryPane:
        """Where the story stands."""
        return self.screen.query_one(StoryPane)

    @property
    def prompt(self) -> Prompt:
        """Where the writer types."""
        return self.screen.query_one(Prompt)

    @property
    def panel(self) -> SettingsPanel:
        """The settings."""
        return self.screen.query_one(SettingsPanel)

    @property
    def typed(self) -> str:
        """The line that is being typed; it can be read after the screen is gone, too."""
        return self._prompt.line if self._prompt else ""

    @property
    def showing(self) -> ShowingSettings:
        """How the app shows what is written."""
        line_bits = self.typed_line.is_on
        return ShowingSettings(reading_speed=self.pacing.speed, line_bits=line_bits)

    @property
    def front(self) -> Dialog[Any] | None:
        """The dialog before the room, where one stands open."""
        front = self.screen.app.screen
        return front if isinstance(front, Dialog) and front.is_open else None

    # How things stand, for the declarations of keys.

    @property
    def is_typing(self) -> bool:
        """Whether something stands in the prompt."""
        return not self.prompt.is_empty

    @property
    def is_behind(self) -> bool:
        """Whether something that is written is not shown yet."""
        return self.pacing.is_behind

    @property
    def themes(self) -> Collection[str]:
        """The themes that there are."""
        return self.screen.app.available_themes

    def is_possible(self, key: Key) -> bool:
        """Whether something can be done now; the footer greys out the rest."""
        return key.can(self)

    def refuse(self, key: Key) -> None:
        """Say why something cannot be done now."""
        self.say(self.names.fill(key.unless))

    def _offers(self, id: str) -> Iterable[str]:
        return KEY[id].takes.names(self)

    # Showing.

    def show(self) -> None:
        """Bring every widget up to date with the session."""
        session = self.session
        if came := session.wishes.take_came():
            left = (word for word in self.panel.sampling.words if word not in came)
            self.panel.change("words", tuple(left))
        spans = session.story.spans
        writing = session.is_writing and session.comparison is None
        shown = self.pacing.shown(session.story, writing=writing)
        caret, unread = writing or self.pacing.is_behind, session.meter.unread(spans)
        self.story_pane.show(shown, caret=caret, unread=unread)
        if not session.is_writing:  # else the clock does it, for tokens come faster than one reads
            self.show_status()
        model = session.model.model if session.model else self.model_name
        self.screen.query_one(TopBar).show(self.title, model, session.model)
        self.prompt.invite(session)
        self.show_possible()

    def show_learning(self, learning: str) -> None:
        """Say at the top how it is with the model that learns; "" where there is none."""
        self.screen.query_one(TopBar).learning(learning)

    def show_more(self) -> None:
        """Show what has been waiting for the reader."""
        if self.pacing.is_behind:
            self.show()

    def show_status(self) -> None:
        """Bring the numbers up to date."""
        self.screen.query_one(StatusLine).show(self.session, self.typed_line.said)
        self.screen.query_one(TopBar).count(self.session.story.words)
        if self._aiming.is_reached(self.session.story):
            self.say(f"The story has its {counted(self.session.story.goal, 'word')}.")

    def show_possible(self) -> None:
        """Let the footer show what can be done now, when that has changed."""
        possible = {key.id: self.is_possible(key) for key in FOOTER}
        if (self.is_typing, possible) != (self._was_typing, self._possible):
            self._was_typing, self._possible = self.is_typing, possible
            self.screen.refresh_bindings()

    def read_typed(self) -> None:
        """What stands in the prompt has changed."""
        self.show_possible()
        before = self.typed_line.said
        self.typed_line.read("" if self.prompt.is_command else self.typed)
        if self.typed_line.said != before:
            self.show_status()

    def show_end(self) -> None:
        """Show the session, and the end of the story: the writer has done something to it."""
        self.show()
        self.story_pane.jump_end()

    @property
    def title(self) -> str:
        """What the story is called at the top."""
        story = self.session.story
        if not story.text:
            return story.title or "A new story"
        return self.keeper.called(story)

    # Telling and asking.

    def tell(self, notices: Iterable[Notice]) -> None:
        """Show notices; the newest counts, also in the dialog in front."""
        for notice in notices:
            self.notice_line.tell(notice)
            if isinstance(front := self.screen.app.screen, Dialog):
                front.tell(notice)

    def say(self, text: str) -> None:
        """Tell the writer something."""
        self.tell([Notice(text)])

    def complain(self, error: UserError) -> None:
        """Show what went wrong."""
        self.tell([Notice.of(error)])

    def is_ready(self) -> bool:
        """Whether the model can be asked something; where it cannot, the writer is told so."""
        if self.session.phase is not Phase.READY:
            self.say("The model is not ready yet.")
        return self.session.phase is Phase.READY

    def ask(self, dialog: Dialog[Any], then: Callable[[Any], None] | None = None) -> None:
        """Open a dialog, and do something with its answer."""
        self.screen.app.push_screen(dialog, then)

    def write_typed(self) -> None:
        """Add the line that is being typed, as enter does, before the model goes on."""
        self.session.write(self.prompt.take_line())
