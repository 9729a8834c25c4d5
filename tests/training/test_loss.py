"""The chunked loss against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from training import loss as module
from training.loss import ROWS, linear_cross_entropy, token_losses


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    rows = 2 * ROWS + 37
    hidden = torch.randn(rows, 24, generator=generator)
    weight = torch.randn(90, 24, generator=generator)
    targets = torch.randint(90, (rows,), generator=generator)
    return hidden, weight, targets


@pytest.mark.parametrize("piece", [module.PIECE, 1000, 1])
def test_loss_and_gradients_equal_torchs(inputs, piece, monkeypatch):
    monkeypatch.setattr(module, "PIECE", piece)
    hidden, weight, targets = inputs
    ours = [tensor.clone().requires_grad_() for tensor in (hidden, weight)]
    theirs = [tensor.clone().requires_grad_() for tensor in (hidden, weight)]
    loss = linear_cross_entropy(*ours, targets)
    expected = F.cross_entropy(theirs[0] @ theirs[1].T, targets)
    (3 * loss).backward()
    (3 * expected).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours[0].grad, theirs[0].grad, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours[1].grad, theirs[1].grad, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("learning", [0, 1])
def test_either_input_may_be_fixed(inputs, learning):
    tensors = list(inputs[:2])
    tensors[learning] = tensors[learning].requires_grad_()
    loss = linear_cross_entropy(*tensors, inputs[2])
    expected = F.cross_entropy(tensors[0] @ tensors[1].T, inputs[2])
    torch.testing.assert_close(
        torch.autograd.grad(loss, tensors[learning]),
        torch.autograd.grad(expected, tensors[learning]),
        atol=1e-6,
        rtol=1e-5,
    )


class Largest(TorchDispatchMode):
    """Numbers in the largest tensor that anything made."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        self.numel = max(self.numel, *sizes, 0)
        return made


def test_there_is_never_a_tensor_of_all_logits(inputs):
    hidden, weight, targets = inputs
    with Largest() as largest:
        loss = linear_cross_entropy(hidden.requires_grad_(), weight.requires_grad_(), targets)
        loss.backward()
    assert largest.numel == ROWS * len(weight)


def test_under_autocast_it_stays_close(inputs):
    hidden, weight, targets = inputs
    hidden = hidden.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(hidden, weight, targets)
    loss.backward()
    expected = F.cross_entropy(hidden @ weight.T, targets)
    assert loss.dtype == torch.float32
    assert abs(float(loss.detach() - expected.detach())) < 0.02
    assert hidden.grad.dtype == torch.float32


def test_no_gradients_are_made_where_none_are_asked_for(inputs):
    hidden, weight, targets = inputs
    loss = linear_cross_entropy(hidden, weight, targets)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, F.cross_entropy(hidden @ weight.T, targets))


def test_losses_of_single_tokens(inputs):
    hidden, weight, targets = inputs
    expected = F.cross_entropy(hidden @ weight.T, targets, reduction="none")
    torch.testing.assert_close(token_losses(hidden, weight, targets), expected)
