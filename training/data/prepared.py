"""Prepared data as a folder: `train.bin`, `val.bin`, `tokenizer.tiktoken` and `meta.json`.

A .bin file is a row of little-endian uint16 token ids: `<|endoftext|>`, a story,
`<|endoftext|>`, a story, ... `<|endoftext|>`. So every story has one before and one after it,
and "tokens" in `meta.json`, which counts all of them, is half the size of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error, stat_regular
from mgpt_tui.model.manifest import TOKENIZER_FILE
from mgpt_tui.model.split_pattern import GPT2_PATTERN, stated_pattern
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import expanded
from mgpt_tui.reading import MissingFile, read_json
from training.own_folders import FILES, META_FILE, SPLITS, split_file

FORMAT = 1
TOKEN_TYPE = np.dtype("<u2")
REMEDY = "Make the data again with `mgpt-tui prepare`."


@dataclass(frozen=True, slots=True)
class Split:
    """One half of the data.

    Attributes:
        tokens: read-only memory map of the file, uint16 (length,).
        stories: how many there are.
        bytes: UTF-8 bytes of the stories, without any `<|endoftext|>`.
    """

    tokens: NDArray[np.uint16]
    stories: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder that `mgpt-tui prepare` wrote.

    Attributes:
        folder: where it is.
        tokenizer: the vocabulary that the tokens are of.
        train, val: the stories to learn from and those held out.
        meta: all that `meta.json` says.
    """

    folder: Path
    tokenizer: Tokenizer
    train: Split
    val: Split
    meta: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the training tokens, as hexadecimal."""
        return str(self.meta["files"][split_file("train")]["sha256"])


def read_prepared(folder: Path) -> Prepared:
    """Open a folder of prepared data, checking every file against its SHA-256.

    Raises:
        UserError: where it is no such folder, or is damaged.
    """
    folder = expanded(folder)
    meta = _read_meta(folder)
    try:
        _ = meta["sources"], meta["dropped"]  # a checkpoint will record them
        for name in FILES:
            _check(folder / name, meta["files"][name])
        pattern = _pattern(folder, meta)
        tokenizer = Tokenizer.load(folder / TOKENIZER_FILE, pattern)
        entries = tokenizer.vocab_size
        train, val = (
            _read_split(folder / split_file(split), meta["splits"][split], entries)
            for split in SPLITS
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / META_FILE} is damaged: {type(error).__name__} {error}.", REMEDY
        ) from None
    except OSError as error:
        raise os_error(error, folder) from error
    return Prepared(folder, tokenizer, train, val, meta)


class TokenFile:
    """A .bin file that is being written; synced to disk when the block ends.

    Attributes:
        bytes: written so far.
        digest: of them, SHA-256.
    """

    def __init__(self, path: Path) -> None:
        self.bytes = 0
        self.digest = hashlib.sha256()
        self._stream = path.open("wb")

    def __enter__(self) -> TokenFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stream:
            if kind is None:
                self._stream.flush()
                os.fsync(self._stream.fileno())

    @property
    def tokens(self) -> int:
        """How many tokens these bytes are."""
        return self.bytes // TOKEN_TYPE.itemsize

    def append(self, tokens: bytes) -> None:
        self._stream.write(tokens)
        self.digest.update(tokens)
        self.bytes += len(tokens)


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / META_FILE
    try:
        meta = read_json(path)
    except MissingFile:
        raise UserError(
            f"{folder} holds no prepared data: it has no {META_FILE}.",
            "Make it with `mgpt-tui prepare --source STORIES --out FOLDER`.",
        ) from None
    except UserError as error:
        raise UserError(error.message, REMEDY) from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise UserError(
            f"{path} is not of format {FORMAT}.",
            "It may come from another program, or from a newer mgpt-tui.",
        )
    return meta


def meta_digest(meta: dict[str, Any]) -> str:
    """SHA-256 of all that `meta.json` says but that digest itself, in hexadecimal."""
    said = {name: value for name, value in meta.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _pattern(folder: Path, meta: dict[str, Any]) -> str:
    """The tokens' split pattern; the other files have digests of their own."""
    pattern = stated_pattern(meta["tokenizer"], str(folder / META_FILE))
    # Data prepared before there was a digest was never split by a pattern but GPT-2's.
    whole = meta["sha256"] == meta_digest(meta) if "sha256" in meta else pattern == GPT2_PATTERN
    if not whole:
        raise UserError(f"{folder / META_FILE} is damaged: it is not as it was written.", REMEDY)
    return pattern


def _check(path: Path, expected: dict[str, Any]) -> None:
    try:
        stat_regular(path)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", REMEDY) from None
    except OSError as error:
        raise os_error(error, path) from error
    if digest != expected["sha256"]:
        raise UserError(f"{path} is damaged: it is not as it was prepared.", REMEDY)


def _read_split(path: Path, counts: dict[str, Any], entries: int) -> Split:
    """One half of the data; its tokens are of a vocabulary of so many entries."""
    for name in ("stories", "bytes"):
        if type(counts[name]) is not int or counts[name] < 0:
            raise ValueError(f"{name} cannot be {counts[name]!r:.40}")
    tokens = np.memmap(path, dtype=TOKEN_TYPE, mode="r")
    if tokens.max() >= entries:
        raise UserError(f"{path} has tokens that are not in its vocabulary.", REMEDY)
    return Split(tokens, counts["stories"], counts["bytes"])
