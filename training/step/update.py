"""One optimizer step: the loss of a batch, its gradients, the weights moved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from mgpt_tui.errors import UserError
from mgpt_tui.model.gpt import GPT
from training.config import TrainConfig
from training.step.distributed import World, lost_peers, unsynchronised
from training.step.dropout import install_dropout
from training.step.feed import BatchFeed
from training.step.loss import TrainingLoss
from training.step.machine import seeded
from training.step.optimizer import Optimizers
from training.step.schedule import dropout_begun, learning_rate_factor
from training.step.teachers import Teacher, Teachers
from training.step.under_way import Figures

Diverged = Callable[[str, float, int], UserError]
"""The error that tells of a figure that is no number: which, its value, and the step."""


class Update:
    """Moves the weights, a step at a time.

    Args:
        model: on its device; dropout is installed in it.
        config: all settings.
        feed: gives the batches.
        device: of the model.
        dtype: of the products; fp16 comes with a scaler.
        world: the processes that train together.
        diverged: makes the error for a loss or a gradient that is no number.
        teachers: to learn from beside the text.

    Attributes:
        teachers: these at work, where there are any.
        lag: steps that the device has been asked for when figures are read, beside the one that
            they are of. On a GPU it is 1, so that the GPU goes on while figures are read; else 0.
        stop_asked: the signal that asks this process to stop, 0 for none.
        stopped_by: the largest of them over all processes, as of the last loss that was read.
        whole_step: whether the weights are those of a finished step.
    """

    def __init__(
        self,
        model: GPT,
        config: TrainConfig,
        feed: BatchFeed,
        device: torch.device,
        dtype: torch.dtype,
        world: World,
        diverged: Diverged,
        teachers: Sequence[Teacher] = (),
    ) -> None:
        self.model = model
        self.config = config
        self.feed = feed
        self.device = device
        self.dtype = dtype
        self.world = world
        own = config.model
        self.dropout = install_dropout(model, own.dropout_form, own.attention_dropout)
        self.teachers = Teachers(teachers, config.teaching, device, dtype) if teachers else None
        self._training_loss = TrainingLoss(model, self.teachers)
        self.loss: nn.Module = self._training_loss
        self.optimizers = Optimizers(model, config.optimizer, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        # fp16 needs each step's norm at once: whether it overflowed decides the next step's scale.
        self.lag = int(device.type == "cuda" and not self.scaler.is_enabled())
        self.stop_asked = 0
        self.stopped_by = 0
        self.whole_step = True
        self._diverged = diverged

    def share(self) -> None:
        """Let gradients travel between the processes from now on."""
        self.loss = self.world.parallel(self.loss, self.device)

    def ask(self, step: int) -> tuple[float, Callable[[], tuple[float, float]]]:
        """Ask for the step after `step`.

        Without a `lag` the figures are read before the weights move, which then stay good.

        Returns:
            The factor of the learning rate, and what tells the loss, in nats per token, and the
            norm of the gradient, and waits until they are there.

        Raises:
            UserError: where the loss or the gradient is no number; with a lag, when it is read.
            LostPeer: where another process has died.
        """
        factor = learning_rate_factor(step, self.config.schedule)
        self.optimizers.set_learning_rate(factor)
        self.dropout.turn(on=dropout_begun(step, self.config))
        losses, number = self._backward(step), step + 1
        if self.lag:
            figures = Figures(losses, self._clip())

            def read() -> tuple[float, float]:
                loss, norm = figures.read()
                return self._checked_loss(loss, number), self._checked_norm(norm, number)
        else:
            loss = self._checked_loss(sum(float(part) for part in losses), number)
            norm = self._checked_norm(float(self._clip()), number)

            def read() -> tuple[float, float]:
                return loss, norm

        self.whole_step = False
        for optimizer in self.optimizers.parts:
            self.scaler.step(optimizer)
        self.scaler.update()
        self.feed.prepare(step, self.config.batch.grad_accumulation - 1)
        return factor, read

    def _backward(self, step: int) -> list[Tensor]:
        """The gradients of a step; its losses, each a part of the mean."""
        parts, losses = self.config.batch.grad_accumulation, []
        self.optimizers.zero_grad()
        with self._own_randomness(step), lost_peers():
            for part in range(parts):
                inputs, targets = self.feed.batch(step, part)
                # Gradients travel once a step, with the last part.
                with nullcontext() if part == parts - 1 else unsynchronised(self.loss):
                    loss = self._loss(inputs, targets) / parts
                    self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                losses.append(loss.detach())
                if part < parts - 1:
                    self.feed.prepare(step, part)
        return losses

    def _checked_loss(self, own: float, step: int) -> float:
        """The mean over the processes of a step's loss; they agree here, too, on when to stop."""
        figures = self.world.gather([own, self.stop_asked])
        total = float(figures[:, 0].mean())
        self.stopped_by = int(figures[:, 1].max())
        if not math.isfinite(total):
            raise self._diverged("loss", total, step)
        return total

    def _checked_norm(self, norm: float, step: int) -> float:
        # The scaler skips steps whose gradient overflows, and halves its scale; below 1 it is
        # the gradient itself that does.
        if not (math.isfinite(norm) or (self.scaler.is_enabled() and self.scaler.get_scale() >= 1)):
            raise self._diverged("gradient", norm, step)
        return norm

    def _own_randomness(self, step: int) -> AbstractContextManager[None]:
        """Dropout draws from torch's own generator; each step's masks depend on nothing else."""
        return seeded(self.device, self.config.machine.seed, step, self.world.rank)

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self.autocast():
            loss: Tensor = self.loss(inputs, targets)
            return loss

    def rehearse(self, step: int, sequences: int) -> None:
        """A forward and a backward pass of a few sequences, of which nothing remains."""
        inputs, targets = self.feed.batch(step, 0)
        with self._own_randomness(step):
            loss = self._loss(inputs[:sequences], targets[:sequences])
            loss.backward()  # type: ignore[no-untyped-call]
        float(loss.detach())  # waits for the device
        self.optimizers.zero_grad()

    @contextmanager
    def untaught(self) -> Iterator[None]:
        """A block in which the text alone counts."""
        self._training_loss.teaching = None
        try:
            yield
        finally:
            self._training_loss.teaching = self.teachers

    def compile(self, step: int) -> str | None:
        """Compile the loss; why that does not work, where it does not.

        Tried with and without dropout, where the run will have both: each is compiled by itself.
        """
        shape = self.config.batch.batch_size, self.model.config.block_size
        inputs = torch.zeros(shape, dtype=torch.int64, device=self.device)
        graphs = self.config.batch.grad_accumulation == 1 and self.world.size == 1
        last = max(step, self.config.schedule.max_steps - 1)
        for on in {dropout_begun(each, self.config): 0 for each in (last, step)}:
            self.dropout.turn(on)
            with self._own_randomness(step), self.autocast():
                problem = self._training_loss.compile(inputs, graphs)
            if problem is not None:
                return problem
        return None

    def autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        )

    def _clip(self) -> Tensor:
        for optimizer in self.optimizers.parts:
            self.scaler.unscale_(optimizer)
        limit = self.config.optimizer.grad_clip or math.inf
        return torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
