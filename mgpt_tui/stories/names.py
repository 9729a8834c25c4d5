"""File names from stories and from people, which never leave the stories folder."""

from __future__ import annotations

import re
import unicodedata

from mgpt_tui.errors import UserError

MAX_BYTES = 120
"""Longest name in UTF-8, so that an ending and a temporary prefix fit everywhere."""

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")


def first_words(text: str, count: int = 6) -> str:
    """A name made of a story's first words; "untitled" where there are none to use."""
    words = FORBIDDEN.sub(" ", unicodedata.normalize("NFC", text)).split()[:count]
    name = _cut(" ".join(words), 48).strip(" .,;!'-_")
    if not name:
        return "untitled"
    return f"{name} story" if RESERVED.fullmatch(name) else name


def check_name(name: str) -> str:
    """`name` as a file name without its ending.

    Raises:
        UserError: where it could leave its folder, or some system cannot hold it.
    """
    name = unicodedata.normalize("NFC", name).strip()
    elsewhere = "For another folder, give a path that begins with / or ./ or ~/."
    if not name or not name.strip("."):
        raise UserError("A story needs a name.", "Type one.")
    if FORBIDDEN.search(name):
        raise UserError('A name cannot hold any of / \\ : * ? " < > |.', elsewhere)
    if name.startswith(".") or name.endswith("."):
        raise UserError("A name cannot begin or end with a full stop.", elsewhere)
    if RESERVED.fullmatch(name):
        raise UserError(f"{name} is a reserved name on Windows.", "Choose another name.")
    if len(name.encode()) > MAX_BYTES:
        raise UserError("The name is too long.", f"Use at most {MAX_BYTES} bytes of UTF-8.")
    return name


def safe_name(name: str) -> str:
    """A name that is nearly this one and passes `check_name`; "untitled" where none is."""
    name = FORBIDDEN.sub(" ", unicodedata.normalize("NFC", name.encode(errors="ignore").decode()))
    name = _cut(" ".join(name.split()), MAX_BYTES - 20).strip(" .")
    if not name:
        return "untitled"
    return f"{name} story" if RESERVED.fullmatch(name) else name


def _cut(name: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, whole words where there are any."""
    if len(name.encode()) <= limit:
        return name
    short = name.encode()[:limit].decode(errors="ignore")
    return short.rpartition(" ")[0] or short
