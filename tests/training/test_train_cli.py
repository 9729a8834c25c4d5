"""`mgpt-tui train`, `eval`, `models` and `export`, as a user runs them."""

import json

import pytest

from mgpt_tui import paths
from training.runs.log import read_metrics

SHORT = (
    *("--preset", "tiny", "--n-embd", 16, "--block-size", 32, "--batch-size", 4),
    *("--warmup-steps", 1, "--eval-every", 2, "--log-every", 1),
    *("--device", "cpu", "--dtype", "fp32"),
)


def test_models_outlives_a_checkpoint_that_is_not_as_it_should_be(mgpt, trained):
    folder = paths.runs_dir() / "mine" / "step-00000004"
    config = json.loads((folder / "config.json").read_text())
    config["training"] = {"validation": [1], "step": "many"}
    (folder / "config.json").write_text(json.dumps(config))
    assert mgpt("models").code == 0
    (folder / "config.json").write_text("[" * 100_000)
    assert "damaged" in mgpt("models").out


@pytest.fixture
def trained(mgpt, prepared):
    outcome = mgpt("train", "--data", prepared.folder, "--name", "mine", "--max-steps", 4, *SHORT)
    assert outcome.code == 0
    return outcome


def test_train_tells_what_it_does_in_plain_lines(trained):
    assert trained.out == ""
    assert "mine: " in trained.err
    assert "bits/byte" in trained.err
    assert "mgpt-tui --model mine" in trained.err
    assert "\x1b" not in trained.err
    records = read_metrics(paths.runs_dir() / "mine")
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert records[3]["validation"]["bits_per_byte"] > 0


def test_models_lists_what_was_trained(mgpt, trained):
    rows = {row["name"]: row for row in json.loads(mgpt("models", "--json").out)}
    assert rows["mine/last"]["step"] == 4
    assert rows["mine/last"]["tokens"] == 4 * 4 * 32
    assert "mine/best" in mgpt("models").out


def test_an_existing_name_wants_resume(mgpt, trained, prepared):
    again = mgpt("train", "--data", prepared.folder, "--name", "mine", *SHORT)
    assert again.code == 2
    assert "--resume" in again.err
    done = mgpt("train", "--name", "mine", "--resume")
    assert done.code == 2
    assert "--max-steps" in done.err
    more = mgpt("train", "--name", "mine", "--resume", "--max-steps", 6)
    assert more.code == 0
    assert [record["step"] for record in read_metrics(paths.runs_dir() / "mine")] == [
        1, 2, 3, 4, 5, 6,
    ]  # fmt: skip


def test_toml_and_flags(mgpt, prepared, tmp_path):
    config = tmp_path / "own.toml"
    config.write_text('[schedule]\nmax_steps = 2\n[model]\npreset = "tiny"\n')
    outcome = mgpt("train", "--data", prepared.folder, "--name", "toml", *SHORT, "--config", config)
    assert outcome.code == 0
    assert json.loads(mgpt("models", "--json").out)[-1]["step"] == 2


def test_fine_tuning(mgpt, trained, prepared):
    tuned = mgpt(
        "train", "--data", prepared.folder, "--name", "tuned", "--init-from", "mine",
        "--max-steps", 1, "--batch-size", 2,
    )  # fmt: skip
    assert tuned.code == 0
    other_shape = mgpt(
        "train", "--data", prepared.folder, "--name", "other", "--init-from", "mine",
        "--n-layer", 1,
    )  # fmt: skip
    assert other_shape.code == 2
    assert "n_layer" in other_shape.err


def test_eval_of_a_trained_model(mgpt, trained, prepared):
    outcome = mgpt("eval", "mine", "--data", prepared.folder, "--json")
    figures = json.loads(outcome.out)
    assert set(figures) == {"model", "loss", "perplexity", "bits_per_byte", "tokens", "bytes"}
    assert figures["bytes"] == prepared.val.bytes
    assert "bits/byte" in mgpt("eval", "mine", "--data", prepared.folder).out


def test_export_can_be_used_by_its_path(mgpt, trained, prepared, tmp_path):
    outcome = mgpt("export", "mine", tmp_path / "shared", "--weights", "int8")
    assert outcome.code == 0
    measured = mgpt("eval", tmp_path / "shared", "--data", prepared.folder, "--json")
    assert measured.code == 0
    again = mgpt("export", "mine", tmp_path / "shared")
    assert again.code == 2


def test_export_of_the_mean_of_late_checkpoints(mgpt, trained, prepared, tmp_path):
    outcome = mgpt("export", "mine/last", tmp_path / "mean", "--mean", 2, "--weights", "fp32")
    assert outcome.code == 0, outcome.err
    config = json.loads((tmp_path / "mean" / "config.json").read_text())
    assert config["training"]["mean_of_steps"] == [2, 4]
    assert mgpt("eval", tmp_path / "mean", "--data", prepared.folder).code == 0
    few = mgpt("export", "mine/last", tmp_path / "many", "--mean", 9)
    assert few.code == 2 and "--keep all" in few.err
    none = mgpt("export", tmp_path / "mean", tmp_path / "again", "--mean", 2)
    assert none.code == 2 and "no checkpoint of a run" in none.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "x"], "--data"),
        (["--name", "../x", "--data", "DATA"], "run cannot be named"),
        (["--name", "x", "--data", "nowhere"], "nowhere"),
        (["--name", "x", "--data", "DATA", "--max-steps", "0"], "1 or more"),
        (["--name", "x", "--data", "DATA", "--max-steps", "two"], "whole number"),
        (["--name", "x", "--data", "DATA", "--max-steps", "1" * 400], "so large"),
        (["--name", "x", "--data", "DATA", "--preset", "huge"], "small, storyteller, tiny"),
        (["--name", "x", "--data", "DATA", "--init-from", "nobody"], "nobody"),
        (["--name", "x", "--data", "DATA", "--resume"], "no checkpoint"),
        (["--name", "x", "--data", "DATA", "--block-size", "100000"], "--block-size"),
        (["--name", "x", "--data", "DATA", "--block-size", "65536"], "one block"),
        (["--name", "x", "--data", "DATA", "--n-embd", "15"], "--n-embd"),
        (["--name", "x", "--data", "DATA", "--resume", "--init-from", "y"], "one of them"),
        (["--data", "DATA"], "--name"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_gets_one_clear_message(mgpt, prepared, arguments, words):
    outcome = mgpt("train", *(prepared.folder if word == "DATA" else word for word in arguments))
    assert outcome.code == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert not list(paths.runs_dir().glob("*/step-*"))


def test_fine_tuning_on_another_vocabulary_is_refused(mgpt, trained, prepared, tmp_path):
    text = tmp_path / "own.txt"
    text.write_text("\n<|endoftext|>\n".join(f"Bo saw {n} ships." for n in range(300)))
    made = mgpt(
        "prepare", "--source", text, "--out", tmp_path / "other", "--vocab-size", 300,
        "--val-fraction", 0.1,
    )  # fmt: skip
    assert made.code == 0, made.err
    outcome = mgpt(
        "train", "--data", tmp_path / "other", "--name", "x", "--init-from", "mine", *SHORT
    )
    assert outcome.code == 2
    assert "--tokenizer mine" in outcome.err
    measured = mgpt("eval", "mine", "--data", tmp_path / "other")
    assert measured.code == 2
    assert "another vocabulary" in measured.err


def test_a_dry_run_tells_what_it_takes_and_leaves_nothing(mgpt, prepared, monkeypatch):
    given = ("train", "--data", prepared.folder, "--name", "mine", "--max-steps", 4, *SHORT)
    told = mgpt(*given, "--dry-run")
    assert told.code == 0 and told.err == ""
    for words in ("This will take about 0:0", "s a step", "of memory", "of disk"):
        assert words in told.out
    assert not (paths.runs_dir() / "mine").exists()
    monkeypatch.setattr("training.report.estimate.memory_free", lambda *_: 1000)
    refused = mgpt(*given, "--dry-run")
    assert refused.code == 2 and "not enough memory" in refused.err
    assert "This will take" in refused.out
    assert mgpt(*given).code == 2
    assert mgpt(*given, "--dry-run", "--anyway").code == 0


def test_what_fits_the_preset_and_the_steps_is_taken_where_nothing_is_given(mgpt, prepared):
    def settings(name):
        content = json.loads((paths.runs_dir() / name / "run.json").read_text())["settings"]
        return content["learning_rate"], content["warmup_steps"]

    own = ("--preset", "tiny", "--n-embd", 16, "--block-size", 32, "--batch-size", 2)
    short = ("--max-steps", 20, "--eval-every", 20, "--sample-tokens", 0, "--eval-stories", 1)
    given = ("train", "--data", prepared.folder, *short, "--name")
    assert mgpt(*given, "fits", *own).code == 0
    assert settings("fits") == (3e-3, 2)
    assert mgpt(*given, "own", *own, "--learning-rate", 1e-3, "--warmup-steps", 5).code == 0
    assert settings("own") == (1e-3, 5)
    assert mgpt(*given, "tuned", "--init-from", "fits").code == 0
    assert settings("tuned") == (3e-4, 2), "what was learnt is not to be spoilt"
    more = ("--resume", "--max-steps", 30)
    assert mgpt("train", "--name", "fits", *more).code == 0
    assert settings("fits") == (3e-3, 2)
