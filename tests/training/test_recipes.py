"""The recipes that come along are settings that `train` takes."""

import pytest

from mgpt_tui.errors import UserError
from tools.storyteller import STUDENT, TEACHER, parsed, runs
from training.config import RECIPES, TrainConfig, find_recipe, read_toml

NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_changes_the_defaults(name):
    assert TrainConfig().updated(read_toml(find_recipe(name))) != TrainConfig()


def test_there_are_two_for_the_embedded_model_and_two_for_the_next():
    assert {"storyteller", "storyteller-full", TEACHER, STUDENT} <= set(NAMES)


def test_a_chain_takes_the_recipes_that_are_made_for_it():
    planned = list(runs(parsed(["--data", "data", "--teachers", "2"])))
    assert [run.recipe.stem for run in planned] == [TEACHER, TEACHER, STUDENT]
    shapes = [TrainConfig().updated(run.settings).model for run in planned]
    assert [shape.preset for shape in shapes] == ["storyteller"] * 3
    assert [shape.dropout for shape in shapes] == [0.1, 0.1, 0.0]


def test_a_file_goes_before_a_recipe_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe("storyteller") == RECIPES / "storyteller.toml"
    (tmp_path / "storyteller").write_text("max_steps = 3")
    assert read_toml(find_recipe("storyteller")) == {"max_steps": 3}


def test_an_unknown_name_tells_the_known_ones():
    with pytest.raises(UserError, match="storyteller-full"):
        find_recipe("novelist")
