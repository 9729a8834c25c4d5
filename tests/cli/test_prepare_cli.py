"""`mgpt-tui prepare` as it is typed."""

import io
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from mgpt_tui.cli import main
from mgpt_tui.cli.prepare_command import _Clock, show
from tests.waiting import until
from training.data.prepare_config import PrepareProgress
from training.data.prepared import read_prepared

STORIES = [
    f"Once there was a {color} lamp number {n}." for n in range(50) for color in ("red", "blue")
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text("\n<|endoftext|>\n".join(STORIES))
    return path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exited:
        main(["prepare", *map(str, arguments)])
    captured = capsys.readouterr()
    return exited.value.code, captured.out, captured.err


def test_prepare_says_what_it_made(capsys, source, tmp_path):
    out = tmp_path / "data"
    code, stdout, stderr = run(
        capsys, "--source", source, "--out", out, "--val-fraction", "0.2", "--vocab-size", "300"
    )
    assert code == 0
    data = read_prepared(out)
    assert data.tokenizer.vocab_size == 300
    assert data.train.stories + data.val.stories == len(STORIES)
    assert f"{data.train.stories:,} stories, {len(data.train.tokens):,} tokens" in stdout
    assert f"mgpt-tui train --data {out}" in stdout
    assert "counting tokens: 100 stories (100%)" in stderr
    assert "\x1b" not in stdout + stderr


def test_prepare_says_what_it_left_out_and_how_little_is_held_out(capsys, tmp_path, monkeypatch):
    """Step 8 of the tour, with forty stories and what else lies in the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-stories.txt").write_text("\n<|endoftext|>\n".join(STORIES[:40]))
    (tmp_path / "more.csv").write_text("id;text\n1;A hen, a pin.\n2;\n")
    (tmp_path / "notes\u202e.md").write_text("Not a story.")
    code, stdout, _ = run(capsys, "--source", ".", "--out", "my-data", "--vocab-size", "2000")
    assert code == 0
    lines = stdout.splitlines()
    data = read_prepared(tmp_path / "my-data")
    assert (data.train.stories, data.val.stories) == (40, 1)
    assert lines[2].startswith("validation  1 story, ")
    assert lines[3:6] == [
        "left out, files of other kinds: 1 (notes⟦RLO⟧.md)",
        "left out, rows without text: 1 (more.csv)",
        "held out is one story, as the share would be none",
    ]
    assert "too small" in lines[6] and "--val-fraction" in lines[6]


def test_one_text_is_cut_and_that_is_said(capsys, tmp_path):
    (tmp_path / "novel.txt").write_text("\n\n".join(STORIES))
    code, stdout, _ = run(
        capsys, "--source", tmp_path / "novel.txt", "--out", tmp_path / "data", "--vocab-size", 300
    )
    assert code == 0
    assert "held out is the end of the only text, which is cut at a paragraph" in stdout


@pytest.mark.parametrize("name", ["x $(y)", "it's", "a\x1b[31mb"])
def test_the_command_that_it_proposes_is_quoted(capsys, source, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code, stdout, _ = run(
        capsys, "--source", source, "--out", name, "--val-fraction", "0.2", "--vocab-size", "300"
    )
    assert code == 0 and "\x1b" not in stdout
    shown = name.replace("\x1b", "␛")
    assert stdout.startswith(f"{shown}: a vocabulary")
    proposed = stdout.splitlines()[-1].removeprefix("Train on it: ")
    assert shlex.split(proposed) == ["mgpt-tui", "train", "--data", shown, "--name", "RUN"]
    assert proposed.count("'") >= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--val", "x.txt", "--val-fraction", "0.1"], "exclude each other"),
        (["--vocab-size", "12"], "257"),
        (["--vocab-size", "many"], "--vocab-size"),
        (["--val-fraction", "2"], "0.9"),
        (["--tokenizer", "nobody"], "Known models"),
        (["--text-column", "saga", "--source", "missing.csv"], "does not exist"),
    ],
    ids=["both", "small", "word", "share", "model", "missing"],
)
def test_bad_input_is_one_clear_message(capsys, source, tmp_path, arguments, message):
    code, stdout, stderr = run(capsys, "--source", source, "--out", tmp_path / "data", *arguments)
    assert code == 2
    assert stdout == ""
    assert message in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "data").exists()


def test_source_and_out_are_needed(capsys):
    code, _, stderr = run(capsys)
    assert code == 2
    assert "--source" in stderr


STEPS = [
    PrepareProgress("counting tokens", 50, 500, 1000),
    PrepareProgress("counting tokens", 100, 1000, 1000),
    PrepareProgress("writing tokens", 70, 700, 1000),
    PrepareProgress("writing tokens", 100, 1000, 1000),
]


def test_a_terminal_gets_a_bar(capsys):
    screen = io.StringIO()
    show(STEPS, Console(file=screen, force_terminal=True, width=100, color_system=None))
    shown = screen.getvalue()
    assert "counting tokens" in shown
    assert "100 stories" in shown
    assert shown.count("100%") >= 2
    assert capsys.readouterr().err == ""


def test_an_unknown_length_is_no_error():
    screen = io.StringIO()
    steps = [
        PrepareProgress("writing tokens", 512, 0, None),
        PrepareProgress("writing tokens", 600, 0, None),
    ]
    show(steps, Console(file=screen, force_terminal=True, width=100, color_system=None))
    assert "600 stories" in screen.getvalue()


def test_speed_and_time_left_are_of_this_try(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("mgpt_tui.cli.prepare_command.time.monotonic", lambda: now[0])
    clock = _Clock(PrepareProgress("encoding stories", 0, 0, 300_000_000))
    assert clock.pace(PrepareProgress("encoding stories", 0, 0, 300_000_000)) == ""
    now[0] += 10
    step = PrepareProgress("encoding stories", 9, 200_000_000, 300_000_000, kept=180_000_000)
    assert clock.pace(step) == "2.0 MB/s, 0:00:50 left"
    assert clock.pace(PrepareProgress("encoding stories", 9, 50_000_000, None)) == "5.0 MB/s"


def test_the_bar_fits_80_columns(monkeypatch):
    screen = io.StringIO()
    now = itertools.count(0, 37)
    monkeypatch.setattr("mgpt_tui.cli.prepare_command.time.monotonic", lambda: next(now))
    steps = [
        PrepareProgress("encoding stories", 0, 0, 20_000_000_000),
        PrepareProgress("encoding stories", 1_234_567, 6_000_000_000, 20_000_000_000),
    ]
    show(steps, Console(file=screen, force_terminal=True, width=80, color_system=None))
    (line,) = [line for line in screen.getvalue().splitlines() if "1,234,567 stories" in line][-1:]
    assert re.search(r" 1,234,567 stories 81\.1 MB/s, 0:02:53 left *$", line)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_keeps_what_is_done_and_says_so(tmp_path):
    source, out = tmp_path / "big.txt", tmp_path / "data"
    source.write_text("\n<|endoftext|>\n".join(STORIES * 6000))
    command = [sys.executable, "-m", "mgpt_tui", "prepare", "--source", source, "--out", out]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        shards = tmp_path / "data.partial" / "shards"
        until(lambda: [*shards.glob("[!.]*.npz")] or child.poll() is not None, "a shard")
        assert child.poll() is None, child.stderr.read()
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the helpers too
        errors = child.stderr.read()
    assert child.returncode == 130
    assert "Traceback" not in errors
    assert "The same command goes on from here" in errors
    assert f"{out}.partial" in errors
    assert not out.exists()
    kept = sorted(path.name for path in (tmp_path / "data.partial").iterdir())
    assert kept == ["README.txt", "shards", "tokenizer.tiktoken"]
