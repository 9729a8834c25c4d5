"""The keys in force: what `settings.json` may change of the table, and what the keys are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

from mgpt_tui.ui.declaration import Key, Where, show_keys
from mgpt_tui.ui.keys import KEY, KEYS

_NAMED = {key.value for key in Keys if key.value.isalnum()} | set(KEY_NAME_REPLACEMENTS.values())
_MODIFIERS = {"alt", "ctrl", "hyper", "meta", "shift", "super"}
_SHORT = ("plus", "minus", "slash", "backslash", "at", "underscore")
"""Keys for which Textual has shorter names than Unicode."""
_ARRIVES_AS = {
    "return": "enter", "ctrl+m": "enter", "ctrl+i": "tab", "ctrl+left_square_bracket": "escape",
    "ctrl+h": "backspace", "newline": "ctrl+j", "ctrl+space": "ctrl+at",
}  # fmt: skip
"""Keys that terminals send as another, or Textual calls so."""

EDITING = {"backspace", "delete", "left", "right"}
"""What the line cannot do without."""
FIELDS = {"enter", "escape", "tab", "shift+tab", "up", "down"}
"""What the settings and the dialogs cannot do without."""
DIALOGS = {
    "ctrl+f", "ctrl+r", "ctrl+s", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10",
    "home", "end", "pageup", "pagedown", "ctrl+c", "super+c", "question_mark", "slash", "space",
    "alt+o", "shift+left", "shift+right",
}  # fmt: skip
"""What some dialog has a use for, which a key of the whole app would take away."""

_MODIFIED = {
    frozenset[str](): re.compile(r".*"),
    frozenset({"ctrl"}): re.compile(r"[a-z]|at|left|right|up|down|home|end|backslash|underscore"),
    frozenset({"alt"}): re.compile(r".|left|right|up|down"),
    frozenset({"shift"}): re.compile(r"tab|left|right|up|down"),
}
"""The keys that every terminal sends, by what is held with them."""


class Change(NamedTuple):
    """Other keys for something, as Textual calls them."""

    key: Key
    names: tuple[str, ...]


def keymap(changed: Mapping[str, str]) -> dict[str, str]:
    """The changes that can be made: of ids that have keys, to keys that there are."""
    return check_keys(changed)[0]


def check_keys(changed: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The changes that can be made, and what is wrong with the others."""
    kept, wrong = {}, []
    for id, keys in changed.items():
        key, names = KEY.get(id), [name.strip() for name in keys.split(",")]
        if key is None or not key.keys or key.where is Where.TEXTUAL:
            wrong.append(f"keys: no key belongs to {id!r}")
            continue
        unknown = next((name for name in names if not _textual_name(name)), None)
        change = Change(key, tuple(dict.fromkeys(map(_textual_name, names))))
        if unknown is not None:
            wrong.append(f"keys: {id} cannot be {unknown!r}, which is no key")
        elif why := _why_not(change):
            wrong.append(f"keys: {id} {why}")
        else:
            kept[id] = ",".join(change.names)
    while clash := _clash(kept):
        id, name, owner = clash
        wrong.append(f"keys: {id} cannot be {name}, which is {owner}")
        del kept[id]
    return kept, tuple(wrong)


def _textual_name(key: str) -> str:
    """A key as Textual calls it when it is pressed; "" where there is none of that name."""
    if key == "+" or key.endswith("++"):
        key = f"{key[:-1]}plus"
    *modifiers, last = key.split("+")
    there = last in _NAMED or _character(last) is not None
    if not there or not {*modifiers} <= _MODIFIERS:
        return ""
    name = "+".join((*sorted(modifiers), last))
    return _ARRIVES_AS.get(name, name)


def _why_not(change: Change) -> str:
    """Why keys would take something away that is needed; "" where they do not."""
    key = change.key
    for name in change.names:
        if _types(name):
            return f"cannot be {name}, which types a character"
        if name in EDITING:
            return f"cannot be {name}, which the line needs"
        of_all = key.where is not Where.PROMPT and name not in key.keys.split(",")
        if of_all and name in FIELDS:
            return f"cannot be {name}, which the settings and the dialogs need"
        if key.where is Where.APP and name in DIALOGS:
            return f"cannot be {name}, which dialogs need"
    if key.id == "send" and not any(map(_is_sent_everywhere, change.names)):
        first = change.names[0]
        return f"cannot be {first} alone, which not every terminal sends: add another"
    return ""


def _types(name: str) -> bool:
    """Whether a key types a character."""
    *modifiers, last = name.split("+")
    character = _character(last)
    return {*modifiers} <= {"shift"} and character is not None and character.isprintable()


def _character(last: str) -> str | None:
    """The character that a key without modifiers stands for, if there is one."""
    return "+-/\\@_"[_SHORT.index(last)] if last in _SHORT else key_to_character(last)


def _is_sent_everywhere(name: str) -> bool:
    *modifiers, last = name.split("+")
    known = _MODIFIED.get(frozenset(modifiers))
    return known is not None and known.fullmatch(last) is not None


def _clash(changed: dict[str, str]) -> tuple[str, str, str] | None:
    """A changed id, and a key of it that another id has: what is unchanged, or changed before."""
    owners: dict[str, str] = {}
    for key in sorted(KEYS, key=lambda key: key.id in changed):
        for name in filter(None, changed.get(key.id, key.keys).split(",")):
            if name in owners:
                return key.id, name, owners[name]
            owners[name] = key.id
    return None


class KeyNames:
    """What the keys in force are called.

    Texts on the screen name a key by what it does, so that they are true of other keys too:
    `{stop} stops it`, or `{Stop}` at the beginning of a sentence.

    Args:
        changed: keys that the settings change, by id.
    """

    def __init__(self, changed: Mapping[str, str] | None = None) -> None:
        self._changed = keymap(changed or {})

    def all(self, id: str) -> str:
        """Every key of an id: `ctrl+t or f2`; "" where it has none."""
        keys = self._changed.get(id, KEY[id].keys)
        return show_keys(keys) if keys else ""

    def first(self, id: str) -> str:
        """The first key of an id; the command of what has no key."""
        return self.all(id).partition(" or ")[0] or KEY[id].usage

    def fill(self, text: str) -> str:
        """A text of ours with the keys in it that it names."""
        return _NAMES.sub(self._named, text)

    def _named(self, found: re.Match[str]) -> str:
        name = self.first(found[1].lower())
        return name[0].upper() + name[1:] if found[1][0].isupper() else name


_NAMES = re.compile("{(" + "|".join(KEY) + ")}", re.IGNORECASE)
