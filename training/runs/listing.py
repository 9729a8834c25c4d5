"""The runs of this machine, read from their folders without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.manifest import read_info
from mgpt_tui.model.registry import EMBEDDED, RUN_NAME, STEP_FOLDER, pointed_to
from mgpt_tui.reading import known_time, read_json
from training.config import SECTION_OF, TrainConfig
from training.runs.files import LOCK_FILE, SETTINGS_FILE, is_held
from training.runs.history import History
from training.runs.log import METRICS_FILE, read_history


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its folder tells of it; what it does not tell is None.

    Attributes:
        path: its folder.
        config: its settings.
        data: the folder of prepared data.
        history: what was logged.
        held: whether a process trains it now.
        model: shape of its newest checkpoint.
        written: when its log or a checkpoint was last written.
        bytes: what its folder takes up.
    """

    path: Path
    config: TrainConfig | None
    data: str | None
    history: History
    held: bool
    model: GPTConfig | None
    written: datetime | None
    bytes: int

    @property
    def name(self) -> str:
        """As `--name` takes it."""
        return self.path.name

    @property
    def step(self) -> int:
        """The last step that was logged."""
        return self.history.last.step if self.history.last else 0

    @property
    def max_steps(self) -> int | None:
        """Steps that it is to have."""
        return self.config.schedule.max_steps if self.config else None

    @property
    def state(self) -> str:
        """running, finished (also by early stopping) or stopped."""
        if self.held:
            return "running"
        if self.max_steps is not None and self.step >= self.max_steps:
            return "finished"
        return "finished" if self._out_of_patience else "stopped"

    @property
    def _out_of_patience(self) -> bool:
        patience = self.config.schedule.patience if self.config else None
        if patience is None or self.history.best is None:
            return False
        best = self.history.evaluations.index(self.history.best)
        return len(self.history.evaluations) - 1 - best >= patience

    @property
    def bits_per_byte(self) -> float | None:
        """Of its best evaluation."""
        best = self.history.best
        return best.evaluation.validation.bits_per_byte if best and best.evaluation else None

    def to_dict(self) -> dict[str, Any]:
        """As `mgpt-tui runs --json` prints it; times are UTC."""
        last, best = self.history.last, self.history.best
        return {
            "name": self.name,
            "state": self.state,
            "step": self.step,
            "max_steps": self.max_steps,
            "bits_per_byte": self.bits_per_byte,
            "best_step": best.step if best else None,
            "tokens": last.tokens if last else 0,
            "seconds": last.seconds if last else None,
            "last_written": self.written.isoformat(timespec="seconds") if self.written else None,
            "bytes": self.bytes,
            "path": str(self.path),
        }


def list_runs() -> list[Run]:
    """All runs, by name; one whose log cannot be read is told of without it."""
    return [_run(folder, _history(folder)) for folder in _folders()]


def find_run(name: str) -> Run:
    """The run of that name.

    Raises:
        UserError: where there is none, with the names of those that there are, or its log cannot
            be read.
    """
    folders = {folder.name: folder for folder in _folders()}
    if name not in folders:
        raise UserError(
            f"There is no run {name!r}.", f"Known runs: {', '.join(folders) or 'none'}."
        )
    return _run(folders[name], History(read_history(folders[name])))


def _run(folder: Path, history: History) -> Run:
    """Whatever the folder of a run tells; damaged files are passed over."""
    config, data = _settings(folder)
    size, written = _on_disk(folder)
    return Run(
        path=folder,
        config=config,
        data=data,
        history=history,
        held=is_held(folder),
        model=_model(folder),
        written=written,
        bytes=size,
    )


def _folders() -> Iterator[Path]:
    """Folders that a training began in."""
    runs = paths.runs_dir()
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if RUN_NAME.fullmatch(folder.name) and folder.name != EMBEDDED and _begun(folder):
            yield folder


def _begun(folder: Path) -> bool:
    """Whether a training began there; a folder that may not be looked into counts as one."""
    try:
        names = {path.name for path in folder.iterdir()}
    except PermissionError:
        return True
    except OSError:  # no folder
        return False
    return any(
        name in (SETTINGS_FILE, METRICS_FILE) or STEP_FOLDER.fullmatch(name) for name in names
    )


def _settings(folder: Path) -> tuple[TrainConfig | None, str | None]:
    """Settings and data folder, as far as `run.json` is whole and of this version."""
    try:
        content = read_json(folder / SETTINGS_FILE)
        values, data = content["settings"], content["data"]
        known = {name: value for name, value in values.items() if name in SECTION_OF}
        return TrainConfig().updated(known), data if isinstance(data, str) else None
    except (KeyError, TypeError, AttributeError, UserError):
        return None, None


def _history(folder: Path) -> History:
    try:
        return History(read_history(folder))
    except UserError:
        return History()


def _model(folder: Path) -> GPTConfig | None:
    checkpoint = pointed_to(folder, "last")
    try:
        return read_info(checkpoint).config if checkpoint else None
    except UserError:
        return None


def _on_disk(folder: Path) -> tuple[int, datetime | None]:
    """Bytes in all files, and when one was last written; files may vanish meanwhile."""
    size, latest = 0, 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = Path(place, name).lstat()
            except OSError:
                continue
            size += status.st_size
            if name != LOCK_FILE:
                latest = max(latest, status.st_mtime)
    return size, datetime.fromtimestamp(known_time(latest), UTC) if latest else None
