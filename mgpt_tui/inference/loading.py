"""From a checkpoint to an engine that is ready to write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mgpt_tui.errors import UserError
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.native import NativeDecoder
from mgpt_tui.inference.precisions import decoder_in, precisions_of
from mgpt_tui.inference.request import AUTO, DecodingSettings
from mgpt_tui.inference.tuning import Choice, tuned
from mgpt_tui.model.checkpoint import Checkpoint, load_checkpoint
from mgpt_tui.model.manifest import CheckpointInfo

FOR_THE_SCREEN = 1
"""Cores that the app's engine leaves to the app.

Threads that wait for one another stand still together when the screen takes the core of one (on
two cores: 19 tokens/s with two threads, 90 with one).
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine, and what its texts depend on besides settings and seed.

    Attributes:
        engine: ready to write.
        info: what the checkpoint says of itself.
        device: type of the device.
        choice: precision and threads in use.
    """

    engine: Engine
    info: CheckpointInfo
    device: str
    choice: Choice

    @property
    def decoding(self) -> str:
        """What, besides settings and seed, decides a text, in words."""
        threads, decoder = self.choice.threads, self.engine.decoder
        return (
            f"{self.choice.precision} on {self.device}, {threads} thread{'s' * (threads > 1)}, "
            + (
                decoder.made_by
                if isinstance(decoder, NativeDecoder)
                else f"torch {torch.__version__}"
            )
        )


def load_engine(
    folder: Path,
    settings: DecodingSettings | None = None,
    device: torch.device | str = "cpu",
    spare_cores: int = 0,
) -> Loaded:
    """Load a checkpoint for writing; torch then computes with the threads that were chosen.

    Args:
        folder: of the checkpoint.
        settings: what was asked for; all is chosen if left out.
        device: to run on.
        spare_cores: how many to leave to others; at least one thread there is.

    Raises:
        UserError: where the checkpoint is damaged, a weight is no finite number, the device
            lacks the precision, or there is no compiler for it.
    """
    return engine_of(load_checkpoint(folder, device), settings, spare_cores)


def engine_of(
    checkpoint: Checkpoint, settings: DecodingSettings | None = None, spare_cores: int = 0
) -> Loaded:
    """The same for a checkpoint that is loaded already."""
    settings = settings or DecodingSettings()
    model = checkpoint.model
    device = model.token_embedding.weight.device
    if settings.precision not in (AUTO, *precisions_of(device)):
        raise UserError(
            f"{device.type} cannot decode in {settings.precision}.",
            f"Give --precision {AUTO} or one of {', '.join(precisions_of(device))}.",
        )
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise UserError(
            "The model has weights that are not finite numbers, so it cannot write.",
            "Its training may have gone wrong; take another checkpoint (`mgpt-tui models`).",
        )
    cores = torch.get_num_threads()
    fastest = tuned(model) if AUTO in (settings.precision, settings.threads or AUTO) else None
    precision, threads = settings.precision, settings.threads
    if fastest is not None:
        precision = fastest.precision if precision == AUTO else precision
        threads = threads or min(fastest.threads, max(1, cores - spare_cores))
    assert threads is not None
    torch.set_num_threads(threads)
    engine = Engine(decoder_in(precision, model), checkpoint.tokenizer)
    return Loaded(engine, checkpoint.info, device.type, Choice(precision, threads))
