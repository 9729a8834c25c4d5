"""A bridge: what leads from what is before a place of a story to what comes after it.

A model reads from left to right and cannot know where it is to arrive. So it writes many times,
side by side, and each way is weighed: how much less surprising is what comes after behind it than
with nothing in between? What says beforehand what comes after is no way, nor what ends the story.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mgpt_tui.inference.closing import is_closed, says_the_end
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import MOST_WAYS, Gap, SamplingSettings, Way, fresh_seed
from mgpt_tui.inference.steering.scale import Scale, longest
from mgpt_tui.inference.text.endings import LOOK_BACK, Sentences, sentences_of
from mgpt_tui.text import TextChunk, folded

if TYPE_CHECKING:
    from mgpt_tui.inference.text.generation import Generation

MOST_SENTENCES = 3
"""Of a way where nothing stands; else it has up to one more than what stands there."""
AT_ONCE = 8
"""Ways that are weighed side by side, of about one length."""
COPIED = 6
"""Words in a row that a way may not have from what comes after: they would be said twice."""
ALIKE = 0.5
"""The most that two ways have in common that count as different, as a share of their words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of the ways over a gap by now.

    Attributes:
        ways: the best so far, the best first.
        now: what stands there now is worth, in bits as `Way.bits`.
        weighed: how many ways have been.
        is_last: whether no more comes.
    """

    ways: tuple[Way, ...] = ()
    now: float = 0.0
    weighed: int = 0
    is_last: bool = False


def bridges(
    engine: Engine,
    gap: Gap,
    settings: SamplingSettings,
    samples: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Ways over a gap, as they become known.

    What is known is told between any two tokens, so that others may be served in between.

    Args:
        engine: which writes and weighs.
        gap: what they are to lead over.
        settings: to write with, but for length and end; without a seed one is drawn.
        samples: how many to try; sample i has the seed of the first plus i.
        should_stop: asked between any two tokens; once true, no more is told.

    Raises:
        UserError: where there is nothing before or after the gap, or too much in it; and as in
            `Engine.stream`.
    """
    search = _Search()
    for _ in search.steps(engine, gap, settings, samples):
        if should_stop():
            return
        yield search.known
    yield replace(search.known, is_last=True)


class _Search:
    """Looks for ways over a gap.

    Attributes:
        known: what is known of them by now.
    """

    def __init__(self) -> None:
        self.known = Progress()

    def steps(
        self, engine: Engine, gap: Gap, settings: SamplingSettings, samples: int
    ) -> Generator[None]:
        """Go on, a token of all ways at a time; arguments as in `bridges`."""
        scale = Scale(engine, gap)
        attempts = _attempts(engine, gap, settings, samples)
        while sum(attempt.go_on() for attempt in attempts):
            yield
        nothing, now = yield from scale.weigh([(), scale.now])
        self.known = replace(self.known, now=now - nothing)
        following = engine.tokenizer.decode(scale.following)
        ways, weighed = allowed(attempts, gap.now, following, settings), list[Way]()
        for start in range(0, len(ways), AT_ONCE):
            some = ways[start : start + AT_ONCE]
            bits = yield from scale.weigh([way.tokens for way in some])
            weighed += map(lambda way, each: replace(way, bits=each - nothing), some, bits)
            self.known = replace(self.known, ways=best_of(weighed), weighed=len(weighed))


def best_of(weighed: Sequence[Way]) -> tuple[Way, ...]:
    """The best ways that differ from each other, the best first."""
    chosen: list[Way] = []
    for way in sorted(weighed, key=lambda way: (-way.bits, way.seed)):
        if len(chosen) < MOST_WAYS and all(_differ(way, other) for other in chosen):
            chosen.append(way)
    return tuple(chosen)


def _differ(one: Way, other: Way) -> bool:
    ours, theirs = (set(_words(way.text)) for way in (one, other))
    return len(ours & theirs) <= ALIKE * len(ours | theirs)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", folded(text))


class Attempt:
    """A way as it is written: up to the end of so many sentences, or of the last one that ended.

    It ends where a token does, so that it can be drawn again.

    Args:
        generation: which writes it.
        sentences: how many it is to have.
        before: the end of what is before it.
    """

    def __init__(self, generation: Generation, sentences: int, before: str) -> None:
        self.seed = generation.seed
        self._generation: Generation | None = generation
        self._left = sentences
        self._sentences = Sentences()
        for character in before[-LOOK_BACK:]:
            self._sentences.read(character)
        self._chunks: list[TextChunk] = []
        self._length = self._whole = 0  # characters, and those up to the last end

    def go_on(self) -> bool:
        """Take the next piece; False where it is over."""
        chunk = next(self._generation, None) if self._generation else None
        if chunk is None:
            self._generation = None
            return False
        self._chunks.append(chunk)
        for character in chunk.text:
            self._length += 1
            back = self._sentences.read(character)
            if back is not None and self._length > back and self._left:
                self._whole = self._length - back
                self._left -= 1
        if not self._left:
            self._generation = None  # so that the others have the processor to themselves
        return self._generation is not None

    @property
    def chunks(self) -> tuple[TextChunk, ...]:
        """What is of whole sentences; nothing where they end within a token."""
        kept, left = list[TextChunk](), self._whole
        for chunk in self._chunks:
            if left <= 0:
                break
            kept.append(chunk)
            left -= len(chunk.text)
        return () if left < 0 else tuple(kept)


def _attempts(engine: Engine, gap: Gap, settings: SamplingSettings, samples: int) -> list[Attempt]:
    """Ways that are written side by side, of different numbers of sentences."""
    seed = fresh_seed() if settings.seed is None else settings.seed
    wanted = _to_write(settings, longest(engine.config.block_size))
    now = len(sentences_of(gap.now))
    most = min(now + 1, MOST_SENTENCES) if now else MOST_SENTENCES
    before = engine.encode(gap.before)[max(1, engine.kept(gap.before)) :]
    end = engine.tokenizer.decode(before[-LOOK_BACK:])
    written = engine.together(gap.before, replace(wanted, seed=seed), samples)
    return [Attempt(each, 1 + number % most, end) for number, each in enumerate(written)]


def _to_write(settings: SamplingSettings, tokens: int) -> SamplingSettings:
    """Settings to write so many tokens with, no end of the story, and no words of a passage."""
    return replace(settings, max_tokens=tokens, finish_sentence=False, ignore_end=True, words=())


def allowed(
    attempts: Sequence[Attempt], now: str, following: str, settings: SamplingSettings
) -> list[Way]:
    """What of some attempts is a way, each once, the shortest first.

    Args:
        attempts: as far as they are written.
        now: what stands there.
        following: what comes after.
        settings: with which they were to be written.
    """
    said, ways = {folded(now).strip()}, list[Way]()
    ahead = f" {' '.join(_words(following))} "
    for attempt in attempts:
        way = Way(attempt.chunks, settings, attempt.seed)
        words, same = _words(way.text), folded(way.text).strip()
        runs = (f" {' '.join(words[at : at + COPIED])} " for at in range(len(words) - COPIED + 1))
        ends = says_the_end(way.text) or is_closed(way.text)
        if words and same not in said and not ends and not any(run in ahead for run in runs):
            said.add(same)
            ways.append(replace(way, settings=_to_write(settings, len(way.tokens))))
    return sorted(ways, key=lambda way: len(way.tokens))
