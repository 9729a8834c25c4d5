"""Whatever shape of the family a model has, all decoders compute what the readable model does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.in_torch.graphs import GraphDecoder
from mgpt_tui.inference.decoders.in_torch.matrices import FORMATS
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.precisions import decoder_in
from mgpt_tui.model.checkpoint import gpt_of, weights_of
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.weights import shapes

PLAIN = GPTConfig(vocab_size=300, block_size=200, n_layer=3, n_head=2, n_embd=32, dropout=0.0)
SHAPES = {
    "gpt2": replace(PLAIN, bias=True, mlp_width=50, norm_epsilon=1e-3),
    "gpt_neo": replace(
        *(PLAIN,), bias=True, qkv_bias=False, scaled_scores=False, local_windows=(0, 7, 100)
    ),
    "nanogpt": replace(PLAIN, exact_gelu=True, tied_head=False),
    "original": replace(PLAIN, norm_bias=True, mlp_width=300),
}
TOLERANCES = {"fp32": 1e-4, "bf16": 0.1, "int8": 0.15, "native": 0.3}
"""As in test_decoder.py."""

compiled = pytest.param(
    "native",
    marks=pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler"),
)


@pytest.fixture(params=SHAPES)
def model(request):
    """A random model far from uniform, with biases and norms of its own."""
    generator = torch.Generator().manual_seed(1)
    model = GPT(SHAPES[request.param], generator)
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.data *= 4
        else:
            weight.data.add_(torch.randn(weight.shape, generator=generator), alpha=0.1)
    return model.eval()


def tokens_for(model, rows=1):
    numbers = np.random.default_rng(3)
    return numbers.integers(0, model.config.vocab_size, (rows, model.config.block_size))


def test_a_shape_counts_and_loads_as_it_says(model):
    config = model.config
    found = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    assert found == shapes(config)
    assert sum(weight.numel() for weight in model.parameters()) == config.parameters()
    again = gpt_of(GPTConfig(**{**config.to_dict(), "local_windows": config.local_windows}),
                   weights_of(model))  # fmt: skip
    read = torch.from_numpy(tokens_for(model))
    torch.testing.assert_close(again(read), model(read), rtol=0, atol=0)


def test_the_fused_pass_is_the_one_that_is_looked_into(model):
    read = torch.from_numpy(tokens_for(model, 2))
    with torch.inference_mode():
        seen = model(read, hook=lambda name, number, x: x)
        torch.testing.assert_close(model(read), seen, atol=1e-4, rtol=0)


@pytest.mark.parametrize("precision", [*FORMATS, compiled])
@pytest.mark.parametrize("pieces", [[1] * 120, [70, 1, 5, 66, 58]])
def test_every_decoder_equals_the_readable_model(model, precision, pieces):
    tokens = tokens_for(model, 2)[:, : sum(pieces)]
    plain, packed = PlainDecoder(model), decoder_in(precision, model.config, weights_of(model))
    caches = plain.new_cache(2), packed.new_cache(2)
    for piece in np.split(tokens, np.cumsum(pieces)[:-1], axis=1):
        expected, found = plain.read(piece, caches[0]), packed.read(piece, caches[1])
        np.testing.assert_allclose(found, expected, atol=TOLERANCES[precision], rtol=0)


@pytest.mark.parametrize("precision", ["int8", compiled])
def test_in_8_bits_what_is_read_together_changes_no_bit(model, precision):
    decoder, tokens = decoder_in(precision, model.config, weights_of(model)), tokens_for(model)
    found = []
    for pieces in ([1] * 200, [200], [9, 100, 91]):
        cache = decoder.new_cache(1)
        for piece in np.split(tokens, np.cumsum(pieces)[:-1], axis=1):
            scores = decoder.read(piece, cache)
        found.append(scores)
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_a_step_of_a_graph_equals_the_readable_model(model):
    tokens, plain = tokens_for(model, 2), PlainDecoder(model)
    graph = GraphDecoder(model, "fp32", record=False)
    caches = plain.new_cache(2), graph.new_cache(2)
    for decoder, cache in zip((plain, graph), caches, strict=True):
        decoder.take(tokens[:, :110], cache)
    for at in range(110, 130):
        expected, found = (
            decoder.read(tokens[:, at : at + 1], cache)
            for decoder, cache in zip((plain, graph), caches, strict=True)
        )
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler")
def test_compiled_code_records_what_each_query_sees(model):
    decoder = decoder_in("native", model.config, weights_of(model))
    tokens = tokens_for(model)[0].tolist()
    found, theirs = decoder.recorded(tokens), PlainDecoder(model).recorded(tokens)
    for layer in range(model.config.n_layer):
        assert np.array_equal(found.attention[layer] > 0, theirs.attention[layer] > 0)
    np.testing.assert_allclose(found.attention.sum(-1), 1, atol=1e-5)
    for name in ("mean", "rstd", "attention", "neurons", "added"):
        ours, expected = getattr(found, name), getattr(theirs, name)
        assert np.abs(ours - expected).max() < 0.05 * np.abs(expected).max(), name
