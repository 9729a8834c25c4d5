"""The writing room itself: it hears everything, and tells the part that it is for."""

from __future__ import annotations

from inspect import isawaitable

from textual import actions, on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.screen import Screen

from mgpt_tui.errors import UserError
from mgpt_tui.settings import ShowingSettings
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.ui.declaration import Group, Key, Where
from mgpt_tui.ui.keymap import KeyNames
from mgpt_tui.ui.keys import KEY, bindings
from mgpt_tui.ui.learning.apprentice import Apprentice
from mgpt_tui.ui.messages import EngineSpoke, KeepFailed, Kept
from mgpt_tui.ui.room.adjusting import Adjusting
from mgpt_tui.ui.room.changing import Changing
from mgpt_tui.ui.room.desk import Desk
from mgpt_tui.ui.room.drafting import Drafting
from mgpt_tui.ui.room.keeping import Keeping
from mgpt_tui.ui.room.models import Models
from mgpt_tui.ui.room.reading import Reading
from mgpt_tui.ui.room.writing import Writing
from mgpt_tui.ui.screens.dialog import LiveDialog
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel
from mgpt_tui.ui.widgets.story_pane import StoryPane

WIDE = 110
"""Columns from which the settings stand beside the story."""

STATUS_EVERY = 0.25
"""Seconds between two looks of the status line while the model writes."""

LEARNING_EVERY = 0.25
"""Seconds between two looks at how far the model is that learns."""

READ_EVERY = 0.05
"""Seconds between two looks at whether the reader has got further, where that counts."""

KEEP_EVERY = 1.0
"""Seconds between two looks at whether the story on disk is behind."""


class MainScreen(Screen[None]):
    """Where writing happens.

    Args:
        session: the writer, the story and the engine.
        library: where stories are kept.
        model_name: the model's name, until the engine says it.
        names: what the keys in force are called.
        showing: how what is written is shown.
        apprentice: the model that learns, if one does.

    Attributes:
        desk: the widgets, and what the parts share.
        drafting: knows what is being typed.
        keeping: knows about files.
        parts: what can be done, by the group that the table of keys has it in: `action_NAME` of
            the group's part does what an entry's action says.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#prompt"
    BINDINGS = bindings(Where.ROOM)

    def __init__(
        self,
        session: Session,
        library: StoryLibrary,
        model_name: str,
        names: KeyNames,
        showing: ShowingSettings,
        apprentice: Apprentice,
    ) -> None:
        super().__init__()
        self.session = session
        self.desk = desk = Desk(self, session, library, model_name, names, showing)
        self.drafting = Drafting(desk)
        self.keeping = Keeping(desk, self.drafting)
        self._writing = Writing(desk)
        self._reading = Reading(desk)
        self._changing = Changing(desk, self.drafting, self._reading)
        self._adjusting = Adjusting(desk)
        self._models = Models(desk, apprentice)
        self.parts: dict[Group, object] = {
            Group.WRITING: self._writing,
            Group.CHANGING: self._changing,
            Group.STORIES: self.keeping,
            Group.SETTINGS: self._adjusting,
            Group.MODELS: self._models,
            Group.READING: self._reading,
        }

    @property
    def keeper(self) -> Keeper:
        """Of the story that is open."""
        return self.desk.keeper

    def compose(self) -> ComposeResult:
        yield from self.desk.compose()

    def on_mount(self) -> None:
        self.set_interval(KEEP_EVERY, self.keeping.keep_behind)
        self.drafting.put_back()
        self.set_interval(STATUS_EVERY, self.desk.show_status)
        self.set_interval(LEARNING_EVERY, self._models.hear)
        self.set_interval(READ_EVERY, self.desk.show_more)
        self.desk.show()

    def on_resize(self) -> None:
        self.call_after_refresh(self._adjusting.resized)

    def on_screen_resume(self) -> None:
        """What was told behind a dialog can be read from now on."""
        self.desk.notice_line.begin()

    # What is to be done.

    @on(Prompt.Command)
    async def command(self, message: Prompt.Command) -> None:
        """Do what a slash command says."""
        await self.run(message.key, message.argument)

    @on(Prompt.Refused)
    def refused(self, message: Prompt.Refused) -> None:
        """A slash command that is none."""
        self.desk.complain(message.error)

    async def run(self, key: Key, argument: str = "") -> None:
        """Do what a key, a slash command or an entry of the palette stands for."""
        if self.desk.is_possible(key):
            await self._do(key, argument)
        else:
            self.desk.refuse(key)

    async def action_do(self, id: str) -> None:
        """Do what a key of the room stands for; leave it to the prompt where that has a use for it.

        A key that others may have first says nothing where it does nothing: escape is pressed on
        the way out of anything.
        """
        key, prompt = KEY[id], self.desk.prompt
        if self.desk.is_possible(key):
            if not await self._do(key):
                raise SkipAction()
        elif not key.priority or (prompt.has_focus and prompt.can_take_back(key.id)):
            raise SkipAction()
        else:
            self.desk.refuse(key)

    async def _do(self, key: Key, argument: str = "") -> bool:
        """Do it; gives whether it was done rather than skipped."""
        part = self.parts.get(key.group) if key.where is Where.ROOM else None
        try:
            if part is None:
                return await self.app.run_action(key.call(argument), self.app)
            _, name, arguments = actions.parse(key.call(argument))
            done = getattr(part, f"action_{name}")(*arguments)
            if isawaitable(done):
                await done
        except SkipAction:
            return False
        except UserError as error:
            self.desk.complain(error)
        return True

    # What happened.

    @on(EngineSpoke)
    def hear(self, message: EngineSpoke) -> None:
        """Take in what the engine said, which may be for a dialog in front."""
        self.desk.tell(self.session.handle(message.events))
        self.desk.show()
        if isinstance(front := self.desk.front, LiveDialog):
            front.show_session()

    @on(Kept)
    def kept(self) -> None:
        """The story is on disk."""
        self.keeping.kept()

    @on(KeepFailed)
    def keep_failed(self, message: KeepFailed) -> None:
        """The story is not on disk."""
        self.keeping.failed(UserError(message.message, message.remedy))

    @on(Prompt.Sent)
    def sent(self, message: Prompt.Sent) -> None:
        """The writer sent a line."""
        self._writing.sent(message.text)

    @on(Prompt.Changed)
    def typed(self) -> None:
        """What can be done, and what is said of the line, depends on what is typed."""
        self.desk.read_typed()

    @on(StoryPane.Moved)
    def moved(self, message: StoryPane.Moved) -> None:
        """The story was scrolled."""
        self._reading.moved(at_end=message.at_end)

    @on(StoryPane.Picked)
    def picked(self, message: StoryPane.Picked) -> None:
        """A word was picked."""
        self._changing.picked(message.offset)

    @on(SettingsPanel.Changed)
    def adjusted(self, message: SettingsPanel.Changed) -> None:
        """The settings are others."""
        self._adjusting.changed(message.sampling, message.showing)

    @on(SettingsPanel.Done)
    def adjusting_done(self) -> None:
        """The settings were left."""
        self._adjusting.done()
