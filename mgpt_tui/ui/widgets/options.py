"""A list to choose from."""

from __future__ import annotations

from textual.widgets import OptionList


class Options(OptionList):
    """Textual's list, which fails where it is to turn a page and has no room on the screen."""

    def action_page_up(self) -> None:
        """Go up by a page, where there are pages."""
        if has_pages(self):
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Go down by a page, where there are pages."""
        if has_pages(self):
            super().action_page_down()  # type: ignore[no-untyped-call]


def has_pages(options: OptionList) -> bool:
    """Whether a list is laid out, so that it knows which options a page holds."""
    return bool(options.scrollable_content_region)
