"""Encoded stories on disk, in files of a few megabytes: what `prepare` works with.

A shard depends on nothing but its stories and the vocabulary that they were encoded with, so it
can be made by any process, in any order, and kept for another try. What becomes of its stories
is decided later, when all are known.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_writer, os_error
from mgpt_tui.memory import is_lack_of_memory
from mgpt_tui.model.tokenizer import Tokenizer
from training.data.corpus import Fates, story_key
from training.data.prepared import TOKEN_TYPE
from training.data.word_cache import TextEncoder, can_cut_before
from training.own_folders import SPLITS
from training.sources.stories import Portion
from training.sources.streams import shown

SHARD_FORMAT = 2
"""Part of every shard's name; goes up when stories are read or encoded otherwise."""

STORY = np.dtype([("key", "<u8"), ("tokens", "<u4"), ("bytes", "<u4")])
"""A story in a shard: its `story_key`, its tokens with the <|endoftext|> after it, its bytes."""

ENCODE_ANEW = -1

_DAMAGE = (zipfile.BadZipFile, OSError, ValueError, LookupError, EOFError, RuntimeError)
"""What reading an .npz file raises, depending on which of its bytes are wrong."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer by its file, which is all that other processes need to be told.

    Attributes:
        path: of the rank file.
        digest: of its content.
        pattern: see `Tokenizer`.
    """

    path: Path
    digest: str
    pattern: str

    @classmethod
    def save(cls, tokenizer: Tokenizer, path: Path) -> Vocabulary:
        """Write the rank file.

        Raises:
            UserError: where it cannot be written.
        """
        tokenizer.save(path)
        return cls(path, tokenizer.digest, tokenizer.pattern)

    def encoder(self) -> TextEncoder:
        """An encoder of this vocabulary, the same at every call."""
        return _encoder(self)


@lru_cache(maxsize=2)
def _encoder(vocabulary: Vocabulary) -> TextEncoder:
    return TextEncoder(Tokenizer.load(vocabulary.path, vocabulary.pattern))


@dataclass(frozen=True, slots=True)
class Trim:
    """From the vocabulary of the shards to one that was cut from it.

    Attributes:
        old, new: the vocabularies.
        table: an .npz file with a row for each old token: `numbers`, int32, as of
            `Tokenizer.numbers_in`, with `ENCODE_ANEW` for None; and `can_cut`, bool, where
            text can be cut before the token.
    """

    old: Vocabulary
    new: Vocabulary
    table: Path

    @classmethod
    def save(
        cls, old: Vocabulary, tokenizer: Tokenizer, trimmed: Tokenizer, new: Path, table: Path
    ) -> Trim:
        """Write the rank file `new` and the file `table`.

        Args:
            old: the file of `tokenizer`.
            tokenizer: the old vocabulary.
            trimmed: the new one.

        Raises:
            UserError: where they cannot be written.
        """
        numbers = tokenizer.numbers_in(trimmed)
        can_cut = [can_cut_before(tokenizer, token) for token in range(tokenizer.vocab_size)]
        with atomic_writer(table) as stream:
            np.savez(
                stream,
                numbers=np.array([ENCODE_ANEW if n is None else n for n in numbers], np.int32),
                can_cut=np.array(can_cut),
            )
        return cls(old, Vocabulary.save(trimmed, new), table)


def shard_name(portion: Portion, tokenizer: Tokenizer) -> str:
    """The name of the file that holds `portion` encoded: another for everything else."""
    made_of = f"{SHARD_FORMAT} {tokenizer.digest} {tokenizer.pattern}".encode()
    return hashlib.blake2b(portion.digest() + made_of, digest_size=16).hexdigest() + ".npz"


def encode_portion(portion: Portion, vocabulary: Vocabulary, path: Path) -> None:
    """Write the shard of a portion, unless it is there and whole.

    That is not waited for until it is on disk: should a power cut damage it, that will be seen.

    Raises:
        UserError: where a file cannot be read or is no longer what it was, or the shard cannot
            be written.
    """
    if path.exists() and _is_whole(path):
        return
    encoder = vocabulary.encoder()
    texts = list(portion.stories())
    tokens, counts = encoder.encode(texts)
    stories = np.empty(len(texts), STORY)
    stories["key"] = [story_key(text) for text in texts]
    stories["tokens"] = counts + 1
    stories["bytes"] = [len(text.encode()) for text in texts]
    for file in portion.changed():
        raise UserError(
            f"{shown(file)} has changed while it was read.", "Run the same command again."
        )
    with atomic_writer(path, durable=False) as stream:
        ends = np.insert(tokens, np.cumsum(counts), encoder.tokenizer.end_token)
        np.savez(stream, tokens=ends, stories=stories)


def _is_whole(path: Path) -> bool:
    try:
        read_stories(path)
        _read(path, "tokens")
    except UserError:
        return False
    return True


def read_stories(path: Path) -> NDArray[np.void]:
    """The stories of a shard: `STORY` (stories,).

    Raises:
        UserError: where it cannot be read, or is damaged.
    """
    return _read(path, "stories")


def _read(path: Path, name: str) -> NDArray[np.void]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise os_error(error, path) from error
    with stream:
        try:
            array: NDArray[np.void] = np.load(stream)[name]  # which checks a CRC
            return array
        except _DAMAGE as error:
            if is_lack_of_memory(error):
                raise
            raise UserError(
                f"{path} has been damaged.",
                "Run the same command again: it makes anew what is damaged.",
            ) from None


def count_tokens(path: Path, fates: Fates, split: int, vocab_size: int) -> NDArray[np.int64]:
    """How often each token occurs in the stories of one split: int64 (vocab_size,)."""
    lengths = read_stories(path)["tokens"]
    tokens = _read(path, "tokens")[np.repeat(fates == split, lengths)]
    return np.bincount(tokens, minlength=vocab_size)


def tokens_of_splits(path: Path, fates: Fates, trim: Trim | None) -> list[bytes]:
    """The tokens of a shard's stories for each split, as they stand in its .bin file.

    Args:
        path: the shard.
        fates: of its stories.
        trim: the change of vocabulary, if there is one.
    """
    lengths = read_stories(path)["tokens"]
    tokens = _read(path, "tokens")
    if trim is None:
        return [
            tokens[np.repeat(fates == split, lengths)].tobytes() for split in range(len(SPLITS))
        ]
    with np.load(trim.table) as table:
        numbers, is_cut = table["numbers"][tokens], table["can_cut"][tokens]
    ends = np.cumsum(lengths, dtype=np.int64)
    is_cut[ends[:-1]] = True  # where stories begin
    is_cut[ends - 1] = True  # <|endoftext|>, which is never encoded anew
    begins, ends = _to_encode_anew(numbers, is_cut)
    old, new = trim.old.encoder().tokenizer, trim.new.encoder()
    words = [tokens[begin:end].tolist() for begin, end in zip(begins, ends, strict=True)]
    anew, counts = new.encode([old.decode(word) for word in words])
    # Each old token becomes one, but the first of such a word all its new ones, the others none.
    become = np.ones(len(tokens), np.int64)
    become[_between(begins, ends, len(tokens))] = 0
    become[begins] = counts
    is_anew = np.zeros(len(tokens), bool)
    is_anew[begins] = True
    trimmed = np.repeat(numbers.astype(TOKEN_TYPE), become)
    trimmed[np.repeat(is_anew, become)] = anew
    of_split = np.repeat(np.repeat(fates, lengths), become)
    return [trimmed[of_split == split].tobytes() for split in range(len(SPLITS))]


def _to_encode_anew(
    numbers: NDArray[np.int32], is_cut: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Begins and ends of the words that have a token without a number: int64 (words,) each.

    Args:
        numbers: of all tokens.
        is_cut: for each token, whether a word begins with it.
    """
    cuts = np.concatenate([[0], np.flatnonzero(is_cut), [len(numbers)]])
    without = np.flatnonzero(numbers == ENCODE_ANEW)
    word = np.unique(np.searchsorted(cuts, without, side="right"))
    return cuts[word - 1], cuts[word]


def _between(begins: NDArray[np.int64], ends: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Where 0, 1, ... length is in one of the ranges, which do not overlap."""
    steps = np.zeros(length + 1, np.int64)
    steps[begins] += 1
    steps[ends] -= 1
    return np.cumsum(steps)[:-1] > 0
