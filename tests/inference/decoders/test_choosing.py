"""What compiled code leaves to draw from, against numpy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.choosing import IN_NUMPY, MOST_BIASES, MOST_KEPT, Compiled
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import draw

ENTRIES = 3000
SETTINGS = SamplingSettings(temperature=0.8, top_k=9)


@pytest.fixture(scope="module")
def choosing():
    if not compiling.is_available():
        pytest.skip("there is no C compiler")
    return Compiled(compiling.library(), ENTRIES)


def scores(seed=1, entries=500):
    return np.random.default_rng(seed).normal(0, 3, entries).astype(np.float32)


def filters(logits, settings=SETTINGS, bias=None, allowed=None, others=None):
    return logits, settings, bias or {}, [0], allowed, others


def agree(choosing, given):
    """What both leave, and draw, is the same, and the scores are as they were."""
    logits = given[0]
    before = logits.tobytes()
    found = choosing.filtered(given)
    assert logits.tobytes() == before
    expected = IN_NUMPY.filtered(given)
    assert found.candidates.tokens.tolist() == expected.candidates.tokens.tolist()
    np.testing.assert_allclose(found.candidates.logits, expected.candidates.logits, atol=1e-9)
    np.testing.assert_allclose(found.shares, expected.shares, rtol=1e-9, atol=1e-300)
    for uniform in (0.0, 0.31, 0.77, 1 - 2**-53):
        assert choosing.drawn(given, uniform) == found.token(uniform)


@given(
    seed=st.integers(0, 2**32),
    entries=st.integers(1, ENTRIES),
    settings=st.builds(
        SamplingSettings,
        temperature=st.sampled_from([0.0, 1e-4, 0.05, 0.8, 3.0]),
        top_k=st.none() | st.integers(1, 300),
        top_p=st.none() | st.floats(0.1, 1),
        min_p=st.none() | st.floats(0, 0.5),
        repetition_penalty=st.sampled_from([1.0, 1.0, 1.4]),
        new_names=st.sampled_from([0.0, 0.02, 1.0]),
    ),
    rounded=st.booleans(),
    banned=st.sampled_from([0, 0.1, 0.99]),
    order=st.sampled_from([0, 1, -1]),
    biases=st.dictionaries(st.integers(0, ENTRIES), st.sampled_from([-math.inf, -1.5, 0.0, 7.0])),
    unlikely=st.sampled_from([None, 0.0, 0.2, 1.0]),
)
def test_it_leaves_what_numpy_leaves(
    choosing, seed, entries, settings, rounded, banned, order, biases, unlikely
):
    generator = np.random.default_rng(seed)
    logits = scores(seed, entries)
    if rounded:  # many are equal
        logits = np.round(logits)
    logits[generator.random(entries) < banned] = -np.inf
    logits[generator.integers(entries)] = 1.0
    if order:  # many of a column are among the largest
        logits = np.ascontiguousarray(np.sort(logits)[::order])
    bias = {token: value for token, value in biases.items() if token < entries}
    others = None if unlikely is None else np.flatnonzero(generator.random(entries) < unlikely)
    given = filters(logits, settings, bias, others=others)
    try:
        IN_NUMPY.filtered(given)
    except UserError as error:
        with pytest.raises(UserError, match=str(error)):
            choosing.drawn(given, 0.5)
    else:
        agree(choosing, given)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_told(choosing, wrong):
    logits = scores()
    logits[77] = wrong
    for wrong_ones in (logits, np.full(500, -np.inf, np.float32)):
        with pytest.raises(UserError, match="not finite"):
            choosing.drawn(filters(wrong_ones), 0.5)


def test_a_ban_of_everything_is_told_and_the_scores_come_back(choosing):
    logits = scores(entries=20)
    before = logits.tobytes()
    with pytest.raises(UserError, match="banned"):
        choosing.drawn(filters(logits, bias=dict.fromkeys(range(20), -math.inf)), 0.5)
    assert logits.tobytes() == before


def test_what_it_has_no_room_for_is_left_to_numpy(choosing):
    logits = scores(entries=ENTRIES)
    agree(choosing, filters(logits, SamplingSettings(top_k=MOST_KEPT + 1)))
    agree(choosing, filters(logits, bias=dict.fromkeys(range(MOST_BIASES + 1), 1.0)))
    agree(choosing, filters(np.zeros(ENTRIES, np.float32)))  # all are as large as the largest
    agree(choosing, filters(logits.repeat(2)[::2]))
    agree(choosing, filters(logits, allowed=np.array([3, 5])))


def test_scores_may_be_those_of_several_texts_at_once(choosing):
    """All of them begin alike, and share one array that cannot be written to."""
    for row in np.broadcast_to(scores()[None], (3, 500)):
        agree(choosing, filters(row, bias={4: -math.inf}))


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(any),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_compiled_code_draws_as_numpy_does(choosing, shares, uniform):
    array = np.array(shares)
    assert choosing._drawn(array.ctypes.data, len(array), uniform) == draw(array, uniform)
