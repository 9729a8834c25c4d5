"""An engine that does what it likes, for the app to live with."""

from __future__ import annotations

import queue
import random
from dataclasses import dataclass, field
from typing import Any

from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import (
    Bridged,
    Chunks,
    Died,
    Ended,
    Failed,
    Measured,
    Ranked,
    Ready,
    Replaced,
    Seen,
    Started,
    Told,
)
from mgpt_tui.inference.request import (
    Alternative,
    Distribution,
    Finished,
    FinishReason,
    Way,
)
from mgpt_tui.text import TextChunk

WORDS = (" the", " cat", ".", ' "Yes', '"', "\n\n", " sat", ",", " [x]", " \U0001f600", "\n")


@dataclass
class PretendingEngine:
    """Writes random words, now and then fails, dies or does not come to an end."""

    draw: random.Random
    events: queue.Queue[Any] = field(default_factory=queue.Queue)
    last: int = 0

    def start(self) -> None:
        """Be ready."""
        self.events.put(Ready("pretended", 15_000_000, 256, "f" * 64, "on paper"))

    def switch(self, model: str | None) -> None:
        """Be ready again."""
        self.start()

    def generate(
        self, context: Any, settings: Any, until: Any = None, samples: int = 1, muted: str = ""
    ) -> int:
        """Write something, mostly to the end."""
        self.last += 1
        id, put, fate = self.last, self.events.put, self.draw.random()
        if fate < 0.02:
            put(Failed(id, "It [failed].", "Try again."))
            return id
        put(Started(id, self.draw.randrange(1, 600), 0, 7))
        for number in range(self.draw.randrange(60) * samples):
            chunk = TextChunk(self.draw.choice(WORDS), (number,))
            put(Chunks(id, (chunk,), self.draw.randrange(samples)))
        if fate < 0.04:
            put(Died(-9))
        elif fate < 0.9:
            for sample in range(samples):
                finished = Finished(FinishReason.LENGTH, 9, 0.1, 7 + sample, 0, 99)
                put(Ended(id, finished, sample))
        return id

    def look(self, context: Any, settings: Any, count: int) -> int:
        """Some words."""
        self.last += 1
        choices = (
            Alternative(1, " a", 0.5, 0.7),
            Alternative(2, "", 0.2, 0.3),
            Alternative(3, " [b]", 0.1, 0.0),
        )
        self.events.put(Seen(self.last, Distribution(choices, 1.0)))
        return self.last

    def inspect(self, context: Any, asked: Any) -> int:
        """Nothing to look into: a view tells so, and the room goes on."""
        self.last += 1
        failed = Failed(self.last, "It [failed].", "Try again.")
        self.events.put(failed if self.draw.random() < 0.5 else Replaced(self.last))
        return self.last

    def measure(self, context: Any) -> int:
        """Some number."""
        self.last += 1
        self.events.put(Measured(self.last, self.draw.randrange(1, 600)))
        return self.last

    def rank(self, context: Any, candidates: Any) -> int:
        """Any order."""
        self.last += 1
        scores = tuple(-self.draw.random() for _ in candidates)
        self.events.put(Ranked(self.last, scores))
        return self.last

    def tell(self, context: Any, settings: Any, model: str = "") -> int:
        """A few words, or that it cannot."""
        self.last += 1
        finished = Finished(FinishReason.LENGTH, 9, 0.1, 7, 0, 99)
        told = Told(self.last, self.draw.choice(WORDS), finished)
        failed = Failed(self.last, "It [failed].", "Try again.")
        self.events.put(told if self.draw.random() < 0.8 else failed)
        return self.last

    def bridge(self, gap: Any, settings: Any, samples: int, muted: str = "") -> int:
        """One way, and mostly more."""
        self.last += 1
        found: list[Way] = []
        for number in range(self.draw.randrange(1, 4)):
            chunk = TextChunk(f"{self.draw.choice(WORDS)} {number}.", (number,))
            found.append(Way((chunk,), settings, number, self.draw.uniform(-9, 9)))
            self.events.put(Bridged(self.last, tuple(found), 0.0, len(found), more=number < 2))
        return self.last

    def stop(self, id: int) -> None:
        """A real engine says so, too."""
        self.events.put(Ended(id, Finished(FinishReason.CANCELLED, 9, 0.1, 7, 0, 99)))

    def close(self) -> None:
        """Nothing to end."""


def pretending(draw: random.Random) -> EngineLike:
    """The same, as whoever asks an engine sees it: all that can be asked of one."""
    return PretendingEngine(draw)
