"""Stories in, tokens out: what `mgpt-tui prepare` does, without printing.

The sources are read as streams, once to write the tokens, and once before that to count them
where the vocabulary is to be trimmed.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mgpt_tui import __version__
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_folder, atomic_write
from mgpt_tui.model.manifest import TOKENIZER_FILE, read_info
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import (
    END_OF_TEXT,
    SMALLEST_VOCABULARY,
    Tokenizer,
)
from mgpt_tui.settings_fields import setting, validate
from training.corpus import Corpus, CorpusStory, Fate
from training.prepared import FILES, FORMAT, META_FILE, SPLITS, TOKEN_TYPE, split_file

THREADS = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What to prepare, and where to put it.

    Attributes:
        sources: files, folders or names of data sets to learn from.
        out: the folder to make.
        val: the source of the held-out stories; None takes `val_fraction` of the others.
        overwrite: replace prepared data at `out`.

    Raises:
        UserError: where a value is out of range.
    """

    sources: tuple[str, ...]
    out: Path
    val: str | None = None
    overwrite: bool = False
    val_fraction: float = setting(
        0.01, "share of the stories to hold out, without --val", minimum=0.0001, maximum=0.9
    )
    tokenizer: str = setting("gpt2", "vocabulary: gpt2, or the name of the model to fine-tune")
    vocab_size: int | None = setting(
        None,
        "trim the vocabulary to N entries, those that the stories use most",
        minimum=SMALLEST_VOCABULARY,
        maximum=50257,
    )
    text_column: str | None = setting(
        None, "column that holds the stories [default: text, or the only one with text]"
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a preparation has come.

    Attributes:
        stage: "counting tokens" or "writing tokens".
        stories: stories read in this stage.
        done: bytes of the sources read in this stage.
        total: bytes to read in this stage, or None where that is not known.
    """

    stage: str
    stories: int
    done: int
    total: int | None


def prepare(config: PrepareConfig) -> Generator[Progress]:
    """Prepare data; the folder is there, and whole, when the iterator is exhausted.

    Everything is written to a hidden folder beside `config.out`, `meta.json` last, and renamed
    at the end; leaving the iterator early removes it.

    Raises:
        UserError: for sources that cannot be read or hold no stories, a vocabulary size out
            of range, an unknown tokenizer, an `out` in use, a full device.
    """
    out = config.out.expanduser().resolve()
    _check_out(out, config.overwrite)
    tokenizer = find_tokenizer(config.tokenizer)
    corpus = Corpus(config.sources, config.val, config.val_fraction, config.text_column)
    with atomic_folder(out, replace=config.overwrite) as folder:
        if config.vocab_size is not None:
            tokenizer.check_trim(config.vocab_size)
            counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
            yield from _count(corpus, tokenizer, counts)
            tokenizer = tokenizer.trimmed(dict(enumerate(counts.tolist())), config.vocab_size)
        tokenizer.save(folder / TOKENIZER_FILE)
        with _Writer(folder, tokenizer) as writer:
            yield from _write(corpus, writer)
        writer.check(config)
        meta = _meta(config, tokenizer, writer, folder)
        atomic_write(folder / META_FILE, json.dumps(meta, indent=2, ensure_ascii=False) + "\n")


def find_tokenizer(name: str) -> Tokenizer:
    """The vocabulary of that name: gpt2, or a model's own.

    Raises:
        UserError: where there is no such model, or its tokenizer is damaged.
    """
    if name == "gpt2":
        return Tokenizer.gpt2()
    folder = find_model(name).path
    pattern = read_info(folder).tokenizer.get("pattern")
    return Tokenizer.load(folder / TOKENIZER_FILE, str(pattern))


def _check_out(out: Path, overwrite: bool) -> None:
    """Refuse to put data in the place of anything that the user may still want."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise UserError(f"{out} exists already.", "Give another --out, or add --overwrite.")
    if not out.is_dir() or any(path.name not in (*FILES, META_FILE) for path in out.iterdir()):
        raise UserError(f"{out} holds other things than prepared data.", "Give another --out.")


def _count(corpus: Corpus, tokenizer: Tokenizer, counts: NDArray[np.int64]) -> Iterator[Progress]:
    """Add to `counts`, (vocab_size,), how often each token occurs in the text to learn from."""
    stories = 0
    yield Progress("counting tokens", 0, 0, corpus.size)
    for batch in corpus.batches():
        texts = [story.text for story in batch if story.fate == Fate.TRAIN]
        tokens = chain.from_iterable(tokenizer.encode_batch(texts, THREADS))
        counts += np.bincount(np.fromiter(tokens, dtype=np.int64), minlength=len(counts))
        stories += len(batch)
        yield Progress("counting tokens", stories, batch[-1].position, corpus.size)


def _write(corpus: Corpus, writer: _Writer) -> Iterator[Progress]:
    stories = 0
    yield Progress("writing tokens", 0, 0, corpus.size)
    for batch in corpus.batches():
        writer.write(batch)
        stories += len(batch)
        yield Progress("writing tokens", stories, batch[-1].position, corpus.size)


@dataclass(slots=True)
class _Split:
    """A .bin file that is being written, and what is in it."""

    stream: BinaryIO
    stories: int = 0
    tokens: int = 0
    bytes: int = 0

    def append(self, tokens: list[int]) -> None:
        self.stream.write(np.array(tokens, dtype=TOKEN_TYPE).tobytes())
        self.tokens += len(tokens)


class _Writer:
    """Writes the .bin files of `folder`, and counts; synced to disk when the block ends."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.dropped = 0
        self._tokenizer = tokenizer
        self._keys = array("Q")  # of the stories to learn from, 8 bytes each
        with ExitStack() as opened:
            self.splits = {
                split: _Split(opened.enter_context((folder / split_file(split)).open("wb")))
                for split in SPLITS
            }
            self._opened = opened.pop_all()

    def __enter__(self) -> _Writer:
        for split in self.splits.values():
            split.append([self._tokenizer.end_token])
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._opened:
            if kind is None:
                for split in self.splits.values():
                    split.stream.flush()
                    os.fsync(split.stream.fileno())

    def write(self, batch: list[CorpusStory]) -> None:
        kept = [story for story in batch if story.fate != Fate.DROPPED]
        self.dropped += len(batch) - len(kept)
        encoded = self._tokenizer.encode_batch([story.text for story in kept], THREADS)
        for story, tokens in zip(kept, encoded, strict=True):
            split = self.splits[story.fate]
            split.append([*tokens, self._tokenizer.end_token])
            split.stories += 1
            split.bytes += len(story.text.encode())
            if story.fate == Fate.TRAIN:
                self._keys.append(story.key)

    def duplicates(self) -> int:
        """Stories to learn from that had been there before, as far as 64 bits can tell."""
        return len(self._keys) - len(np.unique(np.frombuffer(self._keys, dtype=np.uint64)))

    def check(self, config: PrepareConfig) -> None:
        """Raise `UserError` where a split has remained empty."""
        train, val = (self.splits[split].stories for split in SPLITS)
        if train and val:
            return
        if config.val is not None:
            raise UserError(
                "Every story to learn from is in the validation source too.",
                "Give other stories as --source, or as --val.",
            )
        raise UserError(
            f"All {train + val:,} stories fell to {'training' if train else 'validation'}, "
            f"with a share of {config.val_fraction:g} to hold out.",
            "Give another --val-fraction or a --val source. In a .txt file, lines of "
            f"{END_OF_TEXT} separate the stories.",
        )


def _meta(
    config: PrepareConfig, tokenizer: Tokenizer, writer: _Writer, folder: Path
) -> dict[str, Any]:
    files = {}
    for name in FILES:
        with (folder / name).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            files[name] = {"bytes": stream.tell(), "sha256": digest}
    held_out = {"fraction": config.val_fraction} if config.val is None else {"source": config.val}
    return {
        "format": FORMAT,
        "version": __version__,
        "sources": list(config.sources),
        "validation": held_out,
        "tokenizer": {
            "name": config.tokenizer,
            "vocab_size": tokenizer.vocab_size,
            "digest": tokenizer.digest,
            "pattern": tokenizer.pattern,
            "special_tokens": {END_OF_TEXT: tokenizer.end_token},
        },
        "splits": {
            name: {"stories": split.stories, "tokens": split.tokens, "bytes": split.bytes}
            for name, split in writer.splits.items()
        },
        "dropped": writer.dropped,
        "duplicates": writer.duplicates(),
        "files": files,
    }
