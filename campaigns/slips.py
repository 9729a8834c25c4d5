"""Stories in which a character becomes another: its name changes, or what it is.

    python campaigns/slips.py PROMPTS [--stories]

Of each beginning two stories are told, with the room's settings, with new names at their full
chance and as the room has it. One JSON line each; `--stories` prints the stories, too, with what
was found in each. What is judged, by a rule on words: a name that is new in what the model wrote
though the story has one, and that nothing introduces ("a friend, Tim", "named Tim", "I'm Tim"); and
an animal with "the" that nobody has met, where there are others.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from pathlib import Path

from mgpt_tui.inference.loading import load_engine
from mgpt_tui.model.registry import find_model
from mgpt_tui.settings import ROOM
from training.evaluation.completions import complete, read_beginnings

SAMPLES, LENGTH, SEED = 2, 300, 1

_ANIMALS = """
    ant bat bear beaver bee bird bunny butterfly cat caterpillar chicken cow crab crocodile deer
    dinosaur dog dolphin dragon duck eagle elephant fish fox frog giraffe goat hamster hen horse
    kangaroo kitten lamb lion lizard monkey mouse octopus owl parrot penguin pig pony puppy rabbit
    rat shark sheep snail snake spider squirrel tiger turtle whale wolf worm zebra
"""
ANIMALS = frozenset(_ANIMALS.split())
SAME = {"bunny": "rabbit", "puppy": "dog", "kitten": "cat", "pony": "horse", "lamb": "sheep"}
_NOBODY = """
    I A The Mom Mum Mommy Mummy Mama Dad Daddy Papa Grandma Grandpa Grandmother Grandfather
    Granny Mr Mrs Miss Dr Aunt Uncle Santa Christmas Halloween Monday Tuesday Wednesday Thursday
    Friday Saturday Sunday God End English
"""
NOBODY = frozenset(_NOBODY.split())
KNOWN = ("the", "this", "little")
ARTICLES = ("a", "an", "another", *KNOWN)
"""What may stand before an animal; the former before one that was met."""
INTRODUCES = re.compile(
    r"""(\b(named|called|name\ (is|was)|I\ am|I['’]m|this\ is|meet)
    |\b(friends?|brothers?|sisters?|dog|cat|owner|pet|twin|boy|girl|[a-z]+er),?)\ ["“]?\Z""",
    re.VERBOSE,
)
_WORD = re.compile(r"[^\W\d_]+")
_WITHIN = re.compile(r"[a-z,;]['’]?\ \Z")


def names_in(texts: Iterable[str]) -> set[str]:
    """The names in some texts: words with a capital that once stand within a sentence.

    Those that also stand there in small letters are none.
    """
    small, within = set[str](), set[str]()
    for text in texts:
        for match in _WORD.finditer(text):
            word = match.group()
            if word.islower():
                small.add(word)
            elif word.istitle() and _WITHIN.search(text[: match.start()]):
                within.add(word)
    return {word for word in within - NOBODY if word.lower() not in small}


def new_names(beginning: str, text: str, names: Set[str]) -> list[str]:
    """Names that come out of nowhere where the story has one.

    Args:
        names: words that are names.
    """
    story, known, found = beginning + text, set[str](), list[str]()
    for match in _WORD.finditer(story):
        name, at = match.group(), match.start()
        if name not in names or name in known:
            continue
        if known and at >= len(beginning) and not INTRODUCES.search(story[max(0, at - 30) : at]):
            found.append(name)
        known.add(name)
    return found


def new_kinds(beginning: str, text: str) -> list[str]:
    """Animals that are "the" one though nobody has met it, where the story has another."""
    met, found = {kind for _, kind in _animals(beginning)}, []
    for article, kind in _animals(text):
        if met and kind not in met and article in KNOWN:
            found.append(kind)
        met.add(kind)
    return found


def _animals(text: str) -> Iterator[tuple[str, str]]:
    """What stands before each animal, up to two adjectives left out, and the animal."""
    words = [word.lower() for word in _WORD.findall(text)]
    for at, word in enumerate(words):
        one = word if word in ANIMALS else word.removesuffix("s")
        if one in ANIMALS:
            before = words[max(0, at - 3) : at][::-1]
            article = "" if "friend" in before else next((w for w in before if w in ARTICLES), "")
            yield article, SAME.get(one, one)


def main() -> None:
    """Tell the stories, judge them, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", type=Path, help="beginnings of stories, as for `eval --prompts`")
    parser.add_argument("--stories", action="store_true", help="print them, too")
    parser.add_argument("--seed", type=int, default=SEED, help="of each beginning's first story")
    given = parser.parse_args()
    engine = load_engine(find_model(None).path).engine
    beginnings = read_beginnings(given.prompts)
    shares = (1.0, ROOM.new_names)
    told = [
        list(
            complete(
                engine,
                beginnings,
                replace(ROOM, seed=given.seed, max_tokens=LENGTH, new_names=share),
                SAMPLES,
            )
        )
        for share in shares
    ]
    names = names_in(one.beginning + one.text for stories in told for one in stories)
    for share, stories in zip(shares, told, strict=True):
        counts = [0, 0]
        for number, one in enumerate(stories):
            found = (
                new_names(one.beginning, one.text, names),
                new_kinds(one.beginning, one.text),
            )
            counts = [before + bool(some) for before, some in zip(counts, found, strict=True)]
            if given.stories:
                print(f"{number}. {one.beginning} >>> {one.text}\n{found}\n")
        ended = sum(one.ended for one in stories)
        figures = {"new_names": share, "stories": len(stories), "ended": ended}
        print(json.dumps({"measure": "slips"} | figures | {"names": counts[0], "kinds": counts[1]}))


if __name__ == "__main__":
    main()
