"""`mgpt-tui runs`, as a user runs it."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict

import pytest
from rich.text import Text

from mgpt_tui import paths

SCORE = {"tokens": 1000, "bytes": 4000, "perplexity": 1.0, "bits_per_byte": 1.0}
SAMPLE = "[bold] there was a fox.\n\nIt sang \x1b[2J and sang, " + "and sang, " * 30 + "the end"


def write_run(name="mine", evaluations=8, max_steps=100):
    folder = paths.runs_dir() / name
    folder.mkdir(parents=True)
    settings = {"max_steps": max_steps, "preset": "tiny", "learning_rate": 0.002}
    (folder / "run.json").write_text(
        json.dumps({"data": "/somewhere/my-data", "settings": settings})
    )
    with (folder / "metrics.jsonl").open("w") as log:
        for step in range(1, 10 * evaluations + 1):
            record = {
                "step": step, "loss": 2 + 8 / step, "smoothed_loss": 2 + 9 / step,
                "learning_rate": 1e-3, "grad_norm": 0.4, "tokens": step * 4096,
                "tokens_per_second": 5123.4, "passes": step / 50, "seconds": step * 0.8,
                "mfu": 0.312, "memory_bytes": 1_234_000_000, "memory_peak_bytes": 2_345_000_000,
            }  # fmt: skip
            if step % 10 == 0:
                validation = SCORE | {"loss": 2.5 + 8 / step}
                record |= {"train_loss": 2.2, "best": True, "validation": validation}
                record["sample"] = {"prompt": "Once", "text": f" upon {step}{SAMPLE}"}
            log.write(json.dumps(record) + "\n")
        log.write('{"step": 81, "lo')
    return folder


def test_no_run_yet(mgpt):
    assert "mgpt-tui train" in mgpt("runs").out
    assert json.loads(mgpt("runs", "--json").out) == []


def test_the_list(mgpt):
    write_run()
    write_run("a-name-" + "x" * 57, evaluations=1, max_steps=10)
    outcome = mgpt("runs")
    assert outcome.code == 0
    heading, first, second = outcome.out.splitlines()
    for words in ("name", "state", "step", "bits/byte", "tokens", "trained", "on disk"):
        assert words in heading
    assert first.split()[:3] == ["a-name-" + "x" * 57, "finished", "10/10"]
    row = second.split()
    assert row[:3] == ["mine", "stopped", "80/100"]
    assert row[3] == f"{2.6 * 1000 / 0.6931471805599453 / 4000:.4f}"
    assert row[4:6] == ["327.7", "k"]
    assert row[6] == "0:01:04"
    rows = json.loads(mgpt("runs", "--json").out)
    assert [row["name"] for row in rows] == ["a-name-" + "x" * 57, "mine"]
    assert rows[1]["best_step"] == 80


def test_one_run_in_a_pipe_is_whole_and_plain(mgpt, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    write_run()
    outcome = mgpt("runs", "mine")
    assert outcome.code == 0
    assert outcome.err == ""
    text = outcome.out
    assert "\x1b" not in text
    assert not re.search(" $", text.partition("loss over steps")[0], re.MULTILINE)
    assert "mine  stopped at step 80/100" in text
    assert "tiny" in text and "learning rate 2.0e-3" in text and "/somewhere/my-data" in text
    for figure in ("loss 2.1125", "tokens/s 5,123", "memory 1.2 GB (2.3)", "MFU 31.2 %"):
        assert figure in text
    assert "● validation" in text and text.count("│") > 10
    table = [line for line in text.splitlines() if re.match(r" *\d0  ", line)]
    assert [line.split()[0] for line in table] == [f"{step}" for step in range(10, 90, 10)]
    assert len(table[0].split()) == 5, "all columns but the change, of which there is none"
    assert [len(line.split()) for line in table[1:]] == [6] * 6 + [7]
    assert text.count("sample at step") == 6
    assert "sample at step 10" in text and "sample at step 80" in text
    assert "6 of 8 samples are shown" in text
    longest = max(text.splitlines(), key=len)
    assert longest == "It sang ␛[2J and sang, " + "and sang, " * 30 + "the end"
    assert "Once upon 80[bold] there was a fox." in text


def test_one_run_as_json(mgpt):
    write_run()
    content = json.loads(mgpt("runs", "mine", "--json").out)
    assert content["settings"]["max_steps"] == 100
    assert content["data"] == "/somewhere/my-data"
    assert len(content["metrics"]) == 80
    samples = [record["sample"]["text"] for record in content["metrics"] if "sample" in record]
    assert len(samples) == 8


def test_json_holds_nothing_that_json_does_not_know(mgpt):
    def refuse(constant):
        raise AssertionError(constant)

    with (write_run() / "metrics.jsonl").open("a") as log:
        score = {"loss": 1e200, "tokens": 1e200, "bytes": 1}
        print('\n{"step": 81, "loss": 2.0, "mfu": NaN, "grad_norm": 1e999}', file=log)
        print(json.dumps({"step": 82, "loss": -math.inf, "validation": score}), file=log)
    for arguments in (["runs"], ["runs", "mine"]):
        json.loads(mgpt(*arguments, "--json").out, parse_constant=refuse)


@pytest.mark.parametrize("arguments", [["runs"], ["runs", "mine"]])
def test_explain(mgpt, arguments):
    write_run()
    text = mgpt(*arguments, "--explain").out
    assert "bits/byte: bits that the model needs for a byte" in text
    assert "trained: time spent on steps" in text
    assert "bits/byte: " not in mgpt(*arguments).out


def test_an_unknown_run(mgpt):
    write_run()
    outcome = mgpt("runs", "yours")
    assert outcome.code == 2
    assert "There is no run 'yours'" in outcome.err
    assert "Known runs: mine" in outcome.err


def test_a_run_without_a_log(mgpt):
    (write_run() / "metrics.jsonl").unlink()
    outcome = mgpt("runs", "mine")
    assert outcome.code == 0
    assert "Nothing was logged yet." in outcome.out
    assert "0/100" in mgpt("runs").out


def test_a_checkpoint_tells_the_shape(mgpt, tiny_checkpoint, tiny_model):
    folder = write_run()
    shutil.copytree(tiny_checkpoint, folder / "step-00000080")
    (folder / "last.json").write_text('{"checkpoint": "step-00000080"}')
    text = mgpt("runs", "mine").out
    assert "2 layers, 2 heads, 16 wide, context 32, vocabulary 257" in text
    content = json.loads(mgpt("runs", "mine", "--json").out)
    assert content["model"] == json.loads(json.dumps(asdict(tiny_model.config)))


def test_neither_torch_nor_the_trainer_is_imported(home):
    write_run()
    code = (
        "import sys\n"
        "from mgpt_tui.cli import main\n"
        "for arguments in (['runs'], ['runs', 'mine', '--explain'], ['runs', 'mine', '--json']):\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit as end:\n"
        "        assert not end.code, end.code\n"
        "heavy = {'torch', 'textual', 'datasets', 'transformers', 'training.trainer'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},  # braille becomes "?", no traceback
    )
    assert outcome.returncode == 0, outcome.stderr
    assert b"stopped" in outcome.stdout
    assert b"\x1b" not in outcome.stdout


def plain(text):
    """Lines without their colours."""
    return Text.from_ansi(text).plain.splitlines()


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 160, 200])
def test_a_terminal_never_cuts_the_name_of_a_run(mgpt, monkeypatch, columns):
    write_run()
    write_run("a-run-with-a-longish-name")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    heading, *rows = plain(mgpt("runs").out)
    assert [row.split()[0] for row in rows] == ["a-run-with-a-longish-name", "mine"]
    assert "state" in heading and all(len(row) <= columns for row in (heading, *rows))
    assert ("last written" in heading) == (columns >= 80)
    for line in plain(mgpt("runs", "mine").out):
        assert len(line) <= columns
