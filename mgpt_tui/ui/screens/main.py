"""The writing room itself: the story, the numbers, the prompt and the settings."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.screen import Screen

from mgpt_tui.errors import UserError
from mgpt_tui.stories.library import Keeper, StoryLibrary, Target
from mgpt_tui.stories.names import first_words
from mgpt_tui.stories.story import Story
from mgpt_tui.text import clean_text
from mgpt_tui.ui.keys import Where, bindings
from mgpt_tui.ui.messages import EngineSpoke, KeepFailed, Kept
from mgpt_tui.ui.screens.library import LibraryScreen
from mgpt_tui.ui.screens.save import SaveScreen
from mgpt_tui.ui.session import Notice, Session, Severity
from mgpt_tui.ui.widgets.bars import StatusLine, TopBar
from mgpt_tui.ui.widgets.key_bar import KeyBar
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel
from mgpt_tui.ui.widgets.story_pane import StoryPane
from mgpt_tui.ui.workers import keep_story

KEEP_EVERY = 1.0
"""Seconds between two looks at whether the story on disk is behind."""

WIDE = 110
"""Columns from which the settings stand beside the story."""


class MainScreen(Screen[None]):
    """Where writing happens.

    Args:
        session: the writer, the story and the engine.
        library: where stories are kept.
        model_name: the model's name, until the engine says it.
    """

    BINDINGS = bindings(Where.ROOM)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#prompt"

    def __init__(self, session: Session, library: StoryLibrary, model_name: str) -> None:
        super().__init__()
        self.session = session
        self.library = library
        self.keeper = Keeper(library)
        self._model_name = model_name
        self._possible: tuple[bool, ...] = ()
        self._keeping, self._keep_trouble = False, ""
        self._beside, self._over = True, False

    def compose(self) -> ComposeResult:
        yield TopBar(id="top")
        with Horizontal(id="desk"):
            with Container(id="page"):
                yield StoryPane(id="story")
                yield Plain("↓ the story goes on below · end", id="below")
            yield SettingsPanel(self.session.settings, id="settings")
        yield StatusLine(id="status")
        with Horizontal(id="line"):
            yield Plain("›", id="mark")
            yield Prompt(id="prompt")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        self.set_interval(KEEP_EVERY, self._keep)
        self.show_session()

    # Showing.

    def show_session(self) -> None:
        """Bring every part up to date with the session."""
        session = self.session
        self.query_one(StoryPane).show(session.story.spans, caret=session.is_writing)
        self.query_one(StatusLine).show(session)
        model = session.model.model if session.model else self._model_name
        self.query_one(TopBar).show(self._title(), model, session.model)
        self.query_one(Prompt).invite(session)
        self._show_possible()

    def _title(self) -> str:
        story = self.session.story
        if not story.text:
            return story.title or "A new story"
        if story.title or self.keeper.name:
            return story.title or self.keeper.name
        return first_words(story.text)

    def _show_possible(self) -> None:
        """Let the footer show what can be done now, when that has changed."""
        session = self.session
        possible = (
            session.is_busy,
            session.can_retry,
            session.can_undo,
            session.can_redo,
            bool(session.story.text),
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
        can = {
            "stop": session.is_busy,
            "retry": session.can_retry,
            "undo": session.can_undo or typing,
            "redo": session.can_redo or typing,
            "save": bool(session.story.text),
            "save_as": bool(session.story.text),
            "new": bool(session.story.text),
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

    def complain(self, error: UserError) -> None:
        """Show what went wrong."""
        self.tell([Notice(str(error), Severity.ERROR)])

    # Writing.

    @on(EngineSpoke)
    def hear(self, message: EngineSpoke) -> None:
        """Take in what the engine said."""
        self.tell(self.session.handle(message.events))
        self.show_session()

    @on(Prompt.Sent)
    def send(self, message: Prompt.Sent) -> None:
        """Add the line and let the model go on."""
        self.session.submit(message.text)
        self._act()

    @on(Prompt.Changed)
    def typed(self) -> None:
        """The footer's undo depends on whether something is typed."""
        self._show_possible()

    def action_stop(self) -> None:
        self.session.stop()
        self.show_session()

    def action_retry(self) -> None:
        session = self.session
        last = session.story.spans[-1] if session.story.spans else None
        if session.settings.seed is not None and last and last.settings == session.settings:
            self.tell([Notice("A seed is set, so the model writes the same again.")])
        session.retry()
        self._act()

    def action_undo(self) -> None:
        self._unless_typing()
        self.session.undo()
        self._act()

    def action_redo(self) -> None:
        self._unless_typing()
        self.session.redo()
        self._act()

    def _act(self) -> None:
        """After the writer did something to the story: show its end."""
        self.show_session()
        self.query_one(StoryPane).jump_end()

    def _unless_typing(self) -> None:
        """Leave the key to the prompt where a line is being typed."""
        prompt = self.query_one(Prompt)
        if prompt.has_focus and not prompt.is_empty:
            raise SkipAction()

    # Reading.

    def action_jump_end(self) -> None:
        prompt = self.query_one(Prompt)
        in_prompt = prompt.has_focus and not prompt.cursor_at_end_of_line
        if in_prompt or self.query_one(SettingsPanel).has_focus_within:
            raise SkipAction()
        self.query_one(StoryPane).jump_end()

    def action_jump_top(self) -> None:
        self.query_one(StoryPane).scroll_home(animate=False)

    def action_page_up(self) -> None:
        self.query_one(StoryPane).scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self.query_one(StoryPane).scroll_page_down(animate=False)

    @on(StoryPane.Moved)
    def moved(self, message: StoryPane.Moved) -> None:
        """Say that there is more below, where it is out of view."""
        self.query_one("#below").display = not message.at_end

    # Settings.

    def action_settings(self) -> None:
        if self.has_class("-wide"):
            self._beside = not self._beside
        else:
            self._over = not self._over
        self._show_panel(enter=True)

    @on(SettingsPanel.Changed)
    def use_settings(self, message: SettingsPanel.Changed) -> None:
        """Use other settings from the next generation on."""
        self.session.settings = message.sampling
        self.query_one(StatusLine).show(self.session)

    @on(SettingsPanel.Done)
    def back_to_prompt(self) -> None:
        """Go on writing."""
        self._over = False
        self._show_panel()
        self.query_one(Prompt).focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self._show_panel()
        self.query_one(StatusLine).show(self.session)

    def _show_panel(self, *, enter: bool = False) -> None:
        shown = self._beside if self.has_class("-wide") else self._over
        panel = self.query_one(SettingsPanel)
        panel.display = shown
        if shown and enter:
            panel.enter()
        elif not shown or not panel.has_focus_within:
            self.query_one(Prompt).focus()

    # Keeping.

    def action_save(self) -> None:
        target = self._known_target()
        if target is None:
            self.action_save_as()
        else:
            self._save_to(target)

    def action_save_as(self) -> None:
        story = self.session.story
        name = story.title or first_words(story.text)
        self.app.push_screen(SaveScreen(self.keeper, name), self._save_to)

    def _known_target(self) -> Target | None:
        """Where the writer has already said that the story goes."""
        title, copy = self.session.story.title, self.keeper.copy
        if copy is not None:
            return Target(copy.path, title if copy.path.parent == self.library.folder else "")
        if title and self.keeper.name == title:
            suffix = ".txt" if (self.library.folder / f"{title}.txt").exists() else ".md"
            return Target(self.library.folder / f"{title}{suffix}", title)
        return None

    def _save_to(self, target: Target | None) -> None:
        if target is None:
            return
        try:
            named = self.keeper.save_to(self.session.story, target)
        except UserError as error:
            self.complain(error)
            return
        self.session.story = self.session.story.named(named.title)
        self.tell([Notice(f"Saved: {target.path}")])
        self.show_session()

    def action_new(self) -> None:
        self._turn_to(Story(), Keeper(self.library))

    def action_open(self) -> None:
        screen = LibraryScreen(self.library.entries(), self.library.folder)
        self.app.push_screen(screen, self._open)

    def _open(self, path: Path | None) -> None:
        if path is None:
            return
        try:
            story, document = self.library.open(path)
        except UserError as error:
            self.complain(error)
            return
        keeper = Keeper(self.library, document)
        keeper.opened(story)
        self._turn_to(story, keeper)

    def _turn_to(self, story: Story, keeper: Keeper) -> None:
        """Leave the present story, kept, for another."""
        if not self.put_away():
            return
        self.keeper = keeper
        self.session.tell(story)
        self._act()

    def put_away(self) -> bool:
        """Stop and bring the story to disk; False, and a complaint, where that fails."""
        self.session.stop()
        try:
            self.keeper.close(self.session.story)
        except UserError as error:
            self.complain(error)
            self.show_session()
            return False
        return True

    def _keep(self) -> None:
        if self.keeper.needs(self.session.story) and not self._keeping:
            self._keeping = True
            work = partial(keep_story, self.keeper, self.session.story, self.keeper.turn, self)
            self.run_worker(work, group="keep", thread=True)

    @on(KeepFailed)
    def keep_failed(self, message: KeepFailed) -> None:
        """Complain once for as long as it goes on."""
        self._keeping = False
        if message.message != self._keep_trouble:
            self._keep_trouble = message.message
            self.complain(UserError(message.message, message.remedy))

    @on(Kept)
    def kept(self) -> None:
        """The story has a name on disk now, which the top shows."""
        self._keeping, self._keep_trouble = False, ""
        self.show_session()
