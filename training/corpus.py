"""All sources together: which story is learned from, which is held out, which is dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from training.sources import Source, open_source

BATCH_STORIES = 512
BATCH_CHARACTERS = 2**20


class Fate(StrEnum):
    """What becomes of a story; the first two are also the names of the splits."""

    TRAIN = "train"
    VAL = "val"
    DROPPED = "dropped"  # it is in the validation source too


@dataclass(frozen=True, slots=True)
class CorpusStory:
    """A story and what becomes of it.

    Attributes:
        text: never empty.
        fate: see `Fate`.
        key: its `story_key`.
        position: bytes of all sources read so far.
    """

    text: str
    fate: Fate
    key: int
    position: int


class Corpus:
    """The stories of all sources; can be read several times, always with the same outcome.

    Args:
        sources: names of the sources to learn from.
        val: the source of the held-out stories; its stories are dropped from the others.
            None holds out a share of the others, chosen by the stories themselves, whatever
            their order; equal stories always fall on the same side.
        val_fraction: that share.
        text_column: see `training.story_files.choose_column`.

    Raises:
        UserError: where a source is not there.
    """

    def __init__(
        self,
        sources: tuple[str, ...],
        val: str | None,
        val_fraction: float,
        text_column: str | None = None,
    ) -> None:
        self._train = [open_source(name, text_column) for name in sources]
        self._val = None if val is None else open_source(val, text_column, "validation")
        self._fraction = val_fraction

    @property
    def size(self) -> int | None:
        """Bytes of all files of the sources, or None where that is not known."""
        sizes = [source.size for source in self._sources()]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def _sources(self) -> list[Source]:
        return self._train if self._val is None else [self._val, *self._train]

    def stories(self) -> Iterator[CorpusStory]:
        """Every story, those of the validation source first.

        Raises:
            UserError: where a source cannot be read or holds no stories.
        """
        held_out: set[int] = set()
        before = 0
        for source in self._sources():
            for story in source.stories():
                key = story_key(story.text)
                if source is self._val:
                    held_out.add(key)
                    fate = Fate.VAL
                elif self._val is not None:
                    fate = Fate.DROPPED if key in held_out else Fate.TRAIN
                else:
                    fate = Fate.VAL if key < self._fraction * 2**64 else Fate.TRAIN
                yield CorpusStory(story.text, fate, key, before + story.position)
            before += source.size or 0

    def batches(self) -> Iterator[list[CorpusStory]]:
        """`stories` in lists of a bounded size."""
        batch: list[CorpusStory] = []
        characters = 0
        for story in self.stories():
            batch.append(story)
            characters += len(story.text)
            if len(batch) == BATCH_STORIES or characters >= BATCH_CHARACTERS:
                yield batch
                batch, characters = [], 0
        if batch:
            yield batch


def story_key(text: str) -> int:
    """64 bits of a BLAKE2b digest, equal for stories that differ in white space only."""
    words = " ".join(text.split())
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big")
