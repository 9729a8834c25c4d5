"""What compiled code leaves to draw from, against numpy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.choosing import MOST_BIASES, MOST_KEPT, Choosing
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import filtered

ENTRIES = 3000
SETTINGS = SamplingSettings(temperature=0.8, top_k=9)


@pytest.fixture(scope="module")
def choosing():
    if not compiling.is_available():
        pytest.skip("there is no C compiler")
    return Choosing(compiling.library(), ENTRIES)


def scores(seed=1, entries=500):
    return np.random.default_rng(seed).normal(0, 3, entries).astype(np.float32)


def agree(choosing, logits, settings=SETTINGS, bias=None, tokens=(), **others):
    """What both leave is the same, and the scores are as they were."""
    before = logits.tobytes()
    found = choosing.filtered(logits, settings, bias or {}, tokens, **others)
    assert logits.tobytes() == before
    expected = filtered(logits, settings, bias or {}, tokens, **others)
    assert found.candidates.tokens.tolist() == expected.candidates.tokens.tolist()
    np.testing.assert_allclose(found.candidates.logits, expected.candidates.logits, atol=1e-9)
    np.testing.assert_allclose(found.shares, expected.shares, rtol=1e-9, atol=1e-300)
    return found


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
    try:
        expected = filtered(logits, settings, bias, [0], None, others)
    except UserError:
        with pytest.raises(UserError):
            choosing.filtered(logits, settings, bias, [0], None, others)
        return
    found = agree(choosing, logits, settings, bias, [0], others=others)
    assert found.token(0.5) == expected.token(0.5)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_told(choosing, wrong):
    logits = scores()
    logits[77] = wrong
    with pytest.raises(UserError, match="not finite"):
        choosing.filtered(logits, SETTINGS, {}, ())
    with pytest.raises(UserError, match="not finite"):
        choosing.filtered(np.full(500, -np.inf, np.float32), SETTINGS, {}, ())


def test_a_ban_of_everything_is_told_and_the_scores_come_back(choosing):
    logits = scores(entries=20)
    before = logits.tobytes()
    with pytest.raises(UserError, match="banned"):
        choosing.filtered(logits, SETTINGS, dict.fromkeys(range(20), -math.inf), ())
    assert logits.tobytes() == before


def test_what_it_has_no_room_for_is_left_to_numpy(choosing):
    logits = scores(entries=ENTRIES)
    agree(choosing, logits, SamplingSettings(top_k=MOST_KEPT + 1))
    agree(choosing, logits, bias=dict.fromkeys(range(MOST_BIASES + 1), 1.0))
    agree(choosing, np.zeros(ENTRIES, np.float32))  # all of them may be among the largest
    agree(choosing, logits.repeat(2)[::2], SETTINGS)
    agree(choosing, logits, allowed=np.array([3, 5]))


def test_scores_may_be_those_of_several_texts_at_once(choosing):
    """All of them begin alike, and share one array that cannot be written to."""
    rows = np.broadcast_to(scores()[None], (3, 500))
    for row in rows:
        agree(choosing, row, bias={4: -math.inf})
