"""What is said of a text's size, before anything is learnt from it."""

from __future__ import annotations

import pytest

from training.report.outlook import LITTLE, OFTEN, PLENTY, of_run, of_text


def test_little_text_is_told_what_to_do_with(mgpt, tmp_path):
    (tmp_path / "stories.txt").write_text("Mia had a kite.\n<|endoftext|>\nTom had a drum.\n")
    outcome = mgpt("prepare", "--source", tmp_path / "stories.txt", "--out", tmp_path / "data")
    assert outcome.code == 0
    assert "That is little text" in outcome.out and "--init-from storyteller" in outcome.out


def test_more_text_is_told_in_steps_and_much_needs_no_word():
    (line,) = of_text(1_638_400)
    assert "takes 1,000 steps of 64 x 256 tokens" in line
    assert of_text(LITTLE) != of_text(LITTLE - 1)
    assert of_text(PLENTY) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_embd": 66}, ["--dropout 0.1 puts that off", "--patience 5"]),
        ({"n_embd": 64}, ["--patience 5"]),  # there dropout gains nothing
        ({"n_embd": 66, "dropout": 0.1, "patience": 2}, []),
    ],
)
def test_a_run_that_reads_often_is_told(make_trainer, changes, words):
    given = {"dropout": 0.0} | changes
    subject = make_trainer(max_steps=400, **given)
    assert subject.sampler.passes(400) > OFTEN
    (line,) = of_run(subject)
    assert f"read {subject.sampler.passes(400):,.0f} times" in line
    for word in ("--dropout", "--patience"):
        assert (word in line) == any(word in wanted for wanted in words)
    assert of_run(make_trainer(max_steps=4)) == []
