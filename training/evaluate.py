"""How well a model foretells held-out stories: loss, perplexity, bits per byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import expanded
from training.loss import token_losses
from training.metrics import Score
from training.prepared import META_FILE, Prepared, read_prepared
from training.sources import open_local_source

BATCH_TOKENS = 4096
"""About this many tokens go through the model at once, padding included."""


@dataclass(frozen=True, slots=True)
class ScoredStory:
    """A story to score: its tokens without any <|endoftext|>, and its length in bytes."""

    tokens: Sequence[int]
    bytes: int


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch read at once; predictions before `first` were counted in an earlier window."""

    inputs: np.ndarray
    targets: np.ndarray
    first: int


def windows(sequence: np.ndarray, config: GPTConfig) -> Iterator[_Window]:
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
        yield _Window(sequence[start:end], sequence[start + 1 : end + 1], counted - start)
        counted = end


@torch.inference_mode()
def score(model: GPT, end_token: int, stories: Iterable[ScoredStory]) -> Score:
    """Score each story from its own beginning, given <|endoftext|>, every token once.

    Windows of like length are batched; the model is left in the mode it was in.
    """
    device = model.token_embedding.weight.device
    total_bytes = 0
    pieces: list[_Window] = []
    for story in stories:
        total_bytes += story.bytes
        sequence = np.array([end_token, *story.tokens, end_token], dtype=np.int64)
        pieces.extend(windows(sequence, model.config))
    pieces.sort(key=lambda piece: len(piece.inputs))
    was_training = model.training
    model.eval()
    loss, tokens = 0.0, 0
    for batch in _batches(pieces):
        length = max(len(piece.inputs) for piece in batch)
        inputs = np.full((len(batch), length), end_token, dtype=np.int64)
        targets = np.zeros((len(batch), length), dtype=np.int64)
        counted = np.zeros((len(batch), length), dtype=bool)
        for row, piece in enumerate(batch):
            inputs[row, : len(piece.inputs)] = piece.inputs
            targets[row, : len(piece.targets)] = piece.targets
            counted[row, piece.first : len(piece.targets)] = True
        hidden = model.hidden(torch.from_numpy(inputs).to(device))
        keep = torch.from_numpy(counted).to(device)
        losses = token_losses(
            hidden[keep], model.token_embedding.weight, torch.from_numpy(targets).to(device)[keep]
        )
        loss += float(losses.double().sum())
        tokens += int(keep.sum())
    model.train(was_training)
    return Score(loss / max(1, tokens), tokens, total_bytes)


def _batches(pieces: list[_Window]) -> Iterator[list[_Window]]:
    batch: list[_Window] = []
    for piece in pieces:
        if batch and (len(batch) + 1) * len(piece.inputs) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


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
    data: str, tokenizer: Tokenizer, text_column: str | None = None
) -> list[ScoredStory]:
    """The stories of a source of `prepare`, or of the `val.bin` of a prepared folder.

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
    stories = [
        ScoredStory(tokenizer.encode(story.text), len(story.text.encode()))
        for story in open_local_source(data, "--data", text_column).stories()
    ]
    if not stories:
        raise UserError(f"{data} holds no stories.", "Give --data a source with text.")
    return stories
