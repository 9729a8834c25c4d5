"""The folder of a run: its checkpoints, and what points at them.

    RUN/
      step-00000500/   config.json, tokenizer.tiktoken, model.safetensors (a checkpoint),
                       optimizer.safetensors, trainer.json (what a resumed run needs besides),
                       SHA256SUMS (of all of these, as `sha256sum -c` reads it)
      aside-step-*/    checkpoints that a run which went on from an earlier one left behind
      best.json        names the checkpoint with the lowest validation loss
      last.json        names the newest one
      metrics.jsonl    see `run_log`

A checkpoint is written as `.tmp-*`, synced and renamed, so a folder named `step-*` is whole,
unless the disk has failed; then its sums tell. Only checkpoints beyond `keep` are ever removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.files import (
    atomic_folder,
    atomic_write,
    make_folder,
    open_own,
    os_error,
    stat_regular,
    sync_dir,
    try_lock,
)
from mgpt_tui.learning.begun import has_begun
from mgpt_tui.memory import is_lack_of_memory
from mgpt_tui.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.manifest import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from mgpt_tui.model.registry import run_folder, step_folders, step_of
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.reading import MissingFile, parse_json, read_bytes, read_text, too_large
from mgpt_tui.text import shell_command
from training.runs.files import LOCK_FILE

OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "trainer.json"
SUMS_FILE = "SHA256SUMS"
_LARGEST_FILE = 64 * 2**30
"""Bytes; the sum, which is taken in pieces, is read before anything else is known of a file."""
FILES = (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE)
"""What a checkpoint of a run consists of, besides the sums."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best evaluation so far: its step, loss in nats per token, bits per byte."""

    step: int
    loss: float
    bits_per_byte: float

    def to_dict(self) -> dict[str, float | int]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that a run can go on from, as it was read back.

    Attributes:
        folder: where it was.
        checkpoint: the model and its tokenizer; None where another process read them.
        optimizer: see `Optimizers.tensors`.
        state: the rest, as JSON values.
    """

    folder: Path
    checkpoint: Checkpoint | None
    optimizer: dict[str, Tensor]
    state: dict[str, Any]


class RunFolder:
    """A run by its name.

    Raises:
        UserError: where the name could leave the folder of runs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = run_folder(name)

    @property
    def again(self) -> str:
        """The command that goes on with it: that which began it."""
        command = "learn" if has_begun(self.name) else "train"
        return shell_command("mgpt-tui", command, "--name", self.name, "--resume")

    def checkpoints(self) -> list[Path]:
        """All checkpoints, the newest last; a folder of that name is whole."""
        return step_folders(self.path)

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint of `step`, whether it is there or not."""
        return self.path / f"step-{step:08d}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training this run meanwhile.

        Raises:
            UserError: where another one does already, or the folder cannot be written.
        """
        try:
            make_folder(self.path)
            descriptor = open_own(self.path / LOCK_FILE, os.O_WRONLY | os.O_CREAT)
        except OSError as error:
            raise os_error(error, self.path) from error
        with FileIO(descriptor, "w") as lock:
            if not try_lock(lock, patience=0.5):  # somebody may only have looked (`is_held`)
                raise UserError(
                    f"The run {self.name} is being trained by another process.",
                    "Wait for it, or choose another --name.",
                )
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
            best: the best evaluation of the run so far, of whatever step.
            keep: newest checkpoints to keep beside the best; None keeps all.

        Raises:
            UserError: where it cannot be written; what was there before stays.
        """
        folder = self.checkpoint(step)
        self._sweep()
        self._prune(keep, best)  # a full disk may be why `keep` is smaller than it was
        try:
            with atomic_folder(folder) as temporary:
                save_checkpoint(temporary, model, tokenizer, training)
                atomic_write(temporary / OPTIMIZER_FILE, save_tensors(optimizer))
                atomic_write(temporary / STATE_FILE, json.dumps(state, indent=1) + "\n")
                atomic_write(temporary / SUMS_FILE, _sums(temporary))
            self.point(step, best)
        except UserError as error:
            raise self._not_saved(step, error) from None
        self._prune(keep, best)
        return folder

    def _not_saved(self, step: int, error: UserError) -> UserError:
        before = next(reversed(self.checkpoints()), None)
        if before is None:
            return UserError(f"Step {step} was not saved: {error.message}", error.remedy)
        return UserError(
            f"Step {step} was not saved: {error.message} {before.name} is as it was.",
            f"{error.remedy} Go on from there with: {self.again}",
        )

    def point(self, step: int, best: Best | None) -> None:
        """Let `last.json` name the checkpoint of `step`, and `best.json` the best there is."""
        self._point("last", {"checkpoint": self.checkpoint(step).name})
        if best is None or not self.checkpoint(best.step).exists():
            (self.path / "best.json").unlink(missing_ok=True)
        else:
            content = {"checkpoint": self.checkpoint(best.step).name, **best.to_dict()}
            self._point("best", content)

    def settle(self, best: Best) -> None:
        """Keep nothing but the best checkpoint of a run that has come to its end.

        Raises:
            UserError: where it cannot be pointed at.
        """
        self.point(best.step, best)
        for folder in self.checkpoints():
            if step_of(folder) != best.step:
                _remove(folder)

    def set_aside(self, step: int) -> list[Path]:
        """Rename every checkpoint later than `step`, so that none is in the way or taken for new.

        Returns:
            The new paths, the latest first.
        """
        moved = []
        for folder in reversed(self.checkpoints()):
            if step_of(folder) <= step:
                break
            target, count = self.path / f"aside-{folder.name}", 1
            while target.exists():
                count += 1
                target = self.path / f"aside-{folder.name}-{count}"
            try:
                moved.append(folder.rename(target))
                sync_dir(self.path)
            except OSError as error:
                raise os_error(error, folder) from error
        return moved

    def _point(self, pointer: str, content: dict[str, Any]) -> None:
        atomic_write(self.path / f"{pointer}.json", json.dumps(content, indent=2) + "\n")

    def load(self, step: int | None = None) -> Saved:
        """The checkpoint of `step`, or the newest.

        Raises:
            UserError: where there is none, or it is damaged; then the remedy names the newest
                one before it that is whole.
        """
        folder = self.find(step)
        damage = _damage(folder)
        if damage is None:
            try:
                return Saved(
                    folder,
                    load_checkpoint(folder),
                    load_tensors(read_bytes(folder / OPTIMIZER_FILE, _LARGEST_FILE)),
                    _read_state(folder),
                )
            except (SafetensorError, ValueError, UserError) as error:
                if is_lack_of_memory(error):
                    raise
                damage = str(error).partition("\n")[0]
        raise self.damaged(folder, damage)

    def find(self, step: int | None = None) -> Path:
        """The folder of the checkpoint of `step`, or of the newest.

        Raises:
            UserError: where there is none.
        """
        checkpoints = self.checkpoints()
        if not checkpoints:
            raise UserError(
                f"The run {self.name} has no checkpoint to resume.", "Begin it without --resume."
            )
        if step is None:
            return checkpoints[-1]
        if self.checkpoint(step) not in checkpoints:
            steps = ", ".join(str(step_of(path)) for path in checkpoints)
            raise UserError(f"{self.name} has no checkpoint of step {step}.", f"It has {steps}.")
        return self.checkpoint(step)

    def damaged(self, folder: Path, reason: str) -> UserError:
        """An error that says what is wrong with a checkpoint and where the run can go on."""
        earlier = (path for path in reversed(self.checkpoints()) if step_of(path) < step_of(folder))
        whole = next((path for path in earlier if _damage(path) is None), None)
        remedy = f"No checkpoint before it is whole: begin a new run, or see {self.path}."
        if whole is not None:
            remedy = (
                "Go on from the one before it with: "
                f"mgpt-tui train --name {self.name} --resume-from {step_of(whole)}"
            )
        return UserError(f"{folder.name} of the run {self.name} is damaged: {reason}", remedy)

    def _sweep(self) -> None:
        """Remove what an earlier run left unfinished."""
        for leftover in self.path.glob(".tmp-*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def _prune(self, keep: int | None, best: Best | None) -> None:
        if keep is None:
            return
        for folder in self.checkpoints()[:-keep]:
            if best is None or step_of(folder) != best.step:
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a checkpoint, under a name that is none's, so that a kill leaves none half removed."""
    doomed = folder.rename(folder.with_name(f".tmp-{folder.name}"))
    shutil.rmtree(doomed, ignore_errors=True)


def _sums(folder: Path) -> str:
    """A line `DIGEST  NAME` for every file of a checkpoint."""
    lines = []
    for name in FILES:
        if stat_regular(folder / name).st_size > _LARGEST_FILE:
            raise too_large(folder / name, _LARGEST_FILE)
        with (folder / name).open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines)


def _read_state(folder: Path) -> dict[str, Any]:
    """What `STATE_FILE` says; raises UserError or ValueError where it is no object."""
    state = parse_json(read_text(folder / STATE_FILE), any_number=True)  # a loss may be none
    if not isinstance(state, dict):
        raise ValueError(f"{STATE_FILE} is no JSON object")
    return state


def _damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint's files, or None where each is as it was written."""
    try:
        written = read_bytes(folder / SUMS_FILE).decode("ascii").splitlines()
        found = _sums(folder).splitlines()
    except MissingFile:
        return f"{SUMS_FILE} is missing."
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing."
    except UserError as error:
        if is_lack_of_memory(error):
            raise
        return error.message
    except (OSError, ValueError) as error:
        if is_lack_of_memory(error):
            raise
        return f"it cannot be read ({error})."
    for name, line in zip(FILES, found, strict=True):
        if line not in written:
            return f"{name} does not match {SUMS_FILE}."
    return None
