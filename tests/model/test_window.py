"""The rule by which the context window moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig


def shape(block_size):
    return GPTConfig(block_size=block_size, n_head=1, n_embd=8)


def test_the_rule_by_hand():
    config = shape(8)
    starts = [config.window_start(n) for n in range(1, 22)]
    assert starts == [0] * 8 + [4] * 4 + [8] * 4 + [12] * 4 + [16]


@given(half=st.integers(1, 300), n=st.integers(1, 100_000))
def test_the_window_holds_more_than_half_and_never_more_than_a_block(half, n):
    config = shape(2 * half)
    start = config.window_start(n)
    assert start % half == 0
    assert 0 <= start < n
    assert n - start <= 2 * half
    if n > 2 * half:
        assert n - start > half


@given(half=st.integers(1, 300), n=st.integers(1, 100_000))
def test_it_never_moves_back(half, n):
    config = shape(2 * half)
    assert config.window_start(n + 1) - config.window_start(n) in (0, half)


@pytest.mark.parametrize(
    "change", [{"block_size": 7}, {"n_head": 5}, {"n_layer": 0}, {"dropout": 1.0}, {"n_embd": 8.5}]
)
def test_impossible_shapes_are_refused(change):
    with pytest.raises(UserError) as caught:
        GPTConfig(**change)
    assert caught.value.remedy
