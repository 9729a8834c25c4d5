"""What the writer's desk is worth, measured with the embedded model.

    python campaigns/desk.py ends     # 60 stories, continued three times past their end
    python campaigns/desk.py names    # names over 600 words, with and without a note
    python campaigns/desk.py words    # 200 passages that are to hold three words each

One JSON line each. A story is told by the engine as the room asks for it, with the room's settings
but for its length.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from campaigns.words import words
from mgpt_tui.inference.closing import is_closed, turns_for
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import FinishReason, Until, noted
from mgpt_tui.model.registry import find_model
from mgpt_tui.settings import ROOM

TIMES = 3
"""How often a story is continued past its end."""
SHORT = 4
"""Words of the shortest sentence that counts: "Yes!" may be said twice."""
STRETCH, BEGINNING, LENGTH = 100, 200, 600
"""In words: names are looked for in stretches of a story behind its beginning."""
NOTES = (
    ("Mia", "Mia is a mouse. She has a red hat.", "One day, Mia went to the forest."),
    ("Zed", "Zed is a dragon. He is afraid of fire.", "Once there was a dragon called Zed."),
    ("Polly", "Polly is a parrot. Her friend is Otto.", "Polly and Otto lived in a tree."),
    ("Finn", "Finn is a boy with a blue boat.", "Finn went to the sea."),
)


def told(
    engine: Engine, text: str, seed: int, until: Until, note: str = ""
) -> tuple[str, FinishReason]:
    """What comes after `text`, and why it ended."""
    settings = replace(ROOM, seed=seed)
    generation = engine.stream(noted(note, [text] if text else []), settings, until=until)
    came = "".join(chunk.text for chunk in generation)
    return came, generation.finished.reason


def turned(engine: Engine, text: str, note: str = "") -> str:
    """A story that has ended, with the turn that it takes."""
    turns = turns_for(text)
    scores = engine.rank(noted(note, [text]), turns)
    return text + max(zip(scores, turns, strict=True))[1]


def sentences(text: str) -> list[str]:
    """Those that count."""
    found = re.split(r"(?<=[.!?])[\"']?\s+", text)
    return [one.strip() for one in found if len(one.split()) >= SHORT]


def repeated(text: str, before: str = "") -> tuple[int, int]:
    """How many sentences of a text were said in it or before it, and how many there are."""
    said, again = set(sentences(before)), 0
    for sentence in sentences(text):
        again += sentence in said
        said.add(sentence)
    return again, len(sentences(text))


def ends(engine: Engine, stories: int) -> dict[str, float]:
    """What becomes of stories that go on past their end."""
    first, later, ever, often = [0, 0], [0, 0], [0, 0], 0
    for seed in range(stories):
        begun, _ = told(engine, "", seed, Until.END)
        text = begun
        for time in range(1, TIMES + 1):
            before, text = text, turned(engine, text)
            text += told(engine, text, seed + time * stories, Until.END)[0]
            came = text[len(before) :]
            _count(later, repeated(came))
            _count(ever, repeated(came, before))
        often += len(re.findall(r"\bThe end\b", text, re.IGNORECASE)) > 2
        _count(first, repeated(begun))
        print(f"{seed + 1} of {stories}", end="\r", file=sys.stderr)
    return {
        "stories": stories,
        "the_end_more_than_twice": often,
        "repeated_in_first": round(first[0] / first[1], 4),
        "repeated_in_later": round(later[0] / later[1], 4),
        "repeated_from_anywhere": round(ever[0] / ever[1], 4),
    }


def _count(counts: list[int], more: tuple[int, int]) -> None:
    for at, number in enumerate(more):
        counts[at] += number


def long_story(engine: Engine, begun: str, seed: int, note: str) -> str:
    """A story of `LENGTH` words, passage by passage, as somebody has it who only presses enter."""
    text, reason, passage = begun, FinishReason.LENGTH, 0
    while len(text.split()) < LENGTH:
        if reason is FinishReason.END or is_closed(text):
            text = turned(engine, text, note)
        came, reason = told(engine, text, 1000 * seed + passage, Until.LENGTH, note)
        text, passage = text + came, passage + 1
    return text


def names(engine: Engine, stories: int) -> dict[str, float]:
    """In what share of the stretches of long stories their hero is named."""

    def share(with_note: bool) -> float:
        return sum(found := list(_named(engine, stories, with_note=with_note))) / len(found)

    return {"stories": stories, "without": round(share(False), 3), "with": round(share(True), 3)}


def _named(engine: Engine, stories: int, *, with_note: bool) -> Iterator[bool]:
    for seed in range(stories):
        name, note, begun = NOTES[seed % len(NOTES)]
        words = re.findall(r"\w+", long_story(engine, begun, seed, note if with_note else ""))
        for start in range(BEGINNING, LENGTH - STRETCH + 1, STRETCH):
            yield name in words[start : start + STRETCH]


MEASURES: dict[str, tuple[Callable[[Engine, int], dict[str, float]], int]] = {
    "ends": (ends, 60),
    "names": (names, 24),
    "words": (words, 200),
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--stories", type=int, help="how many")
    arguments = parser.parse_args()
    measure, usual = MEASURES[arguments.measure]
    engine = load_engine(find_model(None).path).engine
    print(json.dumps({"measure": arguments.measure} | measure(engine, arguments.stories or usual)))


if __name__ == "__main__":
    main()
