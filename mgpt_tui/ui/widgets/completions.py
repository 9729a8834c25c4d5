"""What a command that is being typed may become."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widgets.option_list import Option

from mgpt_tui.text import clean_text
from mgpt_tui.ui.slash import Completion
from mgpt_tui.ui.widgets.options import Options


class Completions(Options, can_focus=False):
    """A short list beside the prompt, which keeps the focus and moves through the list.

    Args:
        take: called with a completion that was clicked.

    Attributes:
        walked: whether the cursor was moved, so that what it is on is meant.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Completions, Completions.-textual-compact {
        display: none;
        height: auto;
        max-height: 7;
        border: none;
        padding: 0 2;
        background: $surface;
        scrollbar-size-vertical: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(self, take: Callable[[Completion], None]) -> None:
        super().__init__(compact=True)
        self._take = take
        self._shown: Sequence[Completion] = ()
        self.walked = False

    @property
    def chosen(self) -> Completion | None:
        """The completion under the cursor."""
        at = self.highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def show(self, completions: Sequence[Completion]) -> None:
        """Show these, the first one chosen; with none, hide."""
        if completions == self._shown:
            return
        self._shown, self.walked = completions, False
        self.display = bool(completions)
        self.clear_options()
        width = max((len(one.label) for one in completions), default=0)
        for one in completions:
            said = clean_text(one.label).ljust(min(width, 24))
            self.add_option(Option(Content.assemble((said, "bold"), "  ", (one.help, "dim"))))
        if completions:
            self.highlighted = 0

    def walk(self, step: int) -> None:
        """Move the cursor down, or up."""
        self.walked = True
        if step > 0:
            self.action_cursor_down()
        else:
            self.action_cursor_up()

    def on_option_list_option_highlighted(self, event: Options.OptionHighlighted) -> None:
        """Nobody else need know."""
        event.stop()

    def on_option_list_option_selected(self, event: Options.OptionSelected) -> None:
        """Take what was clicked."""
        event.stop()
        if self.chosen is not None:
            self._take(self.chosen)
