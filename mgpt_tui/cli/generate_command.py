"""`mgpt-tui generate`: write a story to standard output."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from mgpt_tui.cli.given.inputs import read_prompt
from mgpt_tui.cli.given.options import SettingType, given, setting_options, settings_of
from mgpt_tui.console import say
from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import (
    DecodingSettings,
    FinishReason,
    SamplingSettings,
    fresh_seed,
)
from mgpt_tui.inference.said.forms import held
from mgpt_tui.model.registry import find_model
from mgpt_tui.settings_fields import Declared, Limits

if TYPE_CHECKING:
    from mgpt_tui.inference.chances import Chances
    from mgpt_tui.inference.loading import Loaded
    from mgpt_tui.inference.text.generation import Generation
    from mgpt_tui.model.tokenizer import Tokenizer

NUM_SAMPLES = Declared(
    "num_samples", int, False, 1, Limits(help="how many continuations to write", minimum=1)
)
ALTERNATIVES = Declared(
    "alternatives",
    int,
    True,
    None,
    Limits(help="with --json, how many of the likeliest tokens to report for each", minimum=0),
)
TOGETHER = 8
"""Samples that are decoded side by side: more of them would take more memory than time."""
RULE = "-" * 40


@click.command()
@click.option(
    "--prompt",
    metavar="TEXT",
    help="The story's beginning; `-`, or a pipe, takes it from standard input.",
)
@click.option(
    NUM_SAMPLES.flag,
    type=SettingType(NUM_SAMPLES),
    default=NUM_SAMPLES.default,
    show_default=True,
    help=f"{NUM_SAMPLES.limits.help}; each adds 1 to the seed",
)
@setting_options(SamplingSettings)
@setting_options(DecodingSettings)
@click.option(
    "--model", metavar="NAME_OR_PATH", help="Model to write with; the embedded one if left out."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line and sample.")
@click.option(ALTERNATIVES.flag, type=SettingType(ALTERNATIVES), help=ALTERNATIVES.limits.help)
def command(
    prompt: str | None,
    num_samples: int,
    model: str | None,
    as_json: bool,
    alternatives: int | None,
    **options: Any,
) -> None:
    """Continue a beginning, or make up a story, and print it while it is being written.

    Notes go to standard error. Ctrl-C keeps what is there and ends with code 130.
    """
    chosen = given(options)
    decoding = settings_of(DecodingSettings, chosen)
    settings = settings_of(SamplingSettings, chosen)
    if alternatives is not None and not as_json:
        raise UserError("--alternatives is about the JSON.", "Give --json, too.")
    seed = fresh_seed() if settings.seed is None else settings.seed
    replace(settings, seed=seed + num_samples - 1)  # the last seed must be one, too
    entry = find_model(model)
    prompt = read_prompt(prompt)

    from mgpt_tui.inference.loading import load_engine
    from mgpt_tui.inference.steering.words import stream

    loaded = load_engine(entry.path, decoding)
    with _noting_interrupts() as interrupted:
        together = 1 if settings.words else TOGETHER  # words have tries beside each
        for first in range(0, num_samples, together):
            rows = min(together, num_samples - first)
            asked = [prompt], replace(settings, seed=seed + first)
            if settings.words:
                generations = [stream(loaded.engine, *asked, interrupted.is_set, alternatives)]
            else:
                generations = loaded.engine.together(*asked, rows, interrupted.is_set, alternatives)
            if first == 0 and generations[0].window_start > 0:
                _note_long_prompt(generations[0])
            for sample, generation in enumerate(generations, first):
                if as_json:
                    _print_json(sample, prompt, generation, loaded, rows, settings, alternatives)
                else:
                    _print_text(sample, prompt, generation, settings)
            if interrupted.is_set():
                raise click.Abort


@contextmanager
def _noting_interrupts() -> Iterator[threading.Event]:
    """The first Ctrl-C sets the event, so that no text is lost; a second one interrupts."""
    interrupted = threading.Event()

    def note(signal_number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, previous)

    previous = signal.getsignal(signal.SIGINT)
    try:
        if previous is not signal.SIG_IGN:  # as a shell leaves it for its background jobs
            signal.signal(signal.SIGINT, note)
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)


def _note_long_prompt(generation: Generation) -> None:
    seen = generation.context_tokens - generation.window_start
    say(
        f"The prompt has {generation.context_tokens:,} tokens, more than the model can see; "
        f"it reads the last {seen:,}.",
        error=True,
    )


def _print_text(
    sample: int, prompt: str, generation: Generation, settings: SamplingSettings
) -> None:
    """Prompt and continuation as they come, and a line about it on standard error."""
    if sample > 0:
        say(f"\n{RULE}\n")
    say(prompt, end="")
    text = prompt
    for chunk in generation:
        say(chunk.text, end="")
        text += chunk.text
    if not text.endswith("\n"):
        say()
    finished = generation.finished
    ended = ", stopped" if finished.reason is FinishReason.CANCELLED else ""
    say(
        f"[seed {finished.seed}, {finished.tokens} tokens, "
        f"{finished.tokens_per_second:.0f} tokens/s{ended}]",
        error=True,
    )
    if settings.words:
        came = held(settings.words, text, len(prompt))
        missing = [word for word in settings.words if word not in came]
        said = f"missing: {', '.join(missing)}" if missing else "all words came"
        said += "; there was too little time for all tries" if generation.is_hurried else ""
        say(f"[{said}]", error=True)


def _print_json(
    sample: int,
    prompt: str,
    generation: Generation,
    loaded: Loaded,
    batch_size: int,
    settings: SamplingSettings,
    alternatives: int | None,
) -> None:
    chunks = list(generation)
    finished, text = generation.finished, "".join(chunk.text for chunk in chunks)
    line: dict[str, Any] = {
        "sample": sample,
        "prompt": prompt,
        "text": text,
        "token_ids": [token for chunk in chunks for token in chunk.tokens],
        "tokens": finished.tokens,
        "finish_reason": finished.reason,
        "seed": finished.seed,
        "tokens_per_second": round(finished.tokens_per_second, 1),
        "precision": loaded.tuning.precision,
        "device": loaded.device,
        "threads": loaded.tuning.threads,
        "batch_size": batch_size,
    }
    if settings.words:
        came = held(settings.words, prompt + text, len(prompt))
        line["words"] = {word: word in came for word in settings.words}
        line["hurried"] = generation.is_hurried
    if alternatives is not None and generation.chances:
        line["steps"] = [_step(chances, loaded.engine.tokenizer) for chances in generation.chances]
    say(json.dumps(line))


def _step(chances: Chances, tokenizer: Tokenizer) -> dict[str, Any]:
    """What is reported of one token; a part of a character is shown as U+FFFD."""
    return {
        "token": chances.token,
        "log_probability": round(chances.log_probability, 4),
        "entropy": round(chances.distribution.entropy, 4),
        "alternatives": [
            {
                "token": entry.token,
                "text": tokenizer.decode([entry.token]),
                "before": round(entry.before, 6),
                "after": round(entry.after, 6),
            }
            for entry in chances.distribution.alternatives
        ],
    }
