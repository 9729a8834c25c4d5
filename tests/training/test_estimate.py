"""What a run is said to need, against what it needs."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from mgpt_tui import paths
from training import estimate as module
from training.estimate import Estimate, estimate


@pytest.fixture
def never_short(monkeypatch):
    monkeypatch.setattr(module, "SHORT_RUN", 0.0)


def test_a_rehearsal_leaves_nothing_behind(make_trainer, never_short):
    expected = [metrics.loss for metrics in make_trainer("other", max_steps=4).steps()]
    subject = make_trainer(max_steps=4)
    weights = {name: weight.clone() for name, weight in subject.model.state_dict().items()}
    random = torch.get_rng_state()
    found = estimate(subject)
    assert found.seconds is not None and found.seconds > 0
    assert torch.equal(torch.get_rng_state(), random)
    assert all(weight.grad is None for weight in subject.model.parameters())
    for name, weight in subject.model.state_dict().items():
        assert torch.equal(weight, weights[name])
    assert subject.optimizers.tensors() == {}
    assert [metrics.loss for metrics in subject.steps()] == expected


def test_a_short_run_is_not_rehearsed(make_trainer, monkeypatch):
    subject = make_trainer()
    monkeypatch.setattr(subject, "rehearse", lambda sequences: pytest.fail("rehearsed"))
    found = estimate(subject)
    assert found.seconds is None and found.memory is None
    assert "of disk" in found.line()


@pytest.mark.parametrize(
    ("keep", "optimizer"), [(1, "adamw"), (2, "muon"), (None, "adamw"), (None, "muon")]
)
def test_the_disk_holds_what_was_said(make_trainer, keep, optimizer):
    subject = make_trainer(max_steps=6, eval_every=1, keep=keep, optimizer=optimizer, n_embd=64)
    said = estimate(subject).disk
    list(subject.steps())
    files = subject.run.path.rglob("*.safetensors")
    used = sum(path.stat().st_size for path in files)
    if keep is not None:  # one more while it is being written, and perhaps the best
        used = used / len(subject.run.checkpoints()) * (keep + 2)
    assert said == pytest.approx(used, rel=0.1)
    resumed = make_trainer(resume=True, max_steps=6, eval_every=1, optimizer=optimizer, n_embd=64)
    assert estimate(resumed).disk <= said


def test_evaluations_still_to_come(make_trainer):
    assert module._evaluations(make_trainer(max_steps=8, eval_every=3)) == 3
    assert module._evaluations(make_trainer(max_steps=9, eval_every=3)) == 3
    subject = make_trainer(max_steps=3, eval_every=3)
    list(subject.steps())
    assert module._evaluations(make_trainer(resume=True, max_steps=8, eval_every=3)) == 2


def test_warnings_where_it_will_not_fit():
    fits = Estimate(3700.0, 0.5, 10**9, 2 * 10**9, 10**6, 10**9)
    assert fits.warnings() == []
    assert "1:01:40 (0.5 s a step)" in fits.line()
    assert "1.0 GB of memory (2.0 GB free)" in fits.line()
    large = Estimate(3700.0, 0.5, 3 * 10**9, 2 * 10**9, 10**10, 10**9)
    assert "--batch-size" in large.warnings()[0]
    assert "--keep" in large.warnings()[1]
    unknown = Estimate(3700.0, 0.5, 3 * 10**9, None, 10**6, 10**9)
    assert unknown.warnings() == []
    assert "3.0 GB of memory," in unknown.line()


def test_the_warning_is_shown_before_training(mgpt, prepared, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    outcome = mgpt(
        *("train", "--data", prepared.folder, "--name", "run", "--preset", "tiny"),
        *("--block-size", 32, "--batch-size", 4, "--max-steps", 1, "--device", "cpu"),
    )
    assert outcome.code == 0
    assert "(1.0 kB free)" in outcome.err
    assert outcome.err.index("Warning: the disk") < outcome.err.index("step 1 ")


REAL = """
import json, sys
from pathlib import Path
from training import estimate as module
from training.checkpoints import RunFolder
from training.config import TrainConfig
from training.machine import keep_freed_memory
from training.prepared import read_prepared
from training.trainer import Trainer

keep_freed_memory()
module.SHORT_RUN = 0.0
settings = {"preset": "tiny", "batch_size": 192, "max_steps": 9, "device": "cpu", "dtype": "fp32"}
data = read_prepared(Path(sys.argv[1]))
trainer = Trainer(TrainConfig().updated(settings), data, RunFolder("run"))
said = module.estimate(trainer).memory
steps = trainer.steps()
next(steps)
json.dump([said, next(steps).memory_peak_bytes], sys.stdout)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_the_memory_is_what_was_said(prepared):
    done = subprocess.run(
        [sys.executable, "-c", REAL, str(prepared.folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    said, real = json.loads(done.stdout)
    assert said == pytest.approx(real, rel=0.25)
    assert not (paths.runs_dir() / "run").exists()
