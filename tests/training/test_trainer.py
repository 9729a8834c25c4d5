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
from training.runs.checkpoints import RunFolder
from training.runs.log import RunLog, read_metrics


def losses(steps):
    return [metrics.loss for metrics in steps]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_falls(make_trainer, optimizer):
    subject = make_trainer(optimizer=optimizer, max_steps=40, eval_every=40)
    metrics = list(subject.steps())
    assert metrics[0].loss == pytest.approx(math.log(257), abs=0.3)
    assert metrics[-1].loss < metrics[0].loss - 1.5
    assert metrics[-1].evaluation is not None
    assert metrics[-1].tokens == 40 * 8 * 32


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_a_resumed_run_repeats_the_uninterrupted_one(make_trainer, dtype):
    straight = losses(make_trainer("straight", dtype=dtype).steps())
    first = make_trainer("stopped", dtype=dtype)
    begun = losses(itertools.islice(first.steps(), 5))
    first.save()
    second = make_trainer("stopped", resume=True, dtype=dtype)
    assert second.step == 5
    assert begun + losses(second.steps()) == straight


def test_training_leaves_the_callers_random_numbers_alone(make_trainer):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(make_trainer(max_steps=2).steps())
    assert torch.equal(torch.rand(3), expected)


def test_accumulated_batches_equal_one_large_batch(make_trainer):
    small = losses(make_trainer("small", dropout=0.0).steps())
    large = make_trainer("large", dropout=0.0, batch_size=8, grad_accumulation=1)
    assert losses(large.steps()) == pytest.approx(small, rel=1e-4)


def test_checkpoints_and_their_pointers(make_trainer, prepared):
    subject = make_trainer(max_steps=12, eval_every=3, keep=1)
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


def test_nothing_is_pickled(make_trainer):
    subject = make_trainer(max_steps=1)
    list(subject.steps())
    files = {path for path in subject.run.path.rglob("*") if path.is_file()}
    endings = {path.suffix for path in files if path.name != "SHA256SUMS"}
    assert endings == {".json", ".safetensors", ".tiktoken"}


def test_fine_tuning_begins_with_the_weights_given(make_trainer):
    first = make_trainer("first", max_steps=4)
    list(first.steps())
    second = make_trainer("second", init_from=first.model, max_steps=4, warmup_steps=0)
    begun = next(second.steps()).loss
    assert begun < math.log(257) - 0.3
    assert second.step == 1


def test_a_full_device_keeps_the_checkpoint_before(make_trainer, monkeypatch):
    subject = make_trainer(max_steps=4, eval_every=2)
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


def test_leftovers_of_a_killed_run_are_swept(make_trainer):
    subject = make_trainer(max_steps=1)
    leftover = subject.run.path / ".tmp-dead"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    list(subject.steps())
    assert not leftover.exists()


def test_a_loss_that_is_no_number_stops_the_run(make_trainer):
    subject = make_trainer()
    steps = subject.steps()
    next(steps)
    with torch.no_grad():
        subject.model.final_norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="step 2"):
        next(steps)


def test_nothing_is_saved_of_a_model_that_diverged(make_trainer):
    subject = make_trainer(eval_every=1, grad_clip=0.0, warmup_steps=0)
    steps = subject.steps()
    next(steps)
    subject.update.config = subject.config.updated({"learning_rate": 1e38})
    for part in subject.update.optimizers.parts:
        for group in part.param_groups:
            group["peak_lr"] = 1e38
    with pytest.raises(UserError, match="became"):
        list(steps)
    assert [path.name for path in subject.run.checkpoints()] == ["step-00000001"]
    assert next(make_trainer(resume=True).steps()).step == 2


def test_the_newest_checkpoint_is_resumed_though_no_pointer_names_it(make_trainer):
    subject = make_trainer(max_steps=4, eval_every=2)
    list(subject.steps())
    (subject.run.path / "last.json").unlink()
    assert make_trainer(resume=True).step == 4
    (subject.run.path / "last.json").write_text('{"checkpoint": "step-00000002"}')
    later = make_trainer(resume=True, max_steps=5, eval_every=5, keep=1)
    list(later.steps())
    assert later.run.checkpoints()[-1].name == "step-00000005"
    assert find_model("run/last").path == later.run.checkpoints()[-1]


def test_saving_a_step_twice_writes_it_once(make_trainer):
    subject = make_trainer(max_steps=2, eval_every=2)
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


def test_a_run_in_bf16_goes_on_in_fp16(make_trainer):
    list(make_trainer(max_steps=2, dtype="bf16").steps())
    assert next(make_trainer(resume=True, dtype="fp16").steps()).step == 3


@pytest.mark.parametrize(
    ("changes", "words"), [({"n_layer": 1}, "shape"), ({"optimizer": "muon"}, "optimizer")]
)
def test_resuming_with_another_shape_or_optimizer_is_refused(make_trainer, changes, words):
    list(make_trainer(max_steps=1).steps())
    with pytest.raises(UserError, match=words):
        make_trainer(resume=True, **changes)


def test_a_device_that_is_not_there(make_trainer):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(UserError, match="no cuda device"):
        make_trainer(device="cuda")


def test_the_log_forgets_steps_that_will_be_done_again(make_trainer):
    subject = make_trainer(max_steps=4, eval_every=4)
    folder = subject.run.path
    log = RunLog(folder, 0)
    for metrics in subject.steps():
        log.write(metrics)
    log.close()
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 5, "lo')
    RunLog(folder, 2).close()
    assert [record["step"] for record in read_metrics(folder)] == [1, 2]


def test_without_a_compiler_training_goes_on_and_says_so(make_trainer, monkeypatch):
    def broken(function):
        def call(*_):
            raise RuntimeError("no C++ compiler\nlong tail")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    plain = losses(make_trainer("plain").steps())
    subject = make_trainer("compiled", compile=True)
    assert subject.compile_problem == "no C++ compiler"
    assert losses(subject.steps()) == plain


def test_the_form_of_dropout_and_that_of_attention_are_settings(make_trainer):
    plain = losses(make_trainer("plain", dropout=0.3).steps())
    channel = losses(make_trainer("channel", dropout=0.3, dropout_form="channel").steps())
    attention = losses(make_trainer("attention", dropout=0.3, attention_dropout=0).steps())
    assert len({tuple(plain), tuple(channel), tuple(attention)}) == 3


def test_dropout_may_begin_later(make_trainer):
    late = losses(make_trainer("late", dropout=0.3, dropout_after=0.5).steps())
    none = losses(make_trainer("none", dropout=0.0).steps())
    assert late[:4] == none[:4]
    assert late[4] != none[4]


def test_dropout_may_change_in_a_run(make_trainer):
    begun = make_trainer("changed", dropout=0.0)
    first = losses(itertools.islice(begun.steps(), 4))
    begun.save()
    rest = losses(make_trainer("changed", resume=True, dropout=0.3).steps())
    assert first + rest == losses(make_trainer("planned", dropout=0.3, dropout_after=0.5).steps())
