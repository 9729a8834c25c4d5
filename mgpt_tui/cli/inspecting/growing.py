"""A run as it learnt: one beginning and one seed through all checkpoints that it has kept."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mgpt_tui.console import console_for, say
from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.asked import LETTERS
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.model.registry import run_folder, step_folders, step_of
from mgpt_tui.text import one_line

FIRST_SENTENCE = re.compile(r".*?[.!?]", re.DOTALL)
LENGTH = 60
"""Tokens that are written at each step, up to the end of a sentence."""
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Step:
    """The model at one step.

    Attributes:
        step: of the run.
        text: what it writes after the beginning.
        bits: of the held-out text.
        bits_per_character: the same by its length.
        heads: by layer and head, the kind over the held-out text.
    """

    step: int
    text: str
    bits: float
    bits_per_character: float
    heads: tuple[tuple[str, ...], ...]


def show_run(
    name: str, prompt: str, seed: int, decoding: DecodingSettings, *, as_json: bool
) -> None:
    """Print every step as it is computed, or all in one object.

    Args:
        name: of the run.
        prompt: the beginning, which is the held-out text too; "" for a shipped story, of which
            the first sentence is the beginning.
        seed: of what is written.
        decoding: how to run the models.
        as_json: whether to print an object.

    Raises:
        UserError: where there is no such run, or it has no checkpoint, or a damaged one.
    """
    folders = step_folders(run_folder(name))
    if not folders:
        raise UserError(
            f"There is no run {name!r} with a checkpoint.", "`mgpt-tui runs` lists the runs."
        )
    held_out = prompt or shipped_stories()[0]
    first = FIRST_SENTENCE.match(held_out)
    beginning = prompt or (first.group() if first else held_out)
    settings = SamplingSettings(seed=seed, max_tokens=LENGTH)
    steps = _steps(folders, beginning, held_out, settings, decoding)
    if as_json:
        found = {
            "run": name,
            "precision": decoding.precision,
            "seed": seed,
            "beginning": beginning,
            "held_out": held_out,
            "steps": [asdict(step) for step in steps],
        }
        say(json.dumps(found))
        return
    width = console_for(sys.stdout).width
    say(f"Beginning, with seed {seed}: {one_line(beginning)}")
    said = "the beginning" if prompt else "a story that comes along"
    named = ", ".join(f"{letter} {kind}" for kind, letter in LETTERS.items())
    say(f"Bits a character, and kinds of heads ({named}), over {said}.\n")
    for step in steps:
        heads = "  ".join("".join(LETTERS[kind] for kind in layer) for layer in step.heads)
        say(f"step {step.step:>7,}  {step.bits_per_character:.3f}  {heads}")
        text = one_line(step.text).strip()
        say(textwrap.fill(text, width, initial_indent=INDENT, subsequent_indent=INDENT))


def _steps(
    folders: list[Path],
    beginning: str,
    held_out: str,
    settings: SamplingSettings,
    decoding: DecodingSettings,
) -> Iterator[Step]:
    for folder in folders:
        loaded = load_engine(folder, decoding)
        engine = loaded.engine
        inspector, tokens = (
            Inspector(loaded.open_decoder, engine.tokenizer),
            engine.encode([held_out]),
        )
        whole = inspector.surprise(tokens).whole
        heads = inspector.attention(tokens, None).heads
        yield Step(
            step=step_of(folder),
            text="".join(chunk.text for chunk in engine.stream([beginning], settings)),
            bits=whole.bits,
            bits_per_character=whole.bits_per_character,
            heads=tuple(tuple(head.kind for head in layer) for layer in heads),
        )
