"""The views of the look that say what a token is."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from mgpt_tui.inference.inspection.answers import Asked, Scored, View
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.screens.inside.tokens import COUNT, strip
from tests.ui.conftest import Writer

BEGINNING = "The girl found a key"


async def look(writer: Writer, *keys: str) -> None:
    """Open the look on a story that is told, and press keys there."""
    await writer.tell(BEGINNING)
    await writer.press("f9")
    await writer.on(InsideScreen)
    await writer.sees("What could come next")
    await writer.press(*keys)


async def test_of_a_token_its_pairs_and_its_neighbours_are_seen(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await look(writer, "0", "home", "right")
        await writer.sees("␣girl is token 2, joined so")
        await writer.sees("a + [b] (302) · ␣ + a[b] (402)")
        await writer.sees("␣near0[        +0.90")
        await writer.sees("nearest to its position, 2")
        await writer.sees("position 3     +0.70")
        await writer.press("end")
        await writer.sees("␣[b]next, the likeliest to come, is token 12")
        asked = Asked(View.TOKENS, 2, count=COUNT), Asked(View.TOKENS, None, count=COUNT)
        assert set(asked) <= {question for _, question in engine.inspected}


WORDS = ("The", " girl", " found", " a", " [b]key", " on", " 魔法", ".")
TOKENS = [Scored(1000 + at, word, 0, -1.0, 1, 1.0) for at, word in enumerate(WORDS)]


@pytest.mark.parametrize("width", [10, 30, 44, 200])
@pytest.mark.parametrize("number", range(1, len(WORDS) + 2))
def test_tokens_stand_above_their_ids_with_the_cursors_among_them(width: int, number: int) -> None:
    words, ids = (line.plain for line in strip(TOKENS, number, width))
    here = min(number, len(TOKENS))
    assert f"{1000 + here - 1}" in ids
    assert cell_len(words) == cell_len(ids) <= width
    shown = ids.split()
    assert shown == [f"{int(shown[0]) + at}" for at in range(len(shown))]  # none is left out
    room = width - cell_len(words)
    first, last = int(shown[0]) - 1000, int(shown[-1]) - 1000
    beside = [at for at in (first - 1, last + 1) if 0 <= at < len(TOKENS)]
    assert all(max(cell_len(WORDS[at]), 4) + 2 > room for at in beside)
