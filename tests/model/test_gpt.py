"""The model against Hugging Face's GPT-2, against itself with a cache, and its pieces."""

from dataclasses import replace

import pytest
import torch
from peers import hugging_face
from torch import nn

from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.model.gpt import GPT, causal_mask, fused_attention, written_out_attention
from mgpt_tui.model.kv_cache import KVCache

CONFIGS = [
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
@pytest.mark.parametrize("shape", CONFIGS, ids=lambda shape: f"{shape.n_layer}x{shape.n_embd}")
def test_logits_equal_hugging_face(shape, bias):
    model = random_model(replace(shape, bias=bias))
    tokens = random_tokens(shape, 3, shape.block_size)
    with torch.inference_mode():
        ours = model(tokens)
        theirs = hugging_face(model).eval()(tokens).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_small_preset_is_the_seed_table():
    small = SHAPES["small"]
    assert (small.n_layer, small.n_head, small.n_embd) == (6, 6, 384)
    assert (small.block_size, small.vocab_size, small.dropout) == (256, 50257, 0.2)
    assert small.bias is False


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("preset", ["storyteller", "tiny"])
def test_parameter_counts_follow_the_config(preset, bias):
    config = replace(SHAPES[preset], bias=bias)
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
    model = random_model(CONFIGS[2])
    tokens = random_tokens(model.config, 2, 40)
    with torch.inference_mode():
        torch.testing.assert_close(model(tokens), model(tokens, fused=False), atol=1e-4, rtol=0)


def test_no_token_sees_the_future():
    model = random_model(CONFIGS[0])
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
    model = random_model(CONFIGS[0])
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
    model = random_model(CONFIGS[0])
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
    model = random_model(CONFIGS[1])
    with pytest.raises(ValueError, match="block size 8"):
        model(random_tokens(model.config, 1, 9))
    cache = KVCache(model.config)
    model(random_tokens(model.config, 1, 8), cache)
    with pytest.raises(ValueError, match="block size 8"):
        model(random_tokens(model.config, 1, 1), cache)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_hook_sees_every_station_and_changes_nothing(bias, dtype):
    model = random_model(replace(CONFIGS[2], bias=bias)).to(dtype)
    tokens = random_tokens(model.config, 2, 10)
    seen = {}

    def hook(name, number, x):
        assert (name, number) not in seen, "each once"
        seen[name, number] = x
        return x

    with torch.inference_mode():
        tolerance = 1e-4 if dtype == torch.float32 else 1e-10
        torch.testing.assert_close(model(tokens, hook=hook), model(tokens), atol=tolerance, rtol=0)
    shapes = {
        "stream": (7, (2, 10, 64)), "mean": (7, (2, 10, 1)), "rstd": (7, (2, 10, 1)),
        "keys": (3, (2, 4, 10, 16)), "values": (3, (2, 4, 10, 16)), "added": (6, (2, 10, 64)),
        "attention": (3, (2, 4, 10, 10)), "gathered": (3, (2, 4, 10, 16)),
        "neurons": (3, (2, 10, 256)), "logits": (1, (2, 10, 1000)),
    }  # fmt: skip
    assert {key: x.shape for key, x in seen.items()} == {
        (name, number): shape for name, (many, shape) in shapes.items() for number in range(many)
    }
    assert all(x.dtype == dtype for x in seen.values())
    for part in range(6):
        assert torch.equal(seen["stream", part] + seen["added", part], seen["stream", part + 1])


STATIONS = [
    *("stream", "mean", "rstd", "keys", "values"),
    *("attention", "gathered", "neurons", "added", "logits"),
]


@pytest.mark.parametrize("name", STATIONS)
def test_what_a_hook_returns_is_used(name):
    """What it puts there decides all that follows, and nothing else is computed with."""
    model = random_model(replace(CONFIGS[2], bias=True))
    one, other = (random_tokens(model.config, 2, 10).roll(by, 0) for by in (0, 1))
    seen = {}

    def kept(at, number, x):
        return seen.setdefault((at, number), x)

    def restored(at, number, x):
        return seen[at, number] if at in restores else x

    with torch.inference_mode():
        expected = model(one, hook=kept)
        restores = {name}
        found = model(other, hook=restored)
        if name in ("stream", "logits"):
            assert torch.equal(found, expected)
        else:
            assert not torch.allclose(found, expected, atol=1e-2)
            assert not torch.allclose(found, model(other), atol=1e-2)


def test_initial_weights_come_from_the_generator_alone():
    config = CONFIGS[0]
    first, second = (GPT(config, torch.Generator().manual_seed(3)) for _ in range(2))
    other = GPT(config, torch.Generator().manual_seed(4))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)
    assert first.blocks[0].mlp.proj.weight.std() < 0.7 * first.blocks[0].mlp.fc.weight.std()


def test_loss_is_the_mean_surprise_of_every_next_token():
    model = random_model(CONFIGS[0])
    tokens = random_tokens(model.config, 2, 9)
    with torch.inference_mode():
        chances = torch.softmax(model(tokens), dim=-1)
        surprises = [
            -chances[row, at, tokens[row, at + 1]].log() for row in range(2) for at in range(8)
        ]
        torch.testing.assert_close(model.loss(tokens), torch.stack(surprises).mean())


def test_generate_draws_one_token_after_the_other_from_all_before():
    model = random_model(CONFIGS[1])  # a context of 8 tokens, which the text outgrows
    begun = random_tokens(model.config, 2, 3)
    coldest = model.generate(begun, 12, torch.Generator().manual_seed(1), temperature=1e-6)
    assert torch.equal(coldest[:, :3], begun)
    with torch.inference_mode():
        for end in range(3, 15):
            likeliest = model(coldest[:, max(0, end - 8) : end])[:, -1].argmax(-1)
            assert torch.equal(coldest[:, end], likeliest)
    warm = [model.generate(begun, 12, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(warm[0], warm[1])
    assert not torch.equal(warm[0], warm[2])
