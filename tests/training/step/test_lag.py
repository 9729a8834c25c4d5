"""Steps whose figures are read when the next is under way, as on a GPU."""

import itertools
import math

import pytest
import torch

from mgpt_tui.errors import UserError


@pytest.fixture
def lagging(make_trainer):
    def make(*arguments, **changes):
        trainer = make_trainer(*arguments, **changes)
        trainer.update.lag, trainer.update.feed.ahead = 1, True
        return trainer

    return make


def figures(metrics):
    return metrics.step, metrics.loss, metrics.grad_norm, metrics.tokens, metrics.smoothed_loss


@pytest.mark.parametrize("parts", [1, 3])
def test_a_lagging_run_has_the_same_figures(make_trainer, lagging, parts):
    changes = {"grad_accumulation": parts, "max_steps": 11, "eval_every": 4, "patience": 9}
    at_once = list(make_trainer("one", **changes).steps())
    later = list(lagging("other", **changes).steps())
    assert list(map(figures, later)) == list(map(figures, at_once))
    for one, other in zip(at_once, later, strict=True):
        assert (one.evaluation is None) == (other.evaluation is None)
        if one.evaluation:
            assert one.evaluation.validation == other.evaluation.validation
            assert one.evaluation.train_loss == other.evaluation.train_loss
    assert later[-1].evaluation is not None
    assert later[-1].seconds == pytest.approx(
        sum(256 / 2 * parts / m.tokens_per_second for m in later)
    )


def test_a_step_is_yielded_when_the_next_is_under_way(lagging):
    trainer = lagging()
    seen = [(metrics.step, trainer.step) for metrics in trainer.steps()]
    # Evaluations at steps 4 and 8 wait for all.
    assert seen == [(1, 2), (2, 3), (3, 4), (4, 4), (5, 6), (6, 7), (7, 8), (8, 8)]


def test_a_stop_yields_all_that_was_done(lagging):
    trainer, told = lagging("stopped"), []
    for metrics in trainer.steps():
        told.append(metrics)
        if metrics.step == 5:
            trainer.ask_to_stop(15)
    assert (
        [metrics.step for metrics in told] == [1, 2, 3, 4, 5, 6] == list(range(1, trainer.step + 1))
    )
    trainer.save()
    told += lagging("stopped", resume=True).steps()
    straight = lagging("straight").steps()
    assert list(map(figures, told)) == list(map(figures, straight))


def test_a_save_in_between_loses_no_step(lagging, make_trainer):
    trainer = lagging("saved")
    steps = trainer.steps()
    told = list(itertools.islice(steps, 2))
    trainer.save()
    assert make_trainer("saved", resume=True).progress.train_losses[:2] == [m.loss for m in told]
    assert make_trainer("saved", resume=True).step == 3
    told += steps
    assert list(map(figures, told)) == list(map(figures, make_trainer("other").steps()))


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_no_number_is_told_with_its_step(lagging, what, monkeypatch):
    trainer = lagging(eval_every=100, max_steps=100)
    steps, told = trainer.steps(), []
    told.append(next(steps))  # step 2 is under way
    with torch.no_grad():
        if what == "loss":
            trainer.model.final_norm.weight.fill_(math.nan)
        else:
            monkeypatch.setattr(
                torch.nn.utils, "clip_grad_norm_", lambda *given: torch.tensor(math.inf)
            )
    with pytest.raises(UserError, match=f"{what} became .* at step 3"):
        told += steps
    assert [metrics.step for metrics in told] == [1, 2]
    assert trainer.run.checkpoints() == []


def test_fp16_does_not_lag(make_trainer):
    trainer = make_trainer(dtype="fp16")
    assert trainer.update.lag == 0
