"""A run that goes wrong, or is asked to stop, ends with a message and loses nothing."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from training.launch import _memory_errors
from training.run_log import read_metrics
from training.signals import StopSignals

SHORT = (
    *("--preset", "tiny", "--n-embd", "16", "--block-size", "32", "--batch-size", "4"),
    *("--warmup-steps", "1", "--log-every", "1", "--sample-tokens", "0"),
    *("--device", "cpu", "--dtype", "fp32"),
)


def start(prepared, *more):
    """A real training process in the background."""
    arguments = ("train", "--data", str(prepared.folder), "--name", "run", *SHORT, *more)
    return subprocess.Popen(
        [sys.executable, "-m", "mgpt_tui", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for_steps(process):
    deadline = time.monotonic() + 60
    while len(read_metrics(paths.runs_dir() / "run")) < 3 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_go_on(prepared, number, code):
    process = start(prepared, "--max-steps", "100000", "--eval-every", "100000")
    wait_for_steps(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "mgpt-tui train --name run --resume" in err
    records = read_metrics(paths.runs_dir() / "run")
    saved = json.loads((paths.runs_dir() / "run" / "last.json").read_text())
    assert saved == {"checkpoint": f"step-{records[-1]['step']:08d}"}


def test_the_second_ctrl_c_leaves_at_once(prepared):
    # So much work in one step that its end is not in sight.
    process = start(prepared, "--max-steps", "2", "--grad-accumulation", "60000")
    assert process.stderr is not None
    while "training tokens" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    while "Finishing the step" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not list((paths.runs_dir() / "run").glob("*step-*"))


def test_signals_ask_once_and_then_insist():
    asked = []
    with StopSignals(asked.append):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # schedulers may send it again
        assert asked == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_overflow_without_end_stops_a_run_in_fp16(make_trainer):
    subject = make_trainer(dtype="fp16", max_steps=200, eval_every=100)
    weight = subject.model.final_norm.weight
    weight.register_hook(lambda gradient: torch.full_like(gradient, math.inf))
    done = []
    with pytest.raises(UserError, match="gradient became inf at step") as caught:
        done.extend(metrics.step for metrics in subject.steps())
    assert "--learning-rate" in caught.value.remedy
    assert 10 < len(done) < 30  # from a scale of 2^16 to below 1
    assert torch.equal(weight, torch.ones_like(weight))


def test_weights_that_are_no_numbers_are_not_saved(make_trainer):
    subject = make_trainer(max_steps=4, eval_every=4)
    next(subject.steps())
    with torch.no_grad():
        subject.model.final_norm.weight.fill_(math.nan)
    with pytest.raises(UserError, match="weights became nan"):
        subject.save()
    assert subject.run.checkpoints() == []


def spoil(trainer):
    """From now on the weights get worse with every step."""
    for part in trainer.optimizers.parts:
        for group in part.param_groups:
            group["peak_lr"] = -0.1


def test_a_run_ends_when_patience_does(make_trainer):
    settings = {"max_steps": 40, "eval_every": 2, "patience": 3, "keep": None, "dropout": 0.0}
    subject = make_trainer("straight", **settings)
    spoil(subject)
    metrics = list(subject.steps())
    best = subject.progress.best
    assert best is not None
    assert subject.out_of_patience and subject.finished
    assert metrics[-1].step == best.step + 6 < 40
    assert subject.run.checkpoints()[-1].name == f"step-{metrics[-1].step:08d}"

    stopped = make_trainer("stopped", **settings)
    spoil(stopped)
    steps = stopped.steps()
    while next(steps).step < best.step + 5:  # one evaluation before the end
        pass
    stopped.save()
    resumed = make_trainer("stopped", resume=True, **settings)
    spoil(resumed)
    assert [metrics.step for metrics in resumed.steps()] == [best.step + 6]
    assert make_trainer("stopped", resume=True, **settings).finished
    assert not make_trainer("stopped", resume=True, **settings | {"patience": 4}).finished


def test_patience_on_the_command_line(mgpt, prepared):
    # A learning rate of 0 never makes anything better than it was at first.
    more = ("--max-steps", 50, "--eval-every", 1, "--learning-rate", 0, "--patience", 2)
    ended = mgpt("train", "--data", prepared.folder, "--name", "run", *SHORT, *more)
    assert ended.code == 0
    assert "Ended early at step 3" in ended.err
    assert "mgpt-tui --model run" in ended.err
    again = mgpt("train", "--name", "run", "--resume")
    assert again.code == 2
    assert "--patience" in again.err
    assert (
        mgpt("train", "--name", "run", "--resume", "--patience", "off", "--max-steps", 4).code == 0
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_too_little_memory_says_what_to_lower(mgpt, prepared):
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + 3 * 10**8, limits[1]))
    try:
        more = ("--batch-size", 20_000, "--max-steps", 1)
        ended = mgpt("train", "--data", prepared.folder, "--name", "run", *SHORT, *more)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert ended.code == 2, ended.err
    assert "not enough memory" in ended.err
    assert "--batch-size" in ended.err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_memory_errors_are_told(error):
    with pytest.raises(UserError, match="not enough memory"), _memory_errors():
        raise error


def test_other_errors_are_not_taken_for_them():
    with pytest.raises(RuntimeError, match="illegal"), _memory_errors():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
