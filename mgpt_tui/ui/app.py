"""The app: it wires the screen, the engine, the settings and the palette together."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import RenderableType
from textual import constants, events
from textual.app import SystemCommand
from textual.content import Content
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome, NoColor
from textual.notifications import SeverityLevel
from textual.screen import Screen

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, make_folder, os_error
from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.paths import state_dir
from mgpt_tui.settings import (
    Settings,
    aside_file,
    check_settings,
    save_settings,
    settings_file,
)
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.text import clean_text, counted
from mgpt_tui.ui.declaration import Key, Where
from mgpt_tui.ui.keymap import KeyNames, check_keys, keymap
from mgpt_tui.ui.keys import KEYS, bindings
from mgpt_tui.ui.learning.apprentice import Apprentice
from mgpt_tui.ui.notices import Notice, Severity
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.crash import is_text
from mgpt_tui.ui.screens.dialog import Dialog, Palette
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.terminal import driver_class
from mgpt_tui.ui.terminal.clipboard import why_not
from mgpt_tui.ui.terminal.in_order import Deed, InOrder, Typed
from mgpt_tui.ui.themes import DEFAULT_THEME, find_theme
from mgpt_tui.ui.workers import read_engine

REMEMBER_EVERY = 2.0
MOST_TOLD = 3
"""So much of what is wrong in the settings is told at once."""


class WritingRoom(InOrder[None]):
    """The full-screen app.

    Args:
        engine: what generates; the app starts it once it has painted, if it does not run by then.
        model_name: what the model is called until the engine is ready.
        settings: what is remembered from the last run.
        library: where stories are kept.

    Attributes:
        learns_no_further: the name of a model that was learning when the app was left.
    """

    TITLE = "mgpt-tui"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings(Where.APP)

    def __init__(
        self,
        engine: EngineLike,
        model_name: str,
        settings: Settings | None = None,
        library: StoryLibrary | None = None,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.settings, self._wrong_file = (settings, ()) if settings else check_settings()
        self.session = Session(engine, self.settings.sampling)
        self.names = KeyNames(self.settings.keys)
        library, showing = library or StoryLibrary(), self.settings.showing
        self.apprentice, self.learns_no_further = Apprentice(), ""
        self.room = MainScreen(
            *(self.session, library, model_name, self.names, showing), self.apprentice
        )
        self._remembered = self.settings
        self._warned = False
        self._early: list[Typed] | None = []
        self.theme = self._remembered_theme or DEFAULT_THEME
        self.set_keymap(keymap(self.settings.keys))

    def get_driver_class(self) -> type[Driver]:
        return super().get_driver_class() if constants.DRIVER else driver_class()

    def get_default_screen(self) -> Screen[None]:
        return self.room

    def open(self) -> None:
        """Run in this terminal until it is left.

        What is in memory by now stays there. To look through it again, as the garbage collector
        would now and then, holds up a key by 30 ms.
        """
        gc.freeze()
        self.run()

    async def act_on(self, event: Typed) -> None:
        """Keep what is typed before there is a prompt to take it, and hand it on then."""
        typed = event if isinstance(event, events.Key | events.Paste) else None
        if typed:
            self._read_on()
        if self._early is None or typed is None:
            await super().act_on(event)
        elif not self.room.is_mounted or self.room.focused is None:
            self._early.append(typed)
        elif self.screen is self.room:
            self._early.append(typed)
            self._hand_on()
        elif is_text(typed):  # meant for the prompt, which the offer after a crash covers
            self._early.append(typed)
        elif isinstance(typed, events.Key) and typed.key == "backspace":
            del self._early[-1:]
        else:
            await super().act_on(event)

    def _read_on(self) -> None:
        """Something is typed: what was told there has been read, if there was time to."""
        screen = self.screen
        line = screen.notice_line if isinstance(screen, Dialog) else None
        if screen is self.room:
            line = self.room.desk.notice_line
        if line is not None:
            line.pressed()

    def _hand_on(self, then: Deed = lambda: None) -> None:
        """Have acted on what was kept, and do something after it."""
        early, self._early = self._early, None
        self.act_before(*early or (), then)

    def on_mount(self) -> None:
        self.set_interval(REMEMBER_EVERY, self._remember)
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.app_resume_signal.subscribe(self, self._draw_anew)
        self.call_after_refresh(self._wake)

    def _wake(self) -> None:
        self._hand_on(self._offer)
        self.session.wake()
        events = self.engine.events
        self.run_worker(
            # Not until the worker is cancelled: where the app is left while it starts, its workers
            # are cancelled before there is this one.
            lambda: read_engine(events, self.room, lambda: not self.is_running),
            group="engine",
            thread=True,
        )

    def _offer(self) -> None:
        """Offer what was being written when the app ended, if it could not put it away."""
        if self.room.keeping.offer_unfinished(self._offer_answered):
            self._early = []
        else:
            self._begin()

    def _offer_answered(self) -> None:
        self._hand_on(self._begin)

    def _begin(self) -> None:
        """What there is to tell at first, and what the writer was in the midst of."""
        self.room.drafting.tell_waiting()
        self._tell_wrong_settings()
        self.room.drafting.put_back_edit()

    def _draw_anew(self, app: object) -> None:
        """Others had the terminal meanwhile."""
        self.screen.refresh(layout=True)

    # Leaving.

    async def action_quit(self) -> None:
        """Keep the story and leave; where it cannot be kept, leave at the second try."""
        if self.room.keeping.put_away() or self._warned:
            self.exit()
            return
        self._warned = True
        words = "The story is not saved. Save it elsewhere with {save_as}, or quit again to leave."
        self.room.desk.tell([Notice(self.names.fill(words), Severity.ERROR)])

    def finish(self) -> list[Path]:
        """After the screen is gone: keep what is not kept yet; gives the files it is in.

        Whatever fails, the rest is done: the story first of all.

        Raises:
            UserError: where the story cannot be written.
        """
        with ExitStack() as rest:
            rest.callback(self._leave_learning)
            rest.callback(self._remember)
            rest.callback(lambda: self.room.keeper.close(self.session.story))
            rest.callback(self.room.keeping.keep_now)
            self.session.stop()
        keeper = self.room.keeper
        if not self.session.story.text:
            return []
        files = [file.path for file in (keeper.document, keeper.copy) if file is not None]
        return list(dict.fromkeys(files))

    def _leave_learning(self) -> None:
        self.learns_no_further = self.apprentice.close()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual leaves colours out in a way that fits the theme it began with, not this one."""
        filters = super().get_line_filters()
        if not (self.no_color and self.native_ansi_color):
            return filters
        return [NoColor() if isinstance(each, Monochrome) else each for each in filters]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Let what Textual tells stand where our notices do: its toasts cover the story."""
        text = Content.from_markup(message).plain if markup else message
        self.room.desk.tell([Notice(f"{title} {text}".strip(), Severity(severity))])

    def copy_to_clipboard(self, text: str) -> None:
        """Copy to the terminal's clipboard or, where it takes none, to a file, and say so."""
        text = clean_text(text)
        words = counted(len(text.split()), "word")
        if not (why := why_not(text)):
            super().copy_to_clipboard(text)
            self.room.desk.say(f"Copied {words}.")
            return
        self._clipboard = text
        file = state_dir() / "copied.txt"
        try:
            make_folder(file.parent)
            atomic_write(file, text)
            self.room.desk.say(f"{why}; the {words} are in {file}")
        except OSError as error:
            self.room.desk.complain(os_error(error, file))
        except UserError as error:
            self.room.desk.complain(error)

    def panic(self, *renderables: RenderableType) -> None:
        """End with an error, which Textual (8.2) does not tell in the exit code."""
        self._return_code = 1
        super().panic(*renderables)

    # Settings.

    @property
    def _remembered_theme(self) -> str:
        """The theme that the settings name, if there is one."""
        try:
            return find_theme(self.settings.theme, self.available_themes)
        except UserError:
            return ""

    def _tell_wrong_settings(self) -> None:
        """Say once what is wrong in the settings' file, or means nothing to the app."""
        wrong = [*self._wrong_file, *check_keys(self.settings.keys)[1]]
        if self.settings.theme and not self._remembered_theme:
            wrong.append(f"there is no theme {self.settings.theme!r}")
        if not wrong:
            return
        more = f" (and {len(wrong) - MOST_TOLD} more)" if len(wrong) > MOST_TOLD else ""
        kept = f" The file is then kept as {aside_file().name}." if self._wrong_file else ""
        error = UserError(
            f"{settings_file()}: {'; '.join(wrong[:MOST_TOLD])}{more}.",
            f"That counts as left out. Mend it before you change a setting here.{kept}",
        )
        self.room.desk.complain(error)

    def _theme_changed(self, theme: object) -> None:
        self.settings = replace(self.settings, theme=self.theme)

    def _remember(self) -> None:
        sampling, showing = self.session.settings, self.room.desk.showing
        self.settings = replace(self.settings, sampling=sampling, showing=showing)
        if self.settings == self._remembered:
            return
        self._remembered = self.settings
        try:
            save_settings(self.settings)
        except UserError as error:
            if self.is_running:
                self.room.desk.complain(error)

    # Palette and help.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for key in KEYS:
            if key.palette:
                title = key.label[0].upper() + key.label[1:]
                way = " or ".join(part for part in (self.names.all(key.id), key.slash) if part)
                yield SystemCommand(title, f"{key.help} ({way})", partial(self._do, key))

    async def _do(self, key: Key) -> None:
        if not self.is_running:  # chosen as the app was left, whose room is empty by now
            return
        if key.needs_argument:
            self.room.desk.prompt.begin(key)
        else:
            await self.room.run(key)

    def action_theme(self, name: str = "") -> None:
        if name:
            dark = self.current_theme.dark
            self.theme = find_theme(name, self.available_themes, dark=dark)
        else:
            self.action_change_theme()

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The palette belongs to the room; over a dialog it would act behind its back."""
        return action != "command_palette" or self.screen is self.room

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.names))
