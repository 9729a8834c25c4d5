"""Edits: those that change nothing change no bit, and the others do what they say."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.decoders.record import NAMES, Begin
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT

L, H, D, C = 3, 4, 8, 32
SHAPE = GPTConfig(vocab_size=300, block_size=32, n_layer=L, n_head=H, n_embd=C)
TOKENS = torch.randint(300, (20,), generator=torch.Generator().manual_seed(7)).tolist()


@pytest.fixture(params=[False, True], ids=["plain", "bias"], scope="module")
def model(request, random_model):
    return random_model(replace(SHAPE, bias=request.param))


@pytest.fixture(scope="module")
def decoder(open_decoder, model):
    return open_decoder(model)


def assert_same(one, other, names=NAMES):
    """To the last bit, but for the sign of a zero."""
    for name in names:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


parts = st.one_of(
    st.tuples(st.just("stream"), st.integers(0, 2 * L), st.none()),
    st.tuples(st.sampled_from(["attention", "mlp"]), st.integers(0, L - 1), st.none()),
    st.tuples(st.just("head"), st.integers(0, L - 1), st.integers(0, H - 1)),
    st.tuples(st.just("neuron"), st.integers(0, L - 1), st.integers(0, 4 * C - 1)),
)
ranges = st.tuples(st.integers(0, 19), st.integers(1, 20)).map(
    lambda pair: (pair[0], min(20, sum(pair)))
)


def what_is_there(record, part, layer, index, first, end):
    """Of a record, what an edit of this part would change: (end - first, size)."""
    whole = {
        "stream": lambda: record.stream[layer],
        "attention": lambda: record.added[2 * layer],
        "head": lambda: record.gathered[layer, :, index],
        "mlp": lambda: record.added[2 * layer + 1],
        "neuron": lambda: record.neurons[layer, :, index, None],
    }[part]()
    return whole[first - record.start : end - record.start]


@given(part=parts, tokens=ranges)
def test_what_is_put_back_as_it_was_changes_no_bit(decoder, part, tokens):
    name, layer, index = part
    first, end = tokens
    clean = decoder.recorded(TOKENS)
    vector = what_is_there(clean, *part, first, end)
    place = {"part": name, "layer": layer, "index": index}
    restored = Edit(**place, factor=0, vector=vector, first=first, end=end)
    muted = Edit(**place, factor=0, first=first, end=end)
    for edits in ([Edit(**place)], [restored], [muted, restored]):
        assert_same(decoder.edited(edits).recorded(TOKENS), clean)


@given(part=parts, tokens=ranges, factor=st.sampled_from([0.0, 0.5, -2.0]), seed=st.integers(0, 9))
def test_an_edit_changes_its_place_and_nothing_before(decoder, part, tokens, factor, seed):
    """The part at those tokens is what it should be; what comes before is as it was."""
    name, layer, index = part
    first, end = tokens
    clean = decoder.recorded(TOKENS)
    was = what_is_there(clean, *part, first, end)
    vector = np.random.default_rng(seed).standard_normal(was.shape).astype(np.float32)
    for given_vector in (None, vector, vector[0]):
        edit = Edit(
            part=name, layer=layer, index=index, factor=factor, vector=given_vector,
            first=first, end=end if given_vector is vector or end < 20 else None,
        )  # fmt: skip
        found = decoder.edited([edit]).recorded(TOKENS)
        expected = was * np.float32(factor) if factor else np.zeros_like(was)
        expected = expected if given_vector is None else expected + given_vector
        np.testing.assert_allclose(
            what_is_there(found, *part, first, end), expected, rtol=1e-6, atol=1e-6
        )
        assert np.array_equal(found.logits[:first], clean.logits[:first])
        assert np.array_equal(found.stream[:, :first], clean.stream[:, :first])
        station = layer if name == "stream" else 2 * layer + (name in ("mlp", "neuron"))
        stations = station if name == "stream" else station + 1
        assert np.array_equal(found.stream[:stations], clean.stream[:stations])
        if name != "neuron":  # one of them may be lost in the rounding of 8 bits
            assert not np.array_equal(found.logits[first], clean.logits[first])


def surgically(model: GPT, part: str, layer: int, index: int | None, factor: float) -> GPT:
    """The model with that part's way to the stream scaled in its weights."""
    changed = deepcopy(model)
    block = changed.blocks[layer]
    proj = block.attention.proj if part in ("attention", "head") else block.mlp.proj
    with torch.no_grad():
        if part == "head":
            proj.weight[:, index * D : (index + 1) * D] *= factor
        elif part == "neuron":
            proj.weight[:, index] *= factor
        else:
            proj.weight *= factor
            if proj.bias is not None:
                proj.bias *= factor
    return changed


TOLERANCES = {PlainDecoder: 1e-4, NativeDecoder: 0.3}
"""Of logits, which reach about 10."""


@pytest.mark.parametrize("factor", [0.0, 0.5, -1.0])
@pytest.mark.parametrize(
    ("part", "layer", "index"),
    [("attention", 1, None), ("mlp", 2, None), ("head", 0, 3), ("head", 2, 1), ("neuron", 1, 77)],
)
def test_an_edit_does_what_other_weights_would(decoder, model, part, layer, index, factor):
    edited = decoder.edited([Edit(part=part, layer=layer, index=index, factor=factor)])
    found = edited.recorded(TOKENS).logits
    with torch.inference_mode():
        expected = surgically(model, part, layer, index, factor)(torch.tensor([TOKENS]))[0]
    assert np.abs(found - expected.numpy()).max() < TOLERANCES[type(decoder)]


@pytest.mark.parametrize("layer", range(L))
def test_a_layer_muted_is_a_layer_left_out(open_decoder, decoder, model, layer):
    without = GPT(replace(model.config, n_layer=L - 1)).eval()
    kept = [block for block in range(L) if block != layer]
    weights = {
        name.replace(f"blocks.{old}.", f"blocks.{new}."): weight
        for new, old in enumerate(kept)
        for name, weight in model.state_dict().items()
        if not name.startswith("blocks.") or name.startswith(f"blocks.{old}.")
    }
    without.load_state_dict(weights)
    expected = open_decoder(without).recorded(TOKENS)
    whole = [Edit(part=part, layer=layer, factor=0) for part in ("attention", "mlp")]
    heads = [Edit(part="head", layer=layer, index=head, factor=0) for head in range(H)]
    neurons = [Edit(part="neuron", layer=layer, index=one, factor=0) for one in range(4 * C)]
    ways = [whole] if model.config.bias else [whole, [*heads, whole[1]], [*heads, *neurons]]
    for edits in ways:
        found = decoder.edited(edits).recorded(TOKENS)
        assert np.array_equal(found.logits, expected.logits)
        stations = [at for at in range(2 * L + 1) if (at - 1) // 2 != layer or at == 0]
        assert np.array_equal(found.stream[stations], expected.stream)


def test_the_stream_of_another_story_is_that_story_from_there_on(decoder):
    other = decoder.recorded(TOKENS[::-1])
    for station in range(2 * L + 1):
        edit = Edit(part="stream", layer=station, factor=0, vector=other.stream[station], end=20)
        found = decoder.edited([edit]).recorded(TOKENS)
        assert np.array_equal(found.stream[station:], other.stream[station:])
        assert np.array_equal(found.logits, other.logits)


@pytest.mark.parametrize("station", range(2 * L + 1))
@pytest.mark.parametrize("start", [0, 7])
def test_what_begins_with_a_stream_goes_on_as_if_it_had_been_read(decoder, station, start):
    """To the last bit, with edits and a cache; before it there is nothing."""
    edited = decoder.edited(
        [Edit(part="stream", layer=at, factor=0.5, first=9) for at in (0, station)]
        + [Edit(part="head", layer=layer, index=1, factor=0) for layer in range(L)]
    )
    whole, cache = edited.recorded(TOKENS), edited.new_cache(1)
    edited.take(np.array([TOKENS]), cache)
    cache.truncate(start)
    stream = whole.stream[station, start:].copy()
    stream[max(0, 9 - start) :] *= 2 if station else 4  # before it was halved
    begin = Begin(station, stream)
    found = edited.recorded([0] * (20 - start), cache=cache, begin=begin)
    assert cache.length == 20
    # In compiled code to the last bit; torch rounds otherwise for other numbers of rows.
    tolerance = 1e-4 if isinstance(decoder, PlainDecoder) else 0
    halves = {"keys": 0, "values": 0, "attention": 0, "gathered": 0, "neurons": 1}
    for name in NAMES:
        axis = {"attention": 2, "logits": 0}.get(name, 1)
        expected = np.take(getattr(whole, name), range(start, 20), axis).copy()
        for number in range(len(expected)) if name != "logits" else ():
            if (2 * number + halves[name] if name in halves else number) < station:
                expected[number] = np.nan
        np.testing.assert_allclose(getattr(found, name), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("station", "shape", "said"),
    [(7, (20, C), "no station 7"), (-1, (20, C), "no station -1"), (0, (19, C), "stream of shape"),
     (0, (C,), "stream of shape")],
)  # fmt: skip
def test_there_is_no_such_place_to_begin(decoder, station, shape, said):
    with pytest.raises(UserError, match=said):
        decoder.recorded(TOKENS, begin=Begin(station, zeros(*shape)))


EDITS = [
    Edit(part="head", layer=1, index=2, factor=0.5, first=3),
    Edit(part="mlp", layer=0, factor=0, vector=np.full(C, 0.3, np.float32), first=6, end=9),
    Edit(
        part="stream", layer=4, first=2, end=14,
        vector=np.random.default_rng(1).standard_normal((12, C)).astype(np.float32),
    ),
    Edit(part="stream", layer=4, factor=2.0, first=10),
    Edit(part="neuron", layer=2, index=7, factor=0, vector=np.ones(1, np.float32)),
]  # fmt: skip


@pytest.mark.parametrize("pieces", [[20], [1] * 20, [5, 1, 9, 5]])
def test_edits_count_tokens_from_the_first_that_the_model_sees(decoder, pieces):
    edited = decoder.edited(EDITS)
    tolerance = 1e-4 if isinstance(decoder, PlainDecoder) else 0
    whole, cache, read = edited.recorded(TOKENS), edited.new_cache(1), 0
    for n in pieces:
        found = edited.recorded(TOKENS[read : read + n], cache=cache)
        for name, expected in (
            ("stream", whole.stream[:, read : read + n]),
            ("logits", whole.logits[read : read + n]),
        ):
            np.testing.assert_allclose(getattr(found, name), expected, rtol=0, atol=tolerance)
        read += n
    again = edited.new_cache(1)
    edited.take(np.array([TOKENS[:-1]]), again)
    last = edited.read(np.array([TOKENS[-1:]]), again)[0]
    np.testing.assert_allclose(last, whole.logits[-1], rtol=0, atol=tolerance)
    untouched = decoder.recorded(TOKENS)
    assert not np.allclose(untouched.logits[-1], whole.logits[-1])
    assert_same(decoder.edited([]).recorded(TOKENS), untouched)


def test_edits_are_made_one_after_the_other(decoder):
    vector = np.arange(C, dtype=np.float32)
    add, double = (
        Edit(part="stream", layer=0, vector=vector),
        Edit(part="stream", layer=0, factor=2.0),
    )
    clean = decoder.recorded(TOKENS).stream[0]
    for edits, expected in (
        ([add, double], 2 * (clean + vector)),
        ([double, add], 2 * clean + vector),
    ):
        found = decoder.edited(edits).recorded(TOKENS).stream[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_what_is_off_is_off_however_large_it_was(decoder):
    off = Edit(part="mlp", layer=1, factor=0)
    beyond = [Edit(part="mlp", layer=1, factor=3e38)] * 2
    assert not np.isfinite(decoder.edited(beyond).recorded(TOKENS).logits).any()
    found = decoder.edited([*beyond, off]).recorded(TOKENS)
    assert_same(found, decoder.edited([off]).recorded(TOKENS))


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"part": "norm", "layer": 0}, "no part 'norm'"),
        ({"part": "mlp", "layer": 3}, "no layer 4"),
        ({"part": "mlp", "layer": -1}, "no layer 0"),
        ({"part": "mlp", "layer": 0, "index": 0}, "no number 0"),
        ({"part": "head", "layer": 0, "index": 4}, "no head 5"),
        ({"part": "head", "layer": 0}, "no head"),
        ({"part": "neuron", "layer": 2, "index": 128}, "no neuron 129"),
        ({"part": "stream", "layer": 7}, "no station 7"),
        ({"part": "mlp", "layer": 0, "first": 5, "end": 5}, "no tokens 5 to 5"),
        ({"part": "mlp", "layer": 0, "first": -1}, "no tokens -1"),
        ({"part": "mlp", "layer": 0, "end": 33}, "no tokens 0 to 33"),
        ({"part": "mlp", "layer": 0, "vector": zeros(8)}, "shape"),
        ({"part": "head", "layer": 0, "index": 1, "vector": zeros(32)}, "shape"),
        ({"part": "stream", "layer": 0, "vector": zeros(4, 32)}, "shape"),
        ({"part": "stream", "layer": 0, "vector": zeros(4, 32), "end": 5}, "shape"),
        ({"part": "neuron", "layer": 0, "index": 0, "vector": zeros()}, "shape"),
        ({"part": "stream", "layer": 0, "vector": zeros(32) + np.nan}, "numbers that are none"),
        ({"part": "stream", "layer": 0, "factor": float("nan")}, "factor of nan"),
    ],
)  # fmt: skip
def test_edits_that_cannot_be_made_are_refused(decoder, wrong, said):
    with pytest.raises(UserError, match=said):
        decoder.edited([Edit(part="mlp", layer=0, factor=0), Edit(**wrong)])
