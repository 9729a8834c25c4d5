"""Models that a model learns from beside the text: the mean of what they think comes next.

Hinton et al., "Distilling the Knowledge in a Neural Network" (2015); with several teachers that
were trained apart, and a text that is small, Kim et al., "Pre-training under infinite compute"
(2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mgpt_tui.model.gpt import GPT
from training.config import TeachingSettings
from training.step.loss import columns_for, filled_up


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model to learn from.

    Attributes:
        name: as `--teachers` takes it, of just these weights.
        fingerprint: of its checkpoint.
        model: in evaluation mode.
    """

    name: str
    fingerprint: str
    model: GPT


class Teachers:
    """Teachers at work.

    They compute in `dtype` and without gradients. What they hold at once is their hidden states of
    a batch and the logits of some rows (`loss.PIECE`), never those of the whole batch.

    Args:
        teachers: at least one; they are moved to `device`, in `dtype`.
        settings: how much they count.
        device: of the student.
        dtype: of the products.
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        settings: TeachingSettings,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.models = [
            teacher.model.to(device, dtype).eval().requires_grad_(False) for teacher in teachers
        ]
        self._settings = settings
        self._dtype = dtype
        self._entries = self.models[0].config.vocab_size
        columns = columns_for(device, self._entries)
        self._heads = [filled_up(model.head_weight, columns) for model in self.models]  # (V', C)
        self._hidden: list[Callable[[Tensor], Tensor]] = []
        self.compile(on=False)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all their weights."""
        return sum(weight.nbytes for model in self.models for weight in model.state_dict().values())

    def hidden_bytes(self, tokens: int) -> int:
        """Bytes of what they hold of a batch of so many tokens while it is learnt from."""
        widths = sum(model.config.n_embd for model in self.models)
        return tokens * widths * self._dtype.itemsize

    @torch.no_grad()
    def lesson(self, inputs: Tensor) -> TeachersLesson:
        """What they think of inputs int64 (B, T)."""
        with torch.autocast(inputs.device.type, enabled=False):
            hidden = [own(inputs).flatten(0, 1) for own in self._hidden]
        return TeachersLesson(hidden, self._heads, self._entries, self._settings)

    def compile(self, on: bool) -> None:
        """Run through torch.compile from now on, or no longer."""
        own = [model.hidden for model in self.models]
        self._hidden = [torch.compile(hidden) for hidden in own] if on else [*own]


@dataclass(frozen=True, slots=True)
class TeachersLesson:
    """What teachers think of a batch: `share` of their mean, and the rest for what came next.

    Attributes:
        hidden: of each teacher (B * T, C).
        heads: of each teacher (V', C), zeros beyond the vocabulary.
        entries: of the vocabulary.
        settings: share and temperature.
    """

    hidden: Sequence[Tensor]
    heads: Sequence[Tensor]
    entries: int
    settings: TeachingSettings

    @torch.no_grad()
    def wanted(self, rows: slice, targets: Tensor) -> Tensor:
        """share * mean of softmax(logits / temperature) + (1 - share) * onehot(target).

        Args:
            rows: which of the batch's.
            targets: int64 (n, 1).

        Returns:
            fp32 (n, V').
        """
        share, temperature = self.settings.teacher_share, self.settings.teacher_temperature
        wanted: Tensor | None = None
        for hidden, head in zip(self.hidden, self.heads, strict=True):
            logits = (hidden[rows] @ head.T).float()  # (n, V')
            logits[:, self.entries :] = -torch.inf
            if temperature != 1:
                logits /= temperature
            own = torch.softmax(logits, dim=-1)
            wanted = own if wanted is None else wanted.add_(own)
        assert wanted is not None
        wanted.mul_(share / len(self.hidden))
        text = wanted.new_full(targets.shape, 1 - share)
        return wanted.scatter_add_(1, targets, text)
