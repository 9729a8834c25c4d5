"""What can be counted in texts that a model wrote: endings apart, how varied and how repetitive.

After Eldan and Li, "TinyStories" (2023), section 4, and Li et al., "A Diversity-Promoting
Objective Function" (2016). Everything here works on words, so that models with different
vocabularies can be compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*")
PIECE = re.compile(r"\w+|[^\w\s]")

Words = Sequence[str]
"""A text as its words, in order."""


def words(text: str) -> list[str]:
    """The words of a text, in lower case; punctuation is left out."""
    return WORD.findall(text.lower())


def pieces(text: str) -> list[str]:
    """The words and the punctuation marks of a text, in lower case."""
    return PIECE.findall(text.lower())


def ngrams(text: Words, n: int) -> list[tuple[str, ...]]:
    """All runs of `n` words, in order; none where the text is shorter."""
    return list(zip(*(text[start:] for start in range(n)), strict=False))


def distinct_share(texts: Iterable[Words], n: int) -> float:
    """Different n-grams by all n-grams of the texts together (distinct-n, Li et al. 2016).

    Of the same number of words more is better; 0.0 where there are no n-grams.
    """
    found = [gram for text in texts for gram in ngrams(text, n)]
    return len(set(found)) / len(found) if found else 0.0


def most_repeated(text: Words, n: int = 4) -> int:
    """How often the most frequent n-gram of a text occurs in it; 0 where there is none."""
    return max(Counter(ngrams(text, n)).values(), default=0)


def self_similarity(texts: Sequence[Words], n: int = 2) -> float:
    """Mean over the texts of each one's largest ROUGE-n with another; 0.0 of fewer than two.

    ROUGE-n (Lin, 2004) as an F measure: with G the different n-grams of a text, the harmonic mean
    of |G1 & G2| / |G1| and |G1 & G2| / |G2|, as the TinyStories paper compares completions. High
    where a model tells the same story whatever it is asked for.
    """
    grams = [set(ngrams(text, n)) for text in texts]
    if len(grams) < 2:
        return 0.0
    nearest = [
        max(_overlap(one, other) for place, other in enumerate(grams) if place != at)
        for at, one in enumerate(grams)
    ]
    return sum(nearest) / len(nearest)


def _overlap(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0
