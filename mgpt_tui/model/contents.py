"""A checkpoint, read whole and held against its fingerprint and its config, without torch.

Checksums say that files are as they were written, not that they make sense. So sizes are held
against what the config asks for before anything of that size is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from mgpt_tui.errors import UserError
from mgpt_tui.memory import check_room, is_lack_of_memory
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.manifest import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    CheckpointInfo,
    fingerprints,
    read_info,
)
from mgpt_tui.model.split_pattern import GPT2_PATTERN, stated_pattern
from mgpt_tui.model.tokenizer import END_OF_TEXT, LARGEST_FILE, Tokenizer
from mgpt_tui.model.weights import Weights, shapes
from mgpt_tui.reading import read_bytes

_LARGEST_NUMBER = 8
"""Bytes that a file takes for each parameter at most, 8-bit rows of one number included."""
_HEADER, _HEADER_OF_BLOCK = 2**16, 2**14
"""Bytes that the names and shapes of tensors take at most."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a checkpoint.

    Attributes:
        info: what its config says, with all fingerprints.
        weights: of the shapes that its config asks for.
        tokenizer: the one that its config states.
    """

    info: CheckpointInfo
    weights: Weights
    tokenizer: Tokenizer


def read_contents(folder: Path) -> Contents:
    """Read a checkpoint.

    Raises:
        UserError: where a file is missing, damaged, foreign, or of other sizes or shapes than its
            config asks for.
    """
    info = read_info(folder)
    content = _read_weights(folder, info.config)
    ranks = read_bytes(folder / TOKENIZER_FILE, LARGEST_FILE)
    found = fingerprints(content, ranks, info.stated, info.tokenizer)
    if found[info.format] != info.fingerprint:
        raise damaged(folder, "its files do not match its fingerprint")
    tokenizer = _tokenizer(folder, info, ranks)
    weights = _parsed(folder, content, info.config)
    return Contents(info.with_fingerprints(found), weights, tokenizer)


def stated(tokenizer: Tokenizer) -> dict[str, Any]:
    """What a checkpoint's config states of its tokenizer."""
    return {
        "pattern": tokenizer.pattern,
        "special_tokens": {END_OF_TEXT: tokenizer.end_token},
        "vocab_size": tokenizer.vocab_size,
        "sha256": tokenizer.digest,
    }


def damaged(folder: Path, reason: str) -> UserError:
    """That a checkpoint cannot be taken, and why."""
    return UserError(
        f"The checkpoint {folder} is damaged or foreign: {reason}.",
        "Take another one; `mgpt-tui models` lists them.",
    )


def _tokenizer(folder: Path, info: CheckpointInfo, ranks: bytes) -> Tokenizer:
    """A checkpoint's tokenizer, which must be all that its config states of it."""
    if info.format == 1 and info.tokenizer.get("pattern", GPT2_PATTERN) != GPT2_PATTERN:
        # There was no other pattern.
        raise damaged(folder, "its split pattern is not as it was written")
    pattern = stated_pattern(info.tokenizer, str(folder / CONFIG_FILE))
    tokenizer = Tokenizer.parse(ranks, folder / TOKENIZER_FILE, pattern)
    if tokenizer.vocab_size != info.config.vocab_size:
        raise damaged(
            folder,
            f"its tokenizer has {tokenizer.vocab_size} entries, "
            f"its config {info.config.vocab_size}",
        )
    if any(info.tokenizer.get(name, is_) != is_ for name, is_ in stated(tokenizer).items()):
        raise damaged(folder, "its tokenizer is not the one that its config states")
    return tokenizer


def _read_weights(folder: Path, config: GPTConfig) -> bytes:
    parameters = config.parameters()
    most = parameters * _LARGEST_NUMBER + _HEADER + config.n_layer * _HEADER_OF_BLOCK
    path = folder / WEIGHTS_FILE
    if path.is_file():
        check_room(f"To read {path}", min(path.stat().st_size, most))
    weights = read_bytes(path, most)
    if len(weights) < parameters:
        raise damaged(
            folder, f"{path.name} is too short for the {parameters:,} parameters of its config"
        )
    return weights


def _parsed(folder: Path, content: bytes, config: GPTConfig) -> Weights:
    try:
        weights = Weights.parse(content)
    except (SafetensorError, ValueError) as error:
        if is_lack_of_memory(error):
            raise
        raise damaged(folder, f"its weights cannot be read ({error})") from None
    expected, found = shapes(config), weights.shapes()
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise damaged(
                folder,
                f"{name} has shape {found.get(name, 'none')} "
                f"where its config asks for {expected.get(name, 'none')}",
            )
    return weights
