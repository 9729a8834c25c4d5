"""Weights without torch: the same bits that torch has of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.torch import save as save_tensors

from mgpt_tui.model.checkpoint import gpt_of, pack, weights_of
from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.weights import Weights, int8_rows, shapes

matrices = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(-(2.0**99), 2.0**99, width=32),
)


@given(
    layers=st.integers(1, 3), heads=st.integers(1, 3), size=st.integers(1, 5), bias=st.booleans()
)
def test_names_and_shapes_are_those_of_the_model(layers, heads, size, bias):
    config = GPTConfig(
        n_layer=layers, n_head=heads, n_embd=heads * size, block_size=8, vocab_size=257, bias=bias
    )
    expected = {name: tuple(weight.shape) for name, weight in GPT(config).state_dict().items()}
    assert shapes(config) == expected
    assert sum(map(np.prod, shapes(config).values())) == config.parameters()


def rows_of_torch(weight):
    scale = weight.abs().amax(dim=1).clamp_min(1e-12) / 127
    return torch.round(weight / scale[:, None]).to(torch.int8), scale


@given(matrices)
def test_integers_are_those_of_torch(weight):
    """So is a text that was written before weights were read without it."""
    torchs = rows_of_torch(torch.from_numpy(weight))
    for found, expected in zip(int8_rows(weight), torchs, strict=True):
        assert np.array_equal(found, expected.numpy())


@given(matrices, st.booleans())
def test_integers_that_are_stored_come_out_as_if_they_were_made_anew(weight, odd):
    integers, scale = int8_rows(weight)
    if odd:  # as another program may write them
        integers = integers // 3 - 40
    stored = Weights({"w": integers, "w.scale": scale})
    for found, expected in zip(stored.int8_rows("w"), int8_rows(stored["w"]), strict=True):
        assert np.array_equal(found, expected)


@given(matrices)
def test_bfloat16_is_what_it_is_in_torch(weight):
    tensor = torch.from_numpy(weight)
    found = Weights.parse(save_tensors(pack({"w": tensor}, "bf16")))["w"]
    assert np.array_equal(found, tensor.bfloat16().float().numpy())


def test_a_model_comes_back_from_its_weights(tiny_model):
    again = gpt_of(tiny_model.config, weights_of(tiny_model))
    for name, weight in tiny_model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight)
    assert not again.training


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("format", ["fp32", "bf16", "int8"])
def test_numbers_that_are_none_are_seen(bad, format):
    config = replace(SHAPES["tiny"], vocab_size=257, n_embd=8, bias=True)
    for name in ("blocks.1.mlp.fc.weight", "blocks.1.mlp.fc.bias", "final_norm.weight"):
        model = GPT(config, torch.Generator().manual_seed(0))
        assert Weights.parse(save_tensors(pack(model.state_dict(), format))).are_finite()
        dict(model.named_parameters())[name].data.view(-1)[3] = bad
        assert not Weights.parse(save_tensors(pack(model.state_dict(), format))).are_finite()


def test_scales_that_are_too_large_together_are_seen():
    scale = np.full(2, 3e38, np.float32)
    assert not Weights({"w": np.full((2, 2), 127, np.int8), "w.scale": scale}).are_finite()
    assert Weights({"w": np.full((2, 2), 1, np.int8), "w.scale": scale}).are_finite()


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"w": np.zeros((2, 2), np.int64)}, "of type int64"),
        ({"w": np.zeros((2, 2), np.int8)}, "no scale"),
        ({"w": np.zeros((2, 2), np.int8), "w.scale": np.zeros(3, np.float32)}, "no scale"),
        ({"w": np.zeros((2, 2), np.int8), "w.scale": np.zeros(2, np.float64)}, "no scale"),
    ],
)
def test_what_is_no_weight_is_refused(stored, said):
    with pytest.raises(ValueError, match=said):
        Weights(stored)
