"""A run that goes wrong, or is asked to stop, ends with a message and loses nothing."""

import errno
import io
import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from tests.waiting import PATIENCE, until
from training.launch import _logged
from training.runs.log import RunLog, read_metrics
from training.runs.signals import StopSignals

SHORT = (
    *("--preset", "tiny", "--n-embd", "16", "--block-size", "32", "--batch-size", "4"),
    *("--warmup-steps", "1", "--log-every", "1", "--sample-tokens", "0"),
    *("--device", "cpu", "--dtype", "fp32"),
)


SAYS_WHEN_IT_BEGINS = """
import sys
from mgpt_tui.cli import main
from training.trainer import Trainer

begin = Trainer._begin_step
def say_and_begin(trainer):
    print("A step begins", file=sys.stderr, flush=True)
    begin(trainer)

Trainer._begin_step = say_and_begin
main()
"""


def start(prepared, *more, program=("-m", "mgpt_tui")):
    """A real training process in the background."""
    arguments = ("train", "--data", str(prepared.folder), "--name", "run", *SHORT, *more)
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=hear_signals,
    )


def hear_signals():
    """Let a process hear what may be ignored here, as behind nohup or in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_for_steps(process):
    """Wait until a run has logged some steps."""

    def logged():
        assert process.poll() is None, process.communicate()
        return len(read_metrics(paths.runs_dir() / "run")) >= 3

    until(logged, "three steps")


def read_up_to(process, words):
    """Read what a process says until a line of it has these words."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return
    raise AssertionError(f"it never said {words!r}, but\n{said}")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_and_says_how_to_go_on(prepared, number, code):
    process = start(prepared, "--max-steps", "100000", "--eval-every", "100000")
    wait_for_steps(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "mgpt-tui train --name run --resume" in err
    assert last_saved() == read_metrics(paths.runs_dir() / "run")[-1]["step"]


def last_saved():
    """The step of the newest checkpoint."""
    pointer = json.loads((paths.runs_dir() / "run" / "last.json").read_text())
    return int(pointer["checkpoint"].removeprefix("step-"))


def test_an_output_whose_reader_left_saves(prepared):
    """As with `train ... 2>&1 | head -5`."""
    process = start(prepared, "--max-steps", "100000", "--eval-every", "100000")
    assert process.stderr is not None
    for _ in range(5):
        process.stderr.readline()
    process.stderr.close()
    assert process.wait(timeout=PATIENCE) == 141
    assert last_saved() == read_metrics(paths.runs_dir() / "run")[-1]["step"]


def test_an_output_on_a_full_disk_saves(prepared, mgpt):

    class Full(io.RawIOBase):
        full = False

        def writable(self):
            return True

        def write(self, data):
            if b"step 3 " in bytes(data):
                Full.full = True
            if Full.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return len(data)

    more = ("--max-steps", 1000, "--eval-every", 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(Full()), "utf-8"))
        outcome = mgpt("train", "--data", prepared.folder, "--name", "run", *SHORT, *more)
    assert outcome.code == 2
    assert last_saved() == read_metrics(paths.runs_dir() / "run")[-1]["step"] == 3


def test_what_nohup_ignores_stays_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asked = []
    try:
        with StopSignals(asked.append):
            signal.raise_signal(signal.SIGHUP)
        assert asked == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_log_on_a_full_disk_does_not_lose_the_training(make_trainer, monkeypatch):
    trainer = make_trainer(max_steps=1000, eval_every=1000)
    trainer.run.path.mkdir(parents=True)
    log = RunLog(trainer.run.path, 0)
    full = UserError("No space left on the device.")
    written = iter([None, None, full])

    def write(metrics):
        failure = next(written)
        if failure is not None:
            raise failure

    monkeypatch.setattr(log, "write", write)
    for metrics in trainer.steps():
        try:
            _logged(trainer, log, metrics)
        except UserError as error:
            assert error is full
            break
    assert last_saved() == 3
    log.close()


def test_a_log_that_cannot_be_synced_is_told(tmp_path, monkeypatch):
    log = RunLog(tmp_path, 0)

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError, match="No space left on the device for"):
        log.sync()
    log.close()


def test_the_second_ctrl_c_leaves_at_once(prepared):
    # So much work in one step that its end is not in sight.
    more = ("--max-steps", "2", "--grad-accumulation", "60000")
    process = start(prepared, *more, program=("-c", SAYS_WHEN_IT_BEGINS))
    read_up_to(process, "A step begins")
    process.send_signal(signal.SIGINT)
    read_up_to(process, "Finishing the step")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
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
    for part in trainer.update.optimizers.parts:
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
