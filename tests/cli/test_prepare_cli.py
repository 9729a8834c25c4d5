"""`mgpt-tui prepare` as it is typed."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from mgpt_tui.cli import main
from mgpt_tui.cli.prepare_command import show
from training.prepare import Progress
from training.prepared import read_prepared

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
    Progress("counting tokens", 50, 500, 1000),
    Progress("counting tokens", 100, 1000, 1000),
    Progress("writing tokens", 70, 700, 1000),
    Progress("writing tokens", 100, 1000, 1000),
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
    steps = [Progress("writing tokens", 512, 0, None), Progress("writing tokens", 600, 0, None)]
    show(steps, Console(file=screen, force_terminal=True, width=100, color_system=None))
    assert "600 stories" in screen.getvalue()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)], ids=["ctrl-c", "killed"]
)
def test_a_stopped_run_leaves_nothing_that_looks_whole(tmp_path, number, code):
    source, out = tmp_path / "big.txt", tmp_path / "data"
    source.write_text("\n<|endoftext|>\n".join(STORIES * 6000))
    command = [sys.executable, "-m", "mgpt_tui", "prepare", "--source", source, "--out", out]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    begun = time.monotonic()
    while not list(tmp_path.glob(".tmp-data-*/train.bin")):
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() - begun < 60
        time.sleep(0.01)
    child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == code
    assert "Traceback" not in errors
    assert not out.exists()
    assert not list(tmp_path.glob(".tmp-data-*/meta.json"))
    if number == signal.SIGINT:
        assert [path.name for path in tmp_path.iterdir()] == ["big.txt"]
