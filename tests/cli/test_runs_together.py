"""Several runs beside one another, and what other programs read of them."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from mgpt_tui import paths
from tests.cli.test_runs_cli import write_run


def change(name, **settings):
    path = paths.runs_dir() / name / "run.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"settings": content["settings"] | settings}))


def test_runs_are_laid_over_one_another(mgpt):
    write_run("one")
    write_run("two", evaluations=4)
    change("two", learning_rate=0.004, dropout=0.5, optimizer="muon")
    outcome = mgpt("runs", "one", "two", "one")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[1].split()[:3] == ["a", "one", "80"]
    assert lines[2].split()[:3] == ["b", "two", "40"]
    table = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("--")}
    assert table == {
        "--dropout": ["0.5"],
        "--learning-rate": ["0.002", "0.004"],
        "--optimizer": ["adamw", "muon"],
    }
    assert "a one, b two" in outcome.out
    plot = [line for line in lines if "│" in line or "┤" in line]
    assert any("a" in line for line in plot) and any("b" in line for line in plot)
    rows = {line.split()[0]: line.split()[1:] for line in lines[-8:]}
    assert list(rows) == ["10", "20", "30", "40", "50", "60", "70", "80"]
    assert len(rows["40"]) == 2 and len(rows["50"]) == 1
    both = json.loads(mgpt("runs", "one", "two", "--json").out)
    assert [run["name"] for run in both] == ["one", "two"]


def test_a_run_with_a_shape_of_its_own_has_no_preset(mgpt):
    write_run("one")
    write_run("two")
    shape = {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 16, "bias": True, "dropout": 0.5}
    change("two", preset="small", **shape)
    lines = mgpt("runs", "one", "two").out.splitlines()
    (row,) = (line.split() for line in lines if line.startswith("--preset"))
    assert row == ["--preset", "tiny"]
    assert "small" not in mgpt("runs", "two").out
    assert "tiny" in mgpt("runs", "one").out


def test_runs_without_anything(mgpt):
    write_run("one", evaluations=0)
    (paths.runs_dir() / "two").mkdir()
    (paths.runs_dir() / "two" / "run.json").write_text("[")
    outcome = mgpt("runs", "one", "two")
    assert outcome.code == 0
    assert "--max-steps" in outcome.out


def test_csv_is_what_the_log_holds(mgpt):
    write_run("one", evaluations=2)
    write_run("two", evaluations=1)
    outcome = mgpt("runs", "one", "two", "--csv")
    assert outcome.code == 0
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [row["run"] for row in rows] == ["one"] * 20 + ["two"] * 10
    assert rows[9]["step"] == "10" and rows[9]["loss"] == "2.8"
    assert float(rows[9]["val_loss"]) == 3.3 and float(rows[9]["train_loss"]) == 2.2
    assert rows[8]["val_loss"] == "" and set(rows[8]) == set(rows[9])
    assert {row["run"] for row in csv.DictReader(io.StringIO(mgpt("runs", "--csv").out))} == {
        "one",
        "two",
    }


def test_bad_input_gets_one_clear_message(mgpt):
    write_run("one")
    missing = mgpt("runs", "one", "nothing")
    assert missing.code == 2 and "no run 'nothing'" in missing.err
    both = mgpt("runs", "one", "--csv", "--json")
    assert both.code == 2 and "exclude each other" in both.err
    many = mgpt("runs", *(f"run-{number}" for number in range(27)))
    assert many.code == 2 and "26 at most" in many.err
    for form in ("--csv", "--json"):
        many = mgpt("runs", *(f"run-{number}" for number in range(27)), form)
        assert "no run 'run-0'" in many.err, "these need no letters"


def test_events_for_tensorboard(mgpt, tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    write_run("one", evaluations=1)
    write_run("two", evaluations=1)
    outcome = mgpt("runs", "one", "two", "--tensorboard", tmp_path / "events")
    assert outcome.code == 0, outcome.err
    assert f"--logdir {tmp_path / 'events'}" in outcome.out
    (file,) = (tmp_path / "events" / "two").iterdir()
    content, found = file.read_bytes(), {}
    while content:  # length, its checksum, an event, its checksum
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        content = content[16 + length :]
    assert found["step/loss", 5] == pytest.approx(3.6)
    assert found["evaluation/val_loss", 10] == pytest.approx(3.3)
    assert ("evaluation/val_loss", 9) not in found
    again = mgpt("runs", "two", "--tensorboard", tmp_path / "events")
    assert again.code == 2 and "exists already" in again.err


def test_without_the_library_for_events_it_is_named(mgpt, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    write_run("one")
    outcome = mgpt("runs", "one", "--tensorboard", tmp_path / "events")
    assert outcome.code == 2 and "mgpt-tui[tensorboard]" in outcome.err
    assert not (tmp_path / "events").exists()
