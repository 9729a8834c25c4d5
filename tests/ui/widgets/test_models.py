"""The models' dialog: what is said of each, and picking one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mgpt_tui import paths
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.manifest import CONFIG_FILE, CheckpointInfo
from mgpt_tui.model.registry import listed_as
from mgpt_tui.ui.screens.models import ModelsScreen


@pytest.fixture
def mine() -> Path:
    """A run of one checkpoint, without its weights."""
    run = paths.runs_dir() / "mine"
    folder = run / "step-00001200"
    folder.mkdir(parents=True)
    training = {"step": 1200, "validation": {"bits_per_byte": 0.75}}
    info = CheckpointInfo(
        config=SHAPES["tiny"],
        stated=SHAPES["tiny"].to_dict(),
        tokenizer={},
        training=training,
        fingerprint="f" * 64,
    )
    (folder / CONFIG_FILE).write_text(info.to_json(), encoding="utf-8")
    os.utime(folder / CONFIG_FILE, (1_700_000_000, 1_700_000_000))
    for pointer in ("best", "last"):
        (run / f"{pointer}.json").write_text(json.dumps({"checkpoint": folder.name}))
    return folder


async def test_each_model_is_shown_with_its_figures(host, mine: Path) -> None:
    async with host(ModelsScreen("mine/last")) as writer:
        await writer.sees("mine/best")
        line = next(line for line in writer.screen.splitlines() if "mine/last" in line)
        for figure in ("● mine/last", "1,200", "0.750", "2023-11-1"):
            assert figure in line
        other = next(line for line in writer.screen.splitlines() if "storyteller" in line)
        assert "●" not in other
        assert "4,300" in other
        await writer.press("enter")
        await writer.until(lambda: writer.app.answers == ["mine/last"])


async def test_a_run_named_alone_is_marked_where_it_stands_in_the_list(host, mine: Path) -> None:
    async with host(ModelsScreen("mine")) as writer:
        await writer.sees("● mine/best")
        await writer.press("f6")
        await writer.sees("mine/best writes now: go to the one to compare it with.")
    assert listed_as("storyteller") == "storyteller"
    assert listed_as("mine/last") == "mine/last"
    assert listed_as(str(mine)) == str(mine)
    (mine.parent / "best.json").unlink()
    assert listed_as("mine") == "mine/last"


async def test_typing_finds_a_model_and_enter_waits_for_it(host, mine: Path) -> None:
    async with host(ModelsScreen("mine/last")) as writer:
        await writer.press(*"teller", "enter")
        await writer.until(lambda: writer.app.answers == ["storyteller"])


async def test_esc_picks_none(host) -> None:
    async with host(ModelsScreen("storyteller")) as writer:
        await writer.press("z", "z")
        await writer.sees("No model has such a name.")
        await writer.press("enter", "escape")
        await writer.until(lambda: writer.app.answers == [None])


async def test_a_damaged_model_is_shown_and_not_picked(host, mine: Path) -> None:
    (mine / CONFIG_FILE).write_text("[b]{", encoding="utf-8")
    async with host(ModelsScreen("storyteller")) as writer:
        await writer.press(*"best")
        await writer.misses("storyteller")
        await writer.sees("cannot be read")
        await writer.press("enter")
        await writer.sees("✗ mine/best cannot be read")
        assert not writer.app.answers
