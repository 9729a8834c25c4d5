"""From a name to a checkpoint folder: the embedded model, trained runs, imports, or a path."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.manifest import CONFIG_FILE
from mgpt_tui.reading import read_json

EMBEDDED = "storyteller"
STEP_FOLDER = re.compile(r"step-\d{8,}")
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
POINTERS = ("best", "last")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be asked for.

    Attributes:
        name: as `--model` takes it.
        path: its checkpoint folder.
    """

    name: str
    path: Path


def run_folder(run: str) -> Path:
    """The folder of a training run.

    Raises:
        UserError: where the name could leave the runs' folder or is the embedded model's.
    """
    if not RUN_NAME.fullmatch(run) or run == EMBEDDED:
        raise UserError(
            f"A run cannot be named {run!r}.",
            f"Use letters, digits, '.', '_' and '-', beginning with a letter or digit, "
            f"at most 64, and not {EMBEDDED!r}.",
        )
    return paths.runs_dir() / run


def pointed_to(run: Path, pointer: str) -> Path | None:
    """The checkpoint that `RUN/best.json` or `RUN/last.json` names, or None."""
    try:
        name = read_json(run / f"{pointer}.json")["checkpoint"]
        folder: Path | None = run / name if STEP_FOLDER.fullmatch(name) else None
        return folder if folder is not None and _has_config(folder) else None
    except (UserError, KeyError, TypeError):
        return None


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint's folder names."""
    return int(checkpoint.name.removeprefix("step-"))


def step_folders(run: Path) -> list[Path]:
    """All checkpoints in a run's folder, the newest last; a folder of that name is whole."""
    found = run.iterdir() if run.is_dir() else ()
    return sorted((path for path in found if STEP_FOLDER.fullmatch(path.name)), key=step_of)


def newest_checkpoints(checkpoint: Path, count: int) -> list[Path]:
    """The `count` newest checkpoints of a run up to `checkpoint`, by step.

    A single one need not be in a run.

    Raises:
        UserError: where `checkpoint` is in no run, or the run has kept fewer.
    """
    if count == 1:
        return [checkpoint]
    found = step_folders(checkpoint.parent)
    if checkpoint not in found:
        raise UserError(f"{checkpoint} is no checkpoint of a run.", "Name a run, or RUN/last.")
    upto = found[: found.index(checkpoint) + 1]
    if len(upto) < count:
        raise UserError(
            f"Of the checkpoints up to that one the run has {len(upto)}, not {count}.",
            "Train with --keep all to have more.",
        )
    return upto[-count:]


def list_models() -> list[ModelEntry]:
    """The embedded model, those imported, and the best and last checkpoint of every run."""
    models = []
    embedded = paths.assets_dir() / EMBEDDED
    if _has_config(embedded):
        models.append(ModelEntry(EMBEDDED, embedded))
    runs = paths.runs_dir()
    for run in sorted(runs.iterdir()) if runs.is_dir() else []:
        if not RUN_NAME.fullmatch(run.name):
            continue
        if _has_config(run):  # imported
            models.append(ModelEntry(run.name, run))
        for pointer in POINTERS:
            folder = pointed_to(run, pointer)
            if folder is not None:
                models.append(ModelEntry(f"{run.name}/{pointer}", folder))
    return models


def listed_as(name: str) -> str:
    """What a model is called in the list: a run alone by the checkpoint that it stands for."""
    run = paths.runs_dir() / name
    if not RUN_NAME.fullmatch(name) or name == EMBEDDED or _has_config(run):
        return name
    found = (pointer for pointer in POINTERS if pointed_to(run, pointer))
    return next((f"{name}/{pointer}" for pointer in found), name)


def find_model(name: str | None = None) -> ModelEntry:
    """Resolve a model name: None or `storyteller`, RUN, RUN/best, RUN/last, RUN/step-N, a path.

    A model that was imported is a folder among the runs which is itself a checkpoint.

    Raises:
        UserError: where nothing of that name exists, with the names that do.
    """
    if name is None or name == EMBEDDED:
        return ModelEntry(EMBEDDED, paths.assets_dir() / EMBEDDED)
    run_name, _, part = name.partition("/")
    if RUN_NAME.fullmatch(run_name) and run_name != EMBEDDED:
        run = paths.runs_dir() / run_name
        folder: Path | None
        if not part and _has_config(run):  # imported
            folder = run
        elif part in ("", *POINTERS):
            folder = pointed_to(run, part or "best") or (
                pointed_to(run, "last") if not part else None
            )
        else:
            step = part.removeprefix("step-")
            folder = run / f"step-{int(step):08d}" if step.isdecimal() and len(step) < 20 else None
        if folder is not None and _has_config(folder):
            return ModelEntry(name, folder)
    path = paths.expanded(name)
    if _has_config(path):
        return ModelEntry(str(path), path)
    known = ", ".join(model.name for model in list_models()) or "none"
    raise UserError(
        f"There is no model {name!r}.",
        f"Known models: {known}. A path to a checkpoint folder works too.",
    )


def _has_config(folder: Path) -> bool:
    """Whether a folder looks like a checkpoint; one that no system can have does not."""
    return os.path.isfile(folder / CONFIG_FILE)  # noqa: PTH113  (Path.is_file raises)
