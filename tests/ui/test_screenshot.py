"""The tool that takes the pictures of the docs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mgpt_tui.inference.request import SamplingSettings

TOOL = Path(__file__).parents[2] / "tools" / "screenshot.py"


async def test_the_pictures_show_the_app_at_work(engine) -> None:
    spec = importlib.util.spec_from_file_location("screenshot_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    sampling = SamplingSettings(seed=7)
    pictures = await tool.take(engine, "storyteller", sampling=sampling, words=4)
    parts = {
        "room": ("The girl found a key", "Suddenly the key", "shiny", "seed 7", "and they walked"),
        "compare": ("How could it go on?", "[2] on the"),
        "another-word": ("50.0 %", "under"),
        "inside": ("embedding", "M6", "4 layers"),
    }
    assert pictures.keys() == parts.keys()
    for name, picture in pictures.items():
        assert picture.startswith("<svg")
        said = picture.replace("&#160;", " ")
        for part in parts[name]:
            assert part in said
