"""What a run is said to need, against what it needs."""

import json
import os
import re
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from mgpt_tui import memory, paths
from mgpt_tui.errors import UserError
from training.report import estimate as module
from training.report.estimate import Estimate, estimate
from training.step import memory_free as memory_free_module
from training.step.memory_free import memory_free


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
    assert subject.update.optimizers.tensors() == {}
    assert [metrics.loss for metrics in subject.steps()] == expected


def test_a_short_run_is_told_its_memory_and_no_time(make_trainer, monkeypatch):
    subject, passed = make_trainer(), []
    monkeypatch.setattr(subject.update, "rehearse", lambda step, rows: passed.append(rows))
    monkeypatch.setattr(module, "_seconds", lambda *_: pytest.fail("by the clock"))
    found = estimate(subject)
    assert passed == [1, 2], "no more than is needed for a straight line"
    assert found.seconds is None and found.memory > 0
    assert "of memory" in found.line() and "of disk" in found.line()


def test_what_counts_is_not_compiled_with_the_model(make_trainer, monkeypatch):
    """The compiler told the writer on the terminal that it had given up on it."""
    subject = make_trainer()

    @torch.compile(backend="eager")
    def passes(*_):
        x = torch.zeros(4, requires_grad=True)
        for _ in range(12):  # more than versions that are made of a function
            torch._dynamo.graph_break()
            x = x.exp()  # kept for going backward

    monkeypatch.setattr(subject.update, "rehearse", passes)
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        assert module._kept(subject, 1) == 12 * 4 * 4


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB free, of which a container leaves 3 GB and its group 2 GB."""
    root = tmp_path / "machine"

    def write(name, text):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    write("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable:    7812500 kB\n")
    write("proc/self/status", "VmSize:\t 100000 kB\nVmData:\t 50000 kB\n")
    write("proc/self/cgroup", "0::/box/inner\n")
    write("sys/fs/cgroup/box/memory.max", "4000000000\n")
    write("sys/fs/cgroup/box/memory.current", "1000000000\n")
    write("sys/fs/cgroup/box/inner/memory.max", "2500000000\n")
    write("sys/fs/cgroup/box/inner/memory.current", "1500000000\n")
    write("sys/fs/cgroup/box/inner/memory.stat", "anon 5\ninactive_file 1000000000\n")
    monkeypatch.setattr(memory, "ROOT", root)
    monkeypatch.setattr(memory_free_module, "memory_used", lambda device: (10**8, 10**8))
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: unlimited)
    return write


CPU = torch.device("cpu")


def test_what_is_free_on_a_machine_of_many_bounds(machine, monkeypatch):
    used = 10**8
    assert memory_free(CPU) == 2 * 10**9 + used, "cached files count as free"
    machine("sys/fs/cgroup/box/inner/memory.max", "max\n")
    assert memory_free(CPU) == 3 * 10**9 + used, "a group above binds too"
    machine("sys/fs/cgroup/box/memory.max", "max\n")
    assert memory_free(CPU) == 7_812_500 * 1024 + used
    machine("proc/self/cgroup", "4:cpu,memory:/old\n1:name=systemd:/old\n")
    machine("sys/fs/cgroup/memory/old/memory.limit_in_bytes", "900000000\n")
    machine("sys/fs/cgroup/memory/old/memory.usage_in_bytes", "500000000\n")
    machine("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    machine("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000000\n")
    assert memory_free(CPU) == 4 * 10**8 + used
    limits = {resource.RLIMIT_AS: 300_000 * 1024, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], -1))
    assert memory_free(CPU) == 200_000 * 1024 + used, "as `ulimit -v` says"
    assert memory_free(CPU, processes=2) == 4 * 10**8 + used, "it is each one's own"
    limits[resource.RLIMIT_AS] = 50_000 * 1024
    assert memory_free(CPU) == used, "what is overdrawn is nothing"


def test_a_machine_that_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "ROOT", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, -1))
    assert memory_free(CPU) is None


def test_what_cannot_fit_is_refused_unless_anyway(mgpt, prepared, monkeypatch):
    monkeypatch.setattr(module, "memory_free", lambda device, processes: 10**7)
    arguments = (
        *("train", "--data", prepared.folder, "--name", "run", "--preset", "tiny"),
        *("--block-size", 32, "--batch-size", 4, "--max-steps", 1, "--device", "cpu"),
    )
    refused = mgpt(*arguments)
    assert refused.code == 2
    assert re.search("not enough memory for this: it takes about .*, and 10 MB are", refused.err)
    assert "Lower --batch-size" in refused.err and "--anyway" in refused.err
    assert not list((paths.runs_dir() / "run").glob("*.json*")), "no run was begun"
    begun = mgpt(*arguments, "--anyway")
    assert begun.code == 0, begun.err
    assert "Warning: the memory may not suffice." in begun.err


def test_a_short_run_of_a_huge_batch_is_refused(mgpt, prepared, monkeypatch):
    """It was killed by the system, without a word before."""
    monkeypatch.setattr(module, "memory_free", lambda device, processes: 4 * 10**9)
    refused = mgpt(
        *("train", "--data", prepared.folder, "--name", "run", "--preset", "tiny"),
        *("--batch-size", 65536, "--max-steps", 1, "--device", "cpu", "--dtype", "fp32"),
    )
    assert refused.code == 2
    assert "not enough memory for this" in refused.err and "4.0 GB are free" in refused.err


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
    with pytest.raises(UserError, match="not enough memory"):
        large.check_memory()
    doubtful = Estimate(None, None, 3 * 10**9, int(2.5 * 10**9), 10**6, 10**9)
    doubtful.check_memory()
    assert "may not suffice" in doubtful.warnings()[0]
    unknown = Estimate(3700.0, 0.5, 3 * 10**9, None, 10**6, 10**9)
    assert unknown.warnings() == []
    unknown.check_memory()
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
from training.report import estimate as module
from training.runs.checkpoints import RunFolder
from training.config import TrainConfig
from training.step.machine import keep_freed_memory
from training.data.prepared import read_prepared
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
