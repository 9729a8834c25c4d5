"""The training loop: an iterator of metrics that prints nothing."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.memory import is_lack_of_memory
from mgpt_tui.model.gpt import GPT
from training.config import TrainConfig
from training.data.batches import BatchSampler
from training.data.prepared import Prepared
from training.metrics import Evaluation, Score, StepMetrics, smoothed
from training.runs.checkpoints import Best, RunFolder, Saved
from training.runs.resume import Conditions, RunProgress, check_fits, history
from training.step.average import WeightAverage, parted
from training.step.cpu_attention import attention_for
from training.step.distributed import ALONE, SharedError, World
from training.step.feed import BatchFeed
from training.step.machine import (
    choose_device,
    choose_dtype,
    flops_per_token,
    memory_used,
    peak_flops,
)
from training.step.teachers import Teacher
from training.step.under_way import UnderWay
from training.step.update import Update
from training.teaching import known
from training.validation import Validation


class Trainer:
    """Trains a model on prepared data and keeps its checkpoints.

    Args:
        config: all settings.
        data: prepared tokens.
        run: where checkpoints go.
        init_from: weights to begin with, of the shape that `config` and `data` ask for.
        saved: the checkpoint of this run to go on from.
        world: the processes that train together; all of them make a trainer.
        family: what the shape has that no setting chooses, see `GPTConfig.family`.
        teachers: models to learn from beside the text.

    Attributes:
        update: what moves the weights; its `lag` is how many steps the device has been asked for
            when one is yielded, beside that one.
        average: the mean of the weights, where one is kept.

    Raises:
        UserError: where the corpus is shorter than a block or a checkpoint does not fit.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Prepared,
        run: RunFolder,
        init_from: GPT | None = None,
        saved: Saved | None = None,
        world: World = ALONE,
        family: dict[str, Any] | None = None,
        teachers: Sequence[Teacher] = (),
    ) -> None:
        self.config = config
        self.data = data
        self.run = run
        self.world = world
        self.device = world.device(choose_device(config.machine.device))
        self.dtype = choose_dtype(config.machine.dtype, self.device)
        gpt_config = replace(config.model.gpt_config(data.tokenizer.vocab_size), **family or {})
        seed, batch = config.machine.seed, config.batch
        with torch.random.fork_rng(devices=[]):  # torch's layers draw weights of their own first
            generator = torch.Generator().manual_seed(seed)
            self.model = GPT(gpt_config, generator, attention_for(self.device))
        if init_from is not None:
            self.model.load_state_dict(init_from.state_dict())
        self.model.to(self.device)
        self.sampler = BatchSampler(
            data.train.tokens,
            gpt_config.block_size,
            batch.batch_size * batch.grad_accumulation * world.size,
            seed,
            batch.story_starts,
            data.tokenizer.end_token,
        )
        feed = BatchFeed(self.sampler, self.device, world, batch.grad_accumulation)
        # What is saved is `model` itself, so that names in checkpoints are its own.
        self.update = Update(
            self.model, config, feed, self.device, self.dtype, world, self._diverged, teachers
        )
        self._teachers = known(teachers)
        steps = config.optimizer.average
        self.average = WeightAverage(self.model, steps) if steps is not None else None
        self._under_way: deque[UnderWay] = deque()
        self._done: deque[StepMetrics] = deque()
        self._mark = 0.0
        self.validation = Validation(data, config.report, world)
        self._validated: Score | None = None
        self.progress = RunProgress()
        self.conditions = Conditions.present(self.device, self.dtype, world)
        self._saved = 0
        if saved is not None:
            self._restore(saved)
        compiles = config.machine.compile
        self.compile_problem = self.update.compile(self.step) if compiles else None

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.progress.step

    @property
    def stopped_by(self) -> int:
        """The signal that ends the run, on every process; 0 for none."""
        return self.update.stopped_by

    @property
    def whole_step(self) -> bool:
        """Whether the state is that of a finished step."""
        return self.update.whole_step

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimizer step reads."""
        return self.sampler.sequences_per_step * self.sampler.block_size

    @property
    def flops_per_token(self) -> float:
        """Floating-point operations of one token: the model's, and those of teachers, forward."""
        teachers = self.update.teachers.models if self.update.teachers else ()
        forward = sum(flops_per_token(model.config) for model in teachers) / 3
        return flops_per_token(self.model.config) + forward

    @property
    def out_of_patience(self) -> bool:
        """Whether the run ends early, its validation loss having stopped to fall."""
        patience = self.config.schedule.patience
        return patience is not None and self.progress.waited >= patience

    @property
    def finished(self) -> bool:
        """Whether there is no step left to do."""
        return self.step >= self.config.schedule.max_steps or self.out_of_patience

    def steps(self) -> Iterator[StepMetrics]:
        """Train to the end, a step at a time; to stop is to stop iterating, then `save`.

        A step with an evaluation is yielded before its checkpoint is written, so that a log is
        never behind the checkpoint. Several processes that train together stop by `ask_to_stop`.
        Where there is a lag, a step is yielded when the next is under way; an evaluation, and
        the end, wait for all.

        Raises:
            UserError: where the loss or the gradient is no number, or a checkpoint cannot be
                written.
            LostPeer: where another process has died; `whole_step` tells whether the state is
                that of a finished step.
        """
        self.update.share()
        if self.average is not None:
            self.average.share(self.world)
        self.model.train()
        while not (self.finished or self.stopped_by):
            self._begin_step()
            evaluates = self._evaluates()
            yield from self._told(0 if evaluates or self.finished else self.update.lag, evaluates)
            if evaluates:
                self.save()
        yield from self._told(0, evaluates=False)

    def _told(self, most: int, evaluates: bool) -> Iterator[StepMetrics]:
        """The steps that are done, read until no more than `most` are under way."""
        while self._done or len(self._under_way) > most:
            self._read(max(most, len(self._under_way) - 1))
            metrics = self._done.popleft()
            if evaluates and metrics.step == self.step:
                metrics = replace(metrics, evaluation=self._evaluate())
            self.update.whole_step = True
            yield metrics

    def _begin_step(self) -> None:
        """Ask the device for one step more."""
        now = time.perf_counter()
        if not self._under_way:
            self._mark = now
        self._validated = None
        factor, read = self.update.ask(self.step)
        if self.average is not None:
            self.average.add()
        self.progress.step += 1
        self.progress.sequences += self.sampler.sequences_per_step
        self._under_way.append(UnderWay(self.step, self.progress.sequences, factor, read))

    def _read(self, most: int) -> None:
        """Read the figures of steps under way until no more than `most` of them are left."""
        progress = self.progress
        while len(self._under_way) > most:
            step = self._under_way.popleft()
            loss, norm = step.read()
            now = time.perf_counter()
            spent, self._mark = now - self._mark, now
            progress.seconds += spent
            progress.train_losses.append(loss)
            progress.smoothed_loss = smoothed(progress.smoothed_loss, loss)
            self._done.append(self._metrics(step, loss, norm, spent))

    def _metrics(self, step: UnderWay, loss: float, norm: float, spent: float) -> StepMetrics:
        speed = self.tokens_per_step / spent
        peak = peak_flops(self.device, self.dtype) * self.world.size
        memory, memory_peak = memory_used(self.device)
        return StepMetrics(
            step=step.step,
            loss=loss,
            learning_rate=self.config.optimizer.learning_rate * step.factor,
            grad_norm=norm,
            tokens=step.sequences * self.sampler.block_size,
            tokens_per_second=speed,
            passes=self.sampler.passes(step.step),
            smoothed_loss=self.progress.smoothed_loss,
            seconds=self.progress.seconds,
            mfu=speed * self.flops_per_token / peak,
            memory_bytes=memory,
            memory_peak_bytes=memory_peak,
        )

    def ask_to_stop(self, signal: int) -> None:
        """Let `steps` end after this step, on every process at the same one.

        Args:
            signal: the number of the signal that asks; `stopped_by` will be the largest of them.
        """
        self.update.stop_asked = signal
        if self.world.size == 1:
            self.update.stopped_by = signal

    def save(self) -> Path:
        """Write a checkpoint of the present step, unless there is one, and point `last` at it.

        The first process writes; the others wait for it.

        Raises:
            UserError: where it cannot be written or the weights are no numbers.
        """
        self._read(0)
        with self.world.together():
            if self.world.first:
                self.save_alone()
        self._saved = self.step
        return self.run.checkpoint(self.step)

    def save_alone(self) -> None:
        """`save` without a word to other processes, which may be dead."""
        if self._saved == self.step:
            return
        if not all(bool(weight.isfinite().all()) for weight in self.model.parameters()):
            raise self._diverged("weights", math.nan, self.step)
        with self._as_saved() as trained:
            self.run.save(
                step=self.step,
                model=self.model,
                tokenizer=self.data.tokenizer,
                training=history(self.progress, self._validated, self.config, self.data, self.dtype)
                | {"teachers": self._teachers},
                optimizer=self.update.optimizers.tensors()
                | {name: weight.cpu() for name, weight in trained.items()},
                state=self.progress.to_dict()
                | {
                    "averaged": self.average.count if self.average is not None else 0,
                    "scaler": self.update.scaler.state_dict(),
                    "conditions": self.conditions.to_dict(),
                },
                best=self.progress.best,
                keep=self.config.report.keep,
            )
        self._saved = self.step

    def _as_saved(self) -> AbstractContextManager[dict[str, Tensor]]:
        """A block in which the model is what is scored and saved; those trained, where others."""
        return nullcontext({}) if self.average is None else self.average.in_place()

    def _diverged(self, what: str, value: float, step: int) -> UserError:
        return SharedError(
            f"The {what} became {value} at step {step}.",
            f"Resume {self.run.name} with a lower --learning-rate; its last checkpoint is from "
            "before."
            if self._saved
            else "Begin again with a lower --learning-rate.",
        )

    def _evaluates(self) -> bool:
        """Whether the step that was just done is followed by an evaluation."""
        every, last = self.config.report.eval_every, self.config.schedule.max_steps
        return self.step % every == 0 or self.step == last

    def _evaluate(self) -> Evaluation:
        with self._as_saved(), self.update.autocast():
            validation = self.validation.score(self.model)
        progress = self.progress
        if not math.isfinite(validation.loss):
            raise self._diverged("validation loss", validation.loss, self.step)
        train_loss = sum(progress.train_losses) / max(1, len(progress.train_losses))
        progress.train_losses = []
        better = progress.best is None or validation.loss < progress.best.loss
        progress.waited = 0 if better else progress.waited + 1
        self._validated = validation
        if better:
            progress.best = Best(self.step, validation.loss, validation.bits_per_byte)
        with self.world.together(), self._as_saved():
            sample = self.validation.sample(self.model) if self.world.first else None
        checkpoint = self.run.checkpoint(self.step)
        return Evaluation(train_loss, validation, better, checkpoint, sample)

    def _restore(self, saved: Saved) -> None:
        if saved.checkpoint is not None:
            check_fits(saved.checkpoint, self.run.name, self.model, self.config, self.data)
            self.model.load_state_dict(saved.checkpoint.model.state_dict())
        trained, optimizer = parted(saved.optimizer)
        try:
            if self.average is not None:
                self.average.begin(int(saved.state.get("averaged", 0)) if trained else 0)
            if trained:
                self.model.load_state_dict(trained)
            self.update.optimizers.load_tensors(optimizer)
            scaler = self.update.scaler
            if scaler.is_enabled() and saved.state["scaler"]:  # empty where it was not fp16
                scaler.load_state_dict(saved.state["scaler"])
            self.progress = RunProgress.from_dict(saved.state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if is_lack_of_memory(error):
                raise
            raise self.run.damaged(saved.folder, f"{type(error).__name__} {error}.") from None
        read = self.step * self.sampler.sequences_per_step
        self.sampler.origin = self.progress.sequences - read
        self._saved = self.step
