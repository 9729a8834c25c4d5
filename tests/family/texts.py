"""Random texts of every kind that a tokenizer may meet, by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from mgpt_tui.model.split_pattern import HARD_TEXTS
from mgpt_tui.text import END_OF_TEXT

WORDS = (
    *("Once", "upon", "a", "the", "girl's", "they've", "DON'T", "x=1.5e3", "naïve", "東京"),
    *("Ελλάδα", "привет", "שלום", "नमस्ते", "🦊", "🇪🇺"),
)
SPACES = " \t\n\r\u00a0\u2003\u3000\u200b"


def _character(draw: random.Random) -> str:
    """Any that can be written in UTF-8, the low ones more often."""
    while True:
        code = draw.randrange(2 ** draw.choice((7, 8, 11, 16, 21)))
        if code < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code)


def random_texts(count: int, seed: int) -> Iterator[str]:
    """Words, spaces and marks of all scripts, runs of one character, anything; and hard ones."""
    draw = random.Random(seed)
    yield from HARD_TEXTS
    for _ in range(count - len(HARD_TEXTS)):
        parts = []
        for _ in range(draw.randrange(1, 30)):
            kind = draw.randrange(5)
            if kind == 0:
                parts.append(draw.choice(WORDS))
            elif kind == 1:
                parts.append("".join(draw.choices(SPACES, k=draw.randrange(1, 4))))
            elif kind == 2:
                parts.append(_character(draw) * draw.randrange(1, 9))
            elif kind == 3:
                parts.append("".join(draw.choices("etaoin shrdlu'.,!", k=draw.randrange(1, 12))))
            else:
                parts.append("".join(_character(draw) for _ in range(draw.randrange(1, 6))))
        text = "".join(parts)
        assert END_OF_TEXT not in text
        yield text
