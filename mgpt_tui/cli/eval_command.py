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
from mgpt_tui.cli.given.options import PathType, SettingType, given, setting_options, settings_of
from mgpt_tui.console import console_for, say, show
from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import NATIVE, DecodingSettings, SamplingSettings
from mgpt_tui.model.registry import ModelEntry, find_model
from mgpt_tui.text import clean_text

if TYPE_CHECKING:
    from rich.console import Console

    from mgpt_tui.model.contents import Contents
    from training.evaluation.completions import Completion
    from training.evaluation.held_out import ScoredStory
    from training.evaluation.novelty import Novelty
    from training.evaluation.recital import Asked, Recital
    from training.metrics import Score
    from training.report.eval_table import Measured
    from training.sources.left_out import LeftOut
    from training.sources.stories import Source

FIRST_SEED = 1
"""Measurements are to be repeated, so without --seed they do not draw one."""

READABLE = "fp32"
"""Precision of scores without --precision: the readable model's own, which rounds nothing."""

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
    type=PathType(),
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
    help="The training text, in files as `prepare` takes them: shows what the continuations "
    "share with it; with --per-story, what the models recite of it.",
)
@click.option(
    "--per-story", is_flag=True, help="With --data: also the loss of each held-out story."
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
    per_story: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure models: the embedded one, or MODEL... side by side.

    With --data, how well they predict stories that they have not seen: loss, perplexity, bits
    per byte; each story is scored from its own beginning, by the readable model in fp32 or by
    what writes in the --precision that is given. With --prompts, what they write: how
    often a story ends, how repetitive and how alike they are, and, with --against, how much of
    them stands in the training text. With --per-story, the loss of each held-out story as well,
    and, with --against, what they recite when given beginnings of that text.
    """
    writing = given(options)
    _check(data, prompts, num_samples, against, per_story, writing)
    entries = [find_model(name) for name in models or (None,)]

    from training.evaluation.completions import read_beginnings, written_by_people
    from training.evaluation.recital import stories_to_ask
    from training.metrics import together
    from training.report.eval_table import Measured, eval_report
    from training.report.story_tables import first_words
    from training.sources.left_out import LeftOut

    unread = LeftOut()
    beginnings = read_beginnings(prompts, text_column, unread) if prompts is not None else []
    source = None if against is None else _opened(against, text_column)
    samples = num_samples or NUM_SAMPLES.default
    decoding = settings_of(DecodingSettings, writing)
    scoring = settings_of(DecodingSettings, {"precision": READABLE} | writing)
    settings = settings_of(SamplingSettings, {"seed": FIRST_SEED} | writing)
    assert settings.seed is not None
    replace(settings, seed=settings.seed + samples - 1)  # the last seed must be one, too
    notes = console_for(sys.stderr)
    asked: list[Asked] = []
    if source is not None and per_story:
        asked = stories_to_ask(story.text for story in source.stories())
    recited: list[list[Completion]] = []
    measured: list[Measured] = []
    for entry in entries:
        contents, stories = _load(entry, data, text_column, None if measured else unread)
        each = _score(entry.name, contents, stories, scoring, notes) if stories else []
        measured.append(
            Measured(
                entry.name,
                together(each) if each else None,
                _write(entry.name, contents, beginnings, settings, decoding, samples, notes)
                if beginnings
                else [],
                each=each if per_story else (),
            )
        )
        if per_story and source is not None:
            own = _recite(entry.name, contents, asked, decoding, notes) if asked else []
            recited.append(own)
    if recited and source is not None:
        recitals = _found_in(source, asked, recited, notes)
        measured = [
            replace(model, recital=recital)
            for model, recital in zip(measured, recitals, strict=True)
        ]
    if stories and beginnings:
        chosen = stories[: len(beginnings) * samples]
        measured.append(Measured(PEOPLE, None, written_by_people(chosen, contents.tokenizer)))
    if beginnings:
        measured = _summed_up(measured, source, notes)
    if source is not None:
        unread.extend(source.left_out)
    for line in unread.lines():
        say(line, error=True)
    if as_json:
        for model in measured:
            say(json.dumps(model.to_dict()))
    else:
        console = console_for(sys.stdout)
        named = [first_words(contents.tokenizer.decode(one.tokens)) for one in stories]
        show(eval_report(measured, console.width, source is not None, named), console)


def _check(
    data: str | None,
    prompts: Path | None,
    num_samples: int | None,
    against: str | None,
    per_story: bool,
    writing: dict[str, Any],
) -> None:
    """Refuse options that say nothing without another one."""
    if data is None and prompts is None:
        raise UserError(
            "There is nothing to measure with.",
            "Give --data held-out stories, --prompts beginnings of stories, or both.",
        )
    if per_story and data is None:
        raise UserError("--per-story is about held-out stories.", "Give --data, too.")
    given_options = {"num_samples": num_samples, "against": None if per_story else against}
    idle = [name for name, value in given_options.items() if value is not None]
    idle += [name for name in writing if name not in ("precision", "threads")]
    if prompts is None and idle:
        raise UserError(
            f"--{idle[0].replace('_', '-')} is about what models write.", "Give --prompts, too."
        )


def _opened(against: str, text_column: str | None) -> Source:
    """The training text, found to hold stories before anything long begins."""
    from training.sources.stories import open_local_source

    source = open_local_source(against, "--against", text_column)
    next(source.stories())
    return source


def _load(
    entry: ModelEntry, data: str | None, text_column: str | None, left_out: LeftOut | None
) -> tuple[Contents, list[ScoredStory]]:
    """A model, and the stories to score it on as its tokens."""
    from mgpt_tui.model.contents import read_contents

    contents = read_contents(entry.path)
    if data is None:
        return contents, []
    from training.evaluation.held_out import stories_to_score

    return contents, stories_to_score(data, contents.tokenizer, text_column, left_out)


def _device() -> str:
    """The best one at hand; without a look at torch where there can be none but the CPU."""
    from mgpt_tui.cores import may_have_gpu

    if not may_have_gpu():
        return "cpu"
    from training.step.machine import choose_device

    return choose_device("auto").type


def _device_for(decoding: DecodingSettings) -> str:
    """The best one that decodes so: compiled code is for the CPU."""
    return "cpu" if decoding.precision == NATIVE else _device()


def _score(
    name: str,
    contents: Contents,
    stories: Sequence[ScoredStory],
    scoring: DecodingSettings,
    notes: Console,
) -> list[Score]:
    from rich.text import Text

    score = _readable_score if scoring.precision == READABLE else _decoded_score
    with notes.status(Text(f"{clean_text(name)}: scoring {len(stories):,} stories")):
        result = score(contents, stories, scoring)
    if not all(math.isfinite(one.loss) for one in result):
        raise UserError(f"The loss of {name} is no number.", "Take an earlier checkpoint.")
    return result


def _readable_score(
    contents: Contents, stories: Sequence[ScoredStory], scoring: DecodingSettings
) -> list[Score]:
    """By the readable model, on the best device at hand."""
    import torch

    from mgpt_tui.model.checkpoint import gpt_of
    from training.evaluation.scoring import score_each

    threads = torch.get_num_threads()
    torch.set_num_threads(scoring.threads or threads)
    try:
        model = gpt_of(contents.info.config, contents.weights, _device())
        return score_each(model, contents.tokenizer.end_token, stories)
    finally:
        torch.set_num_threads(threads)


def _decoded_score(
    contents: Contents, stories: Sequence[ScoredStory], scoring: DecodingSettings
) -> list[Score]:
    """By what writes in that precision."""
    from mgpt_tui.inference.loading import engine_of
    from training.evaluation.decoded import score_decoded

    decoder = engine_of(contents, scoring, _device_for(scoring)).engine.decoder
    return score_decoded(decoder, contents.tokenizer.end_token, stories)


def _write(
    name: str,
    contents: Contents,
    beginnings: Sequence[str],
    settings: SamplingSettings,
    decoding: DecodingSettings,
    samples: int,
    notes: Console,
) -> list[Completion]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from mgpt_tui.inference.loading import engine_of
    from training.evaluation.completions import complete

    engine = engine_of(contents, decoding, _device_for(decoding)).engine
    written = complete(engine, beginnings, settings, samples)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=notes,
        disable=not notes.is_terminal,
    )
    what, total = f"{clean_text(name)}: writing", len(beginnings) * samples
    with bar:
        return list(bar.track(written, total, description=what))


def _recite(
    name: str,
    contents: Contents,
    asked: Sequence[Asked],
    decoding: DecodingSettings,
    notes: Console,
) -> list[Completion]:
    from rich.text import Text

    from mgpt_tui.inference.loading import engine_of
    from training.evaluation.recital import recite

    engine = engine_of(contents, decoding, _device_for(decoding)).engine
    with notes.status(Text(f"{clean_text(name)}: reciting")):
        return recite(engine, asked)


def _found_in(
    source: Source,
    asked: Sequence[Asked],
    recited: Sequence[Sequence[Completion]],
    notes: Console,
) -> list[Recital]:
    from rich.text import Text

    from training.evaluation.recital import found_in

    with notes.status(Text(f"looking for it in {clean_text(source.name)}")):
        return found_in((story.text for story in source.stories()), asked, recited)


def _summed_up(
    measured: Sequence[Measured], source: Source | None, notes: Console
) -> list[Measured]:
    """The same with the figures of what was written, and what of it is in `source`."""
    from rich.text import Text

    from training.evaluation.completions import sum_up
    from training.evaluation.measures import words
    from training.evaluation.novelty import SharedRuns

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
