"""What the app remembers between two runs: one JSON file in the settings folder."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import asdict, dataclass, field, fields
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, is_link, os_error
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.reading import MissingFile, parse_json, read_text
from mgpt_tui.settings_fields import OFF, arguments_from, declared, setting, validate

FORMAT = 1

T = TypeVar("T")

ROOM = SamplingSettings(
    **{
        entry.name: entry.limits.room
        for entry in declared(SamplingSettings)
        if entry.limits.room is not None
    }
)
"""How a model writes in the app until somebody wants it otherwise: a few sentences at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowingSettings:
    """How the app shows what is written.

    Raises:
        UserError: where a value is out of range.
    """

    reading_speed: float | None = setting(
        None,
        "words a second that are shown while the model writes, which writes as fast as it can",
        minimum=0.1,
        maximum=1000,
        off=OFF,
    )
    line_bits: bool = setting(
        False, "tell how surprising the line is to the model that is being typed"
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The remembered settings.

    Attributes:
        sampling: how the model chooses its words.
        showing: how the app shows them.
        theme: name of the app's theme; "" for the app's own.
        keys: keys that differ from the built-in ones, by the id of what they do
            (`{"send": "ctrl+g"}`); docs/app.md lists the ids.
    """

    sampling: SamplingSettings = ROOM
    showing: ShowingSettings = ShowingSettings()
    theme: str = ""
    keys: dict[str, str] = field(default_factory=dict)


_PLACES = {"format", *(entry.name for entry in fields(Settings))}


def settings_file() -> Path:
    """Where the settings are remembered."""
    return paths.config_dir() / "settings.json"


def aside_file() -> Path:
    """Where a file goes in which something is wrong, when it is written anew."""
    names = (f".damaged{number or ''}.json" for number in count())
    real = _real_file()
    aside = (real.with_suffix(name) for name in names)
    return next(path for path in aside if not os.path.lexists(path))


def _real_file() -> Path:
    """The file itself, where its owner has put a link to it in the settings folder.

    Raises:
        UserError: where the link leads in a circle.
    """
    try:
        return settings_file().resolve()
    except (OSError, RuntimeError) as error:
        raise is_link(settings_file()) from error


def load_settings() -> Settings:
    """The remembered settings; the default for whatever is missing or wrong."""
    return check_settings()[0]


def check_settings() -> tuple[Settings, tuple[str, ...]]:
    """The remembered settings, and what is wrong in their file; that costs no other entry."""
    try:
        content = _read()
    except UserError as error:
        return Settings(), (error.message.removesuffix("."),)
    wrong = [f"it has no place for {name!r}" for name in content if name not in _PLACES]
    keys: dict[str, Any] = _entry(content, "keys", {}, wrong)
    settings = Settings(
        sampling=_remembered(SamplingSettings, "sampling", content, wrong) or ROOM,
        showing=_remembered(ShowingSettings, "showing", content, wrong) or ShowingSettings(),
        theme=_entry(content, "theme", "", wrong),
        keys={id: key for id in keys if (key := _entry(keys, id, "", wrong, "keys.")) == keys[id]},
    )
    return settings, tuple(wrong)


def save_settings(settings: Settings) -> None:
    """Remember `settings`; a file in which something is wrong is set aside, not overwritten.

    Where the file is a link, what it leads to is written.

    Raises:
        UserError: where the folder cannot be written.
    """
    path = _real_file()
    if check_settings()[1]:
        try:
            path.rename(aside_file())
        except OSError as error:
            raise os_error(error, path) from error
    content = {"format": FORMAT, **asdict(settings)}
    atomic_write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _read() -> dict[str, Any]:
    """The file's content; nothing where there is no file.

    Raises:
        UserError: where it cannot be read, or is of another format.
    """
    try:
        content = parse_json(read_text(settings_file()), any_number=True)
    except MissingFile:
        return {}
    except ValueError as error:
        raise UserError(str(error)) from None
    if not isinstance(content, dict):
        raise UserError('it is no JSON object, {"keys": ...} for one')
    if content.get("format", FORMAT) != FORMAT:
        raise UserError(f"its format is {_shown(content['format'])}, not {FORMAT}")
    return content


def _entry(content: dict[str, Any], name: str, default: T, wrong: list[str], of: str = "") -> T:
    """An entry; the default where it is missing or of another kind, which is `wrong`."""
    value = content.get(name, default)
    if isinstance(value, type(default)):
        return value
    wrong.append(f"{of}{name} cannot be {_shown(value)}")
    return default


def _remembered(kind: type[T], place: str, content: dict[str, Any], wrong: list[str]) -> T | None:
    """The settings of a kind, each one that is allowed, so that a bad value costs no other.

    None where nothing is remembered of them. Of those that are, a setting that is missing is as
    it was before there was such a setting: its general default, not the room's.
    """
    entries: dict[str, Any] = _entry(content, place, {}, wrong)
    known = {entry.name: entry for entry in declared(kind)}
    kept = {}
    for name, value in arguments_from(kind, entries).items():
        if name not in known:
            wrong.append(f"{place} has no {name!r}")
            continue
        try:
            known[name].check(value)
        except UserError as error:
            wrong.append(f"{place}: {error.message.removesuffix('.')}")
        else:
            kept[name] = value
    return kind(**kept) if entries else None


def _shown(value: Any) -> str:
    """A value from the file, as it stands there but not at length."""
    return textwrap.shorten(json.dumps(value, ensure_ascii=False), 40, placeholder=" ...")
