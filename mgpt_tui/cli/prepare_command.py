"""`mgpt-tui prepare`: stories in, tokens out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mgpt_tui.cli.given.options import PathType, given, setting_options
from mgpt_tui.console import OutputError, console_for, say
from mgpt_tui.errors import UserError
from mgpt_tui.text import counted, shell_command
from training.data.corpus import HeldOut
from training.data.prepare import prepare
from training.data.prepare_config import PrepareConfig, PrepareProgress
from training.data.prepared import Prepared, read_prepared
from training.data.work_folder import partial_folder
from training.report.outlook import of_text
from training.sources.left_out import left_out_lines

SECONDS_BETWEEN_LINES = 10.0

FEWEST_VALIDATION_TOKENS = 2000
"""Some ten stories: with fewer held out, the loss says more of these than of the model."""


@click.command()
@click.option(
    "--source",
    "sources",
    metavar="SOURCE",
    multiple=True,
    required=True,
    help="Stories to learn from: a .txt file (with <|endoftext|> between stories), a .jsonl, "
    ".json, .csv, .tsv or .parquet file, a folder of these (all but the last may be packed, as "
    ".txt.gz), or OWNER/NAME[:SPLIT] of a data set on the hub, such as roneneldan/TinyStories. "
    "May be given several times.",
)
@click.option("--out", metavar="DIR", type=PathType(), required=True, help="Folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace the prepared data that is at --out.")
@click.option(
    "--val",
    metavar="SOURCE",
    help="Stories to hold out for validation; they are dropped from the others.",
)
@setting_options(PrepareConfig)
def command(
    sources: tuple[str, ...], out: Path, overwrite: bool, val: str | None, **options: Any
) -> None:
    """Turn stories into tokens to train on.

    Writes train.bin, val.bin, tokenizer.tiktoken and meta.json. When it is stopped, or killed, the
    same command goes on from there. The network is used only for data sets on the hub.
    """
    chosen = given(options)
    if val is not None and "val_fraction" in chosen:
        raise UserError("--val and --val-fraction exclude each other.", "Give one of them.")
    config = PrepareConfig(sources=sources, out=out, overwrite=overwrite, val=val, **chosen)
    try:
        with closing(prepare(config)) as steps:
            show(steps, console_for(sys.stderr))
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM, a terminal that was closed
        with suppress(OutputError):
            say(_stopped(partial_folder(config.out)), error=True)
        raise
    say(summary(read_prepared(out)))


def _stopped(folder: Path) -> str:
    if not folder.is_dir():
        return "Stopped; nothing was done yet."
    return f"Stopped. The same command goes on from here; what is done is in {folder}"


def show(steps: Iterable[PrepareProgress], console: Console) -> None:
    """Run `steps` under a progress bar, or with a line now and then where nobody could see one."""
    if console.is_terminal:
        _show_bar(steps, console)
    else:
        _show_lines(steps)


class _Clock:
    """How fast a stage goes, from when it begins."""

    def __init__(self, step: PrepareProgress) -> None:
        self.stage = step.stage
        self._begun = time.monotonic()

    def pace(self, step: PrepareProgress) -> str:
        """Speed and time left in words, as far as they can be told.

        What an earlier try had done is left out of the reckoning.
        """
        seconds = time.monotonic() - self._begun
        done = step.done - step.kept
        if not done or seconds < 0.1:
            return ""
        words = f"{done / seconds / 1e6:.1f} MB/s"
        if step.total and step.done < step.total:
            left = round((step.total - step.done) * seconds / done)
            words += f", {timedelta(seconds=left)} left"
        return words


def _show_bar(steps: Iterable[PrepareProgress], console: Console) -> None:
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=20),
        rich_progress.TaskProgressColumn(),
        rich_progress.TextColumn("{task.fields[stories]:,} stories", markup=False),
        rich_progress.TextColumn("{task.fields[pace]}", markup=False),
        console=console,
    )
    clock: _Clock | None = None
    with bar:
        for step in steps:
            if clock is None or clock.stage != step.stage:
                _finish(bar)
                clock = _Clock(step)
                task = bar.add_task(step.stage, total=step.total, stories=0, pace="")
            pace = clock.pace(step)
            bar.update(task, completed=step.done, stories=step.stories, pace=pace)
        _finish(bar)


def _finish(bar: Any) -> None:
    for task in bar.tasks:
        bar.update(task.id, total=max(task.total or 0, 1), completed=max(task.total or 0, 1))


def _show_lines(steps: Iterable[PrepareProgress]) -> None:
    clock: _Clock | None = None
    last: PrepareProgress | None = None
    shown = time.monotonic()
    for step in steps:
        now = time.monotonic()
        if clock is None or clock.stage != step.stage:
            if clock is not None and last is not None:
                say(_line(last, clock), error=True)
            clock, shown = _Clock(step), now
        elif now - shown >= SECONDS_BETWEEN_LINES:
            say(_line(step, clock), error=True)
            shown = now
        last = step
    if clock is not None and last is not None:
        say(_line(last, clock), error=True)


def _line(step: PrepareProgress, clock: _Clock) -> str:
    share = f" ({step.done / step.total:.0%})" if step.total else ""
    pace = clock.pace(step)
    done = f"{step.stage}: {counted(step.stories, 'story', 'stories')}{share}"
    return f"{done}, {pace}" if pace else done


def summary(data: Prepared) -> str:
    """What was made, for people."""
    meta = data.meta
    lines = [f"{data.folder}: a vocabulary of {data.tokenizer.vocab_size:,} entries"]
    for name, split in (("training", data.train), ("validation", data.val)):
        lines.append(
            f"{name:12}{counted(split.stories, 'story', 'stories')}, "
            f"{len(split.tokens):,} tokens, "
            f"{split.bytes:,} bytes of text"
        )
    if meta["dropped"]:
        dropped = counted(meta["dropped"], "story", "stories")
        lines.append(f"{dropped} dropped: in the validation source, too")
    if meta["duplicates"]:
        twice = counted(meta["duplicates"], "story", "stories")
        lines.append(f"{twice} more than once in training (kept)")
    lines += left_out_lines(meta.get("left_out", []))
    held_out = meta.get("validation", {}).get("held_out", HeldOut.SHARE)
    if held_out not in (HeldOut.SHARE, HeldOut.SOURCE):
        lines.append(f"held out is {held_out}")
    if len(data.val.tokens) < FEWEST_VALIDATION_TOKENS:
        lines.append(
            "What is held out is too small for its loss to mean much: hold out more with "
            "--val-fraction, or give --val stories of its own."
        )
    lines += of_text(len(data.train.tokens))
    train = shell_command("mgpt-tui", "train", "--data", data.folder, "--name", "RUN")
    lines.append(f"Train on it: {train}")
    return "\n".join(lines)
