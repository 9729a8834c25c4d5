"""What the app remembers between two runs: one JSON file in the settings folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, os_error
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings_fields import arguments_from, declared

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The remembered settings.

    Attributes:
        sampling: how the model chooses its words.
        theme: name of the app's theme; "" for the app's own.
        keys: keys that differ from the built-in ones, by the id of what they do
            (`{"send": "ctrl+g"}`); `F1` in the app and the README list the ids.
    """

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    theme: str = ""
    keys: dict[str, str] = field(default_factory=dict)


def settings_file() -> Path:
    """Where the settings are remembered."""
    return paths.config_dir() / "settings.json"


def load_settings() -> Settings:
    """The remembered settings; the default for whatever is missing, damaged or out of range."""
    content = _read()
    if content is None:
        return Settings()
    theme, keys = content.get("theme"), content.get("keys")
    return Settings(
        sampling=_sampling(content.get("sampling")),
        theme=theme if isinstance(theme, str) else "",
        keys={name: key for name, key in keys.items() if isinstance(key, str) and key}
        if isinstance(keys, dict)
        else {},
    )


def save_settings(settings: Settings) -> None:
    """Remember `settings`; a file that cannot be understood is set aside, not overwritten.

    Raises:
        UserError: where the folder cannot be written.
    """
    path = settings_file()
    if path.exists() and _read() is None:
        try:
            path.replace(path.with_suffix(".damaged.json"))
        except OSError as error:
            raise os_error(error, path) from error
    content = {"format": FORMAT, **asdict(settings)}
    atomic_write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _read() -> dict[str, Any] | None:
    """The file's content; None where it is missing, damaged or of another format."""
    try:
        content = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.get("format") == FORMAT else None


def _sampling(content: Any) -> SamplingSettings:
    """Sampling settings, each one that is allowed, so that a bad value costs no other."""
    if not isinstance(content, dict):
        return SamplingSettings()
    content = arguments_from(SamplingSettings, content)
    kept = {}
    for setting in declared(SamplingSettings):
        if setting.name in content:
            try:
                setting.check(content[setting.name])
            except UserError:
                continue
            kept[setting.name] = content[setting.name]
    return SamplingSettings(**kept)
