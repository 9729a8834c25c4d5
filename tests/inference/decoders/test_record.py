"""What is recorded, against Hugging Face's GPT-2, and against itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peers import hugging_face

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders import record as module
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.record import NAMES, new_record, record_bytes, shapes
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT

SHAPE = GPTConfig(vocab_size=300, block_size=32, n_layer=3, n_head=4, n_embd=32, dropout=0.1)


def random_tokens(config: GPTConfig, length: int, seed: int = 7) -> list[int]:
    return torch.randint(
        config.vocab_size, (length,), generator=torch.Generator().manual_seed(seed)
    ).tolist()


class Theirs:
    """What Hugging Face's model computes on the way, by its own means and by hooks."""

    def __init__(self, model: GPT, tokens: list[int]) -> None:
        theirs = hugging_face(model).eval()
        theirs.set_attn_implementation("eager")
        self.inputs: dict[str, torch.Tensor] = {}
        self.outputs: dict[str, torch.Tensor] = {}
        for name, part in theirs.transformer.named_modules():
            part.register_forward_hook(self._keep(name))
        with torch.inference_mode():
            found = theirs(
                torch.tensor([tokens]), output_attentions=True, output_hidden_states=True
            )
        self.logits = found.logits[0].numpy()
        self.attention = torch.cat(found.attentions).numpy()
        blocks = range(model.config.n_layer)
        middles = [self.inputs[f"h.{layer}.ln_2"] for layer in blocks]
        # The last of their states has the final norm already.
        begins = [*found.hidden_states[:-1], self.inputs["ln_f"]]
        both = [x for pair in zip(begins, [*middles, None], strict=True) for x in pair]
        self.stream = torch.cat(both[:-1]).numpy()

    def _keep(self, name):
        def hook(_, given, made):
            made = made[0] if isinstance(made, tuple) else made
            if given and isinstance(made, torch.Tensor):
                self.inputs[name], self.outputs[name] = given[0], made

        return hook

    def of_layers(self, kept, name):
        layers = range(len([key for key in kept if key.startswith("h.") and key.endswith(name)]))
        return torch.cat([kept[f"h.{layer}.{name}"] for layer in layers]).numpy()


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a part of the largest number."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("bias", [False, True])
def test_the_readable_model_equals_hugging_face_everywhere(random_model, bias):
    model = random_model(replace(SHAPE, bias=bias))
    tokens = random_tokens(SHAPE, 32)
    found, theirs = PlainDecoder(model).recorded(tokens), Theirs(model, tokens)
    assert relative(found.stream, theirs.stream) < 1e-5
    assert np.abs(found.attention - theirs.attention).max() < 1e-6
    assert np.abs(found.logits - theirs.logits).max() < 1e-4
    C = SHAPE.n_embd
    gathered = theirs.of_layers(theirs.inputs, "attn.c_proj")
    assert relative(found.gathered.reshape(3, 32, C), gathered) < 1e-5
    neurons = theirs.of_layers(theirs.outputs, "mlp.act")
    assert relative(found.neurons, neurons) < 1e-5
    qkv = theirs.of_layers(theirs.outputs, "attn.c_attn")
    assert relative(found.keys.reshape(3, 32, C), qkv[..., C : 2 * C]) < 1e-5
    assert relative(found.values.reshape(3, 32, C), qkv[..., 2 * C :]) < 1e-5
    assert relative(found.added[::2], theirs.of_layers(theirs.outputs, "attn.c_proj")) < 1e-5
    assert relative(found.added[1::2], theirs.of_layers(theirs.outputs, "mlp.c_proj")) < 1e-5
    norms = [x for layer in range(3) for x in (f"h.{layer}.ln_1", f"h.{layer}.ln_2")] + ["ln_f"]
    read = torch.cat([theirs.inputs[norm] for norm in norms]).double()
    assert relative(found.mean, read.mean(-1).numpy()) < 1e-5
    rstd = 1 / torch.sqrt(read.var(-1, unbiased=False) + 1e-5)
    assert relative(found.rstd, rstd.numpy()) < 1e-5


def check_identities(found, config, tolerance=1e-6):
    """What holds of every record, whoever made it."""
    L, (_, _, T, S) = config.n_layer, found.attention.shape
    seen = np.arange(S)[None, :] <= np.arange(found.start, S)[:, None]
    assert S == found.start + T == found.start + len(found.tokens)
    assert np.abs(found.attention.sum(-1) - 1).max() < tolerance * 10
    assert (found.attention >= 0).all() and not found.attention[..., ~seen].any()
    assert np.array_equal(found.stream[:-1] + found.added, found.stream[1:])
    stream = found.stream.astype(np.float64)
    np.testing.assert_allclose(found.mean, stream.mean(-1), rtol=0, atol=tolerance)
    rstd = 1 / np.sqrt(stream.var(-1) + 1e-5)
    np.testing.assert_allclose(found.rstd, rstd, rtol=tolerance * 10)
    if found.start == 0:
        gathered = np.einsum("lhts,lshd->lthd", found.attention, found.values)
        np.testing.assert_allclose(found.gathered, gathered, rtol=0, atol=tolerance * 10)
    assert found.mean.shape == (2 * L + 1, T)


@given(
    layers=st.integers(1, 3), heads=st.integers(1, 4), size=st.integers(1, 9),
    length=st.integers(1, 12), start=st.integers(0, 4), bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]), seed=st.integers(0, 9),
)  # fmt: skip
def test_records_of_every_shape_are_consistent(
    random_model, layers, heads, size, length, start, bias, dtype, seed
):
    config = GPTConfig(
        n_layer=layers, n_head=heads, n_embd=heads * size, block_size=16, vocab_size=257, bias=bias
    )
    model = random_model(config, seed).to(dtype)
    decoder, tokens = PlainDecoder(model), random_tokens(config, start + length, seed)
    cache = decoder.new_cache(1)
    if start:
        decoder.take(np.array([tokens[:start]]), cache)
    found = decoder.recorded(tokens[start:], cache=cache)
    assert cache.length == start + length and found.start == start
    expected = shapes(config, length, start, length)
    assert {name: getattr(found, name).shape for name in NAMES} == expected
    check_identities(found, config)
    with torch.inference_mode():
        last = model.final_norm(torch.from_numpy(found.stream[-1]))
        logits = torch.from_numpy(found.logits)
        torch.testing.assert_close(model.head(last), logits, atol=1e-5, rtol=1e-5)
        whole = model(torch.tensor([tokens]))[0, start:]
        torch.testing.assert_close(whole, logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("want", [(), ("stream",), ("attention", "logits"), ("logits",), NAMES])
def test_only_what_is_wanted_is_kept(random_model, open_decoder, want):
    decoder = open_decoder(random_model(SHAPE))
    tokens = random_tokens(SHAPE, 9)
    whole = decoder.recorded(tokens)
    found = decoder.recorded(tokens, want, logit_rows=[0, 3, 8])
    assert found.logit_rows == ((0, 3, 8) if "logits" in want else ())
    for name in NAMES:
        array = getattr(found, name)
        expected = getattr(whole, name)
        if name not in want:
            assert array.shape == (0,)
        elif name == "logits":
            np.testing.assert_allclose(array, expected[[0, 3, 8]], atol=1e-5)
        else:
            assert np.array_equal(array, expected)
    size = sum(getattr(found, name).nbytes for name in NAMES)
    assert size == record_bytes(SHAPE, 9, want, n_logits=3)


def test_a_record_larger_than_memory_is_refused_before_anything_is_computed(
    random_model, open_decoder, monkeypatch
):
    decoder = open_decoder(random_model(SHAPE))
    cache = decoder.new_cache(1)
    tokens = random_tokens(SHAPE, 9)
    size = record_bytes(SHAPE, 9)
    monkeypatch.setattr(module, "memory_left", lambda: size - 1)
    with pytest.raises(UserError, match=f"for 9 tokens takes {size / 1e6:,.0f} MB"):
        decoder.recorded(tokens, cache=cache)
    assert cache.length == 0 and not cache.keys_values.any(), "nothing was computed"
    huge = GPTConfig(n_layer=1000, n_embd=65536, n_head=1, block_size=65536, vocab_size=257)
    monkeypatch.setattr(module, "memory_left", lambda: None)  # a system that does not tell
    with pytest.raises(UserError, match=r"takes \d+,\d+,\d+ MB"):
        new_record(huge, [1] * 65536)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [([], "no token"), ([1] * 33, "33 tokens"), ([5, 300], "Token 300"), ([-1], "Token -1")],
)
def test_tokens_that_cannot_be_read_are_refused(random_model, open_decoder, tokens, said):
    with pytest.raises(UserError, match=said):
        open_decoder(random_model(SHAPE)).recorded(tokens)


@pytest.mark.parametrize("rows", [[3, 1], [2, 2], [-1], [9]])
def test_rows_that_there_are_not_are_refused(random_model, open_decoder, rows):
    with pytest.raises(ValueError, match="ascending"):
        open_decoder(random_model(SHAPE)).recorded([1] * 9, logit_rows=rows)
    with pytest.raises(ValueError, match="no queries"):
        open_decoder(random_model(SHAPE)).recorded([1] * 9, ["queries"])


@pytest.mark.parametrize("bias", [False, True])
def test_weights_are_told_by_their_names(random_model, open_decoder, bias):
    model = random_model(replace(SHAPE, vocab_size=301, n_head=1, n_embd=18, bias=bias))
    decoder = open_decoder(model)
    for name, weight in model.named_parameters():
        found = decoder.weight(name)
        assert found.shape == weight.shape and found.dtype == np.float32
        is_matrix = weight.dim() == 2 and "embedding" not in name
        rounds = is_matrix and not isinstance(decoder, PlainDecoder)
        step = weight.abs().amax(-1, keepdim=True) / 127 if rounds else torch.zeros(1)
        assert ((torch.from_numpy(found) - weight).abs() <= step / 2 * 1.0001).all()
    head = decoder.weight("head.weight")
    assert np.abs(head - decoder.weight("token_embedding.weight")).max() < 0.01
    missing = [
        "head.bias",
        "blocks.3.mlp.fc.weight",
        "blocks.0.mlp.fc.scale",
        "n_layer",
        "x.weight",
    ]
    for name in missing if bias else [*missing, "final_norm.bias", "blocks.0.mlp.fc.bias"]:
        with pytest.raises(KeyError):
            decoder.weight(name)
