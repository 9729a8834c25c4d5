"""`mgpt-tui eval`: measure a model on held-out stories."""

from __future__ import annotations

import json
import math

import click

from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import find_model


@click.command()
@click.option(
    "--model", metavar="NAME_OR_PATH", help="Model to measure; the embedded one if left out."
)
@click.option(
    "--data",
    required=True,
    metavar="FILE_OR_DIR",
    help="Stories, as `prepare` takes them, or a folder that it wrote (its val.bin).",
)
@click.option("--text-column", help="Column that holds the stories, as for `prepare`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(model: str | None, data: str, text_column: str | None, as_json: bool) -> None:
    """Score every story from its own beginning: loss, perplexity, bits per byte."""
    entry = find_model(model)

    from mgpt_tui.model.checkpoint import load_checkpoint
    from training.evaluate import score, stories_to_score
    from training.machine import choose_device

    checkpoint = load_checkpoint(entry.path, choose_device("auto"))
    stories = stories_to_score(data, checkpoint.tokenizer, text_column)
    result = score(checkpoint.model, checkpoint.tokenizer.end_token, stories)
    if not math.isfinite(result.loss):
        raise UserError(f"The loss of {entry.name} is no number.", "Take an earlier checkpoint.")
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo(f"loss           {result.loss:.4f} nats per token")
    click.echo(f"perplexity     {result.perplexity:.2f}")
    click.echo(f"bits per byte  {result.bits_per_byte:.4f}")
    click.echo(f"tokens         {result.tokens:,}")
    click.echo(f"bytes          {result.bytes:,}")
