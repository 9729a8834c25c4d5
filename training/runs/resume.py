"""What a resumed run needs besides weights and optimizer, as JSON values in `trainer.json`.

Order and dropout are functions of seed and step, so no random state is among them.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import torch

from mgpt_tui.cores import cores
from mgpt_tui.errors import UserError
from mgpt_tui.model.checkpoint import Checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.settings_fields import LARGEST_INT
from training.config import TrainConfig
from training.data.prepared import Prepared
from training.metrics import Score
from training.runs.checkpoints import Best
from training.step.distributed import World
from training.step.machine import DTYPES


@dataclass(slots=True)
class RunProgress:
    """How far a run has come.

    Attributes:
        step: optimizer steps done.
        sequences: sequences read, which is the position in the data.
        seconds: time spent on steps.
        smoothed_loss: see `metrics.smoothed`.
        train_losses: of the steps since the last evaluation, in nats per token.
        best: the best evaluation so far.
        waited: evaluations since then.
    """

    step: int = 0
    sequences: int = 0
    seconds: float = 0.0
    smoothed_loss: float | None = None
    train_losses: list[float] = field(default_factory=list)
    best: Best | None = None
    waited: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunProgress:
        """Take over what `to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: where it did not write that.
        """
        best, smoothed = values["best"], values["smoothed_loss"]
        if best is not None:
            best = Best(_whole(best["step"]), _number(best["loss"]), _number(best["bits_per_byte"]))
        return cls(
            step=_whole(values["step"]),
            sequences=_whole(values["sequences"]),
            seconds=_number(values["seconds"]),
            smoothed_loss=None if smoothed is None else _number(smoothed),
            train_losses=[_number(loss) for loss in values["train_losses"]],
            best=best,
            waited=_whole(values["waited"]),
        )


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_INT:
        raise ValueError(f"{value!r:.40} is no whole number")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or abs(value) > sys.float_info.max:
        raise ValueError(f"{value!r:.40} is no number")
    return float(value)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What else decides the last bits of the figures, for the process of rank 0.

    Attributes:
        device: type of the device.
        dtype: of the products, as `--dtype` names it.
        threads: that torch computes with on the CPU.
        processes: how many train together.
        torch_version: of torch.
        instructions: the widest vector instructions of the CPU that torch uses.
    """

    device: str
    dtype: str
    threads: int
    processes: int
    torch_version: str
    instructions: str

    @classmethod
    def present(cls, device: torch.device, dtype: torch.dtype, world: World) -> Conditions:
        """Those of this process."""
        return cls(
            device=device.type,
            dtype=next(name for name, value in DTYPES.items() if value == dtype),
            threads=torch.get_num_threads(),
            processes=world.size,
            torch_version=torch.__version__,
            instructions=torch.backends.cpu.get_cpu_capability(),
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Conditions:
        """Take over what `to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: where it did not write that.
        """
        conditions = cls(**values)
        for entry in fields(conditions):
            value = getattr(conditions, entry.name)
            if _whole(value) < 1 if entry.type == "int" else not isinstance(value, str):
                raise ValueError(f"{entry.name} cannot be {value!r:.40}")
        if conditions.dtype not in DTYPES:
            raise ValueError(f"no dtype {conditions.dtype!r:.40}")
        return conditions

    def difference(self, now: Conditions) -> str | None:
        """One line that tells what is otherwise than it was, or None."""
        changed = [
            f"{name.replace('_', ' ')} {getattr(self, name)}, now {getattr(now, name)}"
            for name in (entry.name for entry in fields(self))
            if getattr(self, name) != getattr(now, name)
        ]
        if not changed:
            return None
        return (
            f"So far this was trained with {'; '.join(changed)}. "
            "The figures may differ in their last bits."
        )


def history(
    progress: RunProgress,
    validated: Score | None,
    config: TrainConfig,
    data: Prepared,
    dtype: torch.dtype,
) -> dict[str, Any]:
    """What a checkpoint's config tells people about how it was made.

    Args:
        validated: the score of just this step, if it has one.
    """
    block_size = config.model.gpt_config(data.tokenizer.vocab_size).block_size
    return {
        "step": progress.step,
        "tokens": progress.sequences * block_size,
        "seconds": round(progress.seconds, 1),
        "validation": validated.to_dict() if validated else None,
        "data": {
            "sources": data.meta["sources"],
            "splits": data.meta["splits"],
            "dropped": data.meta["dropped"],
            "sha256": data.digest,
        },
        "settings": config.flat(),
        "dtype": str(dtype).removeprefix("torch."),
        "torch": torch.__version__,
    }


def use_threads(recorded: int, world: World) -> None:
    """Let torch compute with as many threads as `recorded`, where the machine has the cores."""
    if recorded * world.local_size <= cores():
        torch.set_num_threads(recorded)


def check_fits(
    checkpoint: Checkpoint, run: str, model: GPT, config: TrainConfig, data: Prepared
) -> None:
    """Refuse to go on with what a run was not begun with.

    Raises:
        UserError: for another shape, optimizer or vocabulary.
    """
    if replace(checkpoint.model.config, dropout=model.config.dropout) != model.config:
        raise UserError(
            f"The run {run} has another shape than these settings ask for.",
            "Resume it without settings of the model.",
        )
    if checkpoint.info.training["settings"]["optimizer"] != config.optimizer.optimizer:
        raise UserError(
            f"The run {run} was begun with another optimizer.", "Resume it without --optimizer."
        )
    if checkpoint.tokenizer.digest != data.tokenizer.digest:
        raise UserError(
            f"The run {run} was begun with another vocabulary.",
            "Give the --data that it was begun with.",
        )
