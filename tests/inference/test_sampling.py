"""Sampling: filters against their definitions and Hugging Face's, draws against chance."""

import itertools
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
    add_bias,
    apply_temperature,
    draw,
    filtered,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    probabilities,
    uniforms,
)

finite = st.floats(-50, 50, width=32)
coarse = st.integers(-3, 3).map(float)  # many equal ones


def as_logits(values):
    return np.array(values, dtype=np.float32)


scores = st.lists(st.one_of(finite, coarse), min_size=1, max_size=40).map(as_logits)
weights = arrays.arrays(
    np.float64, st.integers(1, 30), elements=st.floats(0, 1, allow_subnormal=False)
).filter(lambda values: values.sum() > 0)
shares = st.floats(0, 1, exclude_max=True)
temperatures = st.floats(1e-3, 10)


def choose(logits, settings, uniform, bias=None):
    """The token that a number draws."""
    return filtered(logits, settings, bias or {}, ()).token(uniform)


def random_logits(vocab_size, seed=0):
    logits = torch.randn(vocab_size, generator=torch.Generator().manual_seed(seed)) * 3
    return logits.numpy()


def everything(logits):
    return keep_top_k(logits, None)


# The filters


@given(logits=scores, k=st.integers(1, 50))
def test_top_k_keeps_exactly_k_and_the_largest(logits, k):
    left = keep_top_k(logits, k)
    assert len(left.tokens) == min(k, len(logits))
    assert left.tokens.tolist() == sorted(left.tokens.tolist())
    assert np.array_equal(left.logits, logits[left.tokens])
    gone = np.delete(logits, left.tokens)
    if len(gone):
        assert left.logits.min() >= gone.max()


@given(logits=st.lists(coarse, min_size=2, max_size=30).map(as_logits), k=st.integers(1, 30))
def test_top_k_takes_the_lower_ids_of_equals(logits, k):
    best = sorted(range(len(logits)), key=lambda token: (-float(logits[token]), token))[:k]
    assert keep_top_k(logits, k).tokens.tolist() == sorted(best)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(512, 3000))
def test_top_k_of_a_large_vocabulary_is_that_of_a_plain_sort(seed, k, size):
    numbers = np.random.Generator(np.random.Philox(key=seed))
    logits = np.round(numbers.normal(size=size), 1).astype(np.float32)  # many are equal
    logits[numbers.random(size) < numbers.choice([0.1, 0.99])] = -math.inf
    finite = np.flatnonzero(logits > -math.inf)
    best = finite[np.lexsort((finite, -logits[finite]))][:k]
    assert keep_top_k(logits, k).tokens.tolist() == sorted(best.tolist())


@pytest.mark.parametrize("k", [None, 3, 9])
def test_banned_tokens_are_never_left(k):
    logits = add_bias(random_logits(9), dict.fromkeys(range(7), -math.inf))
    assert keep_top_k(logits, k).tokens.tolist() == [7, 8]


def hugging_face(name):
    module = pytest.importorskip("transformers.generation.logits_process")
    return getattr(module, name)


def theirs_after(*processors, logits, tokens=()):
    """What Hugging Face's processors, one after the other, make of logits (V,)."""
    seen, theirs = torch.tensor([list(tokens)]), torch.from_numpy(logits)[None]
    for processor in processors:
        theirs = processor(seen, theirs)
    return theirs[0]


def agree(ours, theirs):
    """Whether the same tokens are left, with the same probabilities."""
    expected = torch.softmax(theirs.double(), dim=-1).numpy()
    assert ours.tokens.tolist() == torch.isfinite(theirs).nonzero().flatten().tolist()
    np.testing.assert_allclose(probabilities(ours), expected[ours.tokens], atol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.8, 1.0, 3.0])
@pytest.mark.parametrize("k", [1, 5, 50, 300, 1000])
def test_temperature_and_top_k_are_hugging_faces(temperature, k):
    logits = random_logits(300, seed=k)
    theirs = theirs_after(
        hugging_face("TemperatureLogitsWarper")(temperature),
        hugging_face("TopKLogitsWarper")(k),
        logits=logits,
    )
    agree(apply_temperature(keep_top_k(logits, k), temperature), theirs)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_top_p_is_hugging_faces(p, seed):
    logits = random_logits(300, seed)
    theirs = theirs_after(hugging_face("TopPLogitsWarper")(p), logits=logits)
    agree(keep_top_p(everything(logits), p), theirs)


@pytest.mark.parametrize("p", [0.0, 0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_min_p_is_hugging_faces(p, seed):
    logits = random_logits(300, seed)
    theirs = theirs_after(hugging_face("MinPLogitsWarper")(p), logits=logits)
    agree(keep_min_p(everything(logits), p), theirs)


@pytest.mark.parametrize("penalty", [0.7, 1.0, 1.3])
def test_the_repetition_penalty_is_hugging_faces(penalty):
    logits, tokens = random_logits(60), [3, 5, 5, 59, 0, 3]
    theirs = theirs_after(
        hugging_face("RepetitionPenaltyLogitsProcessor")(penalty), logits=logits, tokens=tokens
    )
    np.testing.assert_allclose(penalize_repetition(logits, tokens, penalty), theirs, rtol=1e-6)


def test_biases_are_hugging_faces():
    logits, bias = random_logits(60), {3: 1.5, 59: -20.0, 7: 0.25}
    theirs = theirs_after(
        hugging_face("SequenceBiasLogitsProcessor")([[[token], x] for token, x in bias.items()]),
        logits=logits,
        tokens=[1],
    )
    np.testing.assert_allclose(add_bias(logits, bias), theirs, rtol=1e-6)


def test_bans_are_hugging_faces():
    logits = random_logits(60)
    theirs = theirs_after(
        hugging_face("SuppressTokensLogitsProcessor")([2, 40]), logits=logits, tokens=[1]
    )
    agree(everything(add_bias(logits, {2: -math.inf, 40: -math.inf})), theirs)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_all_of_them_is_hugging_faces(seed):
    logits, tokens = random_logits(200, seed), [4, 8, 15, 16, 23, 42]
    settings = SamplingSettings(
        temperature=0.7, top_k=40, top_p=0.9, min_p=0.03, repetition_penalty=1.2
    )
    theirs = theirs_after(
        hugging_face("SequenceBiasLogitsProcessor")([[[9], 2.0], [[4], -1.0]]),
        hugging_face("RepetitionPenaltyLogitsProcessor")(1.2),
        hugging_face("TemperatureLogitsWarper")(0.7),
        hugging_face("TopKLogitsWarper")(40),
        hugging_face("TopPLogitsWarper")(0.9),
        hugging_face("MinPLogitsWarper")(0.03),
        logits=logits,
        tokens=tokens,
    )
    left = filtered(logits, settings, {9: 2.0, 4: -1.0}, tokens)
    agree(left.candidates, theirs)
    np.testing.assert_allclose(left.shares, probabilities(left.candidates))


@given(logits=scores, p=st.floats(0, 1))
def test_top_p_keeps_the_fewest_that_suffice(logits, p):
    all_of_them = everything(logits)
    left = keep_top_p(all_of_them, p)
    share = dict(zip(all_of_them.tokens.tolist(), probabilities(all_of_them), strict=True))
    kept = [share.pop(token) for token in left.tokens.tolist()]
    assert kept and sum(kept) >= p - 1e-9
    assert sum(kept) - min(kept) < p + 1e-9 or len(kept) == 1
    assert not share or min(kept) >= max(share.values())


@given(logits=scores, temperature=temperatures)
def test_temperature_keeps_the_order_and_never_overflows(logits, temperature):
    changed = apply_temperature(everything(logits), temperature).logits
    assert changed.max() == 0
    in_order = changed[logits.argsort()]
    assert np.array_equal(in_order, np.sort(in_order))


@pytest.mark.parametrize("temperature", [1e-300, 5e-324])
def test_the_smallest_temperatures_are_greedy(temperature):
    logits = random_logits(100)
    settings = SamplingSettings(temperature=temperature, top_k=None)
    assert choose(logits, settings, 0.999) == int(logits.argmax())


def test_no_filter_changes_what_it_is_given():
    logits = random_logits(50)
    before = logits.copy()
    settings = SamplingSettings(top_p=0.5, min_p=0.1, repetition_penalty=2)
    filtered(logits, settings, {3: -1.0}, [1, 2])
    assert np.array_equal(logits, before)


def test_all_banned_is_told():
    with pytest.raises(UserError, match="Every token is banned"):
        choose(random_logits(3), SamplingSettings(), 0.5, dict.fromkeys(range(3), -math.inf))


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
    left = apply_temperature(keep_top_k(logits, top_k), 1.5)
    expected = np.zeros(12)
    expected[left.tokens] = probabilities(left)
    n_draws = 4000
    numbers = itertools.islice(uniforms(11), n_draws)
    drawn = [choose(logits, settings, number) for number in numbers]
    counts = np.bincount(drawn, minlength=len(expected))
    possible = expected > 0
    assert counts[~possible].sum() == 0
    wanted = n_draws * expected[possible]
    chi_square = float(((counts[possible] - wanted) ** 2 / wanted).sum())
    freedom = int(possible.sum()) - 1
    # Mean plus four standard deviations of the chi-square distribution.
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)


# The uniforms


def uniform(seed, position):
    """Number `position` of a seed."""
    return next(itertools.islice(uniforms(seed), position, None))


@given(seed=st.integers(0, 2**63 - 1), position=st.integers(0, 300))
def test_a_uniform_is_numpys_philox_at_its_position(seed, position):
    value = uniform(seed, position)
    assert 0 <= value < 1
    assert value == np.random.Generator(np.random.Philox(key=seed, counter=position)).random()


def test_uniforms_of_other_seeds_and_positions_are_others():
    values = {uniform(seed, position) for seed in range(20) for position in range(20)}
    assert len(values) == 400


def test_uniforms_do_not_change_between_releases():
    """A saved seed must go on continuation the same story, so these numbers must stay."""
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
    logits = np.zeros(100, dtype=np.float32)
    noise = random_logits(100, seed=1) / np.float32(3e6)
    settings = SamplingSettings(top_k=None)
    assert abs(choose(logits, settings, share) - choose(logits + noise, settings, share)) <= 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0, 1])
def test_broken_scores_are_told(value, temperature):
    logits = random_logits(10)
    logits[3] = value
    with pytest.raises(UserError, match="not finite"):
        choose(logits, SamplingSettings(temperature=temperature), 0.5)
