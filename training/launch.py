"""One call of `mgpt-tui train`: opens the run, drives the trainer, shows and logs."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.registry import find_model
from training.checkpoints import RunFolder
from training.config import TrainConfig
from training.dashboard import Dashboard
from training.prepared import Prepared, read_prepared
from training.run_log import RunLog
from training.trainer import Trainer

SETTINGS_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Launch:
    """A run that is ready to go."""

    run: RunFolder
    trainer: Trainer


def prepare(
    *, name: str, data: Path | None, values: dict[str, Any], init_from: str | None, resume: bool
) -> Launch:
    """Check everything that can be checked, and build the trainer.

    Raises:
        UserError: for an existing name without `resume`, missing data, unfit checkpoints.
    """
    run = RunFolder(name)
    config, folder = TrainConfig(), data
    if resume:
        if not run.checkpoints():
            raise UserError(
                f"The run {name} has no checkpoint to resume.", "Begin it without --resume."
            )
        saved = _read_settings(run)
        config = config.updated(saved["settings"])
        folder = data or Path(saved["data"])
    elif run.checkpoints():
        raise UserError(
            f"The run {name} exists already.", "Add --resume to go on, or choose another --name."
        )
    if folder is None:
        raise UserError("Training needs data.", "Give --data a folder that `prepare` wrote.")
    config = config.updated(values)
    prepared = read_prepared(folder)
    weights = None
    if init_from is not None:
        config, weights = _begin_with(init_from, prepared, config, values)
    with _memory_errors():
        trainer = Trainer(config, prepared, run, weights, resume)
    if trainer.step >= config.schedule.max_steps:
        raise UserError(
            f"The run {name} has done its {trainer.step:,} steps already.",
            "Raise --max-steps to go on.",
        )
    return Launch(run, trainer)


def _read_settings(run: RunFolder) -> dict[str, Any]:
    path = run.path / SETTINGS_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {"data": content["data"], "settings": dict(content["settings"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} is missing or damaged.", f"Begin a new run with --init-from {run.name}/last."
        ) from None


def _begin_with(
    name: str, data: Prepared, config: TrainConfig, values: dict[str, Any]
) -> tuple[TrainConfig, GPT]:
    """The weights of a model, and the config with its shape."""
    checkpoint = load_checkpoint(find_model(name).path)
    if checkpoint.tokenizer.digest != data.tokenizer.digest:
        raise UserError(
            f"The data was prepared with another vocabulary than {name} has.",
            f"Prepare it again with --tokenizer {name}.",
        )
    shape = checkpoint.info.config
    wanted = {
        key: getattr(shape, key) for key in ("n_layer", "n_head", "n_embd", "block_size", "bias")
    }
    for key, value in wanted.items():
        if values.get(key) not in (None, value):
            raise UserError(
                f"{name} has {key} {value}, not {values[key]}.",
                f"Leave out --{key.replace('_', '-')}.",
            )
    dropout = values.get("dropout")
    config = config.updated(wanted | {"dropout": shape.dropout if dropout is None else dropout})
    return config, checkpoint.model


@dataclass(slots=True)
class _Interrupt:
    """Counts Ctrl-C: the first asks to stop after the step, the second leaves at once."""

    tell: Callable[[], None]
    asked: bool = False
    _previous: Any = field(default=None)

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.tell()


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Say what to lower where memory does not suffice (torch has no class for it on a CPU)."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise UserError(
            "There is not enough memory for this.",
            "Lower --batch-size (and raise --grad-accumulation), --block-size or the model's size.",
        ) from None


def run(launch: Launch) -> None:
    """Train to the end, or until Ctrl-C, which saves and exits with code 130.

    Raises:
        UserError: for a loss that is no number, a full device, and the like.
    """
    with launch.run.held():
        trainer = launch.trainer
        settings = {
            "data": str(trainer.data.folder.absolute()),
            "settings": trainer.config.flat(),
        }
        atomic_write(launch.run.path / SETTINGS_FILE, json.dumps(settings, indent=2) + "\n")
        stopped = _train(launch)
    if stopped:
        sys.exit(130)


def _train(launch: Launch) -> bool:
    """Show, log and save; returns whether Ctrl-C came before the end."""
    trainer = launch.trainer
    log = RunLog(launch.run.path, trainer.step)
    every = trainer.config.report.log_every
    with (
        _memory_errors(),
        Dashboard(trainer, launch.run.name) as dashboard,
        _Interrupt(dashboard.interrupted) as interrupt,
    ):
        try:
            for metrics in trainer.steps():
                dashboard.update(metrics)
                if metrics.step % every == 0 or metrics.step == 1 or metrics.evaluation:
                    log.write(metrics)
                    dashboard.log(metrics)
                if interrupt.asked:
                    break
        finally:
            log.close()
        stopped = trainer.step < trainer.config.schedule.max_steps
        if stopped:
            dashboard.stopped(trainer.save())
        else:
            dashboard.finished()
    return stopped
