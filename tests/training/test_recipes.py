"""The recipes in the repository are settings that `train` takes."""

from pathlib import Path

import pytest

import training
from training.config import TrainConfig, read_toml

RECIPES = sorted((Path(training.__file__).parent / "recipes").glob("*.toml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_changes_the_defaults(recipe):
    assert TrainConfig().updated(read_toml(recipe)) != TrainConfig()


def test_there_is_one_for_the_embedded_model():
    assert "storyteller" in [path.stem for path in RECIPES]
