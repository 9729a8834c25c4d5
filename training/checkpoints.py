"""The folder of a run: its checkpoints, and what points at them.

    RUN/
      step-00000500/   config.json, tokenizer.tiktoken, model.safetensors (a checkpoint),
                       optimizer.safetensors, trainer.json (what a resumed run needs besides)
      best.json        names the checkpoint with the lowest validation loss
      last.json        names the newest one
      metrics.jsonl    see `run_log`

A checkpoint is written as `.tmp-*`, synced and renamed, so a folder named `step-*` is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_folder, atomic_write, os_error
from mgpt_tui.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.registry import STEP_FOLDER, pointed_to, run_folder
from mgpt_tui.model.tokenizer import Tokenizer

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "trainer.json"


@dataclass(frozen=True, slots=True)
class Best:
    """The best evaluation so far: its step, loss in nats per token, bits per byte."""

    step: int
    loss: float
    bits_per_byte: float

    def to_dict(self) -> dict[str, float | int]:
        """As JSON values."""
        return asdict(self)


class RunFolder:
    """A run by its name.

    Raises:
        UserError: where the name could leave the folder of runs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = run_folder(name)

    def checkpoints(self) -> list[Path]:
        """All checkpoints, the newest last; a folder of that name is whole."""
        found = self.path.iterdir() if self.path.is_dir() else ()
        return sorted(
            (path for path in found if STEP_FOLDER.fullmatch(path.name)),
            key=lambda path: int(path.name.removeprefix("step-")),
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training this run meanwhile.

        Raises:
            UserError: where another one does already, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("a")
        except OSError as error:
            raise os_error(error, self.path) from error
        with lock:
            try:
                if fcntl is not None:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"The run {self.name} is being trained by another process.",
                    "Wait for it, or choose another --name.",
                ) from None
            yield

    def save(
        self,
        *,
        step: int,
        model: GPT,
        tokenizer: Tokenizer,
        training: dict[str, Any],
        optimizer: dict[str, Tensor],
        state: dict[str, Any],
        best: Best | None,
        keep: int | None,
    ) -> Path:
        """Write `step-NNNNNNNN`, point at it, and drop old ones beyond `keep`.

        Args:
            best: this step's evaluation where it is the best so far.
            keep: newest checkpoints to keep beside the best; None keeps all.

        Raises:
            UserError: where it cannot be written; what was there before stays.
        """
        folder = self.path / f"step-{step:08d}"
        self._sweep()
        with atomic_folder(folder) as temporary:
            save_checkpoint(temporary, model, tokenizer, training)
            atomic_write(temporary / OPTIMIZER_FILE, save_tensors(optimizer))
            atomic_write(temporary / STATE_FILE, json.dumps(state, indent=1) + "\n")
        self._point("last", {"checkpoint": folder.name})
        if best is not None:
            self._point("best", {"checkpoint": folder.name, **best.to_dict()})
        self._prune(keep)
        return folder

    def _point(self, pointer: str, content: dict[str, Any]) -> None:
        atomic_write(self.path / f"{pointer}.json", json.dumps(content, indent=2) + "\n")

    def load_last(self) -> tuple[Checkpoint, dict[str, Tensor], dict[str, Any]]:
        """The newest checkpoint with the optimizer's tensors and the trainer's state.

        Raises:
            UserError: where there is none, or it is damaged.
        """
        folder = next(reversed(self.checkpoints()), None)
        if folder is None:
            raise UserError(
                f"The run {self.name} has no checkpoint to resume.",
                "Begin a new run with another --name.",
            )
        checkpoint = load_checkpoint(folder)
        try:
            optimizer = load_tensors((folder / OPTIMIZER_FILE).read_bytes())
            state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        except (OSError, SafetensorError, ValueError) as error:
            raise UserError(
                f"The checkpoint {folder} cannot be resumed: {error}.",
                f"Begin a new run with --init-from {folder}.",
            ) from None
        return checkpoint, optimizer, state

    def _sweep(self) -> None:
        """Remove what an earlier run left unfinished."""
        for leftover in self.path.glob(".tmp-*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def _prune(self, keep: int | None) -> None:
        if keep is None:
            return
        best = pointed_to(self.path, "best")
        for folder in self.checkpoints()[:-keep]:
            if folder != best:
                # Under a name that is no checkpoint's, so that a kill leaves none half removed.
                doomed = folder.rename(folder.with_name(f".tmp-{folder.name}"))
                shutil.rmtree(doomed, ignore_errors=True)
