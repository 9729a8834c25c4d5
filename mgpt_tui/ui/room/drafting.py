"""Drafting: what is typed and in no story yet, and how it comes back after any end of the app."""

from __future__ import annotations

from collections.abc import Callable

from mgpt_tui.stories.drafts import NOTHING, Draft, DraftKeeper, waiting
from mgpt_tui.stories.library import Target
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.ui.room.desk import Desk
from mgpt_tui.ui.screens.edit import EditScreen
from mgpt_tui.ui.screens.save import SaveScreen


class Drafting:
    """The part of the room that knows what is being typed.

    Attributes:
        drafts: keeps it on disk.
    """

    def __init__(self, desk: Desk) -> None:
        self.drafts = DraftKeeper()
        self._desk = desk
        self._editing: EditScreen | None = None
        self._saving: SaveScreen | None = None
        self._back = NOTHING  # what was put back, as far as no dialog shows it yet

    @property
    def draft(self) -> Draft:
        """What is being typed now."""
        edit = self._editing.typed if self._editing else self._back.edit
        return Draft(
            line=self._desk.typed,
            edit="" if edit == apart(self._desk.session.story.text) else edit,
            name=self._saving.typed if self._saving else self._back.name,
        )

    def put_back(self) -> None:
        """Let what was typed here stand in the prompt again; see also `put_back_edit`."""
        self._back = self.drafts.take_up(self._desk.keeper)
        self._desk.prompt.put_back(self._back.line)

    def put_back_edit(self) -> None:
        """Go on with the change of the story that was not finished, if there is one."""
        text = self._desk.session.story.text
        if self._editing is None and self._back.edit not in ("", text, apart(text)):
            self.edit(self._back.edit)

    def tell_waiting(self) -> None:
        """Say in which story something is still being typed."""
        names = waiting(self._desk.library.folder)
        if names:
            more = f" (and in {len(names) - 1} more)" if names[1:] else ""
            self._desk.say(
                f"What you typed last in {names[0]!r}{more} waits there; open it to go on."
            )

    def edit(self, typed: str = "") -> None:
        """Let the writer change the story as text.

        Args:
            typed: what it had been made of before, set apart; "" for nothing.
        """
        self._editing = EditScreen(self._desk.session.story.text, typed)
        self._desk.ask(self._editing, self._edited)

    def _edited(self, text: str | None) -> None:
        self._editing, self._back = None, Draft(name=self._back.name)
        if text is not None:
            self._desk.session.edit(text)
            self._desk.show_end()

    def ask_where(self, then: Callable[[Target | None], None]) -> None:
        """Ask where the story is to be saved."""

        def answered(target: Target | None) -> None:
            self._saving, self._back = None, Draft(edit=self._back.edit)
            then(target)

        name = self._desk.keeper.called(self._desk.session.story)
        self._saving = SaveScreen(self._desk.keeper, name, self._back.name)
        self._desk.ask(self._saving, answered)
