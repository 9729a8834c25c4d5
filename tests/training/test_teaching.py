"""`mgpt-tui train --teachers`, as a user runs it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.model.checkpoint import load_checkpoint, save_checkpoint
from mgpt_tui.model.gpt import GPT
from tests.training.step.test_distributed import begin, torchrun
from tests.training.test_train_cli import SHORT
from tests.waiting import PATIENCE
from training.report import estimate as estimate_module
from training.report.figures import duration
from training.runs.checkpoints import RunFolder
from training.runs.log import read_metrics
from training.step.teachers import Teacher
from training.trainer import Trainer

RUN = (*SHORT, "--learning-rate", 1e-2, "--max-steps", 4)


@pytest.fixture
def train(mgpt, prepared):
    """Runs of four steps by their name."""

    def run(name, *more):
        return mgpt("train", "--data", prepared.folder, "--name", name, *RUN, *more)

    return run


@pytest.fixture
def teachers(train):
    for seed in (1, 2):
        assert train(f"teacher-{seed}", "--seed", seed).code == 0
    return "teacher-1,teacher-2/last"


def losses(name):
    return [record["loss"] for record in read_metrics(paths.runs_dir() / name)]


def test_a_student_learns_from_them_whatever_becomes_of_them(train, teachers, mgpt):
    whole = train("whole", "--teachers", teachers)
    assert whole.code == 0, whole.err
    assert "Of it, the teachers take" in whole.err
    assert train("alone").code == 0
    assert train("half", "--teachers", teachers, "--max-steps", 2, "--warmup-steps", 1).code == 0
    # A teacher that goes on training is another model by then; the checkpoint is the same.
    assert mgpt("train", "--name", "teacher-1", "--resume", "--max-steps", 6).code == 0
    rest = mgpt("train", "--name", "half", "--resume", "--max-steps", 4)
    assert rest.code == 0, rest.err
    assert losses("whole")[:1] != losses("alone")[:1]
    config = json.loads((paths.runs_dir() / "whole/step-00000004/config.json").read_text())
    recorded = config["training"]["teachers"]
    assert list(recorded) == ["teacher-1/step-00000004", "teacher-2/step-00000004"]
    assert all(len(fingerprint) == 64 for fingerprint in recorded.values())
    again = mgpt("train", "--name", "whole", "--resume", "--max-steps", 6)
    assert again.code == 0, again.err


def test_a_run_that_was_stopped_has_the_same_losses(make_trainer, tiny_model):
    def taught(name, steps, resume=False):
        plain = make_trainer(name, teacher_share=0.5)
        run, config = RunFolder(name), plain.config
        saved = run.load() if resume else None
        teachers = [Teacher("one", "1" * 64, tiny_model)]
        trainer = Trainer(config, plain.data, run, None, saved, teachers=teachers)
        found = []
        for metrics in trainer.steps():
            found.append(metrics.loss)
            if trainer.step == steps:
                break
        trainer.save()
        return found

    whole = taught("whole", 8)
    assert taught("parts", 3) + taught("parts", 8, resume=True) == whole


def test_several_processes_share_them(prepared, mgpt):
    """Two processes do what one does with twice the accumulation; so with a mean of weights."""
    steps = ("--max-steps", 4, "--eval-every", 2)
    made = mgpt(*begin(prepared, "teacher", *steps, "--seed", 5, "--n-embd", 32))
    assert made.code == 0
    steps = (*steps, "--teachers", "teacher", "--average", 10)
    one = mgpt(*begin(prepared, "one", *steps, "--grad-accumulation", 2))
    assert one.code == 0
    more = ("--resume", "--max-steps", 6)
    assert mgpt("train", "--name", "one", *more).code == 0
    for arguments in (begin(prepared, "two", *steps), ("train", "--name", "two", *more)):
        process = torchrun(*arguments)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert losses("two") == pytest.approx(losses("one"), rel=1e-5)
    scores = [
        [record["validation"]["loss"] for record in read_metrics(paths.runs_dir() / name)[1::2]]
        for name in ("one", "two")
    ]
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)


def test_teachers_that_cannot_be(train, teachers, prepared, byte_tokenizer, tiny_model, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    ranks = {token: token + 1 for token in range(256)}
    vocabulary = byte_tokenizer.gpt2().trimmed(ranks, 300)
    config = replace(tiny_model.config, vocab_size=vocabulary.vocab_size)
    save_checkpoint(other, GPT(config, torch.Generator().manual_seed(0)), vocabulary, {})
    for given, words, remedy in (
        ("nobody", "no model 'nobody'", "Known models"),
        (str(other), "another vocabulary", "--tokenizer"),
        ("mine", "its own teacher", "--init-from mine"),
        ("teacher-1,,teacher-2", "teachers cannot be", "one comma"),
        ("teacher-1,teacher-1", "teachers cannot be", "different models"),
    ):
        refused = train("mine", "--teachers", given)
        assert refused.code == 2, given
        assert words in refused.err and remedy in refused.err, refused.err
        assert not list(paths.runs_dir().glob("mine/step-*"))
    longer = train("mine", "--teachers", teachers, "--block-size", 16)
    assert longer.code == 2 and "context of 32 tokens" in longer.err
    assert "--block-size 32" in longer.err


def test_a_model_may_teach_what_begins_with_it_and_it_is_told(train, teachers, mgpt, prepared):
    given = ("--init-from", "teacher-1", "--teachers", "teacher-1", "--max-steps", 1)
    begins = ("train", "--data", prepared.folder, "--name", "mine", *given)
    assert "teacher-1 is its own teacher" in mgpt(*begins, "--dry-run").out
    outcome = mgpt(*begins)
    assert outcome.code == 0, outcome.err
    assert "teacher-1 is its own teacher" in outcome.err


def test_a_path_may_begin_like_the_run(train, tiny_checkpoint, tmp_path, monkeypatch):
    shutil.copytree(tiny_checkpoint, tmp_path / "mine" / "one")
    monkeypatch.chdir(tmp_path)
    refused = train("mine", "--teachers", "mine/one")
    assert "its own teacher" not in refused.err


def test_how_much_they_count_says_nothing_without_them(train, teachers, mgpt):
    refused = train("mine", "--teacher-share", 0.3)
    assert refused.code == 2 and "Give --teachers" in refused.err
    more = ("--resume", "--max-steps", 6, "--dry-run")
    refused = mgpt("train", "--name", "teacher-1", *more, "--teacher-temperature", 2)
    assert refused.code == 2 and "Give --teachers" in refused.err
    assert train("mine", "--teachers", "teacher-1").code == 0
    told = mgpt("train", "--name", "mine", *more, "--teacher-share", 0.3)
    assert "follows the teachers is 0.3, not 0.8 as before" in told.out


def test_a_run_goes_on_with_its_own_teachers_only(train, teachers, mgpt, tmp_path):
    assert train("mine", "--teachers", teachers).code == 0
    more = ("train", "--name", "mine", "--resume", "--max-steps", 6)
    for given in ("none", "teacher-1", "teacher-1,teacher-2,storyteller"):
        refused = mgpt(*more, "--teachers", given)
        assert refused.code == 2
    assert "begun with other teachers" in mgpt(*more, "--teachers", "teacher-1").err
    folder = paths.runs_dir() / "teacher-1" / "step-00000004"
    kept = tmp_path / "kept"
    folder.rename(kept)
    gone = mgpt(*more)
    assert gone.code == 2
    assert "teacher of mine cannot be had" in gone.err and "Put it back" in gone.err
    read = load_checkpoint(kept)
    read.model.token_embedding.weight.data[0] += 1
    save_checkpoint(folder, read.model, read.tokenizer, read.info.training)
    changed = mgpt(*more)
    assert changed.code == 2 and "is no longer the model" in changed.err
    shutil.rmtree(folder)
    kept.rename(folder)
    assert mgpt(*more).code == 0


def test_what_they_cost_is_told_before(make_trainer, tiny_model, monkeypatch):
    def by_the_clock(trainer, sequences):
        return 1.0 if trainer.update.loss.teaching is None else 4.0

    monkeypatch.setattr(estimate_module, "SHORT_RUN", 0.0)
    monkeypatch.setattr(estimate_module, "_seconds", by_the_clock)
    alone = make_trainer()
    teachers = [Teacher(str(n), "", tiny_model) for n in range(2)]
    taught = Trainer(alone.config, alone.data, alone.run, teachers=teachers)
    assert taught.flops_per_token > alone.flops_per_token
    needs = estimate_module.estimate(taught)
    weights = sum(weight.nbytes for weight in tiny_model.parameters())
    assert needs.teachers_memory > 2 * weights
    assert needs.step_seconds is not None
    assert needs.teachers_seconds == pytest.approx(0.75 * 8 * needs.step_seconds)
    assert f"Of it, the teachers take {duration(needs.teachers_seconds)} and" in needs.line()
