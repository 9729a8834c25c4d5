"""Parts that are switched off."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.inspection.mute import (
    Means,
    edits_of,
    head_costs,
    muted_logprobs,
    tokens_of,
)
from mgpt_tui.inference.inspection.names import Part, parse_parts
from mgpt_tui.inference.inspection.surprise import Surprise
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.model.config import GPTConfig

SHAPE = GPTConfig(n_layer=3, n_head=4, n_embd=32, block_size=32, vocab_size=257, dropout=0.0)
EACH = ["L2H3", "A1", "A3", "M1", "M3", "L1", "L2", "L3", "N2.77", "L1H1 L1H2 M2 N3.5 N3.6"]


def logprobs(hand, tokens):
    return hand.logprobs[np.arange(len(tokens) - 1), tokens[1:]]


def instead_of(hand, parts, mean):
    """What stands in their places: zeros, or means that are taken by hand."""
    found = {}
    for part in parts:
        for piece in part.pieces:
            layer, h, D = piece.layer - 1, piece.index - 1, 8
            match piece.kind:
                case "head":
                    rows = hand.gathered[layer][:, h * D : (h + 1) * D]
                case "neuron":
                    rows = hand.active[layer][:, h]
                case "attention":
                    rows = hand.heads[layer].sum(0) + hand.biases[2 * layer]
                case _:
                    rows = hand.mlps[layer] + hand.biases[2 * layer + 1]
            found[str(piece)] = rows[1:].mean(0) if mean else 0 * rows[0]
    return found


@pytest.mark.parametrize("mean", [False, True], ids=["zero", "mean"])
@pytest.mark.parametrize("names", EACH)
def test_muting_by_hand(case, by_hand, names, mean):
    parts = parse_parts(names, case.model.config)
    means = Means(case.decoder, [case.tokens]) if mean else None
    found = muted_logprobs(case.reading, parts, means)
    hand = by_hand(case.model, case.tokens, instead=instead_of(case.hand, parts, mean))
    np.testing.assert_allclose(found, logprobs(hand, case.tokens), rtol=0, atol=1e-9)
    assert np.abs(found - logprobs(case.hand, case.tokens)).max() > 1e-4


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_layer_without_all_of_it_is_a_model_without_that_layer(case, by_hand, layer):
    left_out = logprobs(by_hand(case.model, case.tokens, skip=[layer - 1]), case.tokens)
    for names in (f"L{layer}", f"A{layer} M{layer}"):
        found = muted_logprobs(case.reading, parse_parts(names, case.model.config))
        np.testing.assert_allclose(found, left_out, rtol=0, atol=1e-9)
    if not case.model.config.bias:
        heads = [f"L{layer}H{head}" for head in range(1, 5)]
        neurons = [f"N{layer}.{neuron}" for neuron in range(1, 129)]
        parts = parse_parts(" ".join(heads + neurons), case.model.config)
        found = muted_logprobs(case.reading, parts)
        np.testing.assert_allclose(found, left_out, rtol=0, atol=1e-9)


@given(length=st.integers(1, 70), seed=st.integers(0, 3), names=st.sampled_from([*EACH, None]))
def test_muting_acts_on_every_token_of_a_long_text_and_nothing_changes_nothing(
    random_model, open_decoder, byte_tokenizer, sequences, length, seed, names
):
    decoder = open_decoder(random_model(replace(SHAPE, bias=True), seed))
    reading = Reading(decoder, sequences(length, seed))
    before = Surprise(reading, byte_tokenizer).scores.logprobs
    parts = parse_parts(names, SHAPE) if names else []
    found = muted_logprobs(reading, parts)
    if names is None:
        assert np.array_equal(found, before)
    # Without anything kept, so that everything is computed anew.
    whole = Reading(decoder.edited(edits_of(parts)), reading.tokens)
    tolerance = 1e-4 if isinstance(decoder, PlainDecoder) else 0
    whole = Surprise(whole, byte_tokenizer).scores.logprobs
    np.testing.assert_allclose(found, whole, rtol=0, atol=tolerance)


def test_what_every_head_costs(case, by_hand):
    before = logprobs(case.hand, case.tokens)
    costs = list(head_costs(case.reading, before))
    assert [str(cost.part) for cost in costs] == [
        f"L{layer}H{head}" for layer in (1, 2, 3) for head in (1, 2, 3, 4)
    ]
    for cost in costs:
        hand = by_hand(case.model, case.tokens, instead={str(cost.part): np.zeros(8)})
        after = logprobs(hand, case.tokens)
        assert cost.bits == pytest.approx((before - after).sum() / np.log(2), abs=1e-8)


def test_means_are_over_all_tokens_but_the_first(case, by_hand):
    texts = [case.tokens, case.tokens[:7], [*case.tokens, *case.tokens]]
    means = Means(case.decoder, texts)
    hands = [by_hand(case.model, text[:32]) for text in texts]
    for part in (Part("mlp", 2), Part("attention", 1), Part("neuron", 3, 9), Part("head", 2, 4)):
        rows = [instead_rows(hand, part) for hand in hands]
        expected = np.concatenate(rows).mean(0)
        np.testing.assert_allclose(means.vector(part), expected, rtol=0, atol=1e-9)


def instead_rows(hand, part):
    layer, at = part.layer - 1, part.index - 1
    rows = {
        "mlp": lambda: hand.mlps[layer] + hand.biases[2 * layer + 1],
        "attention": lambda: hand.heads[layer].sum(0) + hand.biases[2 * layer],
        "neuron": lambda: hand.active[layer][:, at : at + 1],
        "head": lambda: hand.gathered[layer][:, 8 * at : 8 * at + 8],
    }
    return rows[part.kind]()[1:]


def test_the_package_ships_stories_and_their_means_are_taken_once(random_model, byte_tokenizer):
    stories = shipped_stories()
    assert len(stories) >= 10
    assert all(300 < len(story) < 1000 and story == story.strip() for story in stories)
    assert all(len(tokens) == len(story) + 1 for tokens, story in zip(
        tokens_of(stories, byte_tokenizer), stories, strict=True
    ))  # fmt: skip
    inspector = Inspector(PlainDecoder(random_model(SHAPE)), byte_tokenizer)
    vector = inspector.means.vector(Part("mlp", 1))
    assert vector.shape == (32,) and np.isfinite(vector).all() and np.abs(vector).max() > 0
    assert inspector.means is inspector.means
