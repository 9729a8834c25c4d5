"""One call of `mgpt-tui train`: opens the run, drives the trainer, shows and logs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import torch

from mgpt_tui.console import OutputError, console_for, say
from mgpt_tui.errors import UserError
from mgpt_tui.memory import lack_of_memory_told
from training.config import TeachingSettings, TrainConfig
from training.metrics import StepMetrics
from training.report.dashboard import Dashboard
from training.report.estimate import LOWER, estimate
from training.report.outlook import of_run
from training.runs.checkpoints import RunFolder
from training.runs.history import History
from training.runs.log import RunLog, read_history
from training.runs.resume import use_threads
from training.runs.signals import SIGPIPE, StopSignals
from training.start import Start, TrainRequest, look_up, shared
from training.step.distributed import LostPeer, World, joined
from training.step.machine import DTYPES, prepare_device
from training.trainer import Trainer


def train(request: TrainRequest) -> None:
    """Train to the end, or until Ctrl-C, SIGTERM or SIGHUP, which save and exit with 128 + number.

    So does an output that takes no more (141 where its reader left, else 2).

    Under torchrun every process calls this, and all of them end alike.

    Raises:
        UserError: for bad settings, missing data, unfit checkpoints, a loss that is no number,
            a full device, and the like.
        OutputError: where standard error took no more; what was trained is saved.
    """
    with joined() as world, world.one_tells(), ExitStack() as held:
        start: Start | None = None
        with world.together(), lack_of_memory_told(LOWER):
            run = RunFolder(request.name)
            if world.first:
                start = look_up(_again(request, run, world), run, held)
        start = shared(start, request, world)
        machine = start.config.machine
        prepare_device(torch.device(machine.device), DTYPES[machine.dtype])
        if start.before is not None:
            use_threads(start.before.threads, world)
        with world.together(), lack_of_memory_told(LOWER):
            trainer = Trainer(
                *(start.config, start.data, run, start.weights, start.saved, world, start.family),
                start.teachers,
            )
            if trainer.finished:
                raise _nothing_left(trainer)
        with world.together(), lack_of_memory_told(LOWER):
            needs = estimate(trainer, rehearse=request.dry_run)
            warnings = [*needs.warnings(), *of_run(trainer)]
            if request.dry_run and world.first:
                assert start is not None
                say("\n".join([needs.line(), *_notes(start, trainer), *warnings]))
            if not request.anyway:
                needs.check_memory()
        if request.dry_run:
            return
        log = None
        with world.together():
            if world.first:
                log = held.enter_context(opened(start, trainer))
        if log is not None:
            say(needs.line(), error=True)
        stopped_by = _train(trainer, log, request.explain, warnings)
    if stopped_by:
        sys.exit(128 + stopped_by)


def _again(request: TrainRequest, run: RunFolder, world: World) -> TrainRequest:
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
def opened(start: Start, trainer: Trainer) -> Iterator[RunLog]:
    """Make the run's folder agree with the step that it goes on from, and open its log."""
    run, said = trainer.run, []
    if start.saved is not None:
        moved = run.set_aside(trainer.step)
        run.point(trainer.step, trainer.progress.best)
        said += [f"{path.name.removeprefix('aside-')} is now {path.name}." for path in moved]
    start.remember(run)
    for line in (*said, *_notes(start, trainer)):
        say(line, error=True)
    log = RunLog(run.path, trainer.step)
    try:
        yield log
    finally:
        log.close()


def _notes(start: Start, trainer: Trainer) -> list[str]:
    """What is to be told of a run that begins or goes on, a line each."""
    lines = [*start.notes]
    if start.saved is not None:
        lines += _otherwise(start, trainer)
    if trainer.compile_problem is not None:
        lines.append(f"Going on without --compile: {trainer.compile_problem}")
    return lines


def _otherwise(start: Start, trainer: Trainer) -> list[str]:
    """What a resumed run does otherwise than before, in a line each."""
    assert start.before is not None and start.saved is not None
    assert start.saved.checkpoint is not None
    history, lines = start.saved.checkpoint.info.training, []
    difference = start.before.difference(trainer.conditions)
    if difference is not None:
        lines.append(difference)
    size = trainer.sampler.sequences_per_step
    formerly = TrainConfig().updated(history["settings"])
    batch = formerly.batch
    formerly_size = batch.batch_size * batch.grad_accumulation * start.before.processes
    if size != formerly_size:
        lines.append(
            f"A step reads {size:,} sequences, not {formerly_size:,} as before; "
            "the run reads on where it stopped."
        )
    if start.teachers:
        lines += _taught_otherwise(start.config.teaching, formerly.teaching)
    if history["data"]["sha256"] != start.data.digest:
        lines.append("The training text is not the one that was trained on so far.")
    return lines


def _taught_otherwise(now: TeachingSettings, formerly: TeachingSettings) -> Iterator[str]:
    """How otherwise a run follows its teachers, in a line each."""
    if now.teacher_share != formerly.teacher_share:
        yield (
            f"The share of the loss that follows the teachers is {now.teacher_share:g}, "
            f"not {formerly.teacher_share:g} as before."
        )
    if now.teacher_temperature != formerly.teacher_temperature:
        yield (
            f"The teachers' temperature is {now.teacher_temperature:g}, "
            f"not {formerly.teacher_temperature:g} as before."
        )


def _train(trainer: Trainer, log: RunLog | None, explain: bool, warnings: list[str]) -> int:
    """Train to the end or a stop.

    Args:
        log: on the first process, which shows the run too.
        explain: say what the figures mean.
        warnings: what the dashboard says first.

    Returns:
        The number of the signal that stopped the run before its end, or 0.
    """
    listeners: list[Callable[[], None]] = []
    asked: list[int] = []
    lost: list[OutputError] = []

    def ask(number: int) -> None:
        asked.append(number)
        trainer.ask_to_stop(number)
        with suppress(RuntimeError):  # the signal came while something was being written
            for listener in listeners:
                listener()

    def lose(failure: OutputError) -> None:
        if not asked:  # a terminal that went has sent SIGHUP, which counts
            lost.append(failure)
            trainer.ask_to_stop(SIGPIPE)

    with lack_of_memory_told(LOWER), StopSignals(ask, restore=trainer.world.size == 1):
        try:
            if log is None:
                for _ in trainer.steps():
                    pass
                if not trainer.finished:
                    trainer.save()
            else:
                history = History(read_history(trainer.run.path))
                name = trainer.run.name
                console = console_for(sys.stderr, lose)
                with Dashboard(trainer, name, history, explain, warnings, console) as dashboard:
                    listeners.append(dashboard.interrupted)
                    if asked:  # before there was anybody to say so
                        dashboard.interrupted()
                    _watch(trainer, log, dashboard)
        except LostPeer as error:
            raise _peer_lost(trainer, error) from None
    if lost and not trainer.finished and trainer.stopped_by == SIGPIPE:
        raise lost[0]
    return 0 if trainer.finished else trainer.stopped_by


def _watch(trainer: Trainer, log: RunLog, dashboard: Dashboard) -> None:
    """Show and log every step, then say how it ended."""
    every = trainer.config.report.log_every
    for metrics in trainer.steps():
        dashboard.update(metrics)
        due = metrics.step % every == 0 or metrics.step == 1
        if due or metrics.evaluation or trainer.stopped_by:
            _logged(trainer, log, metrics)
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


def _logged(trainer: Trainer, log: RunLog, metrics: StepMetrics) -> None:
    """Log a step; where that cannot be, what was trained is saved all the same, if it can be."""
    try:
        log.write(metrics)
    except UserError:
        if trainer.world.size == 1:
            with suppress(UserError):
                trainer.save()
        raise


def _peer_lost(trainer: Trainer, error: LostPeer) -> LostPeer:
    """Save what can be saved when another process has died, and say how to go on."""
    again = trainer.run.again
    if not trainer.world.first:
        return LostPeer(error.message, f"Go on from the run's last checkpoint with: {again}")
    if trainer.whole_step:
        trainer.save_alone()
    newest = next(reversed(trainer.run.checkpoints()), None)
    if newest is None:
        return LostPeer(error.message, "Nothing was saved yet: begin again.")
    return LostPeer(error.message, f"{newest.name} is saved. Go on from there with: {again}")
