"""Going on with a run: exactly, from a whole checkpoint, and with nothing lost."""

import hashlib
import itertools
import json
import os
import resource
import shutil

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import find_model
from training.runs.checkpoints import Best, RunFolder, _sums
from training.runs.log import RunLog, read_history, read_metrics
from training.runs.resume import Conditions, use_threads

SHORT = (
    *("--preset", "tiny", "--n-embd", 16, "--block-size", 32, "--batch-size", 4),
    *("--warmup-steps", 1, "--eval-every", 2, "--log-every", 1, "--sample-tokens", 0),
    *("--device", "cpu"),
)


def losses(steps):
    return [metrics.loss for metrics in steps]


def train(mgpt, prepared, *more):
    return mgpt("train", "--data", prepared.folder, "--name", "mine", *SHORT, *more)


def resume(mgpt, *more):
    return mgpt("train", "--name", "mine", "--resume", *more)


def flip(path):
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path):
    path.write_text("[[[ not what it was")


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_momentum_and_scaler_go_on_to_the_last_bit(make_trainer, dtype):
    def begin(name):
        trainer = make_trainer(name, **settings)
        if dtype == "fp16":  # so large that steps are skipped, and the scale falls
            trainer.update.scaler.load_state_dict(
                trainer.update.scaler.state_dict() | {"scale": 2.0**40}
            )
        return trainer

    settings = {"optimizer": "muon", "dtype": dtype, "decay": "linear"}
    straight = begin("straight")
    expected = losses(straight.steps())
    first = begin("stopped")
    begun = losses(itertools.islice(first.steps(), 3))
    first.save()
    second = make_trainer("stopped", resume=True, **settings)
    assert begun + losses(second.steps()) == expected
    assert second.update.scaler.state_dict() == straight.update.scaler.state_dict()
    for name, weight in straight.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name])


def test_a_run_reads_on_where_it_stopped_with_steps_of_another_size(make_trainer):
    first = make_trainer(max_steps=4, grad_accumulation=1)
    list(first.steps())
    later = make_trainer(resume=True, max_steps=6, batch_size=2, grad_accumulation=1)
    left_alone = make_trainer("other", max_steps=8, grad_accumulation=1)
    read = [left_alone.sampler.offsets(step).tolist() for step in range(6)]
    assert later.sampler.offsets(4).tolist() + later.sampler.offsets(5).tolist() == read[4]
    assert next(later.steps()).tokens == (4 * 4 + 2) * 32


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "optimizer.safetensors",
        "trainer.json",
        "config.json",
        "tokenizer.tiktoken",
    ],
)
@pytest.mark.parametrize("damage", [flip, cut, overwrite, os.remove])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_offered(make_trainer, name, damage):
    subject = make_trainer()
    list(subject.steps())
    damage(subject.run.checkpoints()[-1] / name)
    with pytest.raises(UserError) as caught:
        make_trainer(resume=True)
    assert "step-00000008" in caught.value.message
    assert name in caught.value.message
    assert "mgpt-tui train --name run --resume-from 4" in caught.value.remedy
    assert make_trainer(resume=4).step == 4


@pytest.mark.parametrize(
    "absurd",
    [
        *({"step": value} for value in (-1, 1.5, True, "8", 10**400, float("inf"), None)),
        *({"seconds": value} for value in ("long", 10**400, [])),
        *({"best": value} for value in (3, [], {"step": 4}, {"step": -1, "loss": 1, "x": 2})),
        *({"train_losses": value} for value in (None, ["low"], 3)),
    ],
)
def test_sums_that_match_an_absurd_state(make_trainer, absurd):
    subject = make_trainer()
    list(subject.steps())
    folder = subject.run.checkpoints()[-1]
    state = json.loads((folder / "trainer.json").read_text())
    (folder / "trainer.json").write_text(json.dumps(state | absurd))
    (folder / "SHA256SUMS").write_text(_sums(folder))
    with pytest.raises(UserError, match="step-00000008 of the run run is damaged"):
        make_trainer(resume=True)


@pytest.mark.parametrize("name", ["device", "threads", "processes", "dtype"])
@pytest.mark.parametrize("value", [None, -1, 0, 1.5, [], {}, True])
def test_absurd_conditions_are_no_conditions(name, value):
    given = {
        "device": "cpu",
        "dtype": "fp32",
        "threads": 2,
        "processes": 1,
        "torch_version": "2.9",
        "instructions": "AVX2",
    }
    Conditions.from_dict(given)
    with pytest.raises((KeyError, TypeError, ValueError)):
        Conditions.from_dict(given | {name: value})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
@pytest.mark.parametrize("name", ["SHA256SUMS", "trainer.json", "optimizer.safetensors"])
def test_a_pipe_in_a_checkpoint_is_not_waited_for(make_trainer, name):
    subject = make_trainer()
    list(subject.steps())
    path = subject.run.checkpoints()[-1] / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=name):
        make_trainer(resume=True)


def test_the_offer_passes_over_other_damaged_ones(make_trainer):
    run = make_trainer(eval_every=2, keep=None).run
    list(make_trainer(eval_every=2, keep=None).steps())
    for folder in run.checkpoints()[1:]:
        flip(folder / "optimizer.safetensors")
    with pytest.raises(UserError) as caught:
        run.load()
    assert caught.value.remedy.endswith("--resume-from 2")
    flip(run.checkpoints()[0] / "SHA256SUMS")
    with pytest.raises(UserError, match="step-00000002") as caught:
        run.load(2)
    assert "--resume-from" not in caught.value.remedy


def test_the_sums_are_those_that_sha256sum_checks(make_trainer):
    subject = make_trainer(max_steps=1)
    list(subject.steps())
    folder = subject.run.checkpoints()[-1]
    sums = dict(
        reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().split("\n")[:-1]
    )
    files = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert sums == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files
    }


def test_what_is_later_is_set_aside_and_never_resumed(mgpt, prepared):
    assert train(mgpt, prepared, "--max-steps", 8, "--keep", "all").code == 0
    run = RunFolder("mine")
    expected = read_metrics(run.path)
    flip(run.path / "step-00000008" / "model.safetensors")
    refused = resume(mgpt, "--max-steps", 9)
    assert refused.code == 2
    assert "--resume-from 6" in refused.err
    again = mgpt("train", "--name", "mine", "--resume-from", 4, "--max-steps", 8)
    assert again.code == 0
    assert "step-00000006 is now aside-step-00000006" in again.err
    names = {path.name for path in run.path.glob("*step-*")}
    assert names == {
        *("step-00000002", "step-00000004", "step-00000006", "step-00000008"),
        *("aside-step-00000006", "aside-step-00000008"),
    }
    assert [record["loss"] for record in read_metrics(run.path)] == [
        record["loss"] for record in expected
    ]
    assert find_model("mine/last").path == run.path / "step-00000008"
    twice = mgpt("train", "--name", "mine", "--resume-from", 6, "--max-steps", 7)
    assert twice.code == 0
    assert (run.path / "aside-step-00000008-2" / "model.safetensors").exists()
    assert run.checkpoints()[-1].name == "step-00000007"


def test_going_back_points_at_what_was_best_then(make_trainer):
    subject = make_trainer(max_steps=8, eval_every=2, keep=None)
    list(subject.steps())
    run = subject.run
    run.set_aside(4)
    run.point(4, Best(2, 5.0, 3.0))
    assert find_model("run").path == run.checkpoint(2)
    assert find_model("run/last").path == run.checkpoint(4)
    run.point(4, Best(3, 5.0, 3.0))  # its checkpoint was removed long ago
    assert find_model("run").path == run.checkpoint(4)


def test_a_step_that_is_not_there_is_refused_with_those_that_are(mgpt, prepared):
    assert train(mgpt, prepared, "--max-steps", 4).code == 0
    refused = mgpt("train", "--name", "mine", "--resume-from", 3)
    assert refused.code == 2
    assert "2, 4" in refused.err
    both = mgpt("train", "--name", "mine", "--resume-from", 2, "--init-from", "mine")
    assert both.code == 2


def test_all_checkpoints_stay_and_the_best_always_does(make_trainer):
    subject = make_trainer("all", max_steps=6, eval_every=1, keep=None)
    list(subject.steps())
    assert [path.name for path in subject.run.checkpoints()] == [
        f"step-{step:08d}" for step in range(1, 7)
    ]
    # With a learning rate that only climbs, the first evaluation remains the best.
    subject = make_trainer("one", max_steps=6, eval_every=1, keep=1, warmup_steps=0)
    steps = subject.steps()
    next(steps)
    subject.progress.best = Best(1, 0.0, 0.0)
    next(steps)
    (subject.run.path / "best.json").write_text("{")  # what protects it is not this file
    list(steps)
    assert [path.name for path in subject.run.checkpoints()] == ["step-00000001", "step-00000006"]
    assert find_model("one").path == subject.run.checkpoint(1)


def test_auto_stays_what_it_was(mgpt, prepared, monkeypatch):
    chosen = [torch.bfloat16, torch.float32]
    monkeypatch.setattr("training.start.choose_dtype", lambda name, device: chosen.pop(0))
    assert train(mgpt, prepared, "--max-steps", 2, "--dtype", "auto").code == 0
    run = RunFolder("mine")
    state = json.loads((run.checkpoint(2) / "trainer.json").read_text())
    assert state["conditions"]["dtype"] == "bf16"
    assert state["conditions"]["device"] == "cpu"
    assert state["conditions"]["threads"] == torch.get_num_threads()
    again = resume(mgpt, "--max-steps", 4, "--dtype", "auto")
    assert again.code == 0
    assert "bfloat16" in again.err
    assert "last bits" not in again.err
    other = resume(mgpt, "--max-steps", 6, "--dtype", "fp32")
    assert "dtype bf16, now fp32" in other.err
    assert "last bits" in other.err


def test_other_conditions_are_told_in_a_line():
    before = Conditions("cuda", "bf16", 8, 2, "2.9.0", "AVX512")
    now = Conditions("cpu", "bf16", 2, 1, "2.9.0", "AVX512")
    line = before.difference(now)
    assert line is not None
    assert "device cuda, now cpu; threads 8, now 2; processes 2, now 1" in line
    assert before.difference(before) is None


def test_threads_are_those_of_the_run_where_there_are_cores(monkeypatch):
    from training.step.distributed import ALONE, World

    used = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    use_threads(4, ALONE)
    use_threads(8, ALONE)
    use_threads(4, World(0, 2, 0, 2))
    use_threads(2, World(0, 2, 0, 2))
    assert used == [4, 2]


def test_settings_of_a_damaged_run_come_from_its_checkpoint(mgpt, prepared):
    assert train(mgpt, prepared, "--max-steps", 2).code == 0
    (paths.runs_dir() / "mine" / "run.json").write_text("{")
    asks = resume(mgpt, "--max-steps", 4)
    assert asks.code == 2
    assert "--data" in asks.err
    assert resume(mgpt, "--max-steps", 4, "--data", prepared.folder).code == 0


def test_a_resumed_run_heals_its_pointers(mgpt, prepared):
    """A kill between a checkpoint and its pointers leaves them behind."""
    assert train(mgpt, prepared, "--max-steps", 4).code == 0
    run = RunFolder("mine")
    (run.path / "last.json").write_text('{"checkpoint": "step-00000002"}')
    (run.path / "best.json").unlink()
    assert resume(mgpt, "--max-steps", 5, "--eval-every", 100).code == 0
    assert find_model("mine/last").path == run.checkpoint(5)
    assert find_model("mine/best").path in run.checkpoints()


@pytest.fixture
def largest_file():
    """Sets how large a file may grow, as a full disk would; the kernel refuses to write on."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_file_that_cannot_grow_leaves_the_checkpoint_before(mgpt, prepared, largest_file):
    assert train(mgpt, prepared, "--max-steps", 2).code == 0
    run = RunFolder("mine")
    largest_file((run.checkpoint(2) / "optimizer.safetensors").stat().st_size // 2)
    stopped = resume(mgpt, "--max-steps", 9)
    largest_file(resource.RLIM_INFINITY)
    assert stopped.code == 2
    assert "Step 4 was not saved" in stopped.err
    assert "step-00000002 is as it was" in stopped.err
    assert not list(run.path.glob(".tmp-*"))
    assert run.load().state["step"] == 2
    assert resume(mgpt, "--max-steps", 4).code == 0
    assert [record["step"] for record in read_metrics(run.path)] == [1, 2, 3, 4]


def test_a_log_that_cannot_grow_ends_the_run_with_a_message(mgpt, prepared, largest_file):
    assert train(mgpt, prepared, "--max-steps", 2).code == 0
    run = RunFolder("mine")
    log = RunLog(run.path, 2)
    before = (run.path / "metrics.jsonl").read_bytes()
    metrics = read_history(run.path)[-1]
    largest_file(len(before) + 20)
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        log.write(metrics)
    log.close()
    largest_file(resource.RLIM_INFINITY)
    assert (run.path / "metrics.jsonl").read_bytes().startswith(before)
    RunLog(run.path, 2).close()
    assert (run.path / "metrics.jsonl").read_bytes() == before


def test_data_that_has_moved(mgpt, prepared, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(prepared.folder, tmp_path / "data")
    name = ("--name", "mine")
    assert mgpt("train", "--data", tmp_path / "data", *name, *SHORT, "--max-steps", 2).code == 0
    (tmp_path / "data").rename(moved)
    refused = resume(mgpt, "--max-steps", 3)
    assert refused.code == 2
    assert "--data" in refused.err
    assert resume(mgpt, "--max-steps", 3, "--data", moved).code == 0
    assert resume(mgpt, "--max-steps", 4).code == 0
