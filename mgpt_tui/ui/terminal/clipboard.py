"""The terminal's clipboard, which takes text by a control sequence: OSC 52 of xterm."""

from __future__ import annotations

import os

MOST = 74_994
"""Bytes in base64 that every terminal takes which takes any; GNU screen takes no more."""
WITHOUT = {"linux", "dumb", "unknown"}
"""Terminals that have no clipboard, by what `TERM` calls them."""


def why_not(text: str) -> str:
    """Why a text does not go to the terminal's clipboard; "" where it may."""
    if os.environ.get("TERM", "").lower() in WITHOUT:
        return "This terminal has no clipboard"
    if 4 * -(-len(text.encode(errors="replace")) // 3) > MOST:
        return "This is more than a terminal's clipboard takes"
    return ""
