"""`mgpt-tui eval`: measure models on held-out stories and on what they write."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgpt_tui.cli.generate_command import NUM_SAMPLES
from mgpt_tui.cli.options import SettingType, given, setting_options, settings_of
from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.model.registry import ModelEntry, find_model
from mgpt_tui.text import clean_text

if TYPE_CHECKING:
    from rich.console import Console

    from mgpt_tui.model.checkpoint import Checkpoint
    from training.completions import Completion
    from training.eval_report import Measured
    from training.evaluate import ScoredStory
    from training.metrics import Score
    from training.novelty import Novelty
    from training.sources import Source

FIRST_SEED = 1
"""Measurements are to be repeated, so without --seed they do not draw one."""

PEOPLE = "held-out"
"""Name of the column of stories that people wrote."""


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option(
    "--data",
    metavar="FILE_OR_DIR",
    help="Held-out stories, as `prepare` takes them, or a folder that it wrote (its val.bin).",
)
@click.option("--text-column", help="Column that holds the stories, as for `prepare`.")
@click.option(
    "--prompts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Beginnings to be continued: a YAML list, or a file of stories as `prepare` takes it.",
)
@click.option(
    NUM_SAMPLES.flag,
    type=SettingType(NUM_SAMPLES),
    help="how many continuations of each beginning; each adds 1 to the seed [default: 1]",
)
@click.option(
    "--against",
    metavar="SOURCE",
    help="The training text, in files as `prepare` takes them: tells what the continuations "
    "share with it.",
)
@setting_options(SamplingSettings, skip=("finish_sentence",))
@setting_options(DecodingSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line and model.")
def command(
    models: tuple[str, ...],
    data: str | None,
    text_column: str | None,
    prompts: Path | None,
    num_samples: int | None,
    against: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure models: the embedded one, or MODEL... side by side.

    With --data, how well they foretell stories that they have not seen: loss, perplexity, bits
    per byte; each story is scored from its own beginning. With --prompts, what they write: how
    often a story ends, how repetitive and how alike they are, and, with --against, how much of
    them stands in the training text.
    """
    writing = given(options)
    _check(data, prompts, num_samples, against, writing)
    entries = [find_model(name) for name in models or (None,)]

    from training.completions import read_beginnings, told_by_people
    from training.eval_report import Measured, eval_report
    from training.terminal import console_for, show

    beginnings = read_beginnings(prompts, text_column) if prompts is not None else []
    source = None if against is None else _opened(against, text_column)
    samples = num_samples or NUM_SAMPLES.default
    decoding = settings_of(DecodingSettings, writing)
    settings = settings_of(SamplingSettings, {"seed": FIRST_SEED} | writing)
    assert settings.seed is not None
    replace(settings, seed=settings.seed + samples - 1)  # the last seed must be one, too
    notes = console_for(sys.stderr)
    measured = []
    for entry in entries:
        checkpoint, stories = _load(entry, data, text_column)
        measured.append(
            Measured(
                entry.name,
                _score(entry.name, checkpoint, stories, notes) if stories else None,
                _write(entry.name, checkpoint, beginnings, settings, decoding, samples, notes)
                if beginnings
                else [],
            )
        )
    if stories and beginnings:
        chosen = stories[: len(beginnings) * samples]
        measured.append(Measured(PEOPLE, None, told_by_people(chosen, checkpoint.tokenizer)))
    if beginnings:
        measured = _summed_up(measured, source, notes)
    if as_json:
        for model in measured:
            click.echo(json.dumps(model.to_dict()))
    else:
        show(eval_report(measured, each=against is not None), console_for(sys.stdout))


def _check(
    data: str | None,
    prompts: Path | None,
    num_samples: int | None,
    against: str | None,
    writing: dict[str, Any],
) -> None:
    """Refuse options that say nothing without another one."""
    if data is None and prompts is None:
        raise UserError(
            "There is nothing to measure with.",
            "Give --data held-out stories, --prompts beginnings of stories, or both.",
        )
    given_options = {"num_samples": num_samples, "against": against}
    idle = [name for name, value in given_options.items() if value is not None] + list(writing)
    if prompts is None and idle:
        raise UserError(
            f"--{idle[0].replace('_', '-')} is about what models write.", "Give --prompts, too."
        )


def _opened(against: str, text_column: str | None) -> Source:
    """The training text, found to hold stories before anything long begins."""
    from training.sources import open_local_source

    source = open_local_source(against, "--against", text_column)
    next(source.stories())
    return source


def _load(
    entry: ModelEntry, data: str | None, text_column: str | None
) -> tuple[Checkpoint, list[ScoredStory]]:
    """A model, and the stories to score it on as its tokens."""
    from mgpt_tui.model.checkpoint import load_checkpoint
    from training.evaluate import stories_to_score
    from training.machine import choose_device

    checkpoint = load_checkpoint(entry.path, choose_device("auto"))
    if data is None:
        return checkpoint, []
    return checkpoint, stories_to_score(data, checkpoint.tokenizer, text_column)


def _score(
    name: str, checkpoint: Checkpoint, stories: Sequence[ScoredStory], notes: Console
) -> Score:
    from rich.text import Text

    from training.evaluate import score

    with notes.status(Text(f"{clean_text(name)}: scoring {len(stories):,} stories")):
        result = score(checkpoint.model, checkpoint.tokenizer.end_token, stories)
    if not math.isfinite(result.loss):
        raise UserError(f"The loss of {name} is no number.", "Take an earlier checkpoint.")
    return result


def _write(
    name: str,
    checkpoint: Checkpoint,
    beginnings: Sequence[str],
    settings: SamplingSettings,
    decoding: DecodingSettings,
    samples: int,
    notes: Console,
) -> list[Completion]:
    import torch
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from mgpt_tui.inference.loading import engine_of
    from training.completions import complete

    threads = torch.get_num_threads()
    engine = engine_of(checkpoint, decoding).engine
    told = complete(engine, beginnings, settings, samples)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=notes,
        disable=not notes.is_terminal,
    )
    what, total = f"{clean_text(name)}: writing", len(beginnings) * samples
    with bar:
        completions = list(bar.track(told, total, description=what))
    torch.set_num_threads(threads)  # the next model is scored with all of them
    return completions


def _summed_up(
    measured: Sequence[Measured], source: Source | None, notes: Console
) -> list[Measured]:
    """The same with the figures of what was written, and what of it is in `source`."""
    from rich.text import Text

    from training.completions import sum_up
    from training.measures import words
    from training.novelty import SharedRuns

    novelty: list[Novelty] | None = None
    if source is not None:
        runs = SharedRuns([words(one.text) for model in measured for one in model.completions])
        with notes.status(Text(f"looking for it in {clean_text(source.name)}")):
            runs.read(words(story.text) for story in source.stories())
        novelty = list(runs.results())
    done, start = [], 0
    for model in measured:
        end = start + len(model.completions)
        own = None if novelty is None else novelty[start:end]
        done.append(replace(model, novelty=own or (), writing=sum_up(model.completions, own)))
        start = end
    return done
