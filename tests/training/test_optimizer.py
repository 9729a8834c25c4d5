"""Parameter groups and the optimizers' state."""

import pytest
import torch

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from training.config import OptimizerSettings
from training.optimizer import Optimizers, split_parameters

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
