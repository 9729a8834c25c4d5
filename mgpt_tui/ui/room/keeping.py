"""Keeping stories: saving, opening, beginning another, and what goes on in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.stories.formats import form_of
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Entry, Target
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.room.desk import Desk
from mgpt_tui.ui.room.drafting import Drafting
from mgpt_tui.ui.screens.crash import CrashScreen
from mgpt_tui.ui.screens.library import LibraryScreen
from mgpt_tui.ui.workers import keep_story


class Keeping:
    """The part of the room that knows about files."""

    def __init__(self, desk: Desk, drafting: Drafting) -> None:
        self._desk = desk
        self._drafting = drafting
        self._library = desk.library
        self._session = desk.session
        self._is_keeping = False
        self._trouble = ""

    @property
    def _keeper(self) -> Keeper:
        """Of the story that is open."""
        return self._desk.keeper

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
        self._drafting.ask_where(self._save_to)

    def action_export(self, file: str) -> None:
        form_of(file)  # a form that there is not is no part of a name
        target = self._free_target(file)
        story = self._session.story
        again = self._keeper.copy is not None and self._keeper.copy.path == target.path
        self._library.copy(story, self._keeper.called(story), target.path, new=not again)
        self._desk.say(f"Copied to {target.path}")

    def action_rename(self, name: str) -> None:
        if not self.put_away():
            return
        story = self._session.story
        if self._keeper.name:
            entry = self._library.find(self._keeper.name)
        else:  # a copy that is not changed yet
            entry = self._library.add(story, self._keeper.called(story))
        try:
            entry = self._library.rename(entry, name)
        finally:  # whatever its name is now, the story goes on
            self._desk.keeper, self._session.story = Keeper.open(self._library, entry.path)
            self._drafting.put_back()
            self._desk.show()
        self._desk.say(f"It is called {entry.name} now.")

    def _free_target(self, answer: str) -> Target:
        """Where a command wants the story to be.

        Raises:
            UserError: where that cannot be, or something else is there.
        """
        target = self._library.target(answer, self._keeper.called(self._session.story))
        if self._library.is_taken(target, self._keeper.document, self._keeper.copy):
            remedy = self._desk.names.fill("Choose another name, or press {save_as} to save.")
            raise UserError(f"{target.path.name} is there already.", remedy)
        return target

    def _known_target(self) -> Target | None:
        """Where the writer has already said that the story goes."""
        title, copy = self._session.story.title, self._keeper.copy
        if copy is not None:
            return Target(copy.path, title if copy.path.parent == self._library.folder else "")
        if title and self._keeper.name == title:
            suffix = ".txt" if (self._library.folder / f"{title}.txt").exists() else ".md"
            return Target(self._library.folder / f"{title}{suffix}", title)
        return None

    def _save_to(self, target: Target | None) -> None:
        if target is None:
            return
        try:
            named = self._keeper.save_to(self._session.story, target)
        except UserError as error:
            self._desk.complain(error)
            return
        self._session.story = self._session.story.named(named.title)
        self._desk.say(f"Saved: {target.path}")
        self._desk.show()

    # Other stories.

    def action_new(self) -> None:
        if self.put_away():
            self._turn_to(Story(), Keeper(self._library))
            self._go_on_editing()

    def action_open(self, name: str = "") -> None:
        if name:
            self._open(self._library.find(name).path)
            return
        here = self._keeper.document.path if self._keeper.document else None
        self._desk.ask(LibraryScreen(self._library, here), self._open)

    def _open(self, path: Path | None) -> None:
        if path is not None and self._has_opened(path):
            self._go_on_editing()

    def _has_opened(self, path: Path) -> bool:
        if self._keeper.document and self._keeper.document.path == path:
            self._desk.say("It is open already.")
            return False
        try:
            keeper, story = Keeper.open(self._library, path)
        except UserError as error:
            self._desk.complain(error)
            return False
        if not self.put_away():
            keeper.close(story)
            return False
        self._turn_to(story, keeper)
        self._tell_about(story, keeper)
        return True

    def _turn_to(self, story: Story, keeper: Keeper) -> None:
        self._desk.keeper = keeper
        self._session.tell(story)
        self._drafting.put_back()
        self._desk.show_end()

    def _go_on_editing(self) -> None:
        self._desk.screen.call_after_refresh(self._drafting.put_back_edit)

    def _tell_about(self, story: Story, keeper: Keeper) -> None:
        """Say that a story is a copy, or that the model cannot read it as it was written."""
        model = self._session.model
        others = {
            span.model
            for span in story.spans
            if span.tokens and model and span.fingerprint not in model.fingerprints
        }
        if keeper.note:
            self._desk.say(keeper.note)
        elif others and model:
            names = ", ".join(sorted(others))
            self._desk.say(f"{names} wrote in this story. {model.model} reads those parts as text.")

    def offer_unfinished(self, then: Callable[[], None]) -> bool:
        """After a crash: ask whether to go on with the story that was open.

        Args:
            then: called once that is answered.

        Returns:
            whether there is such a story.
        """
        try:
            waiting = self._library.unfinished()
        except UserError as error:
            self._desk.complain(error)
            return False
        if waiting:
            answer = partial(self._take_up, waiting[0], then)
            self._desk.ask(CrashScreen(waiting[0]), answer)
        return bool(waiting)

    def _take_up(self, entry: Entry, then: Callable[[], None], wanted: bool | None) -> None:
        if wanted:
            self._has_opened(entry.path)
        then()  # which goes on editing, but not before what was typed for the prompt is there

    def put_away(self) -> bool:
        """Stop and bring the story to disk; False, and a complaint, where that fails."""
        self._session.stop()
        try:
            self.keep_now()
            self._keeper.close(self._session.story)
        except UserError as error:
            self._trouble = error.message  # is told here, and hides nothing told after it
            self._desk.complain(error)
            self._desk.show()
            return False
        return True

    def keep_now(self) -> None:
        """Bring the story to disk, and what is being typed.

        Raises:
            UserError: where something cannot be written.
        """
        self._keeper.keep(self._session.story)  # first what was sent, then what is still there
        self._drafting.drafts.keep(self._drafting.draft, self._keeper)

    # In the background.

    def keep_behind(self) -> None:
        """Bring to disk what is not there yet, beside whatever goes on."""
        story, keeper, draft = self._session.story, self._keeper, self._drafting.draft
        drafts = self._drafting.drafts
        if not self._is_keeping and (keeper.needs(story) or drafts.needs(draft, keeper)):
            self._is_keeping = True
            then = partial(drafts.keep, draft, keeper, drafts.turn)
            screen = self._desk.screen
            work = partial(keep_story, keeper, story, keeper.turn, screen, then)
            screen.run_worker(work, group="keep", thread=True)

    def failed(self, error: UserError) -> None:
        """It could not be brought to disk: complain once for as long as that goes on."""
        self._is_keeping = False
        if not self._trouble:
            self._trouble = error.message
            self._desk.complain(error)

    def kept(self) -> None:
        """The story has a name on disk now, which the top shows."""
        self._is_keeping, self._trouble = False, ""
        self._desk.show()
