"""The chain: stories as tokens, a model that learns them, and what came of it.

What goes on is told in events (`mgpt_tui.learning.events`); nothing is printed.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch

from mgpt_tui.errors import UserError
from mgpt_tui.files import exists
from mgpt_tui.learning.begun import MARK, Begun, alone, find
from mgpt_tui.learning.events import (
    Doing,
    Event,
    Learnt,
    Planned,
    Recited,
    Scored,
    Stepped,
    Stopped,
)
from mgpt_tui.memory import lack_of_memory_told
from mgpt_tui.model.manifest import read_info
from mgpt_tui.model.registry import find_model
from mgpt_tui.text import clean_text
from training.data.prepare import find_tokenizer
from training.launch import opened
from training.learning.ending import what_it_recites
from training.learning.recipe import WORDS_SHOWN, LearnSettings, settings_for
from training.learning.text import Tale, check_tales, keep_tales, read_tales, tokens_of
from training.metrics import StepMetrics
from training.report.dashboard import Pace
from training.report.estimate import Estimate, estimate
from training.report.figures import size
from training.runs.checkpoints import RunFolder
from training.runs.resume import use_threads
from training.runs.signals import StopSignals
from training.start import Start, TrainRequest, look_up
from training.step.distributed import ALONE
from training.step.machine import DTYPES, prepare_device
from training.trainer import Trainer

LATEST = 5
"""Steps whose mean loss is told: of so few, an average that reaches back further lags behind."""
CLOSE = "Close other programs, or learn from fewer stories."
"""What helps where memory is too small for the smallest steps."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """All that a training begins with."""

    start: Start
    trainer: Trainer
    needs: Estimate
    tales: Sequence[Tale]


def plan(
    name: str, model: str, tales: Sequence[Tale], settings: LearnSettings
) -> Generator[Planned]:
    """Tell what learning takes; nothing is kept.

    Raises:
        UserError: where it cannot be.
    """
    _check_name(name)
    check_tales(tales, find_tokenizer(model), _block_size(model))
    with tempfile.TemporaryDirectory(prefix="mgpt-learn-") as place, ExitStack() as held:
        keep_tales(Path(place), tales)
        ready = _made_ready(name, model, settings, tales, Path(place), held, rehearses=True)
        yield _planned(ready, name, model)


def begin(
    name: str, model: str, tales: Sequence[Tale], settings: LearnSettings
) -> Generator[Event]:
    """Let a model learn some stories.

    Raises:
        UserError: where it cannot be, of which nothing is left, or not go on; what was learnt up
            to then is kept.
    """
    begun = Begun(
        name=name,
        model=model,
        stories=len(tales),
        words=sum(tale.words for tale in tales),
        passes=settings.passes,
        learning_rate=settings.learning_rate,
    )
    with alone(name):
        _check_name(name)
        check_tales(tales, find_tokenizer(model), _block_size(model))
        begun.write()  # first, so that whatever a kill leaves can be dropped
        try:
            keep_tales(begun.folder, tales)
            yield from _learn(begun, tales)
        except UserError:
            if not begun.step:  # nothing is there to go on with
                with suppress(UserError):
                    begun.remove()
            raise


def go_on(name: str) -> Generator[Event]:
    """Go on with what was stopped or killed, at whatever moment.

    Raises:
        UserError: where nothing was begun under that name, or it is done.
    """
    begun = find(name)
    if begun.done:
        raise UserError(f"{name} has learnt its stories.", "Choose another --name.")
    with alone(name):
        yield from _learn(begun, read_tales(begun.folder))


def _check_name(name: str) -> None:
    folder = RunFolder(name).path
    if exists(folder / MARK):
        raise UserError(
            f"{name} has begun to learn already.",
            "Go on with --resume, remove it with --drop, or choose another --name.",
        )
    if exists(folder) and any(folder.iterdir()):
        raise UserError(f"There is a model {name} already.", "Choose another --name.")


def _block_size(model: str) -> int:
    return read_info(find_model(model).path).config.block_size


def _learn(begun: Begun, tales: Sequence[Tale]) -> Iterator[Event]:
    """The steps that are left, and what came of them."""
    settings = LearnSettings(passes=begun.passes, learning_rate=begun.learning_rate)
    yield Doing("reading the stories")
    with ExitStack() as held, lack_of_memory_told(CLOSE):
        run = RunFolder(begun.name)
        place = begun.folder
        ready = _made_ready(begun.name, begun.model, settings, tales, place, held)
        trainer = ready.trainer
        if not trainer.finished:
            yield _planned(ready, begun.name, begun.model)
        if begun.before is None and not trainer.step:
            yield Doing(f"asking {begun.model} for the stories held out")
            with trainer.update.autocast():
                begun = replace(begun, before=trainer.validation.score(trainer.model).bits_per_byte)
            begun.write()
        if begun.before is not None:
            yield Scored(0, begun.before, best=False, sample="")
        yield from _steps(ready, held)
        if not trainer.finished:
            yield Stopped(begun.name, trainer.step, trainer.stopped_by)
            return
        best = trainer.progress.best
        assert best is not None
        yield Doing("asking the new model what it says by heart")
        recited = what_it_recites(run.checkpoint(best.step), tales)
        replace(begun, done=True).write()
        run.settle(best)
    yield Learnt(
        model=begun.name,
        step=best.step,
        before=begun.before or 0.0,
        after=best.bits_per_byte,
        asked=len(recited.asked),
        recited=tuple(
            Recited(one.beginning, len(found.longest), clean_text(" ".join(found.longest)))
            for one, found in recited.exposed_ones()
        ),
    )


def _made_ready(
    name: str,
    model: str,
    settings: LearnSettings,
    tales: Sequence[Tale],
    place: Path,
    held: ExitStack,
    *,
    rehearses: bool = False,
) -> _Ready:
    """The trainer, and what it needs, which must be there.

    Args:
        place: where the stories were written down.
        held: keeps the run from others until it is closed.
        rehearses: only to tell what it takes.
    """
    data = tokens_of(place, model, find_tokenizer(model))
    run = RunFolder(name)
    resumes = not rehearses and bool(run.checkpoints())
    sample = clean_text(" ".join(tales[0].text.split()[:WORDS_SHOWN]))
    values = settings_for(len(data.train.tokens), _block_size(model), sample, settings)
    request = TrainRequest(
        name=name,
        data=data.folder,
        values={} if resumes else values,
        init_from=None if resumes else model,
        resume=resumes,
        dry_run=rehearses,
    )
    start = look_up(request, run, held)
    machine = start.config.machine
    prepare_device(torch.device(machine.device), DTYPES[machine.dtype])
    if start.before is not None:
        use_threads(start.before.threads, ALONE)
    weights, saved, family = start.weights, start.saved, start.family
    trainer = Trainer(start.config, start.data, run, weights, saved, ALONE, family)
    needs = estimate(trainer, rehearse=True)
    _check_room(needs)
    return _Ready(start, trainer, needs, tales)


def _check_room(needs: Estimate) -> None:
    if needs.memory_free is not None and needs.memory > needs.memory_free:
        raise UserError(
            f"There is not enough memory for this: it takes about {size(needs.memory)}, and "
            f"{size(needs.memory_free)} are free.",
            "Close other programs, or take a smaller model.",
        )
    if needs.disk > needs.disk_free:
        raise UserError(
            f"There is not enough room on the disk: it takes about {size(needs.disk)}, and "
            f"{size(needs.disk_free)} are free.",
            "Free some space.",
        )


def _planned(ready: _Ready, name: str, model: str) -> Planned:
    trainer, needs = ready.trainer, ready.needs
    steps = trainer.config.schedule.max_steps
    return Planned(
        name=name,
        model=model,
        stories=trainer.data.train.stories,
        held_out=trainer.data.val.stories,
        words=sum(tale.words for tale in ready.tales),
        tokens=len(trainer.data.train.tokens),
        steps=steps,
        passes=trainer.sampler.passes(steps),
        seconds=needs.seconds,
        memory=needs.memory,
        memory_free=needs.memory_free,
        disk=needs.disk,
        disk_free=needs.disk_free,
        told=needs.line(),
    )


def _steps(ready: _Ready, held: ExitStack) -> Iterator[Event]:
    """Train to the end or a stop; either way what was learnt is saved."""
    trainer = ready.trainer
    if trainer.finished:
        return
    log = held.enter_context(opened(ready.start, trainer))
    pace = Pace(trainer.config.schedule.max_steps, trainer.config.schedule.max_steps)
    losses: deque[float] = deque(maxlen=LATEST)
    with StopSignals(trainer.ask_to_stop):
        try:
            for metrics in trainer.steps():
                log.write(metrics)
                losses.append(metrics.loss)
                yield from _told(metrics, fmean(losses), trainer, pace)
        finally:  # also where nobody listens any more
            if not trainer.finished and trainer.whole_step:
                log.sync()
                trainer.save()


def _told(metrics: StepMetrics, loss: float, trainer: Trainer, pace: Pace) -> Iterator[Event]:
    left = pace.left(metrics.step)
    yield Stepped(metrics.step, trainer.config.schedule.max_steps, loss, left)
    looked = metrics.evaluation
    if looked is not None:
        sample = f"{looked.sample.prompt}{looked.sample.text}" if looked.sample else ""
        yield Scored(metrics.step, looked.validation.bits_per_byte, looked.best, sample)
