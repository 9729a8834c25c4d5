"""What there is to say of a model in a list, read without torch and without its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mgpt_tui.errors import UserError
from mgpt_tui.model.manifest import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    CheckpointInfo,
    read_info,
)
from mgpt_tui.model.registry import ModelEntry
from mgpt_tui.reading import known_time
from mgpt_tui.settings_fields import LARGEST_INT


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A model at hand.

    Attributes:
        entry: its name and folder.
        info: what its `config.json` says; None where that cannot be read.
        error: why it cannot be read; "" where it can.
        written: when it was written (seconds, epoch); None where it is unknown.
        bytes: that it takes on the disk, without what only going on with a training needs; None
            where they cannot be counted.
    """

    entry: ModelEntry
    info: CheckpointInfo | None
    error: str
    written: float | None
    bytes: int | None = None

    @classmethod
    def of(cls, entry: ModelEntry) -> ModelSummary:
        """Read what a model says of itself."""
        info, error = None, ""
        try:
            info = read_info(entry.path)
        except UserError as failure:
            error = failure.message
        try:
            written = known_time((entry.path / CONFIG_FILE).stat().st_mtime)
        except OSError:
            written = None
        try:
            files = (entry.path / name for name in (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE))
            size = sum(file.stat().st_size for file in files)
        except OSError:
            size = None
        return cls(entry=entry, info=info, error=error, written=written, bytes=size)

    @property
    def is_imported(self) -> bool:
        """Whether it came from another program."""
        return self.info is not None and "imported" in self.info.training

    @property
    def parameters(self) -> int | None:
        """How many numbers it consists of."""
        return self.info.config.parameters() if self.info else None

    @property
    def step(self) -> int | None:
        """How many steps it was trained."""
        return self._count("step")

    @property
    def tokens(self) -> int | None:
        """How many tokens it was trained on."""
        return self._count("tokens")

    @property
    def bits_per_byte(self) -> float | None:
        """Its loss on held-out stories."""
        return self._validation("bits_per_byte")

    @property
    def loss(self) -> float | None:
        """Its loss on held-out stories, in nats a token."""
        return self._validation("loss")

    def _count(self, name: str) -> int | None:
        count = self.info.training.get(name) if self.info else None
        return count if type(count) is int and 0 <= count <= LARGEST_INT else None

    def _validation(self, figure: str) -> float | None:
        score = self.info.training.get("validation") if self.info else None
        value = score.get(figure) if isinstance(score, dict) else None
        return value if isinstance(value, float) and math.isfinite(value) else None
