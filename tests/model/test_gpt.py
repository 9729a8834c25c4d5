"""The model against Hugging Face's GPT-2, against itself with a cache, and its pieces."""

from dataclasses import replace

import pytest
import torch
from peers import hugging_face
from torch import nn

from mgpt_tui.model.config import PRESETS, GPTConfig
from mgpt_tui.model.gpt import GPT, causal_mask, fused_attention, written_out_attention
from mgpt_tui.model.kv_cache import KVCache

SHAPES = [
    GPTConfig(vocab_size=300, block_size=16, n_layer=2, n_head=2, n_embd=32, dropout=0.0),
    GPTConfig(vocab_size=257, block_size=8, n_layer=1, n_head=1, n_embd=8, dropout=0.1),
    GPTConfig(vocab_size=1000, block_size=64, n_layer=3, n_head=4, n_embd=64, dropout=0.2),
]


def random_model(config: GPTConfig, seed: int = 0) -> GPT:
    """A model whose norms and biases are random too, so that none can be mixed up unseen."""
    generator = torch.Generator().manual_seed(seed)
    model = GPT(config, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model.eval()


def random_tokens(config: GPTConfig, batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(config.vocab_size, (batch, length), generator=generator)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.n_layer}x{shape.n_embd}")
def test_logits_equal_hugging_face(shape, bias):
    model = random_model(replace(shape, bias=bias))
    tokens = random_tokens(shape, 3, shape.block_size)
    with torch.inference_mode():
        ours = model(tokens)
        theirs = hugging_face(model).eval()(tokens).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_small_preset_is_the_seed_table():
    small = PRESETS["small"]
    assert (small.n_layer, small.n_head, small.n_embd) == (6, 6, 384)
    assert (small.block_size, small.vocab_size, small.dropout) == (256, 50257, 0.2)
    assert small.bias is False


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("preset", ["storyteller", "tiny"])
def test_parameter_counts_follow_the_config(preset, bias):
    config = replace(PRESETS[preset], bias=bias)
    model = GPT(config)
    assert sum(weight.numel() for weight in model.parameters()) == config.parameters()
    in_blocks = sum(
        weight.numel() for name, weight in model.named_parameters() if "embedding" not in name
    )
    assert in_blocks == config.block_parameters()


@pytest.mark.parametrize("n_new", [1, 3, 12])
def test_written_out_attention_equals_fused(n_new):
    generator = torch.Generator().manual_seed(1)
    q = torch.randn(2, 3, n_new, 8, generator=generator)
    k = torch.randn(2, 3, 12, 8, generator=generator)
    v = torch.randn(2, 3, 12, 8, generator=generator)
    written, weights = written_out_attention(q, k, v, nn.Dropout(0.0))
    torch.testing.assert_close(written, fused_attention(q, k, v, 0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, n_new))
    assert not weights[..., ~causal_mask(n_new, 12, q.device)].any()


def test_whole_model_is_the_same_with_written_out_attention():
    model = random_model(SHAPES[2])
    tokens = random_tokens(model.config, 2, 40)
    with torch.inference_mode():
        torch.testing.assert_close(model(tokens), model(tokens, fused=False), atol=1e-4, rtol=0)


def test_no_token_sees_the_future():
    model = random_model(SHAPES[0])
    tokens = random_tokens(model.config, 1, 16)
    changed = tokens.clone()
    changed[0, 10] = (changed[0, 10] + 1) % model.config.vocab_size
    with torch.inference_mode():
        before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


@pytest.mark.parametrize("pieces", [[1] * 16, [5, 1, 1, 9], [15, 1], [3, 13]])
@pytest.mark.parametrize("fused", [True, False])
def test_cached_equals_uncached(pieces, fused):
    model = random_model(SHAPES[0])
    tokens = random_tokens(model.config, 2, 16)
    cache = KVCache(model.config, batch_size=2)
    with torch.inference_mode():
        whole = model(tokens)
        start = 0
        for piece in pieces:
            part = model(tokens[:, start : start + piece], cache, fused=fused)
            torch.testing.assert_close(part, whole[:, start : start + piece], atol=1e-4, rtol=0)
            start += piece
    assert cache.length == 16


def test_a_cut_cache_reads_on_as_if_nothing_had_followed():
    model = random_model(SHAPES[0])
    tokens = random_tokens(model.config, 1, 12)
    cache = KVCache(model.config)
    with torch.inference_mode():
        model(tokens, cache)
        cache.truncate(4)
        again = model(tokens[:, 4:9], cache)
        torch.testing.assert_close(again, model(tokens)[:, 4:9], atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="cannot cut"):
        cache.truncate(10)
    cache.reset()
    assert cache.length == 0


def test_more_than_a_block_is_refused():
    model = random_model(SHAPES[1])
    with pytest.raises(ValueError, match="block size 8"):
        model(random_tokens(model.config, 1, 9))
    cache = KVCache(model.config)
    model(random_tokens(model.config, 1, 8), cache)
    with pytest.raises(ValueError, match="block size 8"):
        model(random_tokens(model.config, 1, 1), cache)


def test_recorder_sees_every_layer_and_changes_nothing():
    model = random_model(SHAPES[2])
    tokens = random_tokens(model.config, 1, 10)
    seen = {}
    with torch.inference_mode():
        recorded = model(tokens, record=lambda name, tensor: seen.update({name: tensor.shape}))
        torch.testing.assert_close(recorded, model(tokens), atol=1e-4, rtol=0)
    assert seen["embedding"] == (1, 10, 64)
    assert seen["logits"] == (1, 10, 1000)
    for layer in range(3):
        assert seen[f"blocks.{layer}.attention"] == (1, 4, 10, 10)
        assert seen[f"blocks.{layer}.mlp"] == (1, 10, 256)
        assert seen[f"blocks.{layer}.residual"] == (1, 10, 64)


def test_initial_weights_come_from_the_generator_alone():
    config = SHAPES[0]
    first, second = (GPT(config, torch.Generator().manual_seed(3)) for _ in range(2))
    other = GPT(config, torch.Generator().manual_seed(4))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)
    assert first.blocks[0].mlp.proj.weight.std() < 0.7 * first.blocks[0].mlp.fc.weight.std()
