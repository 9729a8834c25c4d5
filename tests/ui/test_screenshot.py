"""The tool that takes the README's picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mgpt_tui.inference.request import SamplingSettings

TOOL = Path(__file__).parents[2] / "tools" / "screenshot.py"


async def test_the_picture_shows_the_app_at_work(engine) -> None:
    spec = importlib.util.spec_from_file_location("screenshot_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    picture = await tool.take(engine, "storyteller", sampling=SamplingSettings(seed=7), words=4)
    assert picture.startswith("<svg")
    said = picture.replace("&#160;", " ")
    for part in ("The girl found a key", "Suddenly the key", "shiny", "seed 7", "and they walked"):
        assert part in said
