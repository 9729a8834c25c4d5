"""`mgpt-tui train`: train a model, or go on training one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mgpt_tui.cli.given.options import PathType, given, setting_options
from mgpt_tui.errors import UserError
from training.config import SECTIONS, TrainConfig, find_recipe, read_toml


def _all_settings(function: Any) -> Any:
    for config_class in reversed(SECTIONS.values()):
        function = setting_options(config_class)(function)
    return function


@click.command()
@click.option("--data", type=PathType(), help="Folder that `prepare` wrote.")
@click.option("--name", required=True, help="Name of the run, under which its models are found.")
@click.option(
    "--config",
    metavar="FILE_OR_NAME",
    help="TOML settings: a file, or the name of a recipe that comes along (storyteller).",
)
@click.option("--init-from", metavar="MODEL", help="Begin with the weights of this model.")
@click.option("--resume", is_flag=True, help="Go on with the newest checkpoint of the run.")
@click.option(
    "--resume-from",
    type=click.IntRange(min=1),
    metavar="STEP",
    help="Go on with the checkpoint of this step; later ones are set aside.",
)
@click.option("--anyway", is_flag=True, help="Begin even where the memory will not suffice.")
@click.option(
    "--dry-run", is_flag=True, help="Say what time, memory and disk the run takes, and do nothing."
)
@click.option("--explain", is_flag=True, help="Say what each figure that is shown means.")
@_all_settings
def command(
    data: Path | None,
    name: str,
    config: str | None,
    init_from: str | None,
    resume: bool,
    resume_from: int | None,
    explain: bool,
    anyway: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Train a model on prepared data and keep its checkpoints.

    Flags win over the file of --config, which wins over the defaults; with --resume, the run's
    own settings take the place of the defaults. Ctrl-C finishes the step and saves, and so does
    closing the terminal. torchrun starts several processes:
    torchrun --nproc-per-node 2 -m mgpt_tui train ...
    """
    values = (read_toml(find_recipe(config)) if config else {}) | given(options)
    TrainConfig().updated(values)  # complains before anything slow begins
    resume = resume or resume_from is not None
    if init_from and resume:
        raise UserError("--init-from begins a run and --resume continues one.", "Give one of them.")

    from mgpt_tui.cli import fail
    from training.launch import train
    from training.start import TrainRequest

    try:
        train(
            TrainRequest(
                name=name,
                data=data,
                values=values,
                init_from=init_from,
                resume=resume,
                resume_from=resume_from,
                explain=explain,
                anyway=anyway,
                dry_run=dry_run,
            )
        )
    except UserError as error:  # processes under torchrun have agreed on who reports it
        fail(error)
