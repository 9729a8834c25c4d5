"""Stories in, tokens out: what `mgpt-tui prepare` does, without printing.

Every story is read and encoded once, with the whole vocabulary, by as many processes as there are
cores; the tokens wait in shards of a few megabytes (`training.shards`) until it is known what
becomes of each story, and which tokens a trimmed vocabulary keeps. Then the shards become the
.bin files, again by all cores, in the order of the sources.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgpt_tui import __version__
from mgpt_tui.cores import cores
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.model.manifest import TOKENIZER_FILE, read_info
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import (
    END_OF_TEXT,
    GPT2_VOCABULARY,
    SMALLEST_VOCABULARY,
    Tokenizer,
)
from mgpt_tui.paths import expanded
from mgpt_tui.settings_fields import setting, validate
from training.corpus import Allotment, Corpus, Fate, Keys, Lengths
from training.prepared import FILES, FORMAT, META_FILE, SPLITS, TOKEN_TYPE, TokenFile, split_file
from training.shards import (
    Trim,
    Vocabulary,
    count_tokens,
    encode_portion,
    read_stories,
    shard_name,
    tokens_of_splits,
)
from training.sources import Portion
from training.work_folder import WorkFolder, work_folder
from training.workers import Workers

PORTION_BYTES = 2 * 2**20
"""About so much text is in a shard."""


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
        maximum=GPT2_VOCABULARY,
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
        stage: "encoding stories", "counting tokens" or "writing tokens".
        stories: how many this stage has been through.
        done: bytes of the sources that it has been through; characters of data sets on the hub.
        total: bytes to go through in this stage, or None where that is not known.
        kept: how much of `done` an earlier try, which was stopped, had done.
    """

    stage: str
    stories: int
    done: int
    total: int | None
    kept: int = 0


def prepare(
    config: PrepareConfig, *, workers: int | None = None, portion_bytes: int = PORTION_BYTES
) -> Generator[Progress]:
    """Prepare data; the folder is there, and whole, when the iterator is exhausted.

    Everything is written to `partial_folder(out)`, and renamed at the end. When that is not
    reached, whatever the reason, the shards that are whole stay there, and the next call uses
    those that are of the same stories, encoded with the same vocabulary.

    Args:
        config: what to prepare.
        workers: processes to use; None is one for each core. The result does not depend on it.
        portion_bytes: text in each shard. The result does not depend on it.

    Raises:
        UserError: for sources that cannot be read or hold no stories, a vocabulary size out
            of range, an unknown tokenizer, an `out` in use, a full device.
    """
    out = expanded(config.out).resolve()
    _check_out(out, config.overwrite)
    tokenizer = find_tokenizer(config.tokenizer)
    if config.vocab_size is not None:
        tokenizer.check_trim(config.vocab_size)
    corpus = Corpus(config.sources, config.val, config.val_fraction, config.text_column)
    with work_folder(out) as work, Workers(workers or cores()) as pool:
        job = _Job(config, corpus, tokenizer, work, pool)
        yield from job.encode(portion_bytes)
        yield from job.choose_vocabulary()
        yield from job.write()
        work.finish(replace=config.overwrite)


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


@dataclass(frozen=True, slots=True)
class _Shard:
    """A shard, and what is known of it without reading its tokens.

    Attributes:
        path: its file.
        source: the number of its source.
        size: what it adds to `Progress.done`.
        was_there: whether an earlier try made it.
    """

    path: Path
    source: int
    size: int
    was_there: bool


class _Job:
    """A preparation: its three stages, to be called in their order, and what they hand on."""

    def __init__(
        self,
        config: PrepareConfig,
        corpus: Corpus,
        tokenizer: Tokenizer,
        work: WorkFolder,
        pool: Workers,
    ) -> None:
        self.config = config
        self.corpus = corpus
        self.work = work
        self.pool = pool
        self.tokenizer = tokenizer
        self.trim: Trim | None = None
        self.shards: list[_Shard] = []
        self.allotment: Allotment

    def encode(self, portion_bytes: int) -> Iterator[Progress]:
        """Make the shards of all stories, as far as they are not there."""
        stage, total = "encoding stories", self.corpus.size
        stories, done, kept = 0, 0, 0
        yield Progress(stage, stories, done, total)
        keys: list[Keys] = []
        lengths: list[Lengths] = []
        found = [0] * len(self.corpus.sources)
        waiting: deque[_Shard] = deque()
        for _ in self.pool.in_order(encode_portion, self._encodings(portion_bytes, waiting)):
            shard = waiting.popleft()
            self._check_sources(found[: shard.source])
            content = read_stories(shard.path)
            self.shards.append(shard)
            found[shard.source] += len(content)
            keys.append(content["key"].copy())
            lengths.append(content["bytes"].copy())
            stories += len(content)
            done += shard.size
            kept += shard.size if shard.was_there else 0
            yield Progress(stage, stories, done, total, kept)
        self._check_sources(found)
        self.work.keep_shards({shard.path.name for shard in self.shards})
        self.allotment = self.corpus.allot([shard.source for shard in self.shards], keys, lengths)
        self._check_splits()

    def _encodings(
        self, portion_bytes: int, waiting: deque[_Shard]
    ) -> Iterator[tuple[Portion, Vocabulary, Path]]:
        vocabulary = Vocabulary.save(self.tokenizer, self.work.path / TOKENIZER_FILE)
        for source, portion in self.corpus.portions(portion_bytes):
            path = self.work.shards / shard_name(portion, self.tokenizer)
            waiting.append(_Shard(path, source, portion.size, path.exists()))
            yield portion, vocabulary, path

    def _check_sources(self, found: list[int]) -> None:
        """Raise `UserError` where one of the first sources has no stories."""
        for source, stories in zip(self.corpus.sources, found, strict=False):
            if not stories:
                raise self._refused(
                    f"{source.name} holds no stories.", "Give a source with text in it."
                )

    def _check_splits(self) -> None:
        """Raise `UserError` where a split would remain empty."""
        train, val, _ = self.allotment.stories
        if train and val:
            return
        if self.config.val is not None:
            raise self._refused(
                "Every story to learn from is in the validation source too.",
                "Give other stories as --source, or as --val.",
            )
        raise self._refused(
            f"All {train + val:,} stories fell to {'training' if train else 'validation'}, "
            f"with a share of {self.config.val_fraction:g} to hold out.",
            "Give another --val-fraction or a --val source. In a .txt file, lines of "
            f"{END_OF_TEXT} separate the stories.",
        )

    def _refused(self, message: str, remedy: str) -> UserError:
        """An error after which there is nothing to go on with."""
        self.work.is_wanted = False
        return UserError(message, remedy)

    def choose_vocabulary(self) -> Iterator[Progress]:
        """Trim the vocabulary, where that is wanted, by counting the tokens to learn from."""
        size = self.config.vocab_size
        if size is None:
            self.tokenizer.save(self.work.data / TOKENIZER_FILE)
            return
        counts = np.zeros(self.tokenizer.vocab_size, dtype=np.int64)
        tasks = (
            (shard.path, fates, Fate.TRAIN, len(counts))
            for shard, fates in zip(self.shards, self.allotment.fates, strict=True)
        )
        progress = self._progress("counting tokens")
        yield next(progress)
        for own in self.pool.in_order(count_tokens, tasks):
            counts += own
            yield next(progress)
        old = self.tokenizer
        self.tokenizer = old.trimmed(dict(enumerate(counts.tolist())), size)
        self.trim = Trim.save(
            Vocabulary(self.work.path / TOKENIZER_FILE, old.digest, old.pattern),
            old,
            self.tokenizer,
            self.work.data / TOKENIZER_FILE,
            self.work.path / "trim.npz",
        )

    def write(self) -> Iterator[Progress]:
        """Write the .bin files, and `meta.json` last."""
        tasks = (
            (shard.path, fates, self.trim)
            for shard, fates in zip(self.shards, self.allotment.fates, strict=True)
        )
        progress = self._progress("writing tokens")
        yield next(progress)
        with ExitStack() as opened:
            bins = [opened.enter_context(TokenFile(self.work.data / split_file(s))) for s in SPLITS]
            for split in bins:
                split.append(np.array([self.tokenizer.end_token], TOKEN_TYPE).tobytes())
            for parts in self.pool.in_order(tokens_of_splits, tasks):
                for split, part in zip(bins, parts, strict=True):
                    split.append(part)
                yield next(progress)
        meta = json.dumps(self._meta(bins), indent=2, ensure_ascii=False)
        atomic_write(self.work.data / META_FILE, meta + "\n")

    def _progress(self, stage: str) -> Iterator[Progress]:
        """The progress of a stage over all shards, before the first and after each."""
        total = sum(shard.size for shard in self.shards) or None
        stories, done = 0, 0
        yield Progress(stage, stories, done, total)
        for shard, fates in zip(self.shards, self.allotment.fates, strict=True):
            stories += len(fates)
            done += shard.size
            yield Progress(stage, stories, done, total)

    def _meta(self, bins: list[TokenFile]) -> dict[str, Any]:
        config, tokenizer, allotment = self.config, self.tokenizer, self.allotment
        held_out = (
            {"fraction": config.val_fraction} if config.val is None else {"source": config.val}
        )
        ranks = (self.work.data / TOKENIZER_FILE).stat().st_size
        files = [(split.bytes, split.digest.hexdigest()) for split in bins]
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
                name: {"stories": stories, "tokens": split.tokens, "bytes": bytes}
                for name, stories, split, bytes in zip(
                    SPLITS, allotment.stories, bins, allotment.bytes, strict=False
                )
            },
            "dropped": allotment.stories[Fate.DROPPED],
            "duplicates": allotment.duplicates,
            "files": {
                name: {"bytes": size, "sha256": digest}
                for name, (size, digest) in zip(
                    FILES, [*files, (ranks, tokenizer.digest)], strict=True
                )
            },
        }
