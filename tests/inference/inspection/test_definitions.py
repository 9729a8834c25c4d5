"""Every number of the views, in fp64, against the same written anew in plain numpy."""

import numpy as np
import pytest

from mgpt_tui.inference.inspection import lens as lenses
from mgpt_tui.inference.inspection.attention import carried, gathered_sizes, head_kinds, weights_of
from mgpt_tui.inference.inspection.lens import lens, station_names
from mgpt_tui.inference.inspection.neurons import Peaks, firing, neurons, written
from mgpt_tui.inference.inspection.parts import parts
from mgpt_tui.inference.inspection.surprise import Surprise

CLOSE = {"rtol": 0, "atol": 1e-9}
NUMBERS = (1, 2, 11, 20)


def entropy(p):
    return -(p * np.log(p)).sum(-1)


def test_surprise(case, byte_tokenizer):
    found = Surprise(case.reading, byte_tokenizer).scores
    came = np.array(case.tokens[1:])
    before = case.hand.logprobs[:-1]
    logprobs = before[np.arange(len(came)), came]
    np.testing.assert_allclose(found.logprobs, logprobs, **CLOSE)
    np.testing.assert_allclose(found.entropies, entropy(np.exp(case.hand.logprobs)), **CLOSE)
    assert found.ranks.tolist() == (1 + (before > logprobs[:, None]).sum(-1)).tolist()
    blanks = [*b"\t\n\x0b\x0c\r ", 256]
    begins = [
        token for token in range(257) if token == 256 or byte_tokenizer.token_bytes(token).isspace()
    ]
    assert len(begins) == len(blanks)
    np.testing.assert_allclose(
        found.ends, np.log(np.exp(case.hand.logprobs)[:, begins].sum(-1)), **CLOSE
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_attention_and_what_it_carries(case, number):
    window = case.reading.window(number)
    attention = weights_of(window, number)
    expected = np.array(case.hand.attention)[:, :, number - 1, :number]
    np.testing.assert_allclose(attention, expected, **CLOSE)
    moved = np.array(case.hand.moved)[:, :, number - 1, :number]
    found = carried(window, number, case.weights)
    np.testing.assert_allclose(found, np.sqrt((moved**2).sum(-1)), **CLOSE)
    brought = np.sqrt((np.array(case.hand.heads)[:, :, number - 1] ** 2).sum(-1))
    np.testing.assert_allclose(gathered_sizes(window, number, case.weights), brought, **CLOSE)


def test_kinds_of_heads(case):
    shares, chance = head_kinds(case.reading.window(5))
    tokens, T = case.tokens, len(case.tokens)
    looks = {
        "previous": lambda t, s: s == t - 1,
        "first": lambda t, s: s == 0,
        "same": lambda t, s: s < t and tokens[s] == tokens[t],
        "induction": lambda t, s: 0 < s <= t and s - 1 < t and tokens[s - 1] == tokens[t],
    }
    for kind, is_so in looks.items():
        attention, uniform = np.zeros((3, 4)), 0.0
        for t in range(T):
            for s in range(t + 1):
                if is_so(t, s):
                    attention += np.array(case.hand.attention)[:, :, t, s]
                    uniform += 1 / (t + 1)
        np.testing.assert_allclose(shares[kind], attention / T, **CLOSE)
        assert chance[kind] == pytest.approx(uniform / T, abs=1e-12)
        assert shares[kind].max() > 0


@pytest.mark.parametrize("number", NUMBERS)
def test_lens(case, number):
    target = case.tokens[3]
    found = lens(case.reading.window(number), number, case.weights, target, str, n_top=7)
    assert [station.station for station in found] == station_names(3)
    assert [station.station for station in found][:4] == ["embedding", "A1", "M1", "A2"]
    for station, x in zip(found, case.hand.stations, strict=True):
        logits = case.hand.read_out(x[number - 1])
        p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        order = np.argsort(-logits)[:7]
        assert [guess.token for guess in station.top] == order.tolist()
        assert [guess.text for guess in station.top] == [str(token) for token in order]
        np.testing.assert_allclose([guess.p for guess in station.top], p[order], **CLOSE)
        assert station.p == pytest.approx(p[target], abs=1e-9)
        assert station.rank == 1 + (p > p[target]).sum()


@pytest.mark.parametrize("minus", [None, 33])
@pytest.mark.parametrize("number", NUMBERS)
def test_parts(case, number, minus):
    """Each by itself, through the norm with the scale that the whole stream has."""
    row, target, hand = number - 1, case.tokens[2], case.hand
    found = parts(case.reading.window(number), number, case.weights, target, minus)
    embedding = hand.get("token_embedding.weight")
    looked_for = embedding[target] - (0 if minus is None else embedding[minus])
    deviation = np.sqrt(hand.stations[-1][row].var() + 1e-5)

    def adds(c):
        return looked_for @ (hand.get("final_norm.weight") * (c - c.mean()) / deviation)

    logits = hand.logits[row]
    expected = logits[target] - (0 if minus is None else logits[minus])
    assert found.logit == pytest.approx(expected, abs=1e-9)
    assert found.embedding == pytest.approx(adds(hand.stations[0][row]), abs=1e-9)
    heads = [[adds(head[row]) for head in layer] for layer in hand.heads]
    np.testing.assert_allclose(found.heads, heads, **CLOSE)
    np.testing.assert_allclose(found.mlps, [adds(mlp[row]) for mlp in hand.mlps], **CLOSE)
    rest = sum(map(adds, hand.biases)) + looked_for @ hand.bias("final_norm", 32)
    assert found.rest == pytest.approx(rest, abs=1e-9)
    assert (found.rest == 0) is not case.model.config.bias
    assert abs(found.rounding) < 1e-9
    assert found.sum == pytest.approx(found.logit, abs=1e-9)


@pytest.mark.parametrize("number", NUMBERS)
def test_neurons(case, number):
    row, target, window = number - 1, case.tokens[2], case.reading.window(number)
    found = neurons(window, number, case.weights, target, n_strongest=5)
    active = np.array(case.hand.active)[:, row]
    mlps = parts(window, number, case.weights, target).mlps
    towards = case.weights.towards(window.record("rstd").rstd[-1, row], target)
    for layer in range(3):
        own = [neuron for neuron in found if neuron.layer == layer + 1]
        order = np.argsort(-np.abs(active[layer]))[:5]
        assert [neuron.neuron - 1 for neuron in own] == order.tolist()
        np.testing.assert_allclose([n.activation for n in own], active[layer][order], **CLOSE)
        columns = case.hand.get(f"blocks.{layer}.mlp.proj.weight")
        deviation = np.sqrt(case.hand.stations[-1][row].var() + 1e-5)
        for neuron, at in zip(own, order, strict=True):
            c = active[layer][at] * columns[:, at]
            scaled = case.hand.get("final_norm.weight") * (c - c.mean()) / deviation
            adds = case.hand.get("token_embedding.weight")[target] @ scaled
            assert neuron.towards == pytest.approx(adds, abs=1e-9)
            fired = firing(window, layer + 1, int(at) + 1)
            np.testing.assert_allclose(fired, case.hand.active[layer][:, at], **CLOSE)
        all_of_them = active[layer] @ written(case.weights, layer, towards)
        assert all_of_them == pytest.approx(mlps[layer], abs=1e-9)


def test_where_neurons_fire_in_other_texts(case, by_hand, sequences):
    texts = [sequences(length, seed) for seed, length in ((1, 12), (2, 40), (3, 5))]
    peaks = Peaks(case.decoder, texts)
    hands = [by_hand(case.model, text[:32]) for text in texts]
    for layer, neuron in ((1, 1), (3, 128), (2, 77)):
        active = [hand.active[layer - 1][1:, neuron - 1] for hand in hands]
        order = sorted(range(3), key=lambda at: -active[at].max())
        found = peaks.of(layer, neuron)
        assert [(story, at) for story, at, _ in found] == [
            (story, int(active[story].argmax()) + 1) for story in order
        ]
        assert [peak for *_, peak in found] == pytest.approx([active[at].max() for at in order])


def test_the_likeliest_are_in_the_order_of_the_engine():
    logits = np.array([0.0, 2.0, 1.0, 2.0, -np.inf, 1.0])
    assert lenses.likeliest(logits, 4) == [1, 3, 2, 5]
    assert lenses.likeliest(logits, 99) == [1, 3, 2, 5, 0, 4]
    assert [lenses.rank(logits, token) for token in range(6)] == [5, 1, 3, 2, 6, 4]
