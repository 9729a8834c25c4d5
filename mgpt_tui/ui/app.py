"""The app: it wires the screen, the engine, the settings and the palette together."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from textual import events
from textual.app import App, SystemCommand
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.worker import get_current_worker

from mgpt_tui.errors import UserError
from mgpt_tui.inference.client import EngineLike
from mgpt_tui.settings import (
    Settings,
    aside_file,
    check_settings,
    save_settings,
    settings_file,
)
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.ui.keys import KEYS, Key, Where, bindings, check_keys, keymap
from mgpt_tui.ui.screens.crash import is_text
from mgpt_tui.ui.screens.dialog import Palette
from mgpt_tui.ui.screens.help import HelpScreen
from mgpt_tui.ui.screens.main import MainScreen
from mgpt_tui.ui.session import Session
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.workers import read_engine

DEFAULT_THEME = "flexoki"
REMEMBER_EVERY = 2.0
MOST_TOLD = 3
"""So much of what is wrong in the settings is told at once."""


class WritingRoom(App[None]):
    """The full-screen app.

    Args:
        engine: what generates; the app starts it once it has painted.
        model_name: what the model is called until the engine is ready.
        settings: what is remembered from the last run.
        library: where stories are kept.
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
        self.room = MainScreen(self.session, library or StoryLibrary(), model_name)
        self._remembered = self.settings
        self._warned = False
        self._early: list[events.Event] | None = []
        self.theme = self.settings.theme if self._has_its_theme else DEFAULT_THEME
        self.set_keymap(keymap(self.settings.keys))

    def get_default_screen(self) -> Screen[None]:
        return self.room

    def open(self) -> None:
        """Run in this terminal until it is left.

        What is in memory by now stays there. To look through it again, as the garbage collector
        would now and then, holds up a key by 30 ms.
        """
        gc.freeze()
        self.run()

    async def on_event(self, event: events.Event) -> None:
        """Keep what is typed before there is a prompt to take it, and hand it on then."""
        typed = event if isinstance(event, events.Key | events.Paste) else None
        if self._early is None or typed is None or event.is_forwarded:
            await super().on_event(event)
        elif not self.room.is_mounted or self.room.focused is None:
            self._early.append(event)
        elif self.screen is self.room:
            await self._hand_on()
            await super().on_event(event)
        elif is_text(typed):  # meant for the prompt, which the offer after a crash covers
            self._early.append(event)
        elif isinstance(typed, events.Key) and typed.key == "backspace":
            del self._early[-1:]
        else:
            await super().on_event(event)

    async def _hand_on(self) -> None:
        early, self._early = self._early, None
        for event in early or ():
            await super().on_event(event)

    def on_mount(self) -> None:
        self.set_interval(REMEMBER_EVERY, self._remember)
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        if not self.is_headless:
            self._leave_on_signals()
        self.call_after_refresh(self._wake)

    async def _wake(self) -> None:
        await self._hand_on()
        if self.room.offer_unfinished(self._offer_answered):
            self._early = []
        else:
            self._tell_wrong_settings()
        self.session.wake()
        events = self.engine.events
        self.run_worker(
            lambda: read_engine(
                events, self.room, partial(getattr, get_current_worker(), "is_cancelled")
            ),
            group="engine",
            thread=True,
        )

    async def _offer_answered(self) -> None:
        await self._hand_on()
        self._tell_wrong_settings()

    def _leave_on_signals(self) -> None:
        """A closed terminal or a kill is a way to quit: the story is kept."""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                with suppress(NotImplementedError):  # Windows
                    loop.add_signal_handler(getattr(signal, name), self.exit)

    # Leaving.

    async def action_quit(self) -> None:
        """Keep the story and leave; where it cannot be kept, leave at the second try."""
        if self.room.put_away() or self._warned:
            self.exit()
            return
        self._warned = True
        self.notify(
            "The story is not saved. Save it elsewhere with f3, or quit again to leave without it.",
            severity="error",
            markup=False,
            timeout=30,
        )

    def finish(self) -> list[Path]:
        """After the screen is gone: keep what is not kept yet; gives the files it is in.

        Raises:
            UserError: where the story cannot be written.
        """
        self._remember()
        self.session.stop()
        self.room.keeper.close(self.session.story)
        keeper = self.room.keeper
        if not self.session.story.text:
            return []
        files = [file.path for file in (keeper.document, keeper.copy) if file is not None]
        return list(dict.fromkeys(files))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual leaves colours out in a way that fits the theme it began with, not this one."""
        filters = super().get_line_filters()
        if not (self.no_color and self.native_ansi_color):
            return filters
        return [NoColor() if isinstance(each, Monochrome) else each for each in filters]

    def clear_notifications(self) -> None:
        """Take every notice away.

        Textual (8.2) leaves the box that a toast lay in, and the boxes push what comes after
        off the screen.
        """
        super().clear_notifications()
        for screen in self.screen_stack:
            screen.query("ToastHolder").remove()

    # Settings.

    @property
    def _has_its_theme(self) -> bool:
        return self.settings.theme in self.available_themes

    def _tell_wrong_settings(self) -> None:
        """Say once what is wrong in the settings' file, or means nothing to the app."""
        wrong = [*self._wrong_file, *check_keys(self.settings.keys)[1]]
        if self.settings.theme and not self._has_its_theme:
            wrong.append(f"there is no theme {self.settings.theme!r}")
        if not wrong:
            return
        more = f" (and {len(wrong) - MOST_TOLD} more)" if len(wrong) > MOST_TOLD else ""
        kept = f" The file is then kept as {aside_file().name}." if self._wrong_file else ""
        error = UserError(
            f"{settings_file()}: {'; '.join(wrong[:MOST_TOLD])}{more}.",
            f"That counts as left out. Mend it before you change a setting here.{kept}",
        )
        self.room.complain(error)

    def _theme_changed(self, theme: object) -> None:
        self.settings = replace(self.settings, theme=self.theme)

    def _remember(self) -> None:
        self.settings = replace(self.settings, sampling=self.session.settings)
        if self.settings == self._remembered:
            return
        self._remembered = self.settings
        try:
            save_settings(self.settings)
        except UserError as error:
            if self.is_running:
                self.room.complain(error)

    # Palette and help.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for key in KEYS:
            if key.palette:
                title = key.label[0].upper() + key.label[1:]
                way = " or ".join(part for part in (key.shown, key.slash) if part)
                yield SystemCommand(title, f"{key.help} ({way})", partial(self._do, key))

    async def _do(self, key: Key) -> None:
        if key.needs_argument:
            self.room.query_one(Prompt).begin(key)
        else:
            await self.room.run(key)

    def action_theme(self, name: str = "") -> None:
        if not name:
            self.action_change_theme()
        elif name.casefold() in self.available_themes:
            self.theme = name.casefold()
        else:
            names = ", ".join(sorted(self.available_themes))
            raise UserError(f"There is no theme {name}.", f"There are {names}.")

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The palette belongs to the room; over a dialog it would act behind its back."""
        return action != "command_palette" or self.screen is self.room

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.settings.keys))
