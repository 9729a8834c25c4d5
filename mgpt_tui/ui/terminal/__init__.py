"""What a terminal sends, what it is sent, and what becomes of the app when it goes."""

from __future__ import annotations

import importlib
import sys

from textual.driver import Driver


def driver_class() -> type[Driver]:
    """The driver for this platform, which reads by `SafeParser`.

    On Windows it is Textual's own. It makes its parser by itself, by the name that it imported,
    so that is replaced.
    """
    if sys.platform == "win32":
        from textual.drivers.windows_driver import WindowsDriver

        from mgpt_tui.ui.terminal.parser import SafeParser

        importlib.import_module("textual.drivers.win32").XTermParser = SafeParser
        return WindowsDriver
    from mgpt_tui.ui.terminal.driver import RoomDriver

    return RoomDriver
