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
from mgpt_tui.files import os_error
from mgpt_tui.model.manifest import TOKENIZER_FILE
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import expanded

FORMAT = 1
META_FILE = "meta.json"
TOKEN_TYPE = np.dtype("<u2")
SPLITS = ("train", "val")
REMEDY = "Make the data again with `mgpt-tui prepare`."


def split_file(split: str) -> str:
    """Name of the file that holds the tokens of `split`."""
    return f"{split}.bin"


FILES = (*map(split_file, SPLITS), TOKENIZER_FILE)
"""All files but `meta.json`, which is written last."""


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
        tokenizer = Tokenizer.load(folder / TOKENIZER_FILE, str(meta["tokenizer"]["pattern"]))
        train, val = (_read_split(folder, split, meta["splits"][split]) for split in SPLITS)
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
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{folder} holds no prepared data: it has no {META_FILE}.",
            "Make it with `mgpt-tui prepare --source STORIES --out FOLDER`.",
        ) from None
    except OSError as error:
        raise os_error(error, path) from error
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is not JSON.", REMEDY) from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise UserError(
            f"{path} is not of format {FORMAT}.",
            "It may come from another program, or from a newer mgpt-tui.",
        )
    return meta


def _check(path: Path, expected: dict[str, Any]) -> None:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", REMEDY) from None
    except OSError as error:
        raise os_error(error, path) from error
    if digest != expected["sha256"]:
        raise UserError(f"{path} is damaged: it is not as it was prepared.", REMEDY)


def _read_split(folder: Path, split: str, counts: dict[str, int]) -> Split:
    tokens = np.memmap(folder / split_file(split), dtype=TOKEN_TYPE, mode="r")
    return Split(tokens, int(counts["stories"]), int(counts["bytes"]))
