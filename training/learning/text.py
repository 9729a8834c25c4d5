"""The stories that a model learns from, kept as they were when it began, and as its tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, exists
from mgpt_tui.learning.begun import DATA, STORIES
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.reading import read_text
from training.data.prepare import prepare
from training.data.prepare_config import PrepareConfig
from training.data.prepared import Prepared, read_prepared
from training.learning.recipe import HELD_OUT, check_enough
from training.sources.stories import tidy

LARGEST = 2**28
"""Bytes of stories that are read back."""
ANEW = "Drop what was learnt, and begin anew."


@dataclass(frozen=True, slots=True)
class Tale:
    """A story to learn from.

    Attributes:
        name: that the writer gave it.
        text: without white space at its ends.
    """

    name: str
    text: str

    @property
    def words(self) -> int:
        """How many it has."""
        return len(self.text.split())


def tales_of(stories: Sequence[tuple[str, str]]) -> tuple[Tale, ...]:
    """Stories by name and text, each once, without those that hold nothing.

    Raises:
        UserError: where none is left.
    """
    found = {text: Tale(name, text) for name, story in stories if (text := tidy(story))}
    if not found:
        raise UserError("There is no story to learn from.", "Write some, or bring in a .txt.")
    return tuple(found.values())


def check_tales(tales: Sequence[Tale], tokenizer: Tokenizer, block_size: int) -> None:
    """Refuse stories that are too little, before anything is written.

    Raises:
        UserError: where they are, or none of them can be held out.
    """
    tokens = sum(len(tokenizer.encode(tale.text)) + 1 for tale in tales)
    check_enough(tokens, sum(tale.words for tale in tales), len(tales), block_size)
    if len(tales) == 1 and "\n" not in tales[0].text:
        raise UserError(
            "One story alone, in one paragraph: none of it can be held out to see how well it is "
            "learnt.",
            "Choose a second one.",
        )


def keep_tales(folder: Path, tales: Sequence[Tale]) -> None:
    """Write the stories down.

    Raises:
        UserError: where they cannot be written.
    """
    lines = (json.dumps({"name": tale.name, "text": tale.text}) + "\n" for tale in tales)
    atomic_write(folder / STORIES, "".join(lines))


def read_tales(folder: Path) -> tuple[Tale, ...]:
    """The stories that were written down.

    Raises:
        UserError: where they are missing or damaged.
    """
    path = folder / STORIES
    if not exists(path):
        raise UserError(f"{path} is missing.", ANEW)
    try:
        lines = [json.loads(line) for line in read_text(path, LARGEST).splitlines()]
        return tales_of([(str(line["name"]), str(line["text"])) for line in lines])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged.", ANEW) from None


def tokens_of(folder: Path, model: str, tokenizer: Tokenizer) -> Prepared:
    """The stories in `folder` as tokens of a model; they are made where they are not there.

    Args:
        folder: where the stories were written down.
        model: whose tokenizer it is.
        tokenizer: the same, to know data of another.

    Raises:
        UserError: where they cannot be written.
    """
    out = folder / DATA
    for _ in _prepared(folder, out, model):
        pass
    data = read_prepared(out)
    if data.tokenizer.digest != tokenizer.digest:
        raise UserError(f"{model} has another vocabulary now.", "Drop what was learnt.")
    return data


def _prepared(folder: Path, out: Path, model: str) -> Iterator[object]:
    if out.exists():
        return
    config = PrepareConfig(
        sources=(str(folder / STORIES),), out=out, val_fraction=HELD_OUT, tokenizer=model
    )
    yield from prepare(config, workers=1)
