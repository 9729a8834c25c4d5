"""Held-out stories as tokens, cut into what a model reads at once. Without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import expanded
from training.data.prepared import Prepared, read_prepared
from training.metrics import Score
from training.own_folders import META_FILE
from training.sources.left_out import LeftOut
from training.sources.stories import open_local_source

BATCH_TOKENS = 4096
"""About this many tokens go through a model at once, padding included."""


@dataclass(frozen=True, slots=True)
class ScoredStory:
    """A story to score: its tokens without any <|endoftext|>, and its length in bytes."""

    tokens: Sequence[int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch read at once; predictions before `first` were counted in an earlier window.

    `story` is the number of the story that it is of.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    first: int
    story: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of like length, side by side.

    Attributes:
        inputs: int64 (B, T).
        targets: int64 (B, T), what comes after each of them.
        counted: bool (B, T), which of them count.
        stories: of which story each is.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    counted: NDArray[np.bool_]
    stories: Sequence[int]


def windows(sequence: NDArray[np.int64], config: GPTConfig) -> Iterator[Window]:
    """Cut a sequence as the engine would read it: by halves of the block size.

    Args:
        sequence: int64 (n,), beginning and ending with <|endoftext|>.

    Yields:
        Windows whose counted predictions cover every token but the first exactly once.
    """
    block, last = config.block_size, len(sequence) - 1
    counted = 0
    while counted < last:
        start = config.window_start(counted + 1)
        end = min(start + block, last)
        yield Window(sequence[start:end], sequence[start + 1 : end + 1], counted - start)
        counted = end


def batches(
    stories: Iterable[ScoredStory], end_token: int, config: GPTConfig, most: int = BATCH_TOKENS
) -> Iterator[Batch]:
    """All windows of stories, each given <|endoftext|>, the shortest first.

    Args:
        stories: each from its own beginning.
        end_token: <|endoftext|>.
        config: of the model that is to read them.
        most: tokens in a batch, about.
    """
    pieces: list[Window] = []
    for number, story in enumerate(stories):
        sequence = np.array([end_token, *story.tokens, end_token], dtype=np.int64)
        pieces.extend(replace(window, story=number) for window in windows(sequence, config))
    pieces.sort(key=lambda piece: len(piece.inputs))
    together: list[Window] = []
    for piece in pieces:
        if together and (len(together) + 1) * len(piece.inputs) > most:
            yield _batch(together, end_token)
            together = []
        together.append(piece)
    if together:
        yield _batch(together, end_token)


def _batch(pieces: Sequence[Window], end_token: int) -> Batch:
    shape = len(pieces), max(len(piece.inputs) for piece in pieces)
    inputs = np.full(shape, end_token, dtype=np.int64)
    targets = np.zeros(shape, dtype=np.int64)
    counted = np.zeros(shape, dtype=bool)
    for row, piece in enumerate(pieces):
        inputs[row, : len(piece.inputs)] = piece.inputs
        targets[row, : len(piece.targets)] = piece.targets
        counted[row, piece.first : len(piece.targets)] = True
    return Batch(inputs, targets, counted, [piece.story for piece in pieces])


def scores(stories: Sequence[ScoredStory], losses: Sequence[float]) -> list[Score]:
    """The score of each story, from the sum of its tokens' losses in nats."""
    return [
        Score(loss / (len(story.tokens) + 1), len(story.tokens) + 1, story.bytes)
        for story, loss in zip(stories, losses, strict=True)
    ]


def prepared_stories(data: Prepared, limit: int | None = None) -> list[ScoredStory]:
    """The first `limit` held-out stories of a prepared folder, or all of them."""
    tokens = data.val.tokens
    tokenizer = data.tokenizer
    sizes = np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)])
    ends = np.flatnonzero(tokens == tokenizer.end_token)
    stories = []
    for before, end in islice(pairwise(ends), limit):
        story = np.asarray(tokens[before + 1 : end], dtype=np.int64)
        stories.append(ScoredStory(story.tolist(), int(sizes[story].sum())))
    return stories


def stories_to_score(
    data: str,
    tokenizer: Tokenizer,
    text_column: str | None = None,
    left_out: LeftOut | None = None,
) -> list[ScoredStory]:
    """The stories of a source of `prepare`, or of the `val.bin` of a prepared folder.

    Args:
        data: where they are.
        tokenizer: the model's.
        text_column: see `training.sources.columns.choose_column`.
        left_out: is told what is not read.

    Raises:
        UserError: where there are none, or the folder was made with another vocabulary.
    """
    folder = expanded(data)
    if (folder / META_FILE).is_file():
        prepared = read_prepared(folder)
        if prepared.tokenizer.digest != tokenizer.digest:
            raise UserError(
                f"{folder} was prepared with another vocabulary than the model's.",
                "Give --data the stories themselves: a text file, say.",
            )
        return prepared_stories(prepared)
    source = open_local_source(data, "--data", text_column)
    stories = [
        ScoredStory(tokenizer.encode(story.text), len(story.text.encode()))
        for story in source.stories()
    ]
    if left_out is not None:
        left_out.extend(source.left_out)
    if not stories:
        raise UserError(f"{data} holds no stories.", "Give --data a source with text.")
    return stories
