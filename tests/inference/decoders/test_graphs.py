"""The forms of decoding that a GPU has, computed on a CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgpt_tui.inference.decoders.in_torch.graphs import GraphDecoder
from mgpt_tui.inference.decoders.in_torch.packed import PackedDecoder
from mgpt_tui.inference.decoders.in_torch.side_by_side import Writers, draw
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import filtered
from mgpt_tui.model.gpt import GPT


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_at_a_position_is_a_read_of_one_token(tiny_model, precision, bias):
    config = replace(tiny_model.config, bias=bias)
    model = GPT(config, torch.Generator().manual_seed(3)).eval()
    plain = PackedDecoder(model, precision)
    steps = GraphDecoder(model, precision, record=False)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(257, (3, config.block_size), generator=generator).numpy()
    caches = plain.new_cache(3), steps.new_cache(3)
    for decoder, cache in zip((plain, steps), caches, strict=True):
        decoder.read(tokens[:, :5], cache)
    near = {"fp32": 1e-5, "bf16": 0.03}[precision]
    for at in range(5, config.block_size):
        one, other = (
            decoder.read(tokens[:, at : at + 1], cache)
            for decoder, cache in zip((plain, steps), caches, strict=True)
        )
        np.testing.assert_allclose(other, one, atol=near, rtol=near)
        assert other.dtype == np.float32
    assert caches[1].length == config.block_size
    kept = other.copy()
    caches[1].truncate(9)
    steps.read(tokens[:, 9:10], caches[1])
    assert np.array_equal(other, kept)  # what was told stays as it was


@pytest.mark.parametrize(("temperature", "top_k"), [(0.8, 50), (1.3, 1), (0.1, 200), (0.8, 257)])
def test_draws_are_those_of_the_engine(temperature, top_k):
    generator = torch.Generator().manual_seed(5)
    # Rounded to bf16, so that many are equal, also around the last that may come.
    logits = (3 * torch.randn(400, 257, generator=generator)).bfloat16().float()
    numbers = torch.rand(400, generator=generator, dtype=torch.float64)
    numbers[:2] = torch.tensor([0.0, 1 - 2.0**-53])
    settings = SamplingSettings(temperature=temperature, top_k=top_k)
    expected = [
        filtered(row, settings, {}, ()).token(number)
        for row, number in zip(logits.numpy(), numbers.tolist(), strict=True)
    ]
    found = draw(logits, numbers, temperature, top_k)
    assert np.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("count", [1, 20, 70])
def test_texts_side_by_side_are_those_of_the_engine(tiny_model, byte_tokenizer, count):
    beginning = [256, *byte_tokenizer.encode("Once there")]
    settings = SamplingSettings(
        max_tokens=count, temperature=0.9, top_k=40, ignore_end=True, finish_sentence=False
    )
    decoder = PackedDecoder(tiny_model, "fp32")
    engine = Engine(decoder, byte_tokenizer)
    # The engine bans the end of the story; here it is made unlikely in the model itself.
    with torch.no_grad():
        decoder._head = lambda x: torch.nn.functional.linear(
            x, tiny_model.token_embedding.weight
        ).index_fill(1, torch.tensor([256]), -30.0)
    writers = Writers(decoder, 3, 0.9, 40, record=False)
    for _ in range(2):  # a second time, with the same tensors
        found = writers.write(beginning, [7, 8, 9], count)
    expected = [list(engine.tokens(beginning, settings, seed)) for seed in (7, 8, 9)]
    assert found.tolist() == expected
