"""Finding the models that a run learns from, and holding them to what it began with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from safetensors.torch import save as save_tensors

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.checkpoint import gpt_of, load_checkpoint
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.registry import EMBEDDED, STEP_FOLDER, ModelEntry, find_model
from mgpt_tui.model.weights import Weights
from mgpt_tui.settings_fields import arguments_from
from training.config import TrainConfig
from training.data.prepared import Prepared
from training.step.distributed import World
from training.step.teachers import Teacher

Known = dict[str, str]
"""Fingerprints of teachers by name, as a checkpoint records them."""


def find_teachers(config: TrainConfig, data: Prepared, run: str) -> tuple[Teacher, ...]:
    """The teachers that `config` names, read whole.

    Each is named by its checkpoint from now on, so that a run which goes on changes none.

    Args:
        config: of the student, its shape settled.
        data: that it reads.
        run: its name.

    Raises:
        UserError: where one is missing, damaged, or does not fit the student.
    """
    return tuple(_found(name, config, data, run) for name in config.teaching.names)


def _found(name: str, config: TrainConfig, data: Prepared, run: str) -> Teacher:
    entry = _entry(name, run)
    checkpoint = load_checkpoint(entry.path)
    if checkpoint.tokenizer.digest != data.tokenizer.digest:
        raise UserError(
            f"The teacher {name} has another vocabulary than the data.",
            f"Prepare the data with --tokenizer {name}, or take another teacher.",
        )
    own, other = (
        config.model.gpt_config(data.tokenizer.vocab_size).block_size,
        checkpoint.info.config.block_size,
    )
    if own != other:
        raise UserError(
            f"The teacher {name} has a context of {other} tokens, and the model one of {own}.",
            f"Give --block-size {other}, or take another teacher.",
        )
    return Teacher(_lasting_name(entry), checkpoint.info.fingerprint, checkpoint.model)


def _entry(name: str, run: str) -> ModelEntry:
    """The model of that name, which is not the run itself; a path may begin like it."""
    own = UserError(
        f"{run} cannot be its own teacher: it has learnt nothing yet.",
        f"Begin a run of another --name with --init-from {run} --teachers {run}.",
    )
    try:
        entry = find_model(name)
    except UserError:
        if name.partition("/")[0] == run:
            raise own from None
        raise
    if entry.path.parent == paths.runs_dir() / run:
        raise own
    return entry


def _lasting_name(entry: ModelEntry) -> str:
    """A name that stays with a checkpoint wherever `best` and `last` go."""
    if entry.name == EMBEDDED:
        return entry.name
    run = entry.path.parent
    if run.parent == paths.runs_dir() and STEP_FOLDER.fullmatch(entry.path.name):
        return f"{run.name}/{entry.path.name}"
    absolute = str(entry.path.absolute())
    return entry.name if "," in absolute or entry.path.parent == paths.runs_dir() else absolute


def named(config: TrainConfig, teachers: Sequence[Teacher]) -> TrainConfig:
    """`config` with the lasting names of its teachers."""
    if not teachers:
        return config
    return config.updated({"teachers": ",".join(teacher.name for teacher in teachers)})


def known(teachers: Sequence[Teacher]) -> Known:
    """What a checkpoint records of them."""
    return {teacher.name: teacher.fingerprint for teacher in teachers}


def find_again(
    config: TrainConfig, data: Prepared, run: str, training: dict[str, Any]
) -> tuple[Teacher, ...]:
    """The teachers of a run that goes on.

    Args:
        training: what its checkpoint records.

    Raises:
        UserError: where they are not those that it has learnt from so far.
    """
    former = training.get("teachers")
    former = former if isinstance(former, dict) else {}
    remedy = f"Put it back, or begin a new run with --init-from {run}/last."
    try:
        teachers = find_teachers(config, data, run)
    except UserError as error:
        raise UserError(f"A teacher of {run} cannot be had: {error.message}", remedy) from None
    changed = [one.name for one in teachers if former.get(one.name) not in (None, one.fingerprint)]
    if changed:
        raise UserError(
            f"The teacher {changed[0]} is no longer the model that {run} has learnt from.", remedy
        )
    if former != known(teachers):
        raise UserError(
            f"The run {run} was begun with other teachers: {', '.join(former) or 'none'}.",
            "Resume it without --teachers, or begin a new run with "
            f"--init-from {run}/last --teachers ...",
        )
    return teachers


def share_teachers(teachers: Sequence[Teacher], world: World) -> tuple[Teacher, ...]:
    """The teachers that the first process found, on every process.

    Raises:
        LostPeer: where a process has died.
    """
    return tuple(_shared(teachers, world))


def _shared(teachers: Sequence[Teacher], world: World) -> Iterator[Teacher]:
    plan = world.from_first(
        lambda: [
            [teacher.name, teacher.fingerprint, teacher.model.config.to_dict()]
            for teacher in teachers
        ]
    )
    for at, (name, fingerprint, config) in enumerate(plan):
        own = teachers[at].model if world.first else None
        content = world.share(save_tensors(own.state_dict()) if own is not None else b"")
        if own is None:
            shape = GPTConfig(**arguments_from(GPTConfig, config))
            own = gpt_of(shape, Weights.parse(content))
        yield Teacher(name, fingerprint, own)
