"""`import OWNER/NAME`: the real client, and a hub on loopback."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub.constants import HF_HUB_CACHE
from safetensors.torch import load

from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.manifest import read_info
from mgpt_tui.model.registry import find_model
from tests.hub.server import TOKEN


@pytest.fixture
def files(theirs):
    """Those of a repository of a model, its folder's and others."""
    folder = theirs("gpt_neo").folder
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    return found | {"README.md": "A model.", "flax_model.msgpack": b"0" * 1000}


def test_a_model_of_the_hub_is_imported_with_the_files_that_it_needs(hub, files, mgpt, theirs):
    hub.add("ann/tiny-neo", files, kind="models")
    outcome = mgpt("import", "ann/tiny-neo")
    assert outcome.code == 0, outcome.err
    told = read_info(find_model("tiny-neo").path).training["imported"]
    assert (told["source"], len(told["revision"])) == ("ann/tiny-neo", 40)
    asked = {path.rpartition("/")[2] for method, path, _ in hub.asked if method == "GET"}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= asked
    assert not asked & {"README.md", "flax_model.msgpack"}
    assert load_checkpoint(find_model("tiny-neo").path).info.config.local_windows == (0, 5, 0, 5)


def test_a_revision_can_be_named_and_a_download_that_breaks_off_goes_on(
    hub, files, mgpt, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    hub.add("ann/other", files, kind="models")
    hub.breaks.append("model.safetensors")
    outcome = mgpt("import", "ann/other@main", "--name", "named")
    assert outcome.code == 0, outcome.err
    path = find_model("named").path
    assert read_info(path).training["imported"]["source"] == "ann/other"
    assert not hub.breaks  # it did break off
    ranges = [range for _, path, range in hub.asked if path.endswith("/model.safetensors")]
    assert re.fullmatch(r"bytes=[1-9]\d{3,}-", ranges[-1])
    weights = load(files["model.safetensors"])
    found = load_checkpoint(path).model
    assert torch.equal(found.position_embedding.weight, weights["transformer.wpe.weight"])
    last = weights["transformer.h.3.mlp.c_proj.weight"]
    assert torch.equal(found.blocks[3].mlp.proj.weight, last)


def test_a_model_that_is_not_for_everybody_needs_the_token(hub, files, mgpt, monkeypatch):
    hub.add("ann/secret", files, kind="models", private=True)
    outcome = mgpt("import", "ann/secret")
    assert outcome.code == 2 and "private" in outcome.err
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert mgpt("import", "ann/secret").code == 0


def refused(outcome, said):
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err and outcome.err.count("\n") == 2, outcome.err


def test_what_the_hub_has_not_is_told(hub, files, mgpt, home):
    refused(mgpt("import", "ann/nothing"), "none of that name")
    hub.add("ann/bare", {"config.json": files["config.json"]}, kind="models")
    refused(mgpt("import", "ann/bare"), "no weights")
    hub.add("ann/text", {"README.md": "A model."}, kind="models")
    refused(mgpt("import", "ann/text"), "no config.json")
    llama = json.dumps({"model_type": "llama"})
    hub.add("ann/llama", files | {"config.json": llama}, kind="models")
    refused(mgpt("import", "ann/llama"), "llama")
    assert not list((home / "data").glob("runs/*"))


def test_without_a_network_it_says_so(mgpt):
    refused(mgpt("import", "ann/never"), "cannot be reached")


@pytest.mark.parametrize(
    ("name", "endpoint", "said"),
    [
        ("a--b/c..d", None, "nothing there can have that name.\nCheck the name;"),
        ("ann/x", "notaurl", "HF_ENDPOINT is 'notaurl', which is no address of a hub.\nSet HF_"),
    ],
)
def test_a_name_or_a_setting_that_is_wrong_is_told(mgpt, monkeypatch, name, endpoint, said):
    if endpoint is not None:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    refused(mgpt("import", name), said)


def test_what_was_fetched_once_needs_no_network_and_no_room(hub, files, mgpt, monkeypatch):
    hub.add("ann/kept", files, kind="models")
    assert mgpt("import", "ann/kept", "--name", "first").code == 0
    free = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    outcome = mgpt("import", "ann/kept", "--name", "full")
    assert outcome.code == 0, outcome.err
    hub.hangs_up = True
    outcome = mgpt("import", "ann/kept", "--name", "alone")
    assert outcome.code == 0, outcome.err
    full, alone = (read_info(find_model(name).path).training for name in ("full", "alone"))
    assert alone["imported"] == full["imported"]
    weights = next(Path(HF_HUB_CACHE).glob("models--ann--kept/snapshots/*/model.safetensors"))
    weights.unlink()
    refused(mgpt("import", "ann/kept", "--name", "part"), "cannot be reached")


def test_a_disk_without_room_is_told_before_anything_is_fetched(hub, files, mgpt, monkeypatch):
    hub.add("ann/large", files, kind="models")
    free = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    refused(mgpt("import", "ann/large"), "no room")
    assert not any("resolve" in path for _, path, _ in hub.asked)
