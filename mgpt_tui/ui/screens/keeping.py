"""Keeping stories: saving, opening, beginning another, and what goes on in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from textual import on

from mgpt_tui.errors import UserError
from mgpt_tui.stories.formats import form_of
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Entry, Target
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.messages import KeepFailed, Kept
from mgpt_tui.ui.screens.crash import CrashScreen
from mgpt_tui.ui.screens.desk import Desk
from mgpt_tui.ui.screens.library import LibraryScreen
from mgpt_tui.ui.screens.save import SaveScreen
from mgpt_tui.ui.workers import keep_story

KEEP_EVERY = 1.0
"""Seconds between two looks at whether the story on disk is behind."""


class Keeping(Desk):
    """The part of the room that knows about files."""

    _keeping = False
    _keep_trouble = ""

    def on_mount(self) -> None:
        self.set_interval(KEEP_EVERY, self._keep)

    # Saving.

    def action_save(self, name: str = "") -> None:
        if name:
            self._save_to(self._free_target(name))
            return
        target = self._known_target()
        if target is None:
            self.action_save_as()
        else:
            self._save_to(target)

    def action_save_as(self) -> None:
        self.app.push_screen(
            SaveScreen(self.keeper, self.keeper.called(self.session.story)), self._save_to
        )

    def action_export(self, file: str) -> None:
        form_of(file)  # a form that there is not is no part of a name
        target = self._free_target(file)
        story = self.session.story
        self.library.copy(story, self.keeper.called(story), target.path)
        self.say(f"Copied to {target.path}")

    def action_rename(self, name: str) -> None:
        if not self.put_away():
            return
        story = self.session.story
        if self.keeper.name:
            entry = self.library.find(self.keeper.name)
        else:  # a copy that is not changed yet
            entry = self.library.add(story, self.keeper.called(story))
        try:
            entry = self.library.rename(entry, name)
        finally:  # whatever its name is now, the story goes on
            self.keeper, self.session.story = Keeper.open(self.library, entry.path)
            self.show_session()
        self.say(f"It is called {entry.name} now.")

    def _free_target(self, answer: str) -> Target:
        """Where a command wants the story to be.

        Raises:
            UserError: where that cannot be, or something else is there.
        """
        target = self.library.target(answer, self.keeper.called(self.session.story))
        if self.library.is_taken(target, self.keeper.document, self.keeper.copy):
            raise UserError(
                f"{target.path.name} is there already.", "Choose another name, or press f3 to save."
            )
        return target

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
        self.say(f"Saved: {target.path}")
        self.show_session()

    # Other stories.

    def action_new(self) -> None:
        if self.put_away():
            self._turn_to(Story(), Keeper(self.library))

    def action_open(self, name: str = "") -> None:
        if name:
            self._open(self.library.find(name).path)
            return
        here = self.keeper.document.path if self.keeper.document else None
        self.app.push_screen(LibraryScreen(self.library, here), self._open)

    def _open(self, path: Path | None) -> None:
        if path is None:
            return
        if self.keeper.document and self.keeper.document.path == path:
            self.say("It is open already.")
            return
        try:
            keeper, story = Keeper.open(self.library, path)
        except UserError as error:
            self.complain(error)
            return
        if self.put_away():
            self._turn_to(story, keeper)
            self._tell_about(story, keeper)
        else:
            keeper.close(story)

    def _turn_to(self, story: Story, keeper: Keeper) -> None:
        self.keeper = keeper
        self.session.tell(story)
        self.act()

    def _tell_about(self, story: Story, keeper: Keeper) -> None:
        """Say that a story is a copy, or that the model cannot read it as it was written."""
        model = self.session.model
        others = {
            span.model
            for span in story.spans
            if span.tokens and model and span.fingerprint != model.fingerprint
        }
        if keeper.note:
            self.say(keeper.note)
        elif others and model:
            names = ", ".join(sorted(others))
            self.say(f"{names} wrote in this story. {model.model} reads those parts as text.")

    def offer_unfinished(self, then: Callable[[], Awaitable[None]]) -> bool:
        """After a crash: ask whether to go on with the story that was open.

        Args:
            then: called once that is answered.

        Returns:
            whether there is such a story.
        """
        waiting = self.library.unfinished()
        if waiting:
            answer = partial(self._take_up, waiting[0], then)
            self.app.push_screen(CrashScreen(waiting[0]), answer)
        return bool(waiting)

    async def _take_up(
        self, entry: Entry, then: Callable[[], Awaitable[None]], wanted: bool | None
    ) -> None:
        if wanted:
            self._open(entry.path)
        await then()

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

    # In the background.

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
