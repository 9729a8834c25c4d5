"""The training loop: an iterator of metrics that prints nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mgpt_tui.errors import UserError
from mgpt_tui.model.gpt import GPT
from training.attention import install_attention
from training.checkpoints import Best, RunFolder, Saved
from training.config import TrainConfig
from training.dataset import BatchSampler
from training.distributed import ALONE, SharedError, World, lost_peers, unsynchronised
from training.dropout import install_dropout
from training.evaluate import prepared_stories, score
from training.loss import TrainingLoss
from training.machine import (
    choose_device,
    choose_dtype,
    flops_per_token,
    memory_used,
    peak_flops,
)
from training.metrics import Evaluation, Sample, Score, StepMetrics, smoothed
from training.optimizer import Optimizers
from training.prepared import Prepared
from training.resume import Conditions, Progress, check_fits, history
from training.sample import write_sample
from training.schedule import dropout_begun, learning_rate_factor


class Trainer:
    """Trains a model on prepared data and keeps its checkpoints.

    Args:
        config: all settings.
        data: prepared tokens.
        run: where checkpoints go.
        init_from: weights to begin with, of the shape that `config` and `data` ask for.
        saved: the checkpoint of this run to go on from.
        world: the processes that train together; all of them make a trainer.

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
    ) -> None:
        self.config = config
        self.data = data
        self.run = run
        self.world = world
        self.device = world.device(choose_device(config.machine.device))
        self.dtype = choose_dtype(config.machine.dtype, self.device)
        gpt_config = config.model.gpt_config(data.tokenizer.vocab_size)
        seed, batch = config.machine.seed, config.batch
        with torch.random.fork_rng(devices=[]):  # torch's layers draw weights of their own first
            self.model = GPT(gpt_config, torch.Generator().manual_seed(seed))
        if init_from is not None:
            self.model.load_state_dict(init_from.state_dict())
        self.model.to(self.device)
        # What is saved is `model` itself, so that names in checkpoints are its own.
        own = config.model
        self.dropout = install_dropout(self.model, own.dropout_form, own.attention_dropout)
        install_attention(self.model, self.device)
        self.loss: nn.Module = TrainingLoss(self.model)
        self.optimizers = Optimizers(self.model, config.optimizer, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.sampler = BatchSampler(
            data.train.tokens,
            gpt_config.block_size,
            batch.batch_size * batch.grad_accumulation * world.size,
            seed,
            batch.story_starts,
            data.tokenizer.end_token,
        )
        stories = prepared_stories(data, config.report.eval_stories)
        self._validation = stories[world.rank :: world.size]
        self._validated: Score | None = None
        self.progress = Progress()
        self.conditions = Conditions.present(self.device, self.dtype, world)
        self._saved = 0
        if saved is not None:
            self._restore(saved)
        self.whole_step = True
        self.stopped_by = 0
        self._stop_asked = 0
        self.compile_problem = self._compile() if config.machine.compile else None

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.progress.step

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimizer step reads."""
        return self.sampler.sequences_per_step * self.sampler.block_size

    @property
    def validation_tokens(self) -> int:
        """Tokens that this process scores in an evaluation."""
        return sum(len(story.tokens) + 1 for story in self._validation)

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

        Raises:
            UserError: where the loss or the gradient is no number, or a checkpoint cannot be
                written.
            LostPeer: where another process has died; `whole_step` tells whether the state is
                that of a finished step.
        """
        self.loss = self.world.parallel(self.loss, self.device)
        peak = peak_flops(self.device, self.dtype) * self.world.size
        token_flops = flops_per_token(self.model.config)
        progress, size = self.progress, self.sampler.sequences_per_step
        self.model.train()
        while not (self.finished or self.stopped_by):
            started = time.perf_counter()
            self._validated = None
            factor = learning_rate_factor(self.step, self.config.schedule)
            self.optimizers.set_learning_rate(factor)
            self.dropout.turn(on=dropout_begun(self.step, self.config))
            loss, norm = self._update()
            spent = time.perf_counter() - started
            progress.step += 1
            progress.sequences += size
            progress.seconds += spent
            progress.train_losses.append(loss)
            progress.smoothed_loss = smoothed(progress.smoothed_loss, loss)
            memory, memory_peak = memory_used(self.device)
            evaluation = self._evaluate() if self._evaluates() else None
            self.whole_step = True
            yield StepMetrics(
                step=self.step,
                loss=loss,
                learning_rate=self.config.optimizer.learning_rate * factor,
                grad_norm=norm,
                tokens=progress.sequences * self.sampler.block_size,
                tokens_per_second=self.tokens_per_step / spent,
                passes=self.sampler.passes(self.step),
                smoothed_loss=progress.smoothed_loss,
                seconds=progress.seconds,
                mfu=self.tokens_per_step / spent * token_flops / peak,
                memory_bytes=memory,
                memory_peak_bytes=memory_peak,
                evaluation=evaluation,
            )
            if evaluation is not None:
                self.save()

    def rehearse(self, sequences: int) -> None:
        """A forward and a backward pass of a few sequences, of which nothing remains."""
        inputs, targets = self.sampler.batch(self.step, 0, self.config.batch.grad_accumulation)
        with self._own_randomness():
            loss = self._loss(inputs[:sequences], targets[:sequences])
            loss.backward()  # type: ignore[no-untyped-call]
        float(loss.detach())  # waits for the device
        self.optimizers.zero_grad()

    def ask_to_stop(self, signal: int) -> None:
        """Let `steps` end after this step, on every process at the same one.

        Args:
            signal: the number of the signal that asks; `stopped_by` will be the largest of them.
        """
        self._stop_asked = signal
        if self.world.size == 1:
            self.stopped_by = signal

    def save(self) -> Path:
        """Write a checkpoint of the present step, unless there is one, and point `last` at it.

        The first process writes; the others wait for it.

        Raises:
            UserError: where it cannot be written or the weights are no numbers.
        """
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
        self.run.save(
            step=self.step,
            model=self.model,
            tokenizer=self.data.tokenizer,
            training=history(self.progress, self._validated, self.config, self.data, self.dtype),
            optimizer=self.optimizers.tensors(),
            state=self.progress.to_dict()
            | {"scaler": self.scaler.state_dict(), "conditions": self.conditions.to_dict()},
            best=self.progress.best,
            keep=self.config.report.keep,
        )
        self._saved = self.step

    def _update(self) -> tuple[float, float]:
        """One optimizer step: mean loss of all processes, and norm of the gradient."""
        parts, world = self.config.batch.grad_accumulation, self.world
        self.optimizers.zero_grad()
        total = 0.0
        with self._own_randomness(), lost_peers():
            for part in range(parts):
                batch = self.sampler.batch(
                    self.step, part * world.size + world.rank, parts * world.size
                )
                # Gradients travel once a step, with the last part.
                with nullcontext() if part == parts - 1 else unsynchronised(self.loss):
                    loss = self._loss(*batch) / parts
                    self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
        figures = world.gather([total, self._stop_asked])
        total = float(figures[:, 0].mean())
        self.stopped_by = int(figures[:, 1].max())
        if not math.isfinite(total):
            raise self._diverged("loss", total, self.step + 1)
        norm = self._clip()
        # The scaler skips steps whose gradient overflows, and halves its scale; below 1 it is
        # the gradient itself that does.
        if not (math.isfinite(norm) or (self.scaler.is_enabled() and self.scaler.get_scale() >= 1)):
            raise self._diverged("gradient", norm, self.step + 1)
        self.whole_step = False
        for optimizer in self.optimizers.parts:
            self.scaler.step(optimizer)
        self.scaler.update()
        return total, norm

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Seed torch by (seed, step, rank), and leave the caller's generators alone.

        Dropout draws from torch's own generator, so each step's masks depend on nothing else.
        """
        devices = [self.device] if self.device.type == "cuda" else []
        seeds = np.random.SeedSequence((self.config.machine.seed, self.step, self.world.rank))
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))
            yield

    def _diverged(self, what: str, value: float, step: int) -> UserError:
        return SharedError(
            f"The {what} became {value} at step {step}.",
            f"Resume {self.run.name} with a lower --learning-rate; its last checkpoint is from "
            "before."
            if self._saved
            else "Begin again with a lower --learning-rate.",
        )

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self._autocast():
            loss: Tensor = self.loss(inputs.to(self.device), targets.to(self.device))
            return loss

    def _compile(self) -> str | None:
        """Compile the loss; why that does not work, where it does not."""
        assert isinstance(self.loss, TrainingLoss)
        shape = self.config.batch.batch_size, self.model.config.block_size
        inputs = torch.zeros(shape, dtype=torch.int64, device=self.device)
        with self._own_randomness(), self._autocast():
            return self.loss.compile_blocks(inputs)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        )

    def _clip(self) -> float:
        for optimizer in self.optimizers.parts:
            self.scaler.unscale_(optimizer)
        limit = self.config.optimizer.grad_clip or math.inf
        return float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))

    def _evaluates(self) -> bool:
        """Whether the step that was just done is followed by an evaluation."""
        every, last = self.config.report.eval_every, self.config.schedule.max_steps
        return self.step % every == 0 or self.step == last

    def _evaluate(self) -> Evaluation:
        validation, progress = self._score(), self.progress
        if not math.isfinite(validation.loss):
            raise self._diverged("validation loss", validation.loss, self.step)
        train_loss = sum(progress.train_losses) / max(1, len(progress.train_losses))
        progress.train_losses = []
        better = progress.best is None or validation.loss < progress.best.loss
        progress.waited = 0 if better else progress.waited + 1
        self._validated = validation
        if better:
            progress.best = Best(self.step, validation.loss, validation.bits_per_byte)
        with self.world.together():
            sample = self._sample() if self.world.first else None
        checkpoint = self.run.checkpoint(self.step)
        return Evaluation(train_loss, validation, better, checkpoint, sample)

    def _score(self) -> Score:
        """The score on the held-out stories, which the processes share out among them."""
        with self._autocast():
            own = score(self.model, self.data.tokenizer.end_token, self._validation)
        sums = self.world.gather([own.loss * own.tokens, own.tokens, own.bytes]).sum(0).tolist()
        if self.world.size == 1:
            return own
        return Score(sums[0] / max(1, sums[1]), int(sums[1]), int(sums[2]))

    def _sample(self) -> Sample | None:
        report = self.config.report
        if not report.sample_tokens:
            return None
        tokenizer = self.data.tokenizer
        return write_sample(self.model, tokenizer, report.sample_prompt, report.sample_tokens)

    def _restore(self, saved: Saved) -> None:
        if saved.checkpoint is not None:
            check_fits(saved.checkpoint, self.run.name, self.model, self.config, self.data)
            self.model.load_state_dict(saved.checkpoint.model.state_dict())
        try:
            self.optimizers.load_tensors(saved.optimizer)
            if self.scaler.is_enabled() and saved.state["scaler"]:  # empty where it was not fp16
                self.scaler.load_state_dict(saved.state["scaler"])
            self.progress = Progress.from_dict(saved.state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise self.run.damaged(saved.folder, f"{type(error).__name__} {error}.") from None
        read = self.step * self.sampler.sequences_per_step
        self.sampler.origin = self.progress.sequences - read
        self._saved = self.step
