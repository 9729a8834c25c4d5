"""What a run shows, live and in plain lines."""

import io
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from tests.waiting import PATIENCE
from training.config import TrainConfig
from training.report import dashboard as module
from training.report.dashboard import Dashboard, Pace
from training.runs.checkpoints import Best, RunFolder
from training.trainer import Trainer

SETTINGS = {
    "preset": "tiny",
    "n_embd": 16,
    "block_size": 32,
    "batch_size": 2,
    "max_steps": 4,
    "eval_every": 2,
    "sample_tokens": 12,
    "device": "cpu",
    "dtype": "fp32",
}


def shown(prepared, *, terminal, name="run", explain=False, warnings=(), during=lambda: None):
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=terminal)
    trainer = Trainer(TrainConfig().updated(SETTINGS), prepared, RunFolder(name))
    with Dashboard(
        trainer, "run", explain=explain, warnings=warnings, console=console
    ) as dashboard:
        for metrics in trainer.steps():
            dashboard.update(metrics)
            dashboard.log(metrics)
        during()
        dashboard.finished()
    return output.getvalue()


def test_off_a_terminal_there_are_only_lines(prepared):
    text = shown(prepared, terminal=False)
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert lines[2].startswith("step 1  loss ")
    for words in ("learning rate ", "tokens/s ", "memory ", "MFU ", "gradient norm ", "passes "):
        assert words in lines[2]
    assert lines[3].startswith("step 2  train loss ")
    assert "bits/byte " in lines[3]
    assert lines[4].startswith("sample: Once upon a time")
    assert "left 0:00:0" in lines[5]
    assert "change " in lines[6]
    assert "Done. Write with it: mgpt-tui --model run" in lines[-2:]


@pytest.mark.parametrize(("step", "told"), [(4, False), (2, True)])
def test_an_earlier_checkpoint_that_is_better_is_told(prepared, step, told):
    output = io.StringIO()
    trainer = Trainer(TrainConfig().updated(SETTINGS), prepared, RunFolder("run"))
    with Dashboard(trainer, "run", console=Console(file=output, width=200)) as dashboard:
        list(trainer.steps())
        trainer.progress.best = Best(step, loss=1.0, bits_per_byte=0.5)
        dashboard.finished()
    line = "That is its best checkpoint, of step 2; run/last is the newest."
    assert (line in output.getvalue().splitlines()) == told


def test_off_a_terminal_the_figures_are_explained_once(prepared):
    text = shown(prepared, terminal=False, explain=True)
    assert text.count("gradient norm: how strongly") == 1
    assert "gradient norm: how strongly" not in shown(prepared, terminal=False, name="other")


def test_the_live_view_leaves_the_run_behind_when_it_closes(prepared):
    text = shown(prepared, terminal=True)
    before, _, rest = text.partition("\x1b[?1049h")
    live, _, after = rest.partition("\x1b[?1049l")
    assert "10,848 parameters" in before
    assert "step 0/4" in live
    assert "loss over steps" in after
    assert "bits/byte" in after
    assert after.count("best") == 1
    assert "sample at step 4" in after
    assert "mgpt-tui runs run" in after
    assert "mgpt-tui --model run" in after


def test_of_many_evaluations_the_newest_and_the_best_are_left_behind(prepared, watched):
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=True)
    trainer = Trainer(TrainConfig().updated(SETTINGS), prepared, RunFolder("run"))
    with Dashboard(trainer, "run", console=console) as dashboard:
        for step in range(1, 101):
            score = replace(watched[4].evaluation.validation, loss=2.0 if step == 40 else 3.0)
            evaluation = replace(watched[4].evaluation, validation=score)
            dashboard.update(replace(watched[4], step=step, evaluation=evaluation))
    after = output.getvalue().rpartition("\x1b[?1049l")[2]
    plain = re.sub(r"\x1b\[[\d;]*m", "", after)
    rows = re.findall(r"^ *(\d+)  .*\d\.\d{4}", plain, re.MULTILINE)
    assert rows == ["40", *map(str, range(90, 101))]


def test_what_is_said_on_stderr_during_the_live_view_is_not_lost(prepared):
    def during():
        sys.stderr.write("half a line, ")
        sys.stderr.write("then the rest \x1b[2J\nand no line break")

    after = shown(prepared, terminal=True, during=during).rpartition("\x1b[?1049l")[2]
    assert "half a line, then the rest ␛[2J" in after
    assert "and no line break" in after
    assert not isinstance(sys.stderr, module._Lines)


def test_warnings_are_said_first_and_stay_in_the_live_view(prepared):
    warning = "Warning: the disk will not hold the checkpoints."
    text = shown(prepared, terminal=True, warnings=[warning])
    before, _, rest = text.partition("\x1b[?1049h")
    assert warning in before
    assert warning in rest.partition("\x1b[?1049l")[0]
    lines = shown(prepared, terminal=False, name="other", warnings=[warning]).splitlines()
    assert lines.index(warning) < lines.index(next(s for s in lines if s.startswith("step 1")))


def test_the_pace_leaves_out_the_first_step(monkeypatch):
    moments = iter([100.0, 102.0, 104.0, 110.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(moments))
    pace = Pace(total=10, steps=4)
    assert pace.left(1) is None
    assert pace.left(2) == pytest.approx(8 * 2)
    assert pace.left(3) == pytest.approx(7 * 2)
    assert pace.left(4) == pytest.approx(6 * 10 / 3)


def test_in_a_real_terminal_under_no_color(prepared, home):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    from tests.real_terminal import read_all

    command = [
        sys.executable, "-m", "mgpt_tui", "train", "--data", str(prepared.folder),
        "--name", "seen", "--preset", "tiny", "--n-embd", "16", "--block-size", "32",
        "--batch-size", "2", "--max-steps", "3", "--eval-every", "2", "--device", "cpu",
        "--dtype", "fp32", "--explain",
    ]  # fmt: skip
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    surroundings = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    surroundings |= {"TERM": "xterm-256color", "NO_COLOR": "", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=surroundings | {"LINES": "24"}
    )
    os.close(theirs)
    seen = read_all(ours)
    os.close(ours)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, seen.decode()
    assert out == b""
    text = seen.decode()
    assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") == 1
    assert "mgpt-tui --model seen" in text
    for colour in ("\x1b[3", "\x1b[9", "\x1b[1;3", "38;5"):
        assert colour not in text
