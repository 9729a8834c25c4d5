"""Dropout whose masks come from bits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from training.step.dropout import Dropout, apply_keep, install_dropout, keep_bits, kept_share


def seeded(module, x, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return module(x)


@settings(deadline=None, max_examples=40)
@given(
    rate=st.floats(0.0, 0.99),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_each_number_is_either_scaled_or_zero(rate, shape, dtype):
    x = torch.linspace(1, 2, torch.Size(shape).numel()).view(shape).to(dtype)
    keep = keep_bits(x, rate)
    dropped = apply_keep(x, keep, rate)
    assert set(keep.unique().tolist()) <= {0, -1}
    expected = torch.where(keep.bool(), (x.float() / kept_share(rate)).to(dtype), 0)
    torch.testing.assert_close(dropped, expected)
    assert dropped.dtype == dtype


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.5, 0.9])
def test_the_share_that_is_kept_is_right_and_masks_are_independent(rate):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        keep = keep_bits(torch.empty(400_000), rate).bool().float()
    error = 5 * (rate * (1 - rate) / len(keep)) ** 0.5
    assert keep.mean() == pytest.approx(1 - rate, abs=error + 1e-4)
    # The four masks that share one random number know nothing of each other.
    both = (keep[0::4] * keep[1::4]).mean()
    assert both == pytest.approx((1 - rate) ** 2, abs=2 * error + 1e-4)


@pytest.mark.parametrize("form", ["element", "channel"])
def test_gradients_go_where_values_went(form):
    x = torch.ones(3, 5, 8, requires_grad=True)
    y = seeded(Dropout(0.4, form), x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(grad, y.detach())
    assert 0 < (y == 0).sum() < y.numel()


def test_a_channel_is_dropped_for_a_whole_sequence():
    y = seeded(Dropout(0.5, "channel"), torch.ones(4, 6, 32))
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert not torch.equal(y[0], y[1])


@pytest.mark.parametrize("form", ["element", "channel"])
def test_nothing_is_dropped_outside_training_or_at_rate_zero(form):
    x = torch.randn(2, 3, 4)
    assert Dropout(0.5, form).eval()(x) is x
    assert Dropout(0.0, form)(x) is x


def test_masks_come_from_torchs_generator():
    module, x = Dropout(0.3, "element"), torch.ones(2, 30, 8)
    assert torch.equal(seeded(module, x, 5), seeded(module, x, 5))
    assert not torch.equal(seeded(module, x, 5), seeded(module, x, 6))


def test_a_model_gets_them_everywhere():
    config = GPTConfig(vocab_size=257, block_size=8, n_layer=2, n_head=2, n_embd=8, dropout=0.3)
    model = GPT(config)
    install_dropout(model, "channel", attention=0.1)
    rates = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            rates[name.rsplit(".", 1)[-1]] = (module.p, getattr(module, "form", None))
    assert rates == {
        "embedding_dropout": (0.3, "channel"),
        "residual_dropout": (0.3, "channel"),
        "dropout": (0.3, "channel"),
        "attention_dropout": (0.1, None),
    }


def test_a_switch_turns_all_of_it_off_and_on():
    config = GPTConfig(vocab_size=257, block_size=8, n_layer=1, n_head=2, n_embd=8, dropout=0.3)
    model = GPT(config, torch.Generator().manual_seed(0))
    switch = install_dropout(model, "element", attention=0.1)
    tokens = torch.arange(8)[None]
    full = seeded(model, tokens)
    switch.turn(on=False)
    assert torch.equal(seeded(model, tokens), model.eval()(tokens))
    model.train()
    switch.turn(on=True)
    assert torch.equal(seeded(model, tokens), full)
    assert not torch.equal(full, model.eval()(tokens))
