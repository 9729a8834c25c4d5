"""What a bridge is worth, measured with the embedded model.

    python campaigns/bridge.py --stories 60

One JSON line. Of each story, told by the engine with the room's settings, a sentence in the middle
is taken out, and bridges are tried in its place. What follows is then read, up to `READ_ON` tokens,
behind the sentence that stood there, behind nothing, behind the first way that was tried, and
behind the best of 8 and of as many as the room tries; in bits per byte. What comes after that had
no say in the choice: it is read as well.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import median

from desk import told

from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import Gap, Until, Way
from mgpt_tui.inference.steering.bridge import bridges
from mgpt_tui.inference.steering.scale import READ_ON, Scale
from mgpt_tui.model.registry import find_model
from mgpt_tui.settings import ROOM
from mgpt_tui.ui.screens.bridge.bridging import SAMPLES, places_of

FEW = 8
SENTENCES = 5
"""Of the shortest story that is taken."""


@dataclass
class Sum:
    """Bits and bytes of texts."""

    bits: float = 0.0
    bytes: int = 0

    @property
    def per_byte(self) -> float:
        """Rounded as it is told."""
        return round(self.bits / self.bytes, 4)


@dataclass
class Case:
    """How what follows is read behind one way.

    Attributes:
        near: by what it was weighed.
        far: what comes after that.
    """

    near: Sum = field(default_factory=Sum)
    far: Sum = field(default_factory=Sum)


def gaps(engine: Engine, stories: int) -> Iterator[tuple[int, Gap]]:
    """Stories without a sentence in the middle, which is in `now`, and their seeds."""
    seed = 0
    while stories:
        text, _ = told(engine, "", seed, Until.END)
        places = places_of(text)[1::2]
        if len(places) >= SENTENCES - 2:
            start, end = places[len(places) // 2]
            yield seed, Gap((text[:start],), (text[end:],), text[start:end])
            stories -= 1
        seed += 1


def best(engine: Engine, gap: Gap, seed: int, samples: int) -> Way | None:
    """The best way over a gap."""
    known = bridges(engine, replace(gap, now=""), replace(ROOM, seed=seed), samples)
    (last,) = deque(known, maxlen=1)
    return last.ways[0] if last.ways else None


def first(engine: Engine, gap: Gap, seed: int) -> Way | None:
    """The first way over a gap, however good."""
    ways = (best(engine, gap, seed + number, 1) for number in range(SAMPLES))
    return next((way for way in ways if way), None)


def read(engine: Engine, gap: Gap, way: tuple[int, ...], case: Case) -> None:
    """Add how what follows is read behind a way."""
    after = engine.encode(gap.after)[1:]
    near, far = tuple(after[:READ_ON]), tuple(after[READ_ON : 2 * READ_ON])
    _add(case.near, engine, Gap((*gap.before, way), (near,)))
    if far:
        _add(case.far, engine, Gap((*gap.before, way, near), (far,)))


def _add(total: Sum, engine: Engine, gap: Gap) -> None:
    scale = Scale(engine, gap)
    weighing = scale.weigh([()])
    try:
        while True:
            next(weighing)
    except StopIteration as over:
        total.bits -= over.value[0]
    total.bytes += len(engine.tokenizer.decode(scale.following).encode())


def bridge(engine: Engine, stories: int) -> dict[str, object]:
    """Bits per byte of what follows, behind each."""
    cases = {name: Case() for name in ("true", "nothing", "random", f"best_of_{FEW}", "best")}
    took, none, better = [], 0, 0
    for number, (seed, gap) in enumerate(gaps(engine, stories), 1):
        began = time.process_time()
        found = best(engine, gap, 1000 * seed, SAMPLES)
        took.append(time.process_time() - began)
        ways = {
            "nothing": (),
            "true": tuple(engine.tokenizer.encode(gap.now)),
            "random": getattr(first(engine, gap, 1000 * seed), "tokens", ()),
            f"best_of_{FEW}": getattr(best(engine, gap, 1000 * seed, FEW), "tokens", ()),
            "best": found.tokens if found else (),
        }
        none += found is None
        before = {name: cases[name].near.bits for name in ways}
        for name, way in ways.items():
            read(engine, gap, way, cases[name])
        came = {name: cases[name].near.bits - before[name] for name in ways}
        better += came["best"] <= came["true"]
        print(f"{number} of {stories}", end="\r", file=sys.stderr)
    return {
        "stories": stories,
        "samples": SAMPLES,
        "bits_per_byte": {name: case.near.per_byte for name, case in cases.items()},
        "of_what_comes_later": {name: case.far.per_byte for name, case in cases.items()},
        "none_found": none,
        "as_good_as_the_true_one": better,
        "cpu_seconds": round(median(took), 2),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=60, help="how many")
    stories = parser.parse_args().stories
    engine = load_engine(find_model(None).path).engine
    print(json.dumps({"measure": "bridge"} | bridge(engine, stories)))


if __name__ == "__main__":
    main()
