"""Names to checkpoints."""

import json
import shutil

import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import find_model, list_models, run_folder


@pytest.fixture
def run(tiny_checkpoint):
    """A run with steps 5 and 10, the earlier of them the best."""
    folder = paths.runs_dir() / "mine"
    for step in (5, 10):
        shutil.copytree(tiny_checkpoint, folder / f"step-{step:08d}")
    (folder / "best.json").write_text(json.dumps({"checkpoint": "step-00000005"}))
    (folder / "last.json").write_text(json.dumps({"checkpoint": "step-00000010"}))
    return folder


def test_names_of_a_run(run):
    assert find_model("mine").path == run / "step-00000005"
    assert find_model("mine/best").path == run / "step-00000005"
    assert find_model("mine/last").path == run / "step-00000010"
    assert find_model("mine/step-10").path == run / "step-00000010"
    assert find_model("mine/step-00000010").path == run / "step-00000010"


def test_a_run_without_a_best_gives_its_last(run):
    (run / "best.json").unlink()
    assert find_model("mine").path == run / "step-00000010"


def test_a_path_works(tiny_checkpoint):
    assert find_model(str(tiny_checkpoint)).path == tiny_checkpoint


def test_the_embedded_model_is_the_default():
    assert find_model(None) == find_model("storyteller")
    assert find_model(None).path == paths.assets_dir() / "storyteller"


def test_listing(run):
    names = [entry.name for entry in list_models()]
    assert names[-2:] == ["mine/best", "mine/last"]


@pytest.mark.parametrize("name", ["yours", "mine/first", "mine/step-7", "../mine", "mine/../mine"])
def test_unknown_names_list_the_known_ones(run, name):
    with pytest.raises(UserError) as caught:
        find_model(name)
    assert "mine/best" in caught.value.remedy


@pytest.mark.parametrize(
    "content",
    ['{"checkpoint": "../../etc"}', "[]", "{", '{"checkpoint": 3}', "[" * 100_000],
)
def test_a_foreign_pointer_leads_nowhere(run, content):
    (run / "last.json").write_text(content)
    with pytest.raises(UserError):
        find_model("mine/last")
    assert "mine/last" not in [entry.name for entry in list_models()]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "storyteller", "x" * 65, "a b"])
def test_names_of_runs_stay_in_their_folder(name):
    with pytest.raises(UserError):
        run_folder(name)


@pytest.mark.parametrize(
    "name", ["a" * 300, f"mine/{'9' * 5000}", "\U0001f98a" * 80, "a\nb", "x/" * 3000]
)
def test_a_name_that_no_system_can_have(name):
    with pytest.raises(UserError, match="There is no model"):
        find_model(name)
