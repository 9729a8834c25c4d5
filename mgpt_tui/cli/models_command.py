"""`mgpt-tui models`: the models at hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from mgpt_tui.console import Column, console_for, say, table_of
from mgpt_tui.model.registry import ModelEntry, list_models
from mgpt_tui.model.summary import ModelSummary
from mgpt_tui.text import clean_text, shortened

COLUMNS = (
    Column("model", "name"),
    Column("parameters", right=True),
    Column("steps", right=True),
    Column("bits/byte", right=True),
    Column("path", "path"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(as_json: bool) -> None:
    """List the embedded model, those imported, and the best and last checkpoint of every run.

    Off a terminal the list is a line a model: name, parameters, steps, bits per byte and path with
    tabs between.
    """
    rows = [_describe(entry) for entry in list_models()]
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    if sys.stdout.isatty():
        _table(rows)
        return
    for row in rows:
        say("\t".join(_cells(row)))


def _table(rows: Sequence[dict[str, Any]]) -> None:
    console = console_for(sys.stdout)
    console.print(table_of(COLUMNS, [_cells(row) for row in rows], console.width))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "error" in row:
        return row["name"], "damaged", "", "", row["path"]
    figure = row["bits_per_byte"]
    return (
        row["name"],
        shortened(row["parameters"]),
        f"{row['step'] or 0:,}",
        "" if figure is None else f"{figure:.3f}",
        row["path"],
    )


def _describe(entry: ModelEntry) -> dict[str, Any]:
    row: dict[str, Any] = {"name": clean_text(entry.name), "path": clean_text(str(entry.path))}
    summary = ModelSummary.of(entry)
    if summary.info is None:
        return row | {"error": summary.error}
    return {
        **row,
        "parameters": summary.parameters,
        "vocab_size": summary.info.config.vocab_size,
        "step": summary.step,
        "tokens": summary.tokens,
        "bits_per_byte": summary.bits_per_byte,
        "weights": summary.info.weights,
        "fingerprint": summary.info.fingerprint,
    }
