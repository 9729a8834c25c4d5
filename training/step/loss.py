"""The head and its loss in one, without ever holding all logits.

A GPU has other forms than a CPU: more rows at once, and a vocabulary filled up to a multiple of
`ALIGNED`, since products of odd sizes take several times as long there. The weights that are
trained and saved have no such rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.model.gpt import GPT

ROWS = 1024
"""Rows of logits held at once."""

GPU_LOGITS = 2**28
"""On a GPU so many logits are held at once: as few calls as memory allows (1.5 GB)."""

ALIGNED = 64
"""On a GPU the vocabulary is filled up to a multiple of it (128 bytes in 16 bits)."""

GRAPHS = "reduce-overhead"
"""torch.compile's mode for a GPU."""

PIECE = 2**19
"""On a CPU so many logits are in fp32 at once: they stay in the processor's cache."""


class Lesson(Protocol):
    """What is to be learnt of a batch beside which token came next."""

    def wanted(self, rows: slice, targets: Tensor) -> Tensor:
        """The probabilities that rows should have.

        Args:
            rows: which of the batch's.
            targets: int64 (n, 1), the tokens that came next there.

        Returns:
            fp32 (n, V'), each row with the sum 1, V' the vocabulary as `filled_up` on the device.
        """


class Teaching(Protocol):
    """Gives the lesson for a batch."""

    def lesson(self, inputs: Tensor) -> Lesson:
        """Of inputs int64 (B, T); its rows are those of `inputs.flatten()`."""

    def compile(self, on: bool) -> None:
        """Run through torch.compile from now on, or no longer."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies of `hidden @ weight.T`, gradients made in the forward pass.

    For one row with logits z and target y: loss = logsumexp(z) - z_y, dloss/dz = softmax(z) -
    onehot(y). Both are at hand once a chunk's logits are, so they are used up at once and only
    the gradients of `hidden` and `weight` are kept (as Cut Cross-Entropy and Liger do;
    Wijmans et al., 2024; Hsu et al., 2024).

    With a lesson that wants probabilities q: loss = logsumexp(z) - q . z, dloss/dz = softmax(z) -
    q, of which the above is the case that q is onehot(y).
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, lesson: Lesson | None
    ) -> Tensor:
        needs_grad = any(ctx.needs_input_grad)
        rows_at_once, columns = _sizes(hidden.device, weight.shape[0])
        cast = filled_up(weight.to(hidden.dtype), columns)  # (V', C)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if needs_grad else None
        grad_weight = torch.zeros_like(cast, dtype=torch.float32) if needs_grad else None
        for start in range(0, hidden.shape[0], rows_at_once):
            chunk = slice(start, start + rows_at_once)
            rows = hidden[chunk]  # (n, C)
            logits = rows @ cast.T  # (n, V')
            logits[:, weight.shape[0] :] = -math.inf
            if lesson is None:
                total += _losses_and_slopes(logits, targets[chunk, None], needs_grad)
            else:
                total += _taught(logits, targets[chunk, None], needs_grad, lesson, start)
            if grad_hidden is not None and grad_weight is not None:
                torch.mm(logits, cast, out=grad_hidden[chunk])
                grad_weight += logits.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype, ctx.entries = weight.dtype, weight.shape[0]
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        (scale,) = grad_outputs
        grad_weight = grad_weight[: ctx.entries] * scale
        return grad_hidden * scale, grad_weight.to(ctx.weight_dtype), None, None


def _sizes(device: torch.device, entries: int) -> tuple[int, int]:
    """Rows of logits to hold at once, and columns, for a vocabulary of `entries`."""
    if device.type != "cuda":
        return ROWS, entries
    columns = _aligned(entries)
    return max(ROWS, GPU_LOGITS // columns // ROWS * ROWS), columns


def _aligned(entries: int) -> int:
    return -(-entries // ALIGNED) * ALIGNED


def columns_for(device: torch.device, entries: int) -> int:
    """Columns of the logits on `device` for a vocabulary of `entries`."""
    return _sizes(device, entries)[1]


def filled_up(weight: Tensor, entries: int) -> Tensor:
    """(V, C) -> (entries, C), with zeros below; the same tensor where nothing is missing."""
    missing = entries - weight.shape[0]
    return F.pad(weight, (0, 0, 0, missing)) if missing else weight


def _losses_and_slopes(logits: Tensor, targets: Tensor, slopes: bool) -> Tensor:
    """The summed cross-entropy of rows; with `slopes`, softmax - onehot takes the logits' place.

    Args:
        logits: (n, V), written over.
        targets: int64 (n, 1).

    Returns:
        fp32 scalar.
    """
    if logits.device.type == "cuda":
        return _all_at_once(logits, targets, slopes)
    total = torch.zeros((), dtype=torch.float32, device=logits.device)
    size = max(1, PIECE // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    for piece, target in zip(torch.split(logits, size), torch.split(targets, size), strict=True):
        scores = piece.float()  # (size, V)
        top = scores.amax(dim=-1, keepdim=True)
        right = scores.gather(1, target)
        scores.sub_(top).exp_()
        sums = scores.sum(dim=-1, keepdim=True)
        total += (sums.log() + top - right).sum()
        if slopes:
            scores.div_(sums).scatter_add_(1, target, torch.full_like(sums, -1.0))
            piece.copy_(scores)
    return total


def _taught(logits: Tensor, targets: Tensor, slopes: bool, lesson: Lesson, start: int) -> Tensor:
    """The same where a lesson says what is wanted; in pieces, so that the teachers' stay few.

    Args:
        logits: (n, V'), written over; -inf beyond the vocabulary.
        targets: int64 (n, 1).
        start: which row of the batch the first one is.

    Returns:
        fp32 scalar.
    """
    total = torch.zeros((), dtype=torch.float32, device=logits.device)
    size = max(1, PIECE // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    for piece, target in zip(torch.split(logits, size), torch.split(targets, size), strict=True):
        wanted = lesson.wanted(slice(start, start + len(piece)), target)  # (size, V')
        scores = torch.log_softmax(piece, dim=-1, dtype=torch.float32)
        # Nothing is wanted beyond the vocabulary, and 0 times -inf is no number.
        scores.clamp_(min=torch.finfo(torch.float32).min)
        total -= torch.dot(scores.view(-1), wanted.view(-1))
        if slopes:
            piece.copy_(scores.exp_().sub_(wanted))
        start += len(piece)
    return total


def _all_at_once(logits: Tensor, targets: Tensor, slopes: bool) -> Tensor:
    """The same with the fewest kernels; where a logit is -inf, its slope is 0."""
    scores = torch.log_softmax(logits, dim=-1, dtype=torch.float32)  # (n, V)
    right = scores.gather(1, targets)  # (n, 1)
    if slopes:
        logits.copy_(scores.exp_().scatter_add_(1, targets, torch.full_like(right, -1.0)))
    return -right.sum()


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, lesson: Lesson | None = None
) -> Tensor:
    """Mean cross-entropy in nats of predicting `targets` from `hidden @ weight.T`.

    Under autocast the products run in its dtype; sums and exponentials stay in fp32.

    Args:
        hidden: (N, C); weight: (V, C); targets: int64 (N,).
        lesson: says what is to be predicted instead.

    Returns:
        fp32 scalar.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        hidden = hidden.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        total: Tensor = _LinearCrossEntropy.apply(hidden, weight, targets, lesson)  # type: ignore[no-untyped-call]
    return total / targets.shape[0]


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of every single token, in nats and in fp32, for scoring.

    Args:
        hidden: (N, C); weight: (V, C); targets: int64 (N,).

    Returns:
        fp32 (N,).
    """
    return torch.cat(
        [
            F.cross_entropy(
                (hidden[start : start + ROWS] @ weight.T).float(),
                targets[start : start + ROWS],
                reduction="none",
            )
            for start in range(0, hidden.shape[0], ROWS)
        ]
    )


class TrainingLoss(nn.Module):
    """A model and its loss as one module, so that DDP sees every use of the head's weight.

    Args:
        model: what is trained; saved and scored as it is, never compiled.
        teaching: gives the lessons, where there are any.
    """

    def __init__(self, model: GPT, teaching: Teaching | None = None) -> None:
        super().__init__()
        self.model = model
        self.teaching = teaching
        self._hidden: Callable[[Tensor], Tensor] = model.hidden
        self._whole: Callable[[Tensor, Tensor], Tensor] | None = None

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats, an fp32 scalar; inputs and targets int64 (B, T)."""
        if self._whole is not None:
            return self._whole(inputs, targets)
        lesson = self.teaching.lesson(inputs) if self.teaching is not None else None
        hidden = self._hidden(inputs).flatten(0, 1)
        return linear_cross_entropy(hidden, self.model.head_weight, targets.flatten(), lesson)

    def plain(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The same as one expression that a compiler fuses: what a GPU runs when compiled."""
        weight = self.model.head_weight
        entries = weight.shape[0]
        columns = _aligned(entries)
        hidden = self.model.hidden(inputs).flatten(0, 1)
        logits = F.linear(hidden, filled_up(weight, columns)).float()  # (N, V')
        if columns > entries:
            there = torch.arange(columns, device=logits.device) < entries
            logits = logits.masked_fill(~there, -math.inf)
        return F.cross_entropy(logits, targets.flatten())

    def compile(self, inputs: Tensor, graphs: bool) -> str | None:  # type: ignore[override]
        """Run through torch.compile from now on, if that works on this machine.

        A CPU and others run the blocks so, beside the loss with its own backward pass. CUDA runs
        all of it, and where it may, as CUDA graphs: a step is then two launches and not hundreds;
        but not with teachers, whose logits it would hold for the whole batch.

        Args:
            inputs: int64 (B, T), of the shape to compile for; one step is tried with it.
            graphs: whether CUDA graphs may be used. They write over the gradients of the pass
                before, so not where these are added up, or sent to other processes.

        Returns:
            None, or why it does not work: as a rule there is no C++ compiler.
        """
        if inputs.device.type == "cuda" and self.teaching is None:
            self._whole = torch.compile(self.plain, mode=GRAPHS if graphs else None)
        else:
            self._hidden = torch.compile(self.model.hidden)
            if self.teaching is not None:
                self.teaching.compile(on=True)
        try:
            self(inputs, inputs).backward()
        except torch.OutOfMemoryError:
            raise  # it would come all the same without
        except Exception as error:  # whatever dynamo, inductor and a compiler may raise
            self._hidden, self._whole = self.model.hidden, None
            if self.teaching is not None:
                self.teaching.compile(on=False)
            return (str(error).strip() or type(error).__name__).splitlines()[0]
        finally:
            self.model.zero_grad(set_to_none=True)
        return None
