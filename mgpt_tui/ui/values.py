"""Settings as people type them, in the panel and after `/set`."""

from __future__ import annotations

import re
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings_fields import Declared, declared
from mgpt_tui.text import clean_text

LABELS = {
    "max_tokens": "length",
    "repetition_penalty": "repetition",
    "finish_sentence": "finish",
}
"""What people call a setting, where that is not its name."""

ON, OFF = "on", "off"
TRUTH = {ON: True, "true": True, "yes": True, OFF: False, "false": False, "no": False}

BETWEEN = " | "
"""Between the parts of a setting that has several."""

ESCAPES = {"n": "\n", "t": "\t", "s": " ", "|": "|", "\\": "\\"}
ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
PART = re.compile(r"(?:\\.|[^\\|])*\\?")


def in_panel() -> dict[str, Declared]:
    """The settings that a writer may change in the app, by what people call them."""
    return {label(entry): entry for entry in declared(SamplingSettings) if entry.limits.panel}


def label(setting: Declared) -> str:
    """What people call a setting."""
    return LABELS.get(setting.name, setting.name.replace("_", "-"))


def meaning(setting: Declared) -> str:
    """What a setting is for, in one line."""
    limits = setting.limits
    if setting.many:
        return f"{limits.help.partition(';')[0]}; several as one | other, \\n is a new line"
    return f"{limits.help} ({limits.note})" if limits.note else limits.help


def allowed(setting: Declared) -> str:
    """The values that a setting takes, in words."""
    if setting.type is bool:
        return f"{ON} or {OFF}"
    if setting.many:
        return r"text, several with | between (\n new line, \s blank, \| bar, \\ backslash)"
    return setting.allowed()


def value_text(setting: Declared, value: Any) -> str:
    """A value as it is typed."""
    if value is None:
        return setting.limits.off or ""
    if setting.many:
        return BETWEEN.join(_escape(part) for part in value)
    if setting.type is bool:
        return ON if value else OFF
    return f"{value:g}" if setting.type is float else str(value)


def parse(setting: Declared, text: str) -> Any:
    """A typed value; nothing typed, or `off`, is None for a setting that may be left out.

    Raises:
        UserError: where it is not allowed; its message says what is.
    """
    text = text if setting.many else text.strip()
    limits = setting.limits
    if setting.optional and text in ((limits.off,) if limits.off else ("", OFF)):
        return None
    try:
        value = _read(setting, text)
        setting.check(value)
    except (ValueError, KeyError, UserError):
        raise UserError(allowed(setting)) from None
    return value


def _read(setting: Declared, text: str) -> Any:
    if setting.many:
        parts = (part.strip(" ") for part in PART.findall(text))
        return tuple(_unescape(part) for part in parts if part)
    return TRUTH[text.casefold()] if setting.type is bool else setting.type(text)


def _escape(part: str) -> str:
    """A part on one line, its edges marked where they are blank."""
    for letter, meant in (("\\", "\\"), ("|", "|"), ("n", "\n"), ("t", "\t")):
        part = part.replace(meant, f"\\{letter}")
    inner = part.strip(" ")
    before = len(part) - len(part.lstrip(" ")) if inner else len(part)
    after = len(part) - before - len(inner)
    return clean_text("\\s" * before + inner + "\\s" * after)


def _unescape(part: str) -> str:
    """A part as it is meant; raises KeyError for an escape that there is not."""
    return ESCAPED.sub(lambda found: ESCAPES[found[1]], part)
