"""`prepare` with a data set of the hub: the real clients, and a hub on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mgpt_tui.hub
from tests.conftest import Outcome
from tests.hub.server import TOKEN, Hub
from training.data.prepared import read_prepared

USUAL_PATIENCE = mgpt_tui.hub.PATIENCE
STORIES = [f"Once there was a {color} lamp. It shone." for color in ("red", "blue", "green")] * 60
ROWS = "\n".join(json.dumps({"text": story}) for story in STORIES)

Prepare = Callable[[str], Outcome]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where prepared data goes."""
    return tmp_path / "data"


@pytest.fixture
def prepare(mgpt: Callable[..., Outcome], out: Path) -> Prepare:
    """The command, for a source."""
    return lambda source: mgpt("prepare", "--source", source, "--out", out, "--vocab-size", 300)


def test_a_data_set_of_the_hub_is_prepared(hub: Hub, prepare: Prepare, out: Path) -> None:
    held_out = json.dumps({"text": "A hen found a pin."})
    hub.add("ann/lamps", {"data/train.jsonl": ROWS, "data/validation.jsonl": held_out})
    assert prepare("ann/lamps:train").code == 0
    data = read_prepared(out)
    assert data.train.stories + data.val.stories == len(STORIES)
    files = {path for _, path, _ in hub.asked if path.endswith(".jsonl")}
    assert {path.rsplit("/", 1)[1] for path in files} == {"train.jsonl"}


def test_a_connection_that_breaks_off_is_taken_up_again(
    hub: Hub, prepare: Prepare, out: Path
) -> None:
    hub.add("ann/broken", {"train.jsonl": ROWS})
    hub.breaks = ["train.jsonl"]
    assert prepare("ann/broken").code == 0
    assert hub.breaks == []
    data = read_prepared(out)
    assert data.train.stories + data.val.stories == len(STORIES)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("ann/nothing", "the hub has none of that name, or it is private"),
        ("ann/secret", "the hub has none of that name, or it is private"),
        ("ann/lamps:saga", "saga"),
        ("ann/pictures", "contain any data files"),
    ],
)
def test_what_is_not_to_be_had_is_said_in_one_line(
    hub: Hub, prepare: Prepare, out: Path, source: str, reason: str
) -> None:
    hub.add("ann/lamps", {"train.jsonl": ROWS})
    hub.add("ann/secret", {"train.jsonl": ROWS}, private=True)
    hub.add("ann/pictures", {"README.md": "None here."})
    outcome = prepare(source)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 2 and reason in outcome.err, outcome.err
    assert not out.exists()


def test_a_private_one_opens_with_the_token(
    hub: Hub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("ann/private", {"train.jsonl": ROWS}, private=True)
    assert prepare("ann/private").code == 0


def test_without_a_network_it_is_tried_once(hub: Hub, prepare: Prepare) -> None:
    """The clients alone would try it six times, which takes 25 seconds."""
    hub.hangs_up = True
    outcome = prepare("ann/lamps")
    assert outcome.code == 2 and "the hub cannot be reached" in outcome.err, outcome.err
    assert "Check the name and the network" in outcome.err
    assert hub.hung_up <= 2  # the client may ask another question of its own


def test_a_hub_that_is_silent_is_not_waited_for(
    hub: Hub, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert USUAL_PATIENCE <= 5  # seconds, and the imports take one to three
    monkeypatch.setattr(mgpt_tui.hub, "PATIENCE", 0.2)
    hub.answers.clear()
    outcome = prepare("ann/lamps")
    assert outcome.code == 2 and "the hub has not answered for" in outcome.err, outcome.err


def test_a_slow_hub_is_waited_for(hub: Hub, prepare: Prepare) -> None:
    hub.add("ann/slow", {"train.jsonl": ROWS})
    hub.delay = 0.02
    assert prepare("ann/slow").code == 0
