"""From a checkpoint to an engine that is ready to write. Torch is imported where it computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.cores import cores
from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.decoder import OpenDecoder
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.decoders.precisions import CPU, decoders_in, precisions_of
from mgpt_tui.inference.decoders.tuning import Tuning, tuned
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import AUTO, DecodingSettings
from mgpt_tui.model.contents import Contents, read_contents
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
        tuning: precision and threads in use.
        made_by: what computes: a compiler, or torch, with the version.
        open_decoder: can be looked into: in native what the engine decodes with, on all cores, so
            that what it shows is what drew the text; else the readable model in fp32, which has the
            same weights before they were rounded. `Engine(open_decoder.edited(...))` writes with
            edits.
    """

    engine: Engine
    info: CheckpointInfo
    device: str
    tuning: Tuning
    made_by: str
    open_decoder: OpenDecoder

    @property
    def decoding(self) -> str:
        """What, besides settings and seed, decides a text, in words."""
        threads = self.tuning.threads
        return (
            f"{self.tuning.precision} on {self.device}, {threads} thread{'s' * (threads > 1)}, "
            f"{self.made_by}"
        )

    @property
    def muted_decoding(self) -> str:
        """The same of a text that is written without some parts, see `muting.muted_engine`."""
        if isinstance(self.open_decoder, NativeDecoder):
            return self.decoding
        precision = self.open_decoder.precision
        return f"{precision} on {self.device}, the readable model, {self.made_by}"


def load_engine(
    folder: Path,
    settings: DecodingSettings | None = None,
    device: str = CPU,
    spare_cores: int = 0,
) -> Loaded:
    """Load a checkpoint for writing.

    Args:
        folder: of the checkpoint.
        settings: what was asked for; all is chosen if left out.
        device: to run on, as torch calls it.
        spare_cores: how many to leave to others; at least one thread there is.

    Raises:
        UserError: where the checkpoint is damaged, a weight is no finite number, the device
            lacks the precision, there is no compiler for it, or memory has no room.
    """
    return engine_of(read_contents(folder), settings, device, spare_cores)


def engine_of(
    checkpoint: Contents,
    settings: DecodingSettings | None = None,
    device: str = CPU,
    spare_cores: int = 0,
) -> Loaded:
    """The same for a checkpoint that is read already."""
    settings = settings or DecodingSettings()
    config, weights, kind = checkpoint.info.config, checkpoint.weights, device.partition(":")[0]
    if settings.precision not in (AUTO, *precisions_of(kind)):
        raise UserError(
            f"{kind} cannot decode in {settings.precision}.",
            f"Give --precision {AUTO} or one of {', '.join(precisions_of(kind))}.",
        )
    if not weights.are_finite():
        raise UserError(
            "The model has weights that are not finite numbers, so it cannot write.",
            "Its training may have gone wrong; take another checkpoint (`mgpt-tui models`).",
        )
    tuning = tuned(settings, config, weights, device, spare_cores)
    decoder, open_decoder = decoders_in(tuning.precision, config, weights, device)
    decoder.threads = tuning.threads
    if isinstance(open_decoder, NativeDecoder):  # whoever looks waits, and needs no core meanwhile
        open_decoder.threads = settings.threads or cores()
    engine = Engine(decoder, checkpoint.tokenizer)
    return Loaded(engine, checkpoint.info, kind, tuning, decoder.made_by, open_decoder)
