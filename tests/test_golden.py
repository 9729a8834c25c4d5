"""What version 0.1.0 wrote: it loads, replays and scores as it did then.

`golden/0.1.0` was written by that version: a tiny model that it trained on five little stories, a
story of three passages by that model, and settings none of which is the default.
"""

import json
import shutil
from pathlib import Path

import pytest

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.settings import load_settings
from mgpt_tui.stories.library import StoryLibrary

GOLDEN = Path(__file__).parent / "golden" / "0.1.0"
FINGERPRINT = "3b8fae3f05bdd3ddb254aa22146f55ee871a251f5816127c3b544959479c4360"
LOSS = 4.783037248475493  # in nats a token, of held-out.txt


def test_its_checkpoint_loads_under_its_fingerprint_and_scores_as_then(mgpt):
    info = load_checkpoint(GOLDEN / "checkpoint").info
    assert info.fingerprint == FINGERPRINT
    outcome = mgpt("eval", GOLDEN / "checkpoint", "--data", GOLDEN / "held-out.txt", "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert told["loss"] == pytest.approx(LOSS, abs=1e-5)
    assert (told["tokens"], told["bytes"]) == (121, 227)


def test_its_story_opens_and_replays_draw_by_draw(mgpt, home):
    library = StoryLibrary()
    library.folder.mkdir(parents=True)
    shutil.copy(GOLDEN / "story.json", library.folder / "Golden.json")
    outcome = mgpt("stories", "show", "Golden")
    nodes = json.loads((GOLDEN / "story.json").read_text())["nodes"]
    assert outcome.out == "".join(node["text"] for node in nodes) + "\n"
    outcome = mgpt("replay", "Golden", "--model", GOLDEN / "checkpoint", "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert told["same"] == told["draws"] == sum(len(node.get("tokens", ())) for node in nodes)
    assert len(told["passages"]) == 3


def test_its_settings_mean_what_they_meant(monkeypatch):
    monkeypatch.setenv("MGPT_CONFIG_DIR", str(GOLDEN))
    settings = load_settings()
    assert settings.sampling == SamplingSettings(
        temperature=0.65,
        top_k=None,
        top_p=0.9,
        min_p=0.05,
        repetition_penalty=1.1,
        max_tokens=120,
        finish_sentence=False,
        seed=42,
        stop=("\n\n", "The end"),
        ban=(" cat",),
        bias=(" dog=2",),
        ignore_end=True,
    )
    assert settings.theme == "textual-light"
    assert settings.keys == {"save": "ctrl+g"}
