"""Stories in, tokens out: what `mgpt-tui prepare` does, without printing.

Every story is read and encoded once, with the whole vocabulary, by as many processes as there are
cores; the tokens wait in shards of a few megabytes (`training.data.shards`) until it is known what
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
from mgpt_tui.model.contents import read_contents
from mgpt_tui.model.manifest import TOKENIZER_FILE
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import (
    END_OF_TEXT,
    Tokenizer,
)
from mgpt_tui.paths import expanded
from mgpt_tui.text import one_line
from training.data.corpus import Allotment, Corpus, Fate, HeldOut, Keys, Lengths, cut_in_two
from training.data.prepare_config import PrepareConfig, PrepareProgress
from training.data.prepared import FORMAT, TOKEN_TYPE, TokenFile, meta_digest
from training.data.shards import (
    Trim,
    Vocabulary,
    count_tokens,
    encode_portion,
    read_stories,
    shard_name,
    tokens_of_splits,
)
from training.data.work_folder import WorkFolder, partial_folder, work_folder
from training.data.workers import Workers
from training.own_folders import FILES, META_FILE, SPLITS, split_file
from training.sources.left_out import LeftOut
from training.sources.stories import Portion

PORTION_BYTES = 2 * 2**20
"""About so much text is in a shard."""


def prepare(
    config: PrepareConfig, *, workers: int | None = None, portion_bytes: int = PORTION_BYTES
) -> Generator[PrepareProgress]:
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
    corpus = Corpus(
        config.sources,
        config.val,
        config.val_fraction,
        config.text_column,
        outputs=(out, partial_folder(out)),
    )
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
    return read_contents(find_model(name).path).tokenizer


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
        size: what it adds to `PrepareProgress.done`.
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
        self.left_out = LeftOut()
        self.allotment: Allotment

    def encode(self, portion_bytes: int) -> Iterator[PrepareProgress]:
        """Make the shards of all stories, as far as they are not there."""
        stage, total = "encoding stories", self.corpus.size
        stories, done, kept = 0, 0, 0
        yield PrepareProgress(stage, stories, done, total)
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
            yield PrepareProgress(stage, stories, done, total, kept)
        self._check_sources(found)
        self.left_out = self.corpus.left_out()
        text = self.corpus.only_text(keys)
        if text is not None:
            self._cut(text, copies=stories)
        else:
            of_shards = [shard.source for shard in self.shards]
            self.allotment = self.corpus.allot(of_shards, keys, lengths)
            self._check_splits()
        self.work.keep_shards({shard.path.name for shard in self.shards})

    def _cut(self, text: str, copies: int) -> None:
        """Hold out the end of a text, where there is no other."""
        parts = cut_in_two(text, self.config.val_fraction)
        if parts is None:
            raise self._refused(
                "There is one story alone, in one paragraph: none can be held out.",
                "Give a --val source, or more stories. In a .txt file, lines of "
                f"{END_OF_TEXT} separate them.",
            )
        portion = Portion(parts, sum(shard.size for shard in self.shards))
        path = self.work.shards / shard_name(portion, self.tokenizer)
        encode_portion(portion, self._vocabulary(), path)
        self.shards = [_Shard(path, 0, portion.size, was_there=False)]
        train, val = read_stories(path)["bytes"].tolist()
        self.allotment = Allotment(
            [np.array([Fate.TRAIN, Fate.VAL], np.uint8)],
            stories=(1, 1, copies - 1),
            bytes=(train, val, (copies - 1) * len(text.encode())),
            duplicates=0,
            held_out=HeldOut.END,
        )

    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.save(self.tokenizer, self.work.path / TOKENIZER_FILE)

    def _encodings(
        self, portion_bytes: int, waiting: deque[_Shard]
    ) -> Iterator[tuple[Portion, Vocabulary, Path]]:
        vocabulary = self._vocabulary()
        for source, portion in self.corpus.portions(portion_bytes):
            path = self.work.shards / shard_name(portion, self.tokenizer)
            waiting.append(_Shard(path, source, portion.size, path.exists()))
            yield portion, vocabulary, path

    def _check_sources(self, found: list[int]) -> None:
        """Raise `UserError` where one of the first sources has no stories."""
        for source, stories in zip(self.corpus.sources, found, strict=False):
            if not stories:
                self.work.is_wanted = False
                raise source.without_stories()

    def _check_splits(self) -> None:
        """Raise `UserError` where nothing would be left to learn from."""
        if not self.allotment.stories[Fate.TRAIN]:
            raise self._refused(
                "Every story to learn from is in the validation source too.",
                "Give other stories as --source, or as --val.",
            )

    def _refused(self, message: str, remedy: str) -> UserError:
        """An error after which there is nothing to go on with."""
        self.work.is_wanted = False
        return UserError(message, remedy)

    def choose_vocabulary(self) -> Iterator[PrepareProgress]:
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

    def write(self) -> Iterator[PrepareProgress]:
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

    def _progress(self, stage: str) -> Iterator[PrepareProgress]:
        """The progress of a stage over all shards, before the first and after each."""
        total = sum(shard.size for shard in self.shards) or None
        stories, done = 0, 0
        yield PrepareProgress(stage, stories, done, total)
        for shard, fates in zip(self.shards, self.allotment.fates, strict=True):
            stories += len(fates)
            done += shard.size
            yield PrepareProgress(stage, stories, done, total)

    def _meta(self, bins: list[TokenFile]) -> dict[str, Any]:
        config, tokenizer, allotment = self.config, self.tokenizer, self.allotment
        held_out = (
            {"fraction": config.val_fraction}
            if config.val is None
            else {"source": one_line(config.val)}
        ) | {"held_out": allotment.held_out}
        ranks = (self.work.data / TOKENIZER_FILE).stat().st_size
        files = [(split.bytes, split.digest.hexdigest()) for split in bins]
        meta = {
            "format": FORMAT,
            "version": __version__,
            "sources": list(map(one_line, config.sources)),
            "validation": held_out,
            "tokenizer": {
                "name": one_line(config.tokenizer),
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
            "left_out": self.left_out.to_meta(),
            "files": {
                name: {"bytes": size, "sha256": digest}
                for name, (size, digest) in zip(
                    FILES, [*files, (ranks, tokenizer.digest)], strict=True
                )
            },
        }
        return meta | {"sha256": meta_digest(meta)}
