r"""Settings as people type them: on the command line, after `/set` and in the panel.

One grammar for all three. Quotes round a value are taken off. A setting that can be off is so
after the word that its declaration names. A setting that has several texts takes them with `|`
in between, each as it stands, with `\n` for a new line and quotes (or `\s`) where blanks at its
edges count; typed without anything in it, or as `off`, it has none. Words have commas or blanks in
between.
"""

from __future__ import annotations

import re
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import OFF, ON, Declared
from mgpt_tui.text import clean_text

TRUTH = {ON: True, "true": True, "yes": True, OFF: False, "false": False, "no": False}

BETWEEN = " | "
"""Between the parts of a setting that has several."""

QUOTES = "\"'"
ESCAPES = {"n": "\n", "t": "\t", "s": " ", "|": "|", "\\": "\\", '"': '"', "'": "'"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_PART = re.compile(
    r""" *(?P<quoted>"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*') *(?=\||\Z)"""
    r"""|(?P<bare>(?:\\.|[^\\|])*\\?)""",
    re.DOTALL,
)


def allowed(setting: Declared) -> str:
    """The values that a setting takes, in words."""
    return f"{ON} or {OFF}" if setting.type is bool else setting.allowed()


def value_text(setting: Declared, value: Any) -> str:
    """A value as it is typed; `parse` reads it back."""
    if value is None:
        return setting.limits.off or ""
    if setting.limits.words:
        return ", ".join(value)
    if setting.many:
        return BETWEEN.join(_escape(part) for part in value)
    if setting.type is bool:
        return ON if value else OFF
    return f"{value:g}" if setting.type is float else str(value)


def parse(setting: Declared, text: str) -> Any:
    """A typed value.

    Blanks round a value that is one do not count; those at the edges of a text do, so whoever
    reads a line that is typed by hand strips it first.

    Raises:
        UserError: where it is not allowed, with what is.
    """
    try:
        if setting.limits.words:
            return _words(setting, text)
        if setting.many:
            return _parts(text)
        text = text if _is_free_text(setting) else _unquoted(text.strip())
        if setting.is_off(text):
            return None
        value = TRUTH[text.casefold()] if setting.type is bool else setting.type(text)
    except (ValueError, KeyError):
        remedy = f"Give {setting.flag} {allowed(setting)}."
        raise UserError(f"{setting.name} cannot be {text!r}.", remedy) from None
    setting.check(value)
    return value


def _words(setting: Declared, text: str) -> tuple[str, ...]:
    """The words of a setting that has such, each once; errors as in `parse`."""
    text = _unquoted(text.strip())
    if not text or text.casefold() == OFF:
        return ()
    words = tuple(dict.fromkeys(word for word in re.split(r"[\s,|]+", text) if word))
    if not words:
        raise ValueError("nothing but commas")
    setting.check(words)
    return words


def _is_free_text(setting: Declared) -> bool:
    """Whether a setting is one text, which is taken as it stands."""
    return setting.type is str and not setting.limits.choices


def _unquoted(text: str) -> str:
    """A text without the quotes round it."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES
    return text[1:-1] if quoted else text


def _parts(text: str) -> tuple[str, ...]:
    """The texts of a setting that has several; raises KeyError or ValueError where it cannot be."""
    if text.strip().casefold() == OFF:
        return ()
    parts = []
    for found in _PART.finditer(text):
        part = found["bare"] if found["quoted"] is None else found["quoted"][1:-1]
        if found["quoted"] is None:  # blanks beside a bar are not of it
            part = part.lstrip(" ") if found.start() else part
            part = part.rstrip(" ") if found.end() < len(text) else part
        parts.append(_ESCAPED.sub(lambda escape: ESCAPES[escape[1]], part))
    kept = tuple(part for part in parts if part)
    if "|" in text and not kept:
        raise ValueError("nothing but bars")
    return kept


def _escape(part: str) -> str:
    """A part on one line, its edges marked where they are blank."""
    part = clean_text(part)  # first: it makes line ends of the separators of Unicode
    for letter, meant in (("\\", "\\"), ("|", "|"), ("n", "\n"), ("t", "\t")):
        part = part.replace(meant, f"\\{letter}")
    if part.casefold() == OFF:
        return f'"{part}"'
    if part[0] in QUOTES:
        part = f"\\{part}"
    inner = part.strip(" ")
    before = len(part) - len(part.lstrip(" ")) if inner else len(part)
    after = len(part) - before - len(inner)
    return "\\s" * before + inner + "\\s" * after
