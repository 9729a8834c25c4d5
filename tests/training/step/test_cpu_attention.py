"""Attention with a backward pass of its own, against the written-out formula and torch's kernel."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgpt_tui.model.gpt import written_out_attention
from training.step.cpu_attention import LONGEST, ROWS, causal_attention

LENGTHS = [1, 7, ROWS, ROWS + 1, 2 * ROWS + 9]


def drawn(length, dtype=torch.float32):
    """Queries, keys, values as the model makes them (strided), and a gradient."""
    generator = torch.Generator().manual_seed(length)
    qkv = torch.randn(2, length, 3, 3, 8, generator=generator).to(dtype)
    grad = torch.randn(2, 3, length, 8, generator=generator).to(dtype)
    return [part.detach().requires_grad_() for part in qkv.permute(2, 0, 3, 1, 4)], grad


@pytest.mark.parametrize("length", LENGTHS)
def test_values_and_gradients_equal_the_written_out_formula(length):
    inputs, grad = drawn(length)
    expected, _ = written_out_attention(*inputs, nn.Dropout(0.0))
    actual = causal_attention(*inputs, 0.0)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, grad), torch.autograd.grad(expected, inputs, grad)
    )


def test_beyond_the_longest_it_is_torchs_kernel():
    inputs, _ = drawn(LONGEST + 1)
    expected = F.scaled_dot_product_attention(*inputs, is_causal=True)
    assert torch.equal(causal_attention(*inputs, 0.0), expected)


def test_in_bf16_it_is_as_close_to_fp32_as_torchs_kernel():
    inputs, grad = drawn(200, torch.bfloat16)
    exact = [tensor.detach().float().requires_grad_() for tensor in inputs]
    truth = torch.autograd.grad(
        F.scaled_dot_product_attention(*exact, is_causal=True), exact, grad.float()
    )
    ours = torch.autograd.grad(causal_attention(*inputs, 0.0), inputs, grad)
    theirs = torch.autograd.grad(
        F.scaled_dot_product_attention(*inputs, is_causal=True), inputs, grad
    )
    for mine, other, true in zip(ours, theirs, truth, strict=True):
        own_error = (mine.float() - true).square().mean().sqrt()
        other_error = (other.float() - true).square().mean().sqrt()
        assert own_error < 1.5 * other_error + 1e-3


def attended(q, k, v, seed=7, attend=causal_attention):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return attend(q, k, v, 0.25)


@pytest.mark.parametrize("length", [1, 40, ROWS + 5])
def test_gradients_of_dropped_attention(length):
    inputs, _ = drawn(length)
    inputs = [tensor.detach()[:1, :1].double().requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(attended, inputs, fast_mode=True)


def test_beyond_the_longest_weights_are_dropped_too():
    inputs, _ = drawn(LONGEST + 1)
    assert torch.equal(attended(*inputs), attended(*inputs))
    assert not torch.allclose(attended(*inputs), attended(*inputs, seed=8))


def test_dropped_attention_has_the_right_mean():
    inputs, _ = drawn(40)
    inputs = [tensor.detach()[:1, :1].double() for tensor in inputs]
    plain = causal_attention(*inputs, 0.0)
    mean = torch.stack([attended(*inputs, seed) for seed in range(1000)]).mean(0)
    assert not torch.equal(attended(*inputs), plain)
    assert (mean - plain).abs().max() < 0.2


# What torch's compiler is warned of is its own doing.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiler_drops_the_same_weights_and_learns_the_same():
    """It refused, since it took the kept masks for numbers of another size."""
    inputs, grad = drawn(ROWS + 5)
    expected = attended(*inputs)
    actual = attended(*inputs, attend=torch.compile(causal_attention, backend="aot_eager"))
    assert torch.equal(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, grad), torch.autograd.grad(expected, inputs, grad)
    )
