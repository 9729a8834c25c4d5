"""`mgpt-tui export`: a checkpoint on its own, in a smaller weight format or for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mgpt_tui.cli.given.options import PathType
from mgpt_tui.console import say
from mgpt_tui.errors import UserError
from mgpt_tui.family.exporting.holding import told
from mgpt_tui.family.exporting.targets import TARGETS, check_form, export
from mgpt_tui.files import exists, taken
from mgpt_tui.model.manifest import WEIGHT_FORMATS
from mgpt_tui.model.registry import find_model, newest_checkpoints

FORMS = dict.fromkeys([*WEIGHT_FORMATS, *(form for to in TARGETS.values() for form in to.forms)])


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("out", metavar="OUT", type=PathType())
@click.option(
    "--to",
    type=click.Choice(list(TARGETS)),
    help="For other programs: hf is a folder for transformers, gguf a file for llama.cpp, nanogpt "
    "a folder for nanoGPT. Without it, a checkpoint for this one.",
)
@click.option(
    "--weights",
    type=click.Choice(list(FORMS)),
    help="Storage format; int8, the usual one, keeps 8 bits and a scale per row. With --to: "
    + "; ".join(f"{name} {', '.join(to.forms)}" for name, to in TARGETS.items())
    + "; the first is the usual one.",
)
@click.option(
    "--mean",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Take the mean of the weights of the run's N newest checkpoints up to MODEL.",
)
def command(model: str, out: Path, to: str | None, weights: str | None, mean: int) -> None:
    """Copy MODEL to OUT without what only training needs, ready to be shared."""
    form = _own_form(weights) if to is None else check_form(to, weights)
    entry = find_model(model)
    sources = newest_checkpoints(entry.path, mean)
    if exists(out):
        raise taken(out)
    words = _copy(sources, out, form) if to is None else _convert(sources, to, out, form)
    files = [out] if out.is_file() else out.iterdir()
    size = sum(path.stat().st_size for path in files)
    say(f"{out}: {size / 1e6:.1f} MB, {words}")


def _own_form(weights: str | None) -> str:
    if weights not in (None, *WEIGHT_FORMATS):
        known = " or ".join(WEIGHT_FORMATS)
        raise UserError(
            f"A checkpoint does not keep weights as {weights}.",
            f"Give --weights {known}, or another program's format with --to.",
        )
    return weights or "int8"


def _copy(sources: Sequence[Path], out: Path, form: str) -> str:
    from mgpt_tui.model.checkpoint import export_checkpoint

    return f"fingerprint {export_checkpoint(sources, out, form).fingerprint[:12]}"


def _convert(sources: Sequence[Path], to: str, out: Path, form: str) -> str:
    from mgpt_tui.model.checkpoint import read_mean

    contents = read_mean(sources)
    export(contents, to, out, form)
    notice = told(contents.info.config, to)
    return f"weights in {form}" + (f"\n{notice}" if notice else "")
