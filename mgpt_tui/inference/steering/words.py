"""Words that must come: many tries side by side, of which the model chooses.

Every try is led to the words (see `said.wishes`). Of those that hold the most of them, the one
counts whose text the model alone, without being led, holds for likeliest. Its seed stands for it:
the tries that a seed has beside it are those that are a multiple of `APART` away, so whichever of
them is given, the same ones are made, and the same is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import ContextPart, SamplingSettings, Until, fresh_seed
from mgpt_tui.inference.said.forms import held
from mgpt_tui.inference.said.wishes import STORY_ROOM
from mgpt_tui.inference.text.generation import Generation
from mgpt_tui.text import TextChunk

TRIES = 8
"""Texts that are written side by side."""
APART = 2**31
"""Between the seeds of two tries: no seed that is drawn is as large."""
SECONDS = 1.0
"""Time for all of them; then the best so far goes on alone."""


def stream(
    engine: Engine,
    context: Sequence[ContextPart],
    settings: SamplingSettings,
    should_stop: Callable[[], bool] = lambda: False,
    n_best: int | None = None,
    *,
    until: Until = Until.LENGTH,
    clock: Callable[[], float] = time.monotonic,
) -> Generation:
    """A text that continues `context` and holds the words that are wished, as far as may be.

    Where none are, it is that of `Engine.stream`. Where some are, the tries are made before this
    returns; where the time ends them, the seed may bring another text the next time.

    Args and errors as in `Engine.stream`, but for this:
        clock: seconds, monotonic.
    """
    if not settings.words or until is Until.WORD:
        return engine.stream(context, settings, should_stop, n_best, until=until)
    seed = fresh_seed() if settings.seed is None else settings.seed
    first = replace(settings, seed=seed - seed // APART % TRIES * APART)
    texts = engine.together(
        context, first, TRIES, should_stop, n_best or 0, until=until, apart=APART
    )
    tries = [_Try(text, settings.words) for text in texts]
    end, is_hurried = clock() + SECONDS, False
    while (left := [one for one in tries if one.goes_on]) and not should_stop():
        if is_hurried := clock() >= end:
            break
        for one in left:
            one.go_on()
    best = max(tries, key=_Try.worth)
    for other in tries:
        if other is not best:
            other.text.leave()
    best.text.go_back(best.chunks, is_hurried=is_hurried)
    return best.text


@dataclass(slots=True)
class _Try:
    """A text as far as it is written.

    Attributes:
        text: goes on.
        words: that it is to hold.
        chunks: what has come of it.
        is_over: whether no more comes.
    """

    text: Generation
    words: tuple[str, ...]
    chunks: list[TextChunk] = field(default_factory=list)
    is_over: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether it is to be written on, in order to be compared."""
        return not self.is_over and len(self.text.chances) < STORY_ROOM

    def go_on(self) -> None:
        """Write the next piece of it."""
        chunk = next(self.text, None)
        if chunk is None:
            self.is_over = True
        else:
            self.chunks.append(chunk)

    def worth(self) -> tuple[int, float]:
        """How many of the words it holds, and how likely the model holds it, in nats a token."""
        said = "".join(chunk.text for chunk in self.chunks)
        chances = [one.log_probability for one in self.text.chances]
        return len(held(self.words, said)), sum(chances) / max(1, len(chances))
