"""All sources together: which story is learned from, which is held out, which is dropped."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.sources.left_out import LeftOut
from training.sources.stories import Portion, Source, open_source

Keys = NDArray[np.uint64]
Lengths = NDArray[np.uint32]
Fates = NDArray[np.uint8]

_LONG = 2**20
_WHITE_SPACE = re.compile(r"\s+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_LINE = re.compile(r"\n")


class Fate(IntEnum):
    """What becomes of a story; the first two are the numbers of the splits."""

    TRAIN = 0
    VAL = 1
    DROPPED = 2  # it is in the validation source too


class HeldOut(StrEnum):
    """How stories came to be held out, as `meta.json` says it."""

    SOURCE = "a source of its own"
    SHARE = "a share of the stories"
    LEAST = "one story, as the share would be none"
    MOST = "all stories but one, as the share would be all"
    END = "the end of the only text, which is cut at a paragraph"


@dataclass(frozen=True, slots=True)
class Allotment:
    """What becomes of all stories.

    Attributes:
        fates: a `Fate` for each story of each part of the corpus.
        stories: how many there are of each fate.
        bytes: how long these are together, in UTF-8.
        duplicates: stories to learn from that had been there before, as far as 64 bits can tell.
        held_out: how those held out were chosen.
    """

    fates: list[Fates]
    stories: tuple[int, ...]
    bytes: tuple[int, ...]
    duplicates: int
    held_out: HeldOut


class Corpus:
    """The stories of all sources.

    Args:
        sources: names of the sources to learn from.
        val: the source of the held-out stories; its stories are dropped from the others.
            None holds out a share of the others, chosen by the stories themselves, whatever
            their order; equal stories always fall on the same side, and on each side is at least
            one, where there are two that differ.
        val_fraction: that share.
        text_column: see `training.sources.columns.choose_column`.
        outputs: see `open_source`.

    Attributes:
        sources: all of them, that of the held-out stories first.
        size: bytes of all files of the sources, or None where that is not known.

    Raises:
        UserError: where a source is not there.
    """

    def __init__(
        self,
        sources: tuple[str, ...],
        val: str | None,
        val_fraction: float,
        text_column: str | None = None,
        outputs: Collection[Path] = (),
    ) -> None:
        self.sources: list[Source] = []
        if val is not None:
            self.sources.append(open_source(val, text_column, "validation", outputs=outputs))
        self.sources += [open_source(name, text_column, outputs=outputs) for name in sources]
        self._has_val = val is not None
        self._fraction = val_fraction
        sizes = [source.size for source in self.sources]
        self.size = None if None in sizes else sum(size or 0 for size in sizes)

    def portions(self, size: int) -> Iterator[tuple[int, Portion]]:
        """Every story in portions of about `size` bytes, each with the number of its source.

        Raises:
            UserError: where a source cannot be read.
        """
        for number, source in enumerate(self.sources):
            for portion in source.portions(size):
                yield number, portion

    def left_out(self) -> LeftOut:
        """What of the sources was not read, after all portions were."""
        everything = LeftOut()
        for source in self.sources:
            everything.extend(source.left_out)
        return everything

    def only_text(self, keys: Sequence[Keys]) -> str | None:
        """The text that all stories are, where there is nothing else to hold out from it.

        Args:
            keys: as for `allot`.
        """
        if self._has_val or len(np.unique(np.concatenate(keys))) != 1:
            return None
        return next(story.text for source in self.sources for story in source.stories())

    def allot(
        self, sources: Sequence[int], keys: Sequence[Keys], lengths: Sequence[Lengths]
    ) -> Allotment:
        """Decide what becomes of every story.

        Args:
            sources: the number of the source of each part of the corpus.
            keys: the `story_key` of each story of each part.
            lengths: their bytes.
        """
        fates, held_out = self._fates(sources, keys)
        train = np.concatenate([own[of == Fate.TRAIN] for own, of in zip(keys, fates, strict=True)])
        train.sort()
        return Allotment(
            fates,
            tuple(sum(int(np.count_nonzero(of == fate)) for of in fates) for fate in Fate),
            tuple(
                sum(int(own[of == fate].sum()) for own, of in zip(lengths, fates, strict=True))
                for fate in Fate
            ),
            int(np.count_nonzero(train[1:] == train[:-1])),
            held_out,
        )

    def _fates(self, sources: Sequence[int], keys: Sequence[Keys]) -> tuple[list[Fates], HeldOut]:
        if not self._has_val:
            limit, held_out = self._limit(keys)
            fates = [np.where(own < limit, Fate.VAL, Fate.TRAIN).astype(np.uint8) for own in keys]
            return fates, held_out
        of_source = list(zip(sources, keys, strict=True))
        val = np.unique(np.concatenate([own for source, own in of_source if source == 0]))
        return [
            np.full(len(own), Fate.VAL, np.uint8)
            if source == 0
            else np.where(_are_in(val, own), Fate.DROPPED, Fate.TRAIN).astype(np.uint8)
            for source, own in of_source
        ], HeldOut.SOURCE

    def _limit(self, keys: Sequence[Keys]) -> tuple[np.uint64, HeldOut]:
        """The key below which stories are held out."""
        # Exact: a key is below a float if it is below the whole number next above it.
        limit = np.uint64(math.ceil(self._fraction * 2**64))
        smallest = min(int(own.min()) for own in keys if len(own))
        largest = max(int(own.max()) for own in keys if len(own))
        if smallest == largest or smallest < limit <= largest:
            return limit, HeldOut.SHARE
        if smallest >= limit:
            return np.uint64(smallest + 1), HeldOut.LEAST
        return np.uint64(largest), HeldOut.MOST


def cut_in_two(text: str, share: float) -> tuple[str, str] | None:
    """Cut a text at a paragraph, or at a line where it has none; None where it has neither.

    Args:
        text: without white space at its ends.
        share: about how much of it is to be in the second part.
    """
    target = len(text) * (1 - share)
    for border in (_PARAGRAPH, _LINE):
        cuts = [match.start() for match in border.finditer(text)]
        if cuts:
            cut = min(cuts, key=lambda at: abs(at - target))
            return text[:cut].strip(), text[cut:].strip()
    return None


def _are_in(held_out: Keys, keys: Keys) -> NDArray[np.bool_]:
    """Which keys are in `held_out`, sorted and not empty."""
    nearest = np.minimum(np.searchsorted(held_out, keys), len(held_out) - 1)
    found: NDArray[np.bool_] = held_out[nearest] == keys
    return found


def story_key(text: str) -> int:
    """64 bits of a BLAKE2b digest, equal for stories that differ in white space only.

    Args:
        text: without white space at its ends.
    """
    words = text.replace("\n\n", " ").replace("\n", " ")
    if "  " in words or not words.isprintable():  # the only printable white space is U+0020
        # Of a very long text, a list of words would be many times as large.
        is_long = len(text) > _LONG
        words = _WHITE_SPACE.sub(" ", text) if is_long else " ".join(text.split())
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big")
