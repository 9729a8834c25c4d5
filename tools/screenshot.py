"""Take the pictures of the app that the README and `docs/` show.

    python tools/screenshot.py [--model NAME] [--seed N] [--folder pictures] [LINE ...]

The app runs without a terminal, 100 x 30; each LINE is sent to the model in turn. The first
picture is taken while the model still writes its answer to the last one, the others show how it
could go on, what else it could have said, and what each of its layers would have.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import OptionList

from mgpt_tui.inference.process.client import EngineClient, EngineLike
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.registry import find_model
from mgpt_tui.settings import ROOM, Settings
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.ui.app import WritingRoom
from mgpt_tui.ui.keys import KEY
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.widgets.prompt import Prompt

SIZE = (100, 30)
LINES = ("The girl found a key", "\n\nSuddenly the key began to sing.")
NEXT = "and they walked"
PATIENCE = 120.0
"""Seconds that the model gets for anything."""

ROOT = Path(__file__).parents[1]


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait until `holds`.

    Raises:
        TimeoutError: where it does not come about.
    """
    limit = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > limit:
            raise TimeoutError("the model did not write in time; see its log (mgpt-tui paths)")
        await asyncio.sleep(0.02)
    await pilot.pause()


async def take(
    engine: EngineLike,
    model: str,
    *,
    sampling: SamplingSettings,
    lines: Sequence[str] = LINES,
    words: int = 30,
) -> dict[str, str]:
    """Tell a story with `engine` and give screens as SVG, by name.

    Args:
        engine: a real engine or one that is made up.
        model: what the top line calls the model until the engine says it.
        sampling: settings of every generation.
        lines: what the writer says, in turn.
        words: how many words of the last answer to wait for.
    """
    with tempfile.TemporaryDirectory() as folder:
        app = WritingRoom(engine, model, Settings(sampling=sampling), StoryLibrary(Path(folder)))
        session = app.session

        async def send(line: str) -> None:
            await until(pilot, lambda: session.model is not None and not session.is_busy)
            spans = len(session.story.spans) + 2
            prompt.insert(line)
            prompt.action_send()
            await until(pilot, lambda: len(session.story.spans) == spans)

        async with app.run_test(size=SIZE) as pilot:
            prompt = app.room.query_one(Prompt)
            prompt.cursor_blink = False
            for line in lines:
                await send(line)
            await until(
                pilot,
                lambda: (
                    not session.is_writing or len(session.story.spans[-1].text.split()) >= words
                ),
            )
            prompt.insert(NEXT)
            await pilot.pause()
            pictures = {"room": app.export_screenshot(title="mgpt-tui")}
            prompt.clear()
            await until(pilot, lambda: not session.is_busy)
            session.undo()  # back to the writer's line, from which there are other ways on
            await app.room.run(KEY["compare"])
            await until(pilot, lambda: session.comparison and session.comparison.is_over)
            pictures["compare"] = app.export_screenshot(title="mgpt-tui")
            app.screen.dismiss(1)
            await until(pilot, lambda: app.screen is app.room)
            await app.room.run(KEY["another_word"])
            await until(pilot, lambda: app.screen.query("#alternatives"))
            alternatives = app.screen.query_one(OptionList)
            await until(pilot, lambda: alternatives.highlighted is not None)
            await pilot.press(*["left"] * 9)
            await until(pilot, lambda: alternatives.highlighted is not None)
            pictures["another-word"] = app.export_screenshot(title="mgpt-tui")
            app.screen.dismiss(None)
            await until(pilot, lambda: app.screen is app.room)
            await app.room.run(KEY["inside"])
            inside = app.screen
            assert isinstance(inside, InsideScreen)
            await until(pilot, lambda: inside.is_told)
            await pilot.press(*["left"] * 9, "4")
            await until(pilot, lambda: inside.is_told)
            pictures["inside"] = app.export_screenshot(title="mgpt-tui")
            return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--max-tokens", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=ROOT / "pictures")
    parser.add_argument("lines", nargs="*", default=LINES)
    options = parser.parse_args()
    engine = EngineClient(options.model)
    sampling = replace(ROOM, seed=options.seed, max_tokens=options.max_tokens)
    name = find_model(options.model).name
    try:
        pictures = asyncio.run(take(engine, name, sampling=sampling, lines=options.lines))
    finally:
        engine.close()
    options.folder.mkdir(exist_ok=True)
    for shown, picture in pictures.items():
        path = options.folder / f"{shown}.svg"
        path.write_text(picture, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
