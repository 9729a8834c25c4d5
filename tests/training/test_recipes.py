"""The recipes that come along are settings that `train` takes."""

import pytest

from mgpt_tui.errors import UserError
from training.config import RECIPES, TrainConfig, find_recipe, read_toml

NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_changes_the_defaults(name):
    assert TrainConfig().updated(read_toml(find_recipe(name))) != TrainConfig()


def test_there_are_two_for_the_embedded_model():
    assert {"storyteller", "storyteller-full"} <= set(NAMES)


def test_a_file_goes_before_a_recipe_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe("storyteller") == RECIPES / "storyteller.toml"
    (tmp_path / "storyteller").write_text("max_steps = 3")
    assert read_toml(find_recipe("storyteller")) == {"max_steps": 3}


def test_an_unknown_name_tells_the_known_ones():
    with pytest.raises(UserError, match="storyteller-full"):
        find_recipe("novelist")
