"""What compiled code records, against the same sums in fp64: step by step, and from end to end.

An input of a product is rounded to 1/127 of the largest of its row, so it is off by 1/254 of that
at most, and an output by so much times the sizes of its weights: a bound for every single number.
"""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.record import NAMES, Begin
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.registry import find_model

STEP = 1 / 254
"""Largest rounding of an input of a product, as a part of the largest of its row."""

BFLOAT16 = 2**-8
"""Largest rounding of a key or value, as a part of it."""

SLACK = 1 + 1e-4
"""What fp32 adds to that."""


class Sums:
    """A decoder's weights, and what its record should be by them.

    Args:
        decoder: whose weights to take, with biases if it has any.
    """

    def __init__(self, decoder):
        self.decoder, self.config = decoder, decoder.config

    def weight(self, name):
        return self.decoder.weight(name).astype(np.float64)

    def product(self, name, x):
        """x (T, inputs) times a matrix: (T, outputs), and how far off each of them may be."""
        matrix = self.weight(f"{name}.weight")
        off = np.abs(x).max(-1)[:, None] * STEP * np.abs(matrix).sum(-1) * SLACK
        bias = self.weight(f"{name}.bias") if self.config.bias and name != "head" else 0
        return x @ matrix.T + bias, off + 1e-5

    def normed(self, record, name, number):
        x = (record.stream[number].T.astype(np.float64) - record.mean[number]) * record.rstd[number]
        normed = x.T * self.weight(f"{name}.weight")
        return normed + (self.weight(f"{name}.bias") if self.config.bias else 0)


def check_attention(record, layer, q, off):
    """Weights are the softmax of scores that are off by what their queries are: e^x by e^off."""
    T, _, D = q.shape
    keys = record.keys[layer].astype(np.float64)
    scores = np.einsum("thd,shd->hts", q, keys) / np.sqrt(D)
    off = np.einsum("thd,shd->hts", off, np.abs(keys)) / np.sqrt(D)
    seen = np.tril(np.ones((T, T), bool))
    scores, off = np.where(seen, scores, -np.inf), np.where(seen, off, 0).max(-1, keepdims=True)
    expected = np.exp(scores - scores.max(-1, keepdims=True))
    expected /= expected.sum(-1, keepdims=True)
    found = record.attention[layer]
    assert not found[:, ~seen].any()
    factor = np.exp(2 * off + 1e-4)
    assert (found <= expected * factor + 1e-30).all() and (found >= expected / factor - 1e-30).all()
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    gathered = np.einsum("hts,shd->thd", found.astype(np.float64), record.values[layer])
    scale = np.abs(record.values[layer]).max()
    np.testing.assert_allclose(record.gathered[layer], gathered, rtol=0, atol=1e-6 * scale + 1e-7)


def check_steps(decoder, record):
    """Each step of a record follows from the one before, within what 8 bits allow."""
    config, sums = decoder.config, Sums(decoder)
    T, H, D, C = len(record.tokens), config.n_head, config.head_size, config.n_embd
    positions = decoder.weight("position_embedding.weight")[:T]
    embedded = decoder.weight("token_embedding.weight")[list(record.tokens)] + positions
    assert np.array_equal(record.stream[0], embedded)
    assert np.array_equal(record.stream[:-1] + record.added, record.stream[1:])
    stream = record.stream.astype(np.float64)
    size = np.abs(stream).max()
    np.testing.assert_allclose(record.mean, stream.mean(-1), rtol=0, atol=1e-6 * size)
    np.testing.assert_allclose(record.rstd, 1 / np.sqrt(stream.var(-1) + 1e-5), rtol=1e-4)
    for layer in range(config.n_layer):
        block = f"blocks.{layer}"
        x = sums.normed(record, f"{block}.attention_norm", 2 * layer)
        qkv, off = (part.reshape(T, 3, H, D) for part in sums.product(f"{block}.attention.qkv", x))
        for at, found in ((1, record.keys[layer]), (2, record.values[layer])):
            assert (np.abs(found - qkv[:, at]) <= off[:, at] + BFLOAT16 * np.abs(found)).all()
        check_attention(record, layer, qkv[:, 0], off[:, 0])
        heads = record.gathered[layer].reshape(T, C).astype(np.float64)
        added, off = sums.product(f"{block}.attention.proj", heads)
        assert (np.abs(record.added[2 * layer] - added) <= off).all()
        x = sums.normed(record, f"{block}.mlp_norm", 2 * layer + 1)
        hidden, off = sums.product(f"{block}.mlp.fc", x)
        gelu = torch.nn.functional.gelu(torch.from_numpy(hidden), approximate="tanh").numpy()
        steepest = 1.13  # slope of GELU
        assert (np.abs(record.neurons[layer] - gelu) <= steepest * off).all()
        added, off = sums.product(f"{block}.mlp.proj", record.neurons[layer].astype(np.float64))
        assert (np.abs(record.added[2 * layer + 1] - added) <= off).all()
    x = sums.normed(record, "final_norm", 2 * config.n_layer)[list(record.logit_rows)]
    logits, off = sums.product("head", x)
    assert (np.abs(record.logits - logits) <= off).all()


@given(
    layers=st.integers(1, 3), heads=st.integers(1, 4), size=st.sampled_from([1, 5, 8, 16, 64]),
    length=st.integers(1, 70), bias=st.booleans(), threads=st.integers(1, 3),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_every_step_follows_from_the_one_before(
    random_model, native_decoder, layers, heads, size, length, bias, threads, seed
):
    config = GPTConfig(
        n_layer=layers, n_head=heads, n_embd=heads * size, block_size=80, vocab_size=257, bias=bias
    )
    decoder = native_decoder(random_model(config, seed))
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(257, (length,), generator=generator).tolist()
    rows = sorted(set(torch.randint(length, (5,), generator=generator).tolist()))
    decoder.threads = threads
    check_steps(decoder, decoder.recorded(tokens, logit_rows=rows))


@pytest.fixture(scope="module")
def storyteller():
    return load_checkpoint(find_model().path)


STORY = (
    "Once upon a time there was a little girl named Lily. She had a red ball. One day the ball "
    'rolled into the pond. "Oh no!" said Lily. A frog jumped out and pushed it back to her.'
)


def test_every_step_of_the_storyteller_follows_from_the_one_before(storyteller, native_decoder):
    decoder, words = native_decoder(storyteller.model), storyteller.tokenizer
    check_steps(decoder, decoder.recorded([words.end_token, *words.encode(STORY)]))


def differences(model, tokens, native_decoder):
    """A record's stream and logits (as parts of their norms) and attention, against fp32's.

    The readable model gets the weights that the integers stand for, so only what rounds inputs,
    keys and values is left.
    """
    native, same = native_decoder(model), deepcopy(model)
    for name, weight in same.named_parameters():
        if "embedding" not in name:  # which is looked up as it is; the head's is rounded
            weight.data = torch.from_numpy(native.weight(name))
    found, expected = native.recorded(tokens), PlainDecoder(same).recorded(tokens)
    with torch.inference_mode():
        last = same.final_norm(torch.from_numpy(expected.stream[-1]))
        logits = (last @ torch.from_numpy(native.weight("head.weight")).T).numpy()
    return {
        "stream": np.linalg.norm(found.stream - expected.stream) / np.linalg.norm(expected.stream),
        "logits": np.linalg.norm(found.logits - logits) / np.linalg.norm(logits),
        "attention": np.abs(found.attention - expected.attention).max(),
    }


def assert_within(found, bounds):
    assert all(found[name] < bound for name, bound in bounds.items()), found


@pytest.mark.parametrize("seed", range(4))
def test_all_steps_together_stay_near_fp32(random_model, native_decoder, seed):
    """Rounding grows from step to step: these are twice the largest of 400 random models."""
    shape = GPTConfig(n_layer=1 + seed, n_head=2, n_embd=64, block_size=64, vocab_size=300)
    tokens = torch.randint(300, (50,), generator=torch.Generator().manual_seed(seed)).tolist()
    found = differences(random_model(shape, seed), tokens, native_decoder)
    assert_within(found, {"stream": 0.08, "logits": 0.09, "attention": 0.35})


def test_all_steps_of_the_storyteller_together_stay_near_fp32(storyteller, native_decoder):
    words = storyteller.tokenizer
    found = differences(storyteller.model, [words.end_token, *words.encode(STORY)], native_decoder)
    assert_within(found, {"stream": 0.04, "logits": 0.05, "attention": 0.1})


def test_a_record_changes_no_bit_and_is_the_same_however_it_is_read(random_model, native_decoder):
    """On any number of threads, all at once or token by token, whole or in part."""
    shape = GPTConfig(n_layer=3, n_head=5, n_embd=130, block_size=96, vocab_size=301)
    decoder = native_decoder(random_model(shape))
    tokens = torch.randint(301, (90,), generator=torch.Generator().manual_seed(9)).tolist()
    cache, scores = decoder.new_cache(1), []
    for token in tokens:
        scores.append(decoder.read(np.array([[token]]), cache)[0])
    for threads, pieces in [(1, [90]), (2, [90]), (3, [66, 24]), (2, [1] * 90), (1, [7, 83])]:
        decoder.threads = threads
        kept, start = decoder.new_cache(1), 0
        for n in pieces:
            part = decoder.recorded(tokens[start : start + n], cache=kept)
            assert np.array_equal(part.logits, scores[start : start + n])
            start += n
        assert np.array_equal(kept.keys_values, cache.keys_values)
        whole = decoder.recorded(tokens)
        last = {"logits": whole.logits[start - n :]}
        for name in set(NAMES) - {"logits"}:
            axis = 2 if name == "attention" else 1
            last[name] = np.take(getattr(whole, name), range(start - n, start), axis)
        for name in NAMES:
            assert np.array_equal(getattr(part, name), last[name]), name
            alone = decoder.recorded(tokens, [name], [3, 64, 89])
            expected = getattr(whole, name)
            expected = expected[[3, 64, 89]] if name == "logits" else expected
            assert np.array_equal(getattr(alone, name), expected), name
        for station in (0, 1, 4, 6):
            begin = Begin(station, whole.stream[station])
            found = decoder.recorded([0] * 90, ["logits"], begin=begin)
            assert np.array_equal(found.logits, whole.logits), station


class Integers(Sums):
    """The same in the very integers, which are exact: what a record should be but for fp32."""

    def product(self, name, x):
        """x fp32 (T, inputs) times a matrix, both as integers with a scale a row."""
        weight = self.decoder.weight(f"{name}.weight")
        scale = np.abs(weight).max(-1) / 127
        largest = np.maximum(np.abs(x).max(-1, keepdims=True), np.float32(1e-12))
        rounded = np.floor(x * (np.float32(127) / largest) + np.float32(128.5)) - 128
        sums = rounded.astype(np.int64) @ np.rint(weight / scale[:, None]).astype(np.int64).T
        bias = self.weight(f"{name}.bias") if self.config.bias and name != "head" else 0
        return sums * scale.astype(np.float64) * (largest.astype(np.float64) / 127) + bias

    def normed(self, record, name, number):
        x = (record.stream[number].T - record.mean[number]) * record.rstd[number]
        normed = x.T * self.decoder.weight(f"{name}.weight")
        return normed + self.decoder.weight(f"{name}.bias") if self.config.bias else normed


def assert_rows_equal(found, expected, rounds=0.0):
    """But for a few, where an input lay so near the middle of two integers that fp32 decided."""
    allowed = 2e-6 * np.abs(expected).max() + rounds * np.abs(expected)
    equal = (np.abs(found - expected) <= allowed).all(-1)
    assert equal.mean() > 0.8, equal


@pytest.mark.parametrize("model", ["storyteller", "random", "biased"])
def test_products_are_those_of_the_integers(request, random_model, native_decoder, model):
    if model == "storyteller":
        loaded = request.getfixturevalue("storyteller")
        model, words = loaded.model, loaded.tokenizer
        tokens = [words.end_token, *words.encode(STORY)]
    else:
        shape = GPTConfig(n_layer=2, n_head=3, n_embd=96, block_size=64, vocab_size=300)
        model = random_model(replace(shape, bias=model == "biased"))
        tokens = torch.randint(300, (50,), generator=torch.Generator().manual_seed(1)).tolist()
    decoder = native_decoder(model)
    found, sums = decoder.recorded(tokens), Integers(decoder)
    T, C = len(tokens), decoder.config.n_embd
    for layer in range(decoder.config.n_layer):
        block = f"blocks.{layer}"
        qkv = sums.product(
            f"{block}.attention.qkv", sums.normed(found, f"{block}.attention_norm", 2 * layer)
        )
        for part, kept in ((1, found.keys), (2, found.values)):
            columns = qkv[:, part * C : (part + 1) * C]
            assert_rows_equal(kept[layer].reshape(T, C), columns, rounds=BFLOAT16)
        heads = found.gathered[layer].reshape(T, C)
        added = sums.product(f"{block}.attention.proj", heads)
        assert_rows_equal(found.added[2 * layer], added)
        hidden = sums.product(
            f"{block}.mlp.fc", sums.normed(found, f"{block}.mlp_norm", 2 * layer + 1)
        )
        gelu = torch.nn.functional.gelu(torch.from_numpy(hidden), approximate="tanh").numpy()
        assert_rows_equal(found.neurons[layer], gelu)
        added = sums.product(f"{block}.mlp.proj", found.neurons[layer])
        assert_rows_equal(found.added[2 * layer + 1], added)
    logits = sums.product("head", sums.normed(found, "final_norm", 2 * decoder.config.n_layer))
    assert_rows_equal(found.logits, logits)
