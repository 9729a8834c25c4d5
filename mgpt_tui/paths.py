"""Where things live: the only module that knows locations.

Every folder follows the platform's habit (XDG on Linux) through `platformdirs`, and each can
be moved with an environment variable.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.errors import UserError

APP_NAME = "mgpt-tui"


def expanded(name: str | Path) -> Path:
    """A path as it was typed, with `~` and `~somebody` at its beginning filled in.

    Raises:
        UserError: where there is no such somebody, or no system can have such a path; none at
            all is not the folder that one is in.
    """
    if name == "":
        raise UserError("A path is empty.", "Give the path of a file or a folder.")
    if "\0" in str(name):
        raise UserError("A path cannot hold a NUL.", "Write the path anew.")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise UserError(f"{name} begins with nobody's home.", "Write the path in full.") from None


@dataclass(frozen=True, slots=True)
class Location:
    """A kind of folder: its name, the variable that moves it, and what it holds."""

    name: str
    variable: str
    holds: str

    def path(self) -> Path:
        """The folder, which may not exist yet."""
        moved = os.environ.get(self.variable)
        if moved:
            return expanded(moved).absolute()
        import platformdirs  # where all folders are moved, it is not needed

        default = getattr(platformdirs, f"user_{self.name}_path")(APP_NAME, appauthor=False)
        return Path(default)


LOCATIONS = {
    location.name: location
    for location in (
        Location("config", "MGPT_CONFIG_DIR", "settings"),
        Location("data", "MGPT_DATA_DIR", "stories and trained models"),
        Location("state", "MGPT_STATE_DIR", "logs and lines not sent"),
        Location("cache", "MGPT_CACHE_DIR", "what can be made again"),
    )
}


def config_dir() -> Path:
    """Settings."""
    return LOCATIONS["config"].path()


def data_dir() -> Path:
    """Stories and trained models."""
    return LOCATIONS["data"].path()


def state_dir() -> Path:
    """Logs."""
    return LOCATIONS["state"].path()


def cache_dir() -> Path:
    """What can be made again."""
    return LOCATIONS["cache"].path()


def stories_dir() -> Path:
    """Saved stories."""
    return data_dir() / "stories"


def runs_dir() -> Path:
    """Training runs: one folder a run, in it one folder a checkpoint."""
    return data_dir() / "runs"


def engine_log() -> Path:
    """What the engine process says on its standard error."""
    return state_dir() / "engine.log"


def learning_log() -> Path:
    """What the process that learns says on its standard error."""
    return state_dir() / "learning.log"


def assets_dir() -> Path:
    """Files that ship inside the package."""
    return Path(__file__).parent / "assets"
