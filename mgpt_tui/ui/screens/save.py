"""Asking under which name a story should be saved."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from mgpt_tui.errors import UserError
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Target
from mgpt_tui.text import clean_text, without_middle
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.widgets.plain import Plain

HELP = (
    "A name goes to your stories folder; a path begins with / or ./ or ~/\n"
    "Endings: .md to read (the default), .txt bare text, .html a page, .json everything"
)


class SaveScreen(Dialog[Target | None]):
    """Answers with where the story should go, or None.

    Args:
        keeper: of the story.
        name: the name that is offered.
        typed: what the writer had typed when the app ended; "" for nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", show=False)
    ]

    def __init__(self, keeper: Keeper, name: str, typed: str = "") -> None:
        super().__init__()
        self._keeper = keeper
        self._offered = name
        self._agreed: Target | None = None
        self._answer = Input(typed or name, id="name", compact=True)

    @property
    def typed(self) -> str:
        """What is typed; "" while that is the name that is offered."""
        answer = clean_text(self._answer.value)
        return "" if answer == self._offered else answer

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = "Save the story as"
        box.border_subtitle = "enter saves · esc cancels"
        with box:
            yield self._answer
            yield Plain(id="where")
            yield Plain(HELP, classes="help")

    @on(Input.Changed)
    def show_where(self, event: Input.Changed) -> None:
        """Say where the file will be, or why it cannot be."""
        self._agreed = None
        target = self._target(event.value)
        if target is not None:
            self._say(f"→ {target.path}")

    @on(Input.Submitted)
    def save(self, event: Input.Submitted) -> None:
        """Answer; a second enter agrees to replace what is there."""
        target = self._target(event.value)
        if target is None:
            return
        keeper = self._keeper
        taken = keeper.library.is_taken(target, keeper.document, keeper.copy)
        if taken and self._agreed != target:
            self._agreed = target
            self._say(
                f"✗ {target.path.name} is there already. Enter again replaces it; "
                "or change the name.",
                bad=True,
            )
            return
        self.dismiss(replace(target, replaces=taken))

    def _target(self, answer: str) -> Target | None:
        try:
            return self._keeper.library.target(answer, self._offered)
        except UserError as error:
            self._say(f"✗ {error.message} {error.remedy}", bad=True)
            return None

    def _say(self, text: str, *, bad: bool = False) -> None:
        where = self.query_one("#where", Plain)
        where.set_class(bad, "-bad")
        where.update(without_middle(text))
