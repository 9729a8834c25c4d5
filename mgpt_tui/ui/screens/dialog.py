"""What every dialog is."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.command import CommandList, CommandPalette
from textual.screen import ModalScreen, Screen

from mgpt_tui.ui.notices import Notice
from mgpt_tui.ui.widgets.notice_line import NoticeLine
from mgpt_tui.ui.widgets.options import has_pages

Answer = TypeVar("Answer")

FAR = 1_000_000
"""Steps that lead to either end of any story."""


def _steps(**keys: int) -> tuple[Binding, ...]:
    return tuple(Binding(key, f"step({by})", show=False, priority=True) for key, by in keys.items())


WALK = _steps(left=-1, right=1, home=-FAR, end=FAR)
"""The keys that walk over tokens, for dialogs with an `action_step`."""
STEPS = (*WALK, *_steps(pageup=-12, pagedown=12))
"""Those, where the keys for pages are not for something else."""


class ClosesOnce(Screen[Answer]):
    """A screen that was answered hears keys that were on their way; Textual would close the
    screen below in its stead, or fail where there is none.
    """

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, the first time."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Dialog(ClosesOnce[Answer], ModalScreen[Answer]):
    """A screen over the room that answers with something."""

    DEFAULT_CSS = """
    Dialog NoticeLine {
        dock: bottom;
    }
    """
    notice_line: NoticeLine | None = None

    @property
    def is_open(self) -> bool:
        """Whether it stands there whole.

        When the app is left, what a dialog holds is taken away first: it is in front still, and
        the room goes on hearing. Textual displays nothing that is being taken away.
        """
        return self.is_mounted and self.display

    def tell(self, notice: Notice) -> None:
        """Show a notice below the dialog, which makes room for it."""
        if self.notice_line is None:
            self.notice_line = NoticeLine()
            self.mount(self.notice_line)
        self.notice_line.tell(notice)


class LiveDialog(Dialog[Answer]):
    """A dialog about what the engine does, such as the answers to its `Session.questions`."""

    def show_session(self) -> None:
        """Show how the session stands; the room calls this whenever the engine has spoken."""
        raise NotImplementedError


class Palette(CommandPalette, ClosesOnce[None]):
    """Textual's palette of commands; a widget's styles come from the first of its bases."""

    def _action_command_list(self, action: str) -> None:
        """Move through the list; its pages only where it has any (see `Options`)."""
        if not action.startswith("page") or has_pages(self.query_one(CommandList)):
            super()._action_command_list(action)
