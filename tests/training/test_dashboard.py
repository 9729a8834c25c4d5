"""What a run shows, live and in plain lines."""

import io

from rich.console import Console

from training.checkpoints import RunFolder
from training.config import TrainConfig
from training.dashboard import Dashboard
from training.trainer import Trainer

SETTINGS = {
    "preset": "tiny",
    "n_embd": 16,
    "block_size": 32,
    "batch_size": 2,
    "max_steps": 4,
    "eval_every": 2,
    "device": "cpu",
    "dtype": "fp32",
}


def shown(prepared, *, terminal):
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=terminal)
    trainer = Trainer(TrainConfig().updated(SETTINGS), prepared, RunFolder("run"))
    with Dashboard(trainer, "run", console) as dashboard:
        for metrics in trainer.steps():
            dashboard.update(metrics)
            dashboard.log(metrics)
        dashboard.finished()
    return output.getvalue()


def test_off_a_terminal_there_are_only_lines(prepared):
    text = shown(prepared, terminal=False)
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert lines[2].startswith("step 1  loss ")
    assert lines[3].startswith("step 2  train ")
    assert lines[-1] == "Done. Write with it: mgpt-tui --model run"


def test_in_a_terminal_a_bar_and_a_table_fit_80_columns(prepared):
    text = shown(prepared, terminal=True)
    last = text.rpartition("train loss")[2]
    rows = [line for line in last.splitlines() if line.strip().startswith(("2 ", "4 "))]
    assert len(rows) == 2
    assert sum("best" in row for row in rows) == 1
    assert "step 4/4" in last
    console = Console(width=80)
    assert all(console.measure(line).maximum <= 80 for line in rows)
