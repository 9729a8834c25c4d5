"""`mgpt-tui export`: a checkpoint on its own, in a smaller weight format."""

from __future__ import annotations

from pathlib import Path

import click

from mgpt_tui.console import say
from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import find_model, newest_checkpoints


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Choice(["fp32", "bf16", "int8"]),
    default="int8",
    show_default=True,
    help="Storage format; int8 keeps 8 bits and a scale per row.",
)
@click.option(
    "--mean",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Take the mean of the weights of the run's N newest checkpoints up to MODEL.",
)
def command(model: str, folder: Path, weights: str, mean: int) -> None:
    """Copy MODEL into FOLDER without what only training needs, ready to be shared."""
    entry = find_model(model)
    sources = newest_checkpoints(entry.path, mean)
    if folder.exists():
        raise UserError(f"{folder} exists already.", "Choose a folder that does not.")

    from mgpt_tui.model.checkpoint import export_checkpoint

    info = export_checkpoint(sources, folder, weights)
    size = sum(path.stat().st_size for path in folder.iterdir())
    say(f"{folder}: {size / 1e6:.1f} MB, fingerprint {info.fingerprint[:12]}")
