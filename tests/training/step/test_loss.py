"""The chunked loss against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from training.step import loss as module
from training.step.loss import ROWS, TrainingLoss, linear_cross_entropy, token_losses


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


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The forms that CUDA has: a vocabulary that is filled up, more rows, fewer kernels."""
    monkeypatch.setattr(module, "_losses_and_slopes", module._all_at_once)
    monkeypatch.setattr(module, "_sizes", lambda device, entries: (1500, module._aligned(entries)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpus_loss_and_gradients_equal_torchs(inputs, as_on_a_gpu, dtype):
    hidden, weight, targets = inputs
    assert module._aligned(len(weight)) == 128 > len(weight)
    ours = [tensor.to(dtype).requires_grad_() for tensor in (hidden, weight)]
    theirs = [tensor.detach().float().requires_grad_() for tensor in ours]
    loss = linear_cross_entropy(*ours, targets)
    expected = F.cross_entropy(theirs[0] @ theirs[1].T, targets)
    (3 * loss).backward()
    (3 * expected).backward()
    near = {"atol": 1e-6, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 2e-3, "rtol": 0.03}
    torch.testing.assert_close(loss, expected, **near)
    for own, other in zip(ours, theirs, strict=True):
        assert own.grad.shape == other.grad.shape
        torch.testing.assert_close(own.grad.float(), other.grad, **near)


def test_a_gpus_sizes_keep_to_the_memory():
    rows, columns = module._sizes(torch.device("cuda"), 50257)
    assert columns % module.ALIGNED == 0 and 50257 <= columns < 50257 + module.ALIGNED
    assert rows % ROWS == 0 and rows * columns <= module.GPU_LOGITS
    assert module._sizes(torch.device("cpu"), 50257) == (ROWS, 50257)


@pytest.mark.parametrize("entries", [300, 320])
def test_the_expression_to_compile_is_the_same_loss(entries):
    config = GPTConfig(
        vocab_size=entries, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.0
    )
    model = GPT(config, torch.Generator().manual_seed(0))
    subject = TrainingLoss(model)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(entries, (3, 9), generator=generator)
    found = {}
    for form in (subject.forward, subject.plain):
        model.zero_grad()
        loss = form(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        gradients = {name: weight.grad.clone() for name, weight in model.named_parameters()}
        found[form.__name__] = loss.detach(), gradients
    torch.testing.assert_close(found["forward"][0], found["plain"][0])
    for name, gradient in found["forward"][1].items():
        torch.testing.assert_close(gradient, found["plain"][1][name], atol=1e-6, rtol=1e-4)
    assert model.state_dict()["token_embedding.weight"].shape[0] == entries


def test_the_expression_is_one_graph_for_the_compiler():
    config = GPTConfig(vocab_size=300, block_size=8, n_layer=1, n_head=2, n_embd=16, dropout=0.0)
    model = GPT(config, torch.Generator().manual_seed(0))
    subject, tokens = TrainingLoss(model), torch.arange(18).view(2, 9)
    compiled = torch.compile(subject.plain, backend="aot_eager", fullgraph=True)
    found = compiled(tokens[:, :-1], tokens[:, 1:])
    found.backward()
    gradient = model.token_embedding.weight.grad.clone()
    model.zero_grad()
    expected = subject.plain(tokens[:, :-1], tokens[:, 1:])
    expected.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, model.token_embedding.weight.grad)
