"""Teachers and then their student, by one command that can be stopped anywhere."""

from __future__ import annotations

import json

import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from tests.training.test_train_cli import SHORT
from tools.storyteller import chain, parsed
from training.runs.listing import find_run

SETTINGS = [str(word) for word in (*SHORT, "--max-steps", 2, "--no-compile")]


@pytest.fixture
def given(prepared, tmp_path):
    recipe = tmp_path / "teacher.toml"
    recipe.write_text("n_head = 1\n")
    own = ["--data", str(prepared.folder), "--name", "mine", "--teachers", "2"]
    return parsed([*own, "--teacher", "storyteller", "--teacher", str(recipe), "--", *SETTINGS])


def change_steps(name, steps):
    path = paths.runs_dir() / name / "run.json"
    content = json.loads(path.read_text())
    content["settings"]["max_steps"] = steps
    path.write_text(json.dumps(content))


def test_it_goes_on_wherever_it_was_stopped(given, mgpt):
    done = []

    def train(arguments):
        done.append(arguments)
        return mgpt(*arguments).code

    def stopped(arguments):
        return train(arguments) if "mine-teacher-1" in arguments else 143

    assert chain(given, stopped) == 143
    change_steps("mine-teacher-1", 4)  # as if that one had been stopped half-way
    assert chain(given, train) == 0
    assert [arguments[2] for arguments in done] == [
        "mine-teacher-1",
        "mine-teacher-1",
        "mine-teacher-2",
        "mine",
    ]
    assert "--resume" in done[1] and "--resume" not in done[2]
    assert chain(given, train) == 0 and len(done) == 4
    found = {name: find_run(name) for name in ("mine-teacher-1", "mine-teacher-2", "mine")}
    assert [run.state for run in found.values()] == ["finished"] * 3
    configs = [run.config for run in found.values()]
    assert [config.machine.seed for config in configs[:2]] == [1, 2]
    assert [config.model.n_head for config in configs] == [None, 1, None]
    assert configs[2].teaching.names == (
        "mine-teacher-1/step-00000004",
        "mine-teacher-2/step-00000002",
    )


def test_a_recipe_that_is_not_there_is_told_before_anything_begins(prepared):
    own = parsed(["--data", str(prepared.folder), "--student", "novelist"])
    with pytest.raises(UserError, match="novelist"):
        chain(own, lambda arguments: pytest.fail("begun"))
