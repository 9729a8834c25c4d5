"""One call of `mgpt-tui train`: opens the run, drives the trainer, shows and logs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import torch
from rich.console import Console
from rich.text import Text

from mgpt_tui.errors import UserError
from training.checkpoints import RunFolder
from training.config import TrainConfig
from training.dashboard import Dashboard
from training.distributed import LostPeer, World, joined
from training.estimate import estimate
from training.history import History
from training.machine import keep_freed_memory
from training.resume import use_threads
from training.run_log import RunLog, read_history
from training.signals import StopSignals
from training.start import Request, Start, look_up, shared
from training.trainer import Trainer


def train(request: Request) -> None:
    """Train to the end, or until Ctrl-C or SIGTERM, which save and exit with code 130 or 143.

    Under torchrun every process calls this, and all of them end alike.

    Raises:
        UserError: for bad settings, missing data, unfit checkpoints, a loss that is no number,
            a full device, and the like.
    """
    keep_freed_memory()
    with joined() as world, world.one_tells(), ExitStack() as held:
        start: Start | None = None
        with world.together(), _memory_errors():
            run = RunFolder(request.name)
            if world.first:
                start = look_up(_again(request, run, world), run, held)
        start = shared(start, request, world)
        if start.before is not None:
            use_threads(start.before.threads, world)
        with world.together(), _memory_errors():
            trainer = Trainer(start.config, start.data, run, start.weights, start.saved, world)
            if trainer.finished:
                raise _nothing_left(trainer)
        log = None
        with world.together():
            if world.first:
                log = held.enter_context(_opened(start, trainer))
        needs = estimate(trainer)
        if log is not None:
            _say(needs.line())
        stopped_by = _train(trainer, log, request.explain, needs.warnings())
    if stopped_by:
        sys.exit(128 + stopped_by)


def _again(request: Request, run: RunFolder, world: World) -> Request:
    """The same request; where torchrun starts everything anew after a failure, it resumes."""
    if world.restarts and run.checkpoints():
        return replace(request, resume=True, resume_from=None, init_from=None)
    return request


def _nothing_left(trainer: Trainer) -> UserError:
    name, step = trainer.run.name, trainer.step
    if trainer.out_of_patience:
        return UserError(
            f"The run {name} ended early at step {step:,}: its validation loss fell no more.",
            "Raise --patience, or give --patience off, to go on.",
        )
    return UserError(
        f"The run {name} has done its {step:,} steps already.", "Raise --max-steps to go on."
    )


@contextmanager
def _opened(start: Start, trainer: Trainer) -> Iterator[RunLog]:
    """Make the run's folder agree with the step that it goes on from, and open its log."""
    run, said = trainer.run, []
    if start.saved is not None:
        moved = run.set_aside(trainer.step)
        run.point(trainer.step, trainer.progress.best)
        said = [f"{path.name.removeprefix('aside-')} is now {path.name}." for path in moved]
        said += _otherwise(start, trainer)
    if trainer.compile_problem is not None:
        said.append(f"Going on without --compile: {trainer.compile_problem}")
    start.remember(run)
    for line in said:
        _say(line)
    log = RunLog(run.path, trainer.step)
    try:
        yield log
    finally:
        log.close()


def _otherwise(start: Start, trainer: Trainer) -> list[str]:
    """What a resumed run does otherwise than before, in a line each."""
    assert start.before is not None and start.saved is not None
    assert start.saved.checkpoint is not None
    history, lines = start.saved.checkpoint.info.training, []
    difference = start.before.difference(trainer.conditions)
    if difference is not None:
        lines.append(difference)
    size = trainer.sampler.sequences_per_step
    formerly = TrainConfig().updated(history["settings"]).batch
    formerly_size = formerly.batch_size * formerly.grad_accumulation * start.before.processes
    if size != formerly_size:
        lines.append(
            f"A step reads {size:,} sequences, not {formerly_size:,} as before; "
            "the run reads on where it stopped."
        )
    if history["data"]["sha256"] != start.data.digest:
        lines.append("The training text is not the one that was trained on so far.")
    return lines


def _train(trainer: Trainer, log: RunLog | None, explain: bool, warnings: list[str]) -> int:
    """Train to the end or a stop.

    Args:
        log: on the first process, which shows the run too.
        explain: say what the figures mean.
        warnings: what the dashboard says first.

    Returns:
        The number of the signal that stopped the run before its end, or 0.
    """
    tell: list[Callable[[], None]] = []

    def ask(number: int) -> None:
        trainer.ask_to_stop(number)
        with suppress(RuntimeError):  # the signal came while something was being written
            for told in tell:
                told()

    with _memory_errors(), StopSignals(ask, restore=trainer.world.size == 1):
        try:
            if log is None:
                for _ in trainer.steps():
                    pass
                if not trainer.finished:
                    trainer.save()
            else:
                history = History(read_history(trainer.run.path))
                name = trainer.run.name
                with Dashboard(trainer, name, history, explain, warnings) as dashboard:
                    tell.append(dashboard.interrupted)
                    _watch(trainer, log, dashboard)
        except LostPeer as error:
            raise _peer_lost(trainer, error) from None
    return 0 if trainer.finished else trainer.stopped_by


def _watch(trainer: Trainer, log: RunLog, dashboard: Dashboard) -> None:
    """Show and log every step, then say how it ended."""
    every = trainer.config.report.log_every
    for metrics in trainer.steps():
        dashboard.update(metrics)
        due = metrics.step % every == 0 or metrics.step == 1
        if due or metrics.evaluation or trainer.stopped_by:
            log.write(metrics)
            dashboard.log(metrics)
    if not trainer.finished:
        log.sync()
        dashboard.stopped(trainer.save())
        return
    if trainer.out_of_patience:
        best = trainer.progress.best
        assert best is not None
        dashboard.say(
            f"Ended early at step {trainer.step:,}: no better validation loss since step "
            f"{best.step:,} ({trainer.progress.waited} evaluations)."
        )
    dashboard.finished()


def _peer_lost(trainer: Trainer, error: LostPeer) -> LostPeer:
    """Save what can be saved when another process has died, and say how to go on."""
    again = f"mgpt-tui train --name {trainer.run.name} --resume"
    if not trainer.world.first:
        return LostPeer(error.message, f"Go on from the run's last checkpoint with: {again}")
    if trainer.whole_step:
        trainer.save_alone()
    newest = next(reversed(trainer.run.checkpoints()), None)
    if newest is None:
        return LostPeer(error.message, "Nothing was saved yet: begin again.")
    return LostPeer(error.message, f"{newest.name} is saved. Go on from there with: {again}")


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Say what to lower where memory does not suffice (torch has no class for it on a CPU)."""
    words = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc")
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not (known or any(word in str(error).lower() for word in words)):
            raise
        raise UserError(
            "There is not enough memory for this.",
            "Lower --batch-size (and raise --grad-accumulation), --block-size or the model's size.",
        ) from None


def _say(line: str) -> None:
    Console(stderr=True, highlight=False).print(Text(line), soft_wrap=True)
