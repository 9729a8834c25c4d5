"""The process that learns, as the app runs it, from its beginning to a model to write with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.learning import begun
from mgpt_tui.model.registry import find_model
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.learning.apprentice import Apprentice, Phase
from tests.training.conftest import story
from tests.waiting import until


def heard(apprentice: Apprentice, holds: Callable[[], object]) -> list[str]:
    """Listen until something holds; gives what the writer was told meanwhile."""
    told: list[str] = []

    def listen() -> object:
        _, notices = apprentice.hear()
        told.extend(notice.text for notice in notices)
        return holds()

    until(listen, there=lambda: (apprentice.phase, apprentice.trouble, apprentice.stepped))
    return told


def test_it_reckons_learns_stops_goes_on_and_is_dropped(tiny_checkpoint: Path) -> None:
    for number in range(7):
        StoryLibrary().add(Story().write(story(number)), f"story {number}")
    apprentice = Apprentice()
    much = ("--name=fox", f"--model={tiny_checkpoint}", "--passes=900")
    apprentice.reckon(much)
    heard(apprentice, lambda: not apprentice.is_busy)
    assert apprentice.planned is not None and apprentice.planned.name == "fox"
    assert not paths.runs_dir().exists()

    apprentice.begin("fox", much)
    heard(apprentice, lambda: apprentice.stepped)
    assert begun.under_way() == "fox" and apprentice.line.startswith("fox learns, step")
    apprentice.stop()
    heard(apprentice, lambda: apprentice.phase is Phase.STOPPED)
    assert begun.under_way() is None
    (left,) = begun.unfinished()
    assert left.name == "fox" and left.step > 0
    assert find_model("fox").path.is_dir(), "what it has learnt can write"

    apprentice.go_on()
    heard(apprentice, lambda: apprentice.stepped and apprentice.stepped.step > left.step)
    apprentice.stop(drops=True)
    told = heard(apprentice, lambda: apprentice.phase is Phase.IDLE)
    assert told == ["What fox had learnt is gone."]
    assert not (paths.runs_dir() / "fox").exists()


def test_what_cannot_be_is_told_with_the_reason(tiny_checkpoint: Path) -> None:
    apprentice = Apprentice()
    apprentice.reckon(("--name=fox", f"--model={tiny_checkpoint}"))
    heard(apprentice, lambda: not apprentice.is_busy)
    assert "There is no story to learn from" in apprentice.trouble
    apprentice.begin("fox", ("--name=fox", "--model=nothing"))
    told = heard(apprentice, lambda: not apprentice.is_busy)
    assert apprentice.phase is Phase.FAILED and len(told) == 1


def test_what_is_reckoned_no_further_leaves_no_stories_behind(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        StoryLibrary().add(Story().write(story(number)), f"story {number}")
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    apprentice = Apprentice()
    apprentice.reckon(("--name=fox", f"--model={tiny_checkpoint}"))
    until(lambda: list(place.glob("mgpt-learn-*")) or not apprentice.is_busy)
    apprentice.leave()
    assert apprentice.phase is Phase.IDLE
    until(lambda: not list(place.glob("mgpt-learn-*")), there=lambda: list(place.rglob("*")))


def test_a_damaged_mark_and_a_name_that_is_held_are_told(tmp_path: Path) -> None:
    folder = paths.runs_dir() / "old"
    folder.mkdir(parents=True)
    (folder / begun.MARK).write_text("[")
    assert begun.unfinished() == []
    begun.drop("old")
    assert not folder.exists()
    odd = begun.Begun(name="odd", model="x", stories=1, words=1, passes=None, learning_rate=0.1)
    odd.write()
    assert begun.find("odd") == odd
    (odd.folder / begun.MARK).write_text(json.dumps({**asdict(odd), "before": "much"}))
    with pytest.raises(UserError, match="damaged"):
        begun.find("odd")
    assert begun.free_name() == "mine"
    (paths.runs_dir() / "mine").mkdir()
    assert begun.free_name() == "mine-2"
