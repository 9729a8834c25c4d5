"""Parameter groups and the optimizers' state."""

import pytest
import torch

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from training.config import OptimizerSettings
from training.step.muon import BatchedMuon
from training.step.optimizer import Optimizers, split_parameters

SHAPE = GPTConfig(vocab_size=300, block_size=8, n_layer=2, n_head=2, n_embd=16, bias=True)
CPU = torch.device("cpu")


def model():
    return GPT(SHAPE, torch.Generator().manual_seed(0))


def take_steps(network, optimizers, count):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        for part in optimizers.parts:
            part.step()


def test_every_parameter_is_in_one_group():
    network = model()
    hidden, matrices, vectors = split_parameters(network)
    assert len(hidden) == 2 * 4
    assert len(matrices) == 2
    assert len(hidden) + len(matrices) + len(vectors) == len(list(network.parameters()))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_only_matrices_decay(kind):
    network = model()
    optimizers = Optimizers(network, OptimizerSettings(optimizer=kind, weight_decay=0.3), CPU)
    decay = {
        id(parameter): group["weight_decay"]
        for part in optimizers.parts
        for group in part.param_groups
        for parameter in group["params"]
    }
    for parameter in network.parameters():
        assert decay[id(parameter)] == (0.3 if parameter.dim() == 2 else 0.0)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_restored_state_goes_on_the_same(kind):
    settings = OptimizerSettings(optimizer=kind)
    first, second = model(), model()
    straight = Optimizers(first, settings, CPU)
    take_steps(first, straight, 3)
    restored = Optimizers(second, settings, CPU)
    restored.load_tensors({name: tensor.clone() for name, tensor in straight.tensors().items()})
    second.load_state_dict(first.state_dict())
    take_steps(first, straight, 2)
    take_steps(second, restored, 2)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


def test_the_learning_rate_is_a_share_of_each_peak():
    optimizers = Optimizers(
        model(),
        OptimizerSettings(optimizer="muon", learning_rate=1.0, matrix_learning_rate=2.0),
        CPU,
    )
    optimizers.set_learning_rate(0.5)
    rates = [group["lr"] for part in optimizers.parts for group in part.param_groups]
    assert rates == [1.0, 0.5, 0.5]


MUON = {"lr": 0.02, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}


def test_muon_in_batches_is_torchs(monkeypatch):
    one, other = model(), model()
    theirs = torch.optim.Muon(split_parameters(one)[0], **MUON)
    ours = BatchedMuon(split_parameters(other)[0], **MUON)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        for left, right in zip(*(split_parameters(each)[0] for each in (one, other)), strict=True):
            left.grad = torch.randn(left.shape, generator=generator)
            right.grad = left.grad.clone()
        theirs.step()
        ours.step()
    start = dict(model().named_parameters())
    for name, weight in one.named_parameters():
        same = dict(other.named_parameters())[name]
        moved = (weight - start[name]).abs().max()
        # Newton and Schulz run in bf16, and sums in another order round otherwise.
        assert (weight - same).abs().max() <= 0.02 * moved, name
    states = [optimizer.state_dict()["state"] for optimizer in (theirs, ours)]
    for index, state in states[0].items():
        assert state.keys() == states[1][index].keys()
        torch.testing.assert_close(state["momentum_buffer"], states[1][index]["momentum_buffer"])


def test_muon_in_batches_takes_up_torchs_state():
    network = model()
    theirs = torch.optim.Muon(split_parameters(network)[0], **MUON)
    for weight in split_parameters(network)[0]:
        weight.grad = torch.ones_like(weight)
    theirs.step()
    ours = BatchedMuon(split_parameters(network)[0], **MUON)
    ours.load_state_dict(theirs.state_dict())
    split_parameters(network)[0][0].grad = None  # and one without a gradient stays
    before = split_parameters(network)[0][0].clone()
    ours.step()
    assert torch.equal(split_parameters(network)[0][0], before)
    buffers = [state["momentum_buffer"] for state in ours.state_dict()["state"].values()]
    assert float(buffers[1].mean()) == pytest.approx(1 - 0.95**2)
