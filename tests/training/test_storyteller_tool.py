"""Teachers and then their student, by one command that can be stopped anywhere."""

from __future__ import annotations

import argparse
import json
import signal
import sys

import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from tests.training.test_train_cli import SHORT
from tools.storyteller import by_process, chain, parsed, runs
from training.runs.listing import find_run

SETTINGS = [str(word) for word in (*SHORT, "--max-steps", 2, "--no-compile")]


@pytest.fixture
def given(prepared, tmp_path):
    recipe = tmp_path / "teacher.toml"
    recipe.write_text("n_head = 1\n")
    own = ["--data", str(prepared.folder), "--name", "mine", "--teachers", "2"]
    own += ["--student", "storyteller"]
    return parsed([*own, "--teacher", "storyteller", "--teacher", str(recipe), "--", *SETTINGS])


def change_steps(name, steps):
    path = paths.runs_dir() / name / "run.json"
    content = json.loads(path.read_text())
    content["settings"]["max_steps"] = steps
    path.write_text(json.dumps(content))


def test_it_goes_on_wherever_it_was_stopped(given, mgpt, capfd):
    done = []

    def train(arguments):
        done.append(arguments)
        return mgpt(*arguments).code

    def stopped(arguments):
        return train([*arguments, "--max-steps", "1"]) if "mine-teacher-1" in arguments else 143

    assert chain(given, stopped) == 143
    change_steps("mine-teacher-1", 2)  # as if that one had been stopped half-way
    assert chain(given, train) == 0
    assert [arguments[2] for arguments in done] == [
        "mine-teacher-1",
        "mine-teacher-1",
        "mine-teacher-2",
        "mine",
    ]
    assert "--resume" in done[1] and "--resume" not in done[2]
    capfd.readouterr()
    assert chain(given, train) == 0 and len(done) == 4
    told = capfd.readouterr().out.splitlines()
    assert [line.split()[:3] for line in told] == [
        [name, "is", "done:"] for name in ("mine-teacher-1", "mine-teacher-2", "mine")
    ]
    for change, words in (
        ({"teachers": 1}, "mine was begun with --teachers mine-teacher-1, mine-teacher-2, not"),
        ({"settings": [*SETTINGS, "--dropout", "0.5"]}, "begun with --dropout 0.05, not 0.5"),
        ({"settings": [*SETTINGS, "--seed", "2"]}, "begun with --seed 1, not 2"),
    ):
        with pytest.raises(UserError, match=words) as refused:
            chain(argparse.Namespace(**vars(given) | change), train)
        assert "another --name" in refused.value.remedy
    found = {name: find_run(name) for name in ("mine-teacher-1", "mine-teacher-2", "mine")}
    assert [run.state for run in found.values()] == ["finished"] * 3
    configs = [run.config for run in found.values()]
    assert [config.machine.seed for config in configs[:2]] == [1, 2]
    assert [config.model.n_head for config in configs] == [None, 1, None]
    assert configs[2].teaching.names == (
        "mine-teacher-1/step-00000002",
        "mine-teacher-2/step-00000002",
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--student", "novelist"], "novelist"),
        (["--name", "storyteller"], "cannot be named 'storyteller'"),
        (["--name", "a" * 60], "cannot be named"),
        (["--", "--n-embd", "many"], "many"),
        (["--", "--teachers", "others"], "--teachers is not for all"),
        (["--", "--teacher-share", "1"], "--teacher-share is not for all"),
        (["--", "--dry-run"], "--dry-run is not for all"),
        (["--", "--name", "other"], "--name is not for all"),
    ],
)
def test_what_cannot_be_is_told_before_anything_begins(prepared, more, words):
    own = parsed(["--data", str(prepared.folder), *more])
    with pytest.raises(UserError, match=words):
        chain(own, lambda arguments: pytest.fail("begun"))


def test_each_has_a_seed_of_its_own(prepared):
    def seeds(*more):
        own = parsed(["--data", str(prepared.folder), "--teachers", "2", *more])
        return [run.settings.get("seed") for run in runs(own)]

    assert seeds() == [1, 2, None]
    assert seeds("--", "--seed", "7") == [7, 8, 9]


@pytest.mark.parametrize(("ending", "code"), [("exit 42", 42), ("exit 0", 128 + signal.SIGHUP)])
def test_being_asked_to_stop_is_handed_on(ending, code, monkeypatch, tmp_path):
    child = tmp_path / "child"
    child.write_text(
        f"#!/bin/sh\ntrap '{ending}' HUP\nkill -HUP $PPID\n"
        "for turn in $(seq 1000); do sleep 0.01; done\nexit 1\n"
    )
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))
    assert by_process(["train"]) == code
