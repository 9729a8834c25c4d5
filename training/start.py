"""What a run begins with: settings, data, and the weights of a model or of a checkpoint.

The process of rank 0 looks everything up and tells the others, which may run on machines that
have the data only.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.model.checkpoint import Checkpoint, load_checkpoint
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.manifest import CONFIG_FILE, read_info
from mgpt_tui.model.registry import find_model
from mgpt_tui.reading import read_json
from mgpt_tui.settings_fields import arguments_from
from training.config import TrainConfig, fitting
from training.data.prepared import Prepared, read_prepared
from training.runs.checkpoints import RunFolder, Saved
from training.runs.files import SETTINGS_FILE
from training.runs.resume import Conditions
from training.step.distributed import World
from training.step.machine import DTYPES, choose_device, choose_dtype
from training.step.teachers import Teacher
from training.teaching import find_again, find_teachers, named, share_teachers


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What the command line asks for.

    Attributes:
        name: of the run.
        data: folder of prepared data; None takes the run's own.
        values: settings that were given, by name.
        init_from: name of the model to begin with.
        resume: go on with the run.
        resume_from: the step of the checkpoint to go on from; None takes the newest.
        explain: say what the figures mean that are shown.
        anyway: begin even where the memory will not suffice.
        dry_run: only tell what the run takes; nothing is written.
    """

    name: str
    data: Path | None
    values: dict[str, Any]
    init_from: str | None = None
    resume: bool = False
    resume_from: int | None = None
    explain: bool = False
    anyway: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """All that a run begins with.

    Attributes:
        asked: the settings as they were asked for, to be remembered.
        config: those that count, with device and precision chosen.
        data: what is learned from.
        weights: to begin with instead of random ones; None on processes but the first.
        saved: the checkpoint to go on from.
        before: the conditions that it was made under.
        family: what the shape of these weights has that no setting chooses.
        teachers: to learn from beside the text.
        notes: what is to be told of it, a line each.
    """

    asked: TrainConfig
    config: TrainConfig
    data: Prepared
    weights: GPT | None = None
    saved: Saved | None = None
    before: Conditions | None = None
    family: dict[str, Any] = field(default_factory=dict)
    teachers: tuple[Teacher, ...] = ()
    notes: tuple[str, ...] = ()

    def remember(self, run: RunFolder) -> None:
        """Write what a resumed run takes up again, in `run.json`."""
        content = {"data": str(self.data.folder.absolute()), "settings": self.asked.flat()}
        atomic_write(run.path / SETTINGS_FILE, json.dumps(content, indent=2) + "\n")


def look_up(request: TrainRequest, run: RunFolder, held: ExitStack) -> Start:
    """Check everything that can be checked, and read it.

    Args:
        held: keeps the run from other processes until it is closed.

    Raises:
        UserError: for an existing name without `resume`, missing data, unfit checkpoints.
    """
    asked, folder, values = TrainConfig(), request.data, request.values
    if request.resume:
        asked, remembered = _remembered(run, run.find(request.resume_from))
        folder = folder or remembered
    else:
        _refuse_existing(run)
        values = fitting(values, learnt=request.init_from is not None)
    if folder is None:
        raise UserError("Training needs data.", "Give --data a folder that `prepare` wrote.")
    if request.data is None and not folder.exists():
        raise UserError(
            f"The data of {run.name} is no longer at {folder}.", "Say with --data where it is."
        )
    asked = asked.updated(values)
    asked.check_used(request.values)
    data = read_prepared(folder)
    first: Checkpoint | None = None
    family: dict[str, Any] = {}
    if request.init_from is not None:
        asked, first = _begin_with(request.init_from, data, asked, request.values)
        family = first.model.config.family()
    if not request.dry_run:
        held.enter_context(run.held())
    if not request.resume:
        _refuse_existing(run)
        teachers = find_teachers(asked, data, run.name)
        asked = named(asked, teachers)
        notes = _own_teacher(request.init_from, first, teachers)
        weights = first.model if first is not None else None
        return Start(
            *(asked, _chosen(asked, None), data, weights),
            family=family,
            teachers=teachers,
            notes=notes,
        )
    saved = run.load(request.resume_from)
    try:
        before = Conditions.from_dict(saved.state["conditions"])
    except (KeyError, TypeError, ValueError) as error:
        raise run.damaged(saved.folder, f"{type(error).__name__} {error}.") from None
    assert saved.checkpoint is not None
    family = saved.checkpoint.info.config.family()
    teachers = find_again(asked, data, run.name, saved.checkpoint.info.training)
    asked = named(asked, teachers)
    return Start(asked, _chosen(asked, before), data, None, saved, before, family, teachers)


def _own_teacher(
    name: str | None, first: Checkpoint | None, teachers: tuple[Teacher, ...]
) -> tuple[str, ...]:
    """What to tell where a run begins with a model that it also learns from."""
    if first is None or all(one.fingerprint != first.info.fingerprint for one in teachers):
        return ()
    return (f"{name} is its own teacher, as it is now: what it learns anew, that holds back.",)


def shared(start: Start | None, request: TrainRequest, world: World) -> Start:
    """The start that the first process looked up, on every process.

    Raises:
        UserError: where another machine has not the same data.
    """
    if world.size == 1 and start is not None:
        return start
    plan = world.from_first(lambda: _plan(start))
    state = plan["state"]
    tensors = start.saved.optimizer if start is not None and start.saved is not None else {}
    optimizer = world.share(save_tensors(tensors) if world.first else b"")
    teachers = share_teachers(start.teachers if start is not None else (), world)
    with world.together():
        if start is not None:
            return start
        data = read_prepared(request.data or Path(plan["data"]))
        if data.digest != plan["digest"]:
            raise UserError(
                f"{data.folder} holds other training text than that of the first process.",
                "Copy the prepared folder from there.",
            )
    return Start(
        TrainConfig().updated(plan["asked"]),
        TrainConfig().updated(plan["config"]),
        data,
        None,
        None
        if state is None
        else Saved(Path(plan["folder"]), None, load_tensors(optimizer), state),
        None if state is None else Conditions.from_dict(state["conditions"]),
        arguments_from(GPTConfig, plan["family"]),
        teachers,
    )


def _plan(start: Start | None) -> dict[str, Any]:
    assert start is not None
    saved = start.saved
    return {
        "asked": start.asked.flat(),
        "config": start.config.flat(),
        "data": str(start.data.folder.absolute()),
        "digest": start.data.digest,
        "state": saved.state if saved else None,
        "folder": str(saved.folder) if saved else None,
        "family": start.family,
    }


def _refuse_existing(run: RunFolder) -> None:
    if (run.path / CONFIG_FILE).exists():
        raise UserError(f"{run.name} is a model that was imported.", "Choose another --name.")
    if run.checkpoints():
        raise UserError(
            f"The run {run.name} exists already.",
            "Add --resume to go on, or choose another --name.",
        )


def _remembered(run: RunFolder, checkpoint: Path) -> tuple[TrainConfig, Path | None]:
    """Settings and data of the run's last start; without them, the settings of a checkpoint."""
    try:
        content = read_json(run.path / SETTINGS_FILE)
        return TrainConfig().updated(content["settings"]), Path(content["data"])
    except (KeyError, TypeError, AttributeError, UserError):
        settings = read_info(checkpoint).training.get("settings")
    if not isinstance(settings, dict):
        raise UserError(
            f"{run.path / SETTINGS_FILE} is missing or damaged.",
            f"Begin a new run with --init-from {run.name}/last.",
        )
    return TrainConfig().updated(settings), None


def _chosen(asked: TrainConfig, before: Conditions | None) -> TrainConfig:
    """`asked` with device and precision chosen: those the run has had so far, where it may."""
    device, dtype = asked.machine.device, asked.machine.dtype
    if device == "auto" and before is not None:
        try:
            device = choose_device(before.device).type
        except UserError:  # it has moved to another machine
            device = "auto"
    chosen = choose_device(device)
    if dtype == "auto" and before is not None:
        dtype = before.dtype
    elif dtype == "auto":
        best = choose_dtype(dtype, chosen)
        dtype = next(name for name, value in DTYPES.items() if value == best)
    return replace(asked, machine=replace(asked.machine, device=chosen.type, dtype=dtype))


def _begin_with(
    name: str, data: Prepared, config: TrainConfig, values: dict[str, Any]
) -> tuple[TrainConfig, Checkpoint]:
    """The model to begin with, and the config with its shape."""
    checkpoint = load_checkpoint(find_model(name).path)
    if checkpoint.tokenizer.digest != data.tokenizer.digest:
        raise UserError(
            f"The data was prepared with another vocabulary than {name} has.",
            f"Prepare it again with --tokenizer {name}.",
        )
    shape = checkpoint.info.config
    wanted = {
        key: getattr(shape, key) for key in ("n_layer", "n_head", "n_embd", "block_size", "bias")
    }
    for key, value in wanted.items():
        if values.get(key) not in (None, value):
            raise UserError(
                f"{name} has {key} {value}, not {values[key]}.",
                f"Leave out --{key.replace('_', '-')}.",
            )
    dropout = values.get("dropout")
    config = config.updated(wanted | {"dropout": shape.dropout if dropout is None else dropout})
    return config, checkpoint
