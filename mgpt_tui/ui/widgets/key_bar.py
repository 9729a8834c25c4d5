"""The keys that can be pressed now, at the foot of the screen.

Textual's own footer is built anew whenever a key is switched on or off, which is too much for
something that happens at every first letter of a line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen

from mgpt_tui.ui.declaration import Footer, Key
from mgpt_tui.ui.keys import KEYS
from mgpt_tui.ui.widgets.plain import Plain


class KeyHint(Plain):
    """One key and what it does; a click is as good as pressing it."""

    def __init__(self, key: Key) -> None:
        super().__init__(id=f"key-{key.id}")
        self.key = key
        self._pressed = ""
        self._shown = ""

    @property
    def cells(self) -> int:
        """How much of the line it takes, with the gap after it."""
        return cell_len(f"{self._shown} {self.key.label}") + self.styles.padding.right

    def show(self, active: ActiveBinding | None, *, possible: bool) -> None:
        """Show how the key stands: away, greyed out, or ready."""
        self.display = active is not None
        if active is None:
            return
        self.set_class(not possible, "-off")
        binding = active.binding
        shown = self.app.get_key_display(binding)
        if shown != self._shown:
            self._shown, self._pressed = shown, binding.key
            self.update(Content.assemble((shown, "bold $accent"), " ", self.key.label))

    def on_click(self) -> None:
        """Press the key."""
        self.app.simulate_key(self._pressed)


class KeyBar(Horizontal):
    """A hint for every key that the table wants here, in its order, as far as they fit.

    Args:
        possible: tells whether what a key stands for can be done, as of the screen's last
            `refresh_bindings`, for which whoever says so asks when that changes. Textual asks, too,
            at any time: told of a newer state then, this would be ahead of its owner, which would
            see no change when the state is the old one again.
    """

    ALLOW_SELECT = False

    def __init__(self, possible: Callable[[Key], bool], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._possible = possible

    def compose(self) -> ComposeResult:
        for key in KEYS:
            if key.footer is not Footer.NEVER:
                yield KeyHint(key)

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._show)

    def on_resize(self) -> None:
        self._show(self.screen)
        self.call_after_refresh(self._show, self.screen)  # the gaps may be others by then

    def _show(self, screen: Screen[object]) -> None:
        active: dict[str | None, ActiveBinding] = {}
        for binding in screen.active_bindings.values():
            active.setdefault(binding.binding.id, binding)
        room = self.content_size.width
        for hint in sorted(self.query(KeyHint), key=lambda hint: -hint.key.footer):
            hint.show(active.get(hint.key.id), possible=self._possible(hint.key))
            if hint.cells > room:
                hint.display = False
            elif hint.display:
                room -= hint.cells
