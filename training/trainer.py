"""The training loop: an iterator of metrics that prints nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.model.checkpoint import Checkpoint
from mgpt_tui.model.gpt import GPT
from training.checkpoints import Best, RunFolder
from training.config import TrainConfig
from training.dataset import BatchSampler
from training.distributed import ALONE, SharedError, World, lost_peers, unsynchronised
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
from training.sample import write_sample
from training.schedule import learning_rate_factor


class Trainer:
    """Trains a model on prepared data and keeps its checkpoints.

    Args:
        config: all settings.
        data: prepared tokens.
        run: where checkpoints go; with `resume`, the newest of them is continued.
        init_from: weights to begin with, of the shape that `config` and `data` ask for.
        resume: continue the run.
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
        resume: bool = False,
        world: World = ALONE,
    ) -> None:
        self.config = config
        self.data = data
        self.run = run
        self.world = world
        self.device = world.device(choose_device(config.machine.device))
        self.dtype = choose_dtype(config.machine.dtype, self.device)
        gpt_config = config.model.gpt_config(data.tokenizer.vocab_size)
        seed = config.machine.seed
        with torch.random.fork_rng(devices=[]):  # torch's layers draw weights of their own first
            self.model = GPT(gpt_config, torch.Generator().manual_seed(seed))
        if init_from is not None:
            self.model.load_state_dict(init_from.state_dict())
        self.model.to(self.device)
        self.optimizers = Optimizers(self.model, config.optimizer, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.step = 0
        self.seconds = 0.0
        self.smoothed_loss: float | None = None
        self.best: Best | None = None
        self._train_losses: list[float] = []
        self._saved = 0
        self._validated: Score | None = None
        if resume:
            self._restore()
        batch = config.batch
        self.sampler = BatchSampler(
            data.train.tokens,
            gpt_config.block_size,
            batch.batch_size * batch.grad_accumulation * world.size,
            seed,
            batch.story_starts,
            data.tokenizer.end_token,
        )
        # What is saved is `model` itself, so that names in checkpoints are its own.
        self.loss = world.parallel(TrainingLoss(self.model, config.machine.compile), self.device)
        stories = prepared_stories(data, config.report.eval_stories)
        self._validation = stories[world.rank :: world.size]
        self._stop_asked = self._stopping = False

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimizer step reads."""
        return self.sampler.sequences_per_step * self.sampler.block_size

    def steps(self) -> Iterator[StepMetrics]:
        """Train to `max_steps`, a step at a time; to stop is to stop iterating, then `save`.

        Where several processes train together, they stop by `ask_to_stop`.

        Raises:
            UserError: where the loss or the gradient is no number, or a checkpoint cannot be
                written.
            LostPeer: where another process has died; nothing of the step was done then.
        """
        schedule, report = self.config.schedule, self.config.report
        peak = peak_flops(self.device, self.dtype)
        token_flops = flops_per_token(self.model.config)
        self.model.train()
        while self.step < schedule.max_steps and not self._stopping:
            started = time.perf_counter()
            self._validated = None
            factor = learning_rate_factor(self.step, schedule)
            self.optimizers.set_learning_rate(factor)
            loss, norm = self._update()
            self.step += 1
            spent = time.perf_counter() - started
            self.seconds += spent
            self._train_losses.append(loss)
            self.smoothed_loss = smoothed(self.smoothed_loss, loss)
            speed = self.tokens_per_step / spent
            memory, memory_peak = memory_used(self.device)
            evaluation = None
            if self.step % report.eval_every == 0 or self.step == schedule.max_steps:
                evaluation = self._evaluate()
            yield StepMetrics(
                step=self.step,
                loss=loss,
                learning_rate=self.config.optimizer.learning_rate * factor,
                grad_norm=norm,
                tokens=self.step * self.tokens_per_step,
                tokens_per_second=speed,
                passes=self.sampler.passes(self.step),
                smoothed_loss=self.smoothed_loss,
                seconds=self.seconds,
                mfu=speed * token_flops / peak,
                memory_bytes=memory,
                memory_peak_bytes=memory_peak,
                evaluation=evaluation,
            )

    def ask_to_stop(self) -> None:
        """Let `steps` end after this step, on every process at the same one."""
        self._stop_asked = True
        if self.world.size == 1:
            self._stopping = True

    def save(self) -> Path:
        """Write a checkpoint of the present step, unless there is one, and point `last` at it.

        Only the first process may.
        """
        if self._saved == self.step:
            return self.run.checkpoints()[-1]
        checkpoint = self.run.save(
            step=self.step,
            model=self.model,
            tokenizer=self.data.tokenizer,
            training=self._history(),
            optimizer=self.optimizers.tensors(),
            state={
                "step": self.step,
                "seconds": self.seconds,
                "smoothed_loss": self.smoothed_loss,
                "scaler": self.scaler.state_dict(),
                "train_losses": self._train_losses,
                "best": None if self.best is None else self.best.to_dict(),
            },
            best=self.best if self.best is not None and self.best.step == self.step else None,
            keep=self.config.report.keep,
        )
        self._saved = self.step
        return checkpoint

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
        self._stopping = bool(figures[:, 1].any())
        if not math.isfinite(total):
            raise self._diverged("loss", total)
        norm = self._clip()
        if not (math.isfinite(norm) or self.scaler.is_enabled()):  # the scaler skips such steps
            raise self._diverged("gradient", norm)
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

    def _diverged(self, what: str, value: float) -> UserError:
        return SharedError(
            f"The {what} became {value} at step {self.step + 1}.",
            f"Resume {self.run.name} with a lower --learning-rate; "
            "its last checkpoint is from before.",
        )

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self._autocast():
            loss: Tensor = self.loss(inputs.to(self.device), targets.to(self.device))
            return loss

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        )

    def _clip(self) -> float:
        for optimizer in self.optimizers.parts:
            self.scaler.unscale_(optimizer)
        limit = self.config.optimizer.grad_clip or math.inf
        return float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))

    def _evaluate(self) -> Evaluation:
        validation = self._score()
        if not math.isfinite(validation.loss):
            raise self._diverged("validation loss", validation.loss)
        train_loss = sum(self._train_losses) / max(1, len(self._train_losses))
        self._train_losses = []
        better = self.best is None or validation.loss < self.best.loss
        self._validated = validation
        if better:
            self.best = Best(self.step, validation.loss, validation.bits_per_byte)
        checkpoint, sample = self.run.path, None
        with self.world.together():
            if self.world.first:
                checkpoint, sample = self.save(), self._sample()
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

    def _history(self) -> dict[str, Any]:
        """What a checkpoint's config tells people about how it was made."""
        return {
            "step": self.step,
            "tokens": self.step * self.tokens_per_step,
            "seconds": round(self.seconds, 1),
            "validation": self._validated.to_dict() if self._validated else None,
            "data": {
                "sources": self.data.meta["sources"],
                "splits": self.data.meta["splits"],
                "dropped": self.data.meta["dropped"],
                "sha256": self.data.meta["files"]["train.bin"]["sha256"],
            },
            "settings": self.config.flat(),
            "dtype": str(self.dtype).removeprefix("torch."),
            "torch": torch.__version__,
        }

    def _restore(self) -> None:
        checkpoint, optimizer, state = self.run.load_last()
        try:
            self._take(checkpoint, optimizer, state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"The last checkpoint of {self.run.name} is damaged: "
                f"{type(error).__name__} {error}.",
                f"Begin a new run with --init-from {self.run.name}/best.",
            ) from None

    def _take(
        self, checkpoint: Checkpoint, optimizer: dict[str, Tensor], state: dict[str, Any]
    ) -> None:
        if checkpoint.model.config != self.model.config:
            raise UserError(
                f"The run {self.run.name} has another shape than these settings ask for.",
                "Resume it without settings of the model.",
            )
        if checkpoint.info.training["settings"]["optimizer"] != self.config.optimizer.optimizer:
            raise UserError(
                f"The run {self.run.name} was begun with another optimizer.",
                "Resume it without --optimizer.",
            )
        if checkpoint.tokenizer.digest != self.data.tokenizer.digest:
            raise UserError(
                f"The run {self.run.name} was begun with another vocabulary.",
                "Give the --data that it was begun with.",
            )
        self.model.load_state_dict(checkpoint.model.state_dict())
        self.optimizers.load_tensors(optimizer)
        if self.scaler.is_enabled() and state["scaler"]:  # empty where the run was not fp16
            self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]
        self.seconds = state["seconds"]
        self.smoothed_loss = state.get("smoothed_loss")
        self.best = None if state["best"] is None else Best(**state["best"])
        self._train_losses = [float(loss) for loss in state["train_losses"]]
        self._saved = self.step
