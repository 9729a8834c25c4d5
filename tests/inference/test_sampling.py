"""Sampling: filters against their definitions and Hugging Face's, draws against chance."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import (
    apply_temperature,
    choose,
    draw,
    keep_top_k,
    probabilities,
    uniform,
)

finite = st.floats(-50, 50, width=32)
coarse = st.integers(-3, 3).map(float)  # many equal ones
scores = st.lists(st.one_of(finite, coarse), min_size=1, max_size=40).map(torch.tensor)
weights = arrays.arrays(
    np.float64, st.integers(1, 30), elements=st.floats(0, 1, allow_subnormal=False)
).filter(lambda values: values.sum() > 0)
shares = st.floats(0, 1, exclude_max=True)
temperatures = st.floats(1e-3, 10)


def random_logits(vocab_size, seed=0):
    return torch.randn(vocab_size, generator=torch.Generator().manual_seed(seed)) * 3


# The filters


@given(logits=scores, k=st.integers(1, 50))
def test_top_k_keeps_exactly_k_and_the_largest(logits, k):
    kept = keep_top_k(logits, k)
    left = torch.isfinite(kept)
    assert int(left.sum()) == min(k, len(logits))
    assert torch.equal(kept[left], logits[left])
    if not left.all():
        assert logits[left].min() >= logits[~left].max()


@given(logits=st.lists(coarse, min_size=2, max_size=30).map(torch.tensor), k=st.integers(1, 30))
def test_top_k_takes_the_lower_ids_of_equals(logits, k):
    best = sorted(range(len(logits)), key=lambda token: (-float(logits[token]), token))[:k]
    kept = torch.isfinite(keep_top_k(logits, k))
    assert kept.nonzero().flatten().tolist() == sorted(best)


def test_top_k_off_changes_nothing():
    logits = random_logits(20)
    assert torch.equal(keep_top_k(logits, None), logits)


def test_filters_take_batches_row_by_row():
    logits = torch.stack([random_logits(50, seed) for seed in range(4)])
    for row, kept in zip(logits, keep_top_k(logits, 7), strict=True):
        assert torch.equal(keep_top_k(row, 7), kept)
    for row, changed in zip(logits, apply_temperature(logits, 0.6), strict=True):
        assert torch.equal(apply_temperature(row, 0.6), changed)


@pytest.mark.parametrize("temperature", [0.1, 0.8, 1.0, 3.0])
@pytest.mark.parametrize("k", [1, 5, 50, 300, 1000])
def test_the_filters_are_hugging_faces(temperature, k):
    process = pytest.importorskip("transformers.generation.logits_process")
    logits = random_logits(300, seed=k)
    theirs = process.TemperatureLogitsWarper(temperature)(None, logits[None])
    theirs = process.TopKLogitsWarper(k)(None, theirs)[0]
    ours = keep_top_k(apply_temperature(logits, temperature), k)
    assert torch.equal(torch.isfinite(ours), torch.isfinite(theirs))
    expected = torch.softmax(theirs.double(), dim=-1).numpy()
    np.testing.assert_allclose(probabilities(ours), expected, atol=1e-6)


@given(logits=scores, temperature=temperatures)
def test_temperature_keeps_the_order_and_never_overflows(logits, temperature):
    changed = apply_temperature(logits, temperature)
    assert changed.max() == 0
    in_order = changed[logits.argsort()]
    assert torch.equal(in_order, in_order.sort().values)


@pytest.mark.parametrize("temperature", [1e-300, 5e-324])
def test_the_smallest_temperatures_are_greedy(temperature):
    logits = random_logits(100)
    settings = SamplingSettings(temperature=temperature, top_k=None)
    assert choose(logits, settings, 0.999) == int(logits.argmax())


# The draw


@given(weights=weights, one=shares, other=shares)
def test_a_draw_is_possible_and_grows_with_the_uniform(weights, one, other):
    low, high = sorted((one, other))
    first, second = draw(weights, low), draw(weights, high)
    assert first <= second
    assert weights[first] > 0
    assert weights[second] > 0


@given(weights=weights)
def test_the_edges_of_the_uniform(weights):
    possible = np.flatnonzero(weights)
    assert draw(weights, 0.0) == possible[0]
    largest_below_one = math.nextafter(1.0, 0.0)
    assert weights[draw(weights, largest_below_one)] > 0


def test_a_share_is_as_wide_as_its_probability():
    shares = np.array([0.25, 0.0, 0.5, 0.25])
    assert [draw(shares, at) for at in (0, 0.2499, 0.25, 0.7499, 0.75, 0.9999)] == [
        0,
        0,
        2,
        2,
        3,
        3,
    ]


@pytest.mark.parametrize("top_k", [None, 5])
def test_draws_follow_the_distribution(top_k):
    """Chi-square against the softmax, on one fixed stream of Philox."""
    logits = random_logits(12)
    settings = SamplingSettings(temperature=1.5, top_k=top_k)
    expected = probabilities(keep_top_k(apply_temperature(logits, 1.5), top_k))
    n_draws = 4000
    drawn = [choose(logits, settings, uniform(11, position)) for position in range(n_draws)]
    counts = np.bincount(drawn, minlength=len(expected))
    possible = expected > 0
    assert counts[~possible].sum() == 0
    wanted = n_draws * expected[possible]
    chi_square = float(((counts[possible] - wanted) ** 2 / wanted).sum())
    freedom = int(possible.sum()) - 1
    # Mean plus four standard deviations of the chi-square distribution.
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)


# The uniforms


@given(seed=st.integers(0, 2**63 - 1), position=st.integers(0, 10**6))
def test_a_uniform_is_a_function_of_seed_and_position(seed, position):
    value = uniform(seed, position)
    assert 0 <= value < 1
    assert value == uniform(seed, position)


def test_a_uniform_is_numpys_philox():
    stream = np.random.Generator(np.random.Philox(key=42, counter=17))
    assert uniform(42, 17) == stream.random()


def test_uniforms_of_other_seeds_and_positions_are_others():
    values = {uniform(seed, position) for seed in range(20) for position in range(20)}
    assert len(values) == 400


def test_uniforms_do_not_change_between_releases():
    """A saved seed must go on telling the same story, so these numbers must stay."""
    assert uniform(7, 0) == 0.8720734548204873
    assert uniform(7, 1) == 0.0828426870273763
    assert uniform(2**63 - 1, 199) == 0.22030449969024446


# The choice


@given(logits=scores, share=shares)
def test_greedy_takes_the_first_of_the_largest(logits, share):
    settings = SamplingSettings(temperature=0)
    assert choose(logits, settings, share) == logits.tolist().index(max(logits.tolist()))


@given(logits=scores, share=shares, temperature=temperatures)
def test_top_1_is_greedy(logits, share, temperature):
    settings = SamplingSettings(temperature=temperature, top_k=1)
    assert choose(logits, settings, share) == logits.tolist().index(max(logits.tolist()))


@given(share=shares)
def test_the_last_digits_of_the_logits_do_not_swap_tokens(share):
    """Nearly equal tokens: noise as between batches moves borders, and by very little."""
    logits = torch.zeros(100)
    noise = 1e-6 * torch.randn(100, generator=torch.Generator().manual_seed(1))
    settings = SamplingSettings(top_k=None)
    assert abs(choose(logits, settings, share) - choose(logits + noise, settings, share)) <= 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0, 1])
def test_broken_scores_are_told(value, temperature):
    logits = random_logits(10)
    logits[3] = value
    with pytest.raises(UserError, match="not finite"):
        choose(logits, SamplingSettings(temperature=temperature), 0.5)
