"""The log of a run: what is written is read again, whatever else a file may hold."""

import json
import math
from dataclasses import replace

import pytest

from mgpt_tui.errors import UserError
from training.metrics import Sample, Score
from training.runs.log import METRICS_FILE, RunLog, read_history, read_metrics, to_record


def write(folder, *lines):
    folder.mkdir(exist_ok=True)
    (folder / METRICS_FILE).write_bytes(b"\n".join(lines) + b"\n")


def test_what_is_written_is_read_again(watched, tmp_path):
    log = RunLog(tmp_path, 0)
    for metrics in watched:
        log.write(metrics)
    log.close()
    history = read_history(tmp_path)
    assert [metrics.step for metrics in history] == list(range(1, 31))
    for read, written in zip(history, watched, strict=True):
        assert read.loss == written.loss
        assert read.smoothed_loss == written.smoothed_loss
        assert read.grad_norm == written.grad_norm
        assert read.tokens == written.tokens
        assert read.mfu == pytest.approx(written.mfu, abs=1e-5)
        assert read.memory_bytes == written.memory_bytes
        assert read.memory_peak_bytes == written.memory_peak_bytes
        assert read.seconds == pytest.approx(written.seconds, abs=1e-3)
    read, written = history[-1].evaluation, watched[-1].evaluation
    assert read.validation == written.validation
    assert read.sample == written.sample
    assert read.sample.text
    assert read.best == written.best
    assert read.checkpoint.name == written.checkpoint.name == "step-00000030"
    assert history[0].evaluation is None


def test_the_log_is_json_also_where_a_figure_is_no_number(watched):
    record = to_record(replace(watched[0], grad_norm=math.inf, mfu=math.nan))

    def refuse(constant):
        raise AssertionError(constant)

    read = json.loads(json.dumps(record), parse_constant=refuse)
    assert read["grad_norm"] is None
    assert read["mfu"] is None
    assert {"smoothed_loss", "seconds", "memory_bytes", "memory_peak_bytes"} <= set(read)


def test_a_log_of_an_older_version_is_read(tmp_path):
    old = {
        "step": 4, "loss": 2.5, "learning_rate": 1e-3, "grad_norm": 0.4, "tokens": 512,
        "tokens_per_second": 900.1, "passes": 0.1, "train_loss": 2.6, "best": True,
        "validation": {"loss": 2.4, "perplexity": 11.0, "bits_per_byte": 0.9, "tokens": 100,
                       "bytes": 380},
    }  # fmt: skip
    write(tmp_path, json.dumps(old).encode())
    [metrics] = read_history(tmp_path)
    assert (metrics.step, metrics.loss, metrics.tokens) == (4, 2.5, 512)
    assert metrics.evaluation.validation == Score(2.4, 100, 380)
    assert metrics.evaluation.sample is None
    unknown = (metrics.smoothed_loss, metrics.seconds, metrics.mfu, metrics.memory_bytes)
    assert unknown == (None,) * 4


def test_what_json_does_not_know_is_read_as_null(tmp_path):
    line = b'{"step": 1, "loss": 3.0, "mfu": NaN, "passes": [Infinity, -Infinity, 1e999, 1.5]}'
    write(tmp_path, line)
    [record] = read_metrics(tmp_path)
    assert record == {"step": 1, "loss": 3.0, "mfu": None, "passes": [None, None, None, 1.5]}


GOOD = b'{"step": 1, "loss": 3.0}'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"step": 2, "lo',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'{"loss": 2.0}',
        b'{"step": "2", "loss": 2.0}',
        b'{"step": 2}',
        b'{"step": 2, "loss": null}',
        b'{"step": 2, "loss": NaN}',
        b'{"step": 2, "loss": true}',
        b'{"step": -2, "loss": 2.0}',
        b'{"step": 2' + b"0" * 400 + b', "loss": 2.0}',
        b'{"step": 2, "loss": 1' + b"0" * 400 + b"}",
    ],
)
def test_damaged_lines_are_left_out(tmp_path, line):
    write(tmp_path, GOOD, line, GOOD.replace(b"1", b"3"))
    assert [metrics.step for metrics in read_history(tmp_path)] == [1, 3]


@pytest.mark.parametrize(
    "damage",
    [
        {"validation": [1]},
        {"validation": {"loss": 1.0, "tokens": 0, "bytes": 0}},
        {"validation": {"loss": "low", "tokens": 1, "bytes": 1}},
        {"validation": {"loss": 1.0, "tokens": -3, "bytes": 1}},
        {"validation": {"loss": 1e200, "tokens": 1, "bytes": 1}},
    ],
)
def test_a_damaged_evaluation_leaves_its_step(tmp_path, damage):
    write(tmp_path, json.dumps({"step": 1, "loss": 3.0, "mfu": "much"} | damage).encode())
    [metrics] = read_history(tmp_path)
    assert metrics.evaluation is None
    assert metrics.mfu is None


def test_a_sample_from_a_file_cannot_command_the_terminal(tmp_path):
    score = {"loss": 1.0, "tokens": 1, "bytes": 1}
    for sample in ({"prompt": "\x1b[2J", "text": "\x9b31m\r"}, {"prompt": 1}, "text"):
        record = {"step": 1, "loss": 3.0, "validation": score, "sample": sample}
        write(tmp_path, json.dumps(record).encode())
        [metrics] = read_history(tmp_path)
        assert metrics.evaluation.sample in (Sample("␛[2J", "␛[31m\n"), None)


def test_a_log_that_cannot_be_read_is_not_written_over(tmp_path):
    (tmp_path / METRICS_FILE).mkdir()
    with pytest.raises((OSError, UserError)):
        RunLog(tmp_path, 0)
    assert read_metrics(tmp_path / "nowhere") == []
