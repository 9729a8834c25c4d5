"""The training loop and the folder of a run."""

import errno
import itertools
import json
import math
import os

import pytest
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from training.checkpoints import RunFolder
from training.config import TrainConfig
from training.run_log import RunLog, read_metrics
from training.trainer import Trainer

SETTINGS = {
    "preset": "tiny",
    "n_embd": 16,
    "block_size": 32,
    "batch_size": 4,
    "grad_accumulation": 2,
    "max_steps": 8,
    "warmup_steps": 2,
    "eval_every": 4,
    "learning_rate": 1e-2,
    "dropout": 0.1,
    "device": "cpu",
    "dtype": "fp32",
}


def trainer(prepared, name="run", resume=False, init_from=None, **changes):
    config = TrainConfig().updated(SETTINGS | changes)
    run = RunFolder(name)
    return Trainer(config, prepared, run, init_from, run.load() if resume else None)


def losses(steps):
    return [metrics.loss for metrics in steps]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_falls(prepared, optimizer):
    subject = trainer(prepared, optimizer=optimizer, max_steps=40, eval_every=40)
    metrics = list(subject.steps())
    assert metrics[0].loss == pytest.approx(math.log(257), abs=0.3)
    assert metrics[-1].loss < metrics[0].loss - 1.5
    assert metrics[-1].evaluation is not None
    assert metrics[-1].tokens == 40 * 8 * 32


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_a_resumed_run_repeats_the_uninterrupted_one(prepared, dtype):
    straight = losses(trainer(prepared, "straight", dtype=dtype).steps())
    first = trainer(prepared, "stopped", dtype=dtype)
    begun = losses(itertools.islice(first.steps(), 5))
    first.save()
    second = trainer(prepared, "stopped", resume=True, dtype=dtype)
    assert second.step == 5
    assert begun + losses(second.steps()) == straight


def test_training_leaves_the_callers_random_numbers_alone(prepared):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(trainer(prepared, max_steps=2).steps())
    assert torch.equal(torch.rand(3), expected)


def test_accumulated_batches_equal_one_large_batch(prepared):
    small = losses(trainer(prepared, "small", dropout=0.0).steps())
    large = trainer(prepared, "large", dropout=0.0, batch_size=8, grad_accumulation=1)
    assert losses(large.steps()) == pytest.approx(small, rel=1e-4)


def test_checkpoints_and_their_pointers(prepared):
    subject = trainer(prepared, max_steps=12, eval_every=3, keep=1)
    evaluations = [m.evaluation for m in subject.steps() if m.evaluation]
    run = subject.run.path
    last = json.loads((run / "last.json").read_text())
    best = json.loads((run / "best.json").read_text())
    assert last == {"checkpoint": "step-00000012"}
    lowest = min(evaluations, key=lambda evaluation: evaluation.validation.loss)
    assert best["checkpoint"] == lowest.checkpoint.name
    assert best["loss"] == lowest.validation.loss
    kept = {path.name for path in run.iterdir() if path.is_dir()}
    assert kept == {"step-00000012", best["checkpoint"]}
    info = load_checkpoint(find_model("run/last").path).info
    assert info.training["step"] == 12
    assert info.training["settings"]["max_steps"] == 12
    assert info.training["data"]["sha256"] == prepared.meta["files"]["train.bin"]["sha256"]
    assert len(load_checkpoint(find_model("run").path).info.fingerprint) == 64


def test_nothing_is_pickled(prepared):
    subject = trainer(prepared, max_steps=1)
    list(subject.steps())
    files = {path for path in subject.run.path.rglob("*") if path.is_file()}
    endings = {path.suffix for path in files if path.name != "SHA256SUMS"}
    assert endings == {".json", ".safetensors", ".tiktoken"}


def test_fine_tuning_begins_with_the_weights_given(prepared):
    first = trainer(prepared, "first", max_steps=4)
    list(first.steps())
    second = trainer(prepared, "second", init_from=first.model, max_steps=4, warmup_steps=0)
    begun = next(second.steps()).loss
    assert begun < math.log(257) - 0.3
    assert second.step == 1


def test_a_full_device_keeps_the_checkpoint_before(prepared, monkeypatch):
    subject = trainer(prepared, max_steps=4, eval_every=2)
    steps = subject.steps()
    list(itertools.islice(steps, 4))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
        patch.setattr(os, "fsync", full)
        next(steps)
    assert "No space left" in caught.value.message
    assert "step-00000002 is as it was" in caught.value.message
    assert "--resume" in caught.value.remedy
    names = {path.name for path in subject.run.path.iterdir()}
    assert names == {"step-00000002", "best.json", "last.json"}
    assert load_checkpoint(subject.run.path / "step-00000002").info.training["step"] == 2


def test_leftovers_of_a_killed_run_are_swept(prepared):
    subject = trainer(prepared, max_steps=1)
    leftover = subject.run.path / ".tmp-dead"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    list(subject.steps())
    assert not leftover.exists()


def test_a_loss_that_is_no_number_stops_the_run(prepared):
    subject = trainer(prepared)
    steps = subject.steps()
    next(steps)
    with torch.no_grad():
        subject.model.final_norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="step 2"):
        next(steps)


def test_nothing_is_saved_of_a_model_that_diverged(prepared):
    subject = trainer(prepared, eval_every=1, grad_clip=0.0, warmup_steps=0)
    steps = subject.steps()
    next(steps)
    subject.config = subject.config.updated({"learning_rate": 1e38})
    for part in subject.optimizers.parts:
        for group in part.param_groups:
            group["peak_lr"] = 1e38
    with pytest.raises(UserError, match="became"):
        list(steps)
    assert [path.name for path in subject.run.checkpoints()] == ["step-00000001"]
    assert next(trainer(prepared, resume=True).steps()).step == 2


def test_the_newest_checkpoint_is_resumed_though_no_pointer_names_it(prepared):
    subject = trainer(prepared, max_steps=4, eval_every=2)
    list(subject.steps())
    (subject.run.path / "last.json").unlink()
    assert trainer(prepared, resume=True).step == 4
    (subject.run.path / "last.json").write_text('{"checkpoint": "step-00000002"}')
    later = trainer(prepared, resume=True, max_steps=5, eval_every=5, keep=1)
    list(later.steps())
    assert later.run.checkpoints()[-1].name == "step-00000005"
    assert find_model("run/last").path == later.run.checkpoints()[-1]


def test_saving_a_step_twice_writes_it_once(prepared):
    subject = trainer(prepared, max_steps=2, eval_every=2)
    list(subject.steps())
    stamp = (subject.run.checkpoints()[-1] / "config.json").stat().st_mtime_ns
    assert subject.save() == subject.run.checkpoints()[-1]
    assert (subject.run.checkpoints()[-1] / "config.json").stat().st_mtime_ns == stamp


def test_a_run_is_trained_by_one_process_at_a_time():
    run = RunFolder("run")
    with (
        run.held(),
        pytest.raises(UserError, match="another process"),
        RunFolder("run").held(),
    ):
        pass
    with run.held():
        pass


def test_a_run_in_bf16_goes_on_in_fp16(prepared):
    list(trainer(prepared, max_steps=2, dtype="bf16").steps())
    assert next(trainer(prepared, resume=True, dtype="fp16").steps()).step == 3


@pytest.mark.parametrize(
    ("changes", "words"), [({"n_layer": 1}, "shape"), ({"optimizer": "muon"}, "optimizer")]
)
def test_resuming_with_another_shape_or_optimizer_is_refused(prepared, changes, words):
    list(trainer(prepared, max_steps=1).steps())
    with pytest.raises(UserError, match=words):
        trainer(prepared, resume=True, **changes)


def test_a_device_that_is_not_there(prepared):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(UserError, match="no cuda device"):
        trainer(prepared, device="cuda")


def test_the_log_forgets_steps_that_will_be_done_again(prepared):
    subject = trainer(prepared, max_steps=4, eval_every=4)
    folder = subject.run.path
    log = RunLog(folder, 0)
    for metrics in subject.steps():
        log.write(metrics)
    log.close()
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 5, "lo')
    RunLog(folder, 2).close()
    assert [record["step"] for record in read_metrics(folder)] == [1, 2]


def test_without_a_compiler_training_goes_on_and_says_so(prepared, monkeypatch):
    def broken(function):
        def call(*_):
            raise RuntimeError("no C++ compiler\nlong tail")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    plain = losses(trainer(prepared, "plain").steps())
    subject = trainer(prepared, "compiled", compile=True)
    assert subject.compile_problem == "no C++ compiler"
    assert losses(subject.steps()) == plain


def test_the_form_of_dropout_and_that_of_attention_are_settings(prepared):
    plain = losses(trainer(prepared, "plain", dropout=0.3).steps())
    channel = losses(trainer(prepared, "channel", dropout=0.3, dropout_form="channel").steps())
    attention = losses(trainer(prepared, "attention", dropout=0.3, attention_dropout=0).steps())
    assert len({tuple(plain), tuple(channel), tuple(attention)}) == 3
