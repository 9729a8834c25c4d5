"""How a token was drawn, told afterwards."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import draw_view, filters_of
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import uniforms

SETTINGS = SamplingSettings(temperature=1.3, top_k=40, max_tokens=15, seed=5)


@pytest.fixture(scope="module")
def engine(tiny_model, byte_tokenizer):
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


def drawn(engine, context, settings):
    chunks = list(engine.stream(context, settings))
    return [token for chunk in chunks for token in chunk.tokens]


@given(
    settings=st.builds(
        SamplingSettings,
        temperature=st.sampled_from([0.0, 0.7, 1.5]),
        top_k=st.none() | st.integers(1, 60),
        top_p=st.none() | st.floats(0.1, 1),
        min_p=st.none() | st.floats(0, 0.5),
        repetition_penalty=st.sampled_from([1.0, 1.4]),
        bias=st.sampled_from([(), ("a=2",)]),
        ignore_end=st.booleans(),
        finish_sentence=st.just(False),  # which may cut a token, and what is left is others
        max_tokens=st.just(8),
        seed=st.integers(0, 99),
    ),
    context=st.sampled_from([["The fox"], ["word " * 12], []]),
)
def test_every_draw_of_a_generation_is_known_again(engine, settings, context):
    tokens, numbers = drawn(engine, context, settings), uniforms(settings.seed)
    for count in range(1, len(tokens) + 1):
        filters, uniform = filters_of(engine, context, "", tokens[:count], settings, settings.seed)
        view = draw_view(filters, uniform, tokens[count - 1], str)
        assert uniform == next(numbers)
        assert view.drawn == view.target and view.target.token == tokens[count - 1]
        assert view.low <= uniform < view.high or view.high == pytest.approx(uniform, abs=1e-12)
        assert view.high - view.low == pytest.approx(view.stages[-1].p, abs=1e-9)
        left = [stage.left for stage in view.stages]
        assert left == sorted(left, reverse=True)
        assert view.stages[0].filter == "model" and view.stages[0].left == 257


def test_every_filter_is_told_in_its_order(engine):
    settings = replace(
        SETTINGS, top_p=0.8, min_p=0.1, repetition_penalty=1.2, bias=("a=3",), ban=("b",)
    )
    tokens = drawn(engine, ["The fox"], settings)
    filters, uniform = filters_of(engine, ["The fox"], "", tokens[:3], settings, 5)
    target = engine.tokenizer.ranks[b"a"]
    view = draw_view(filters, uniform, target, str, count=4)
    assert [stage.filter for stage in view.stages] == [
        *("model", "bias", "repetition_penalty", "top_k", "temperature", "top_p", "min_p")
    ]
    logits = engine.next_logits([*engine.encode(["The fox"]), *tokens[:2]]).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum()
    model, bias = view.stages[:2]
    assert model.p == pytest.approx(p[target], rel=1e-5)
    assert [guess.token for guess in model.top] == np.argsort(-p)[:4].tolist()
    assert model.top[0].p == pytest.approx(p.max(), rel=1e-5)
    raised = p * np.exp(3.0 * (np.arange(257) == target))
    raised[engine.tokenizer.ranks[b"b"]] = 0
    assert bias.p == pytest.approx(raised[target] / raised.sum(), rel=1e-5)
    assert bias.left == 256 and view.stages[3].left == 40


def test_shares_lie_in_the_order_of_ids_from_nought_to_one(engine):
    settings = SamplingSettings(temperature=1.3, top_k=40)
    tokens = engine.encode(["The fox"])
    filters = engine.rules(settings).filters(engine.next_logits(tokens), tokens)
    view = draw_view(filters, None, None, str, count=40)
    likeliest = view.stages[-1].top
    assert view.target.token == likeliest[0].token
    assert [each.token for each in view.line] == sorted(guess.token for guess in likeliest)
    assert view.line[0].low == 0.0 and view.line[-1].high == pytest.approx(1.0)
    for one, next in pairwise(view.line):
        assert one.high == next.low
    shares = {guess.token: guess.p for guess in likeliest}
    for each in view.line:
        assert each.high - each.low == pytest.approx(shares[each.token], abs=1e-9)
    few = draw_view(filters, None, None, str, count=3).line
    assert len(few) == 3 and set(few) <= set(view.line)
    assert {each.token for each in few} == {guess.token for guess in likeliest[:3]}


def test_what_nobody_drew_has_no_number(engine):
    tokens = engine.encode(["The fox"])
    filters = engine.rules(SETTINGS).filters(engine.next_logits(tokens), tokens)
    likely = int(np.argmax(filters[0]))
    view = draw_view(filters, None, likely, str)
    assert view.uniform is None and view.drawn is None
    assert view.high - view.low == pytest.approx(view.stages[-1].p)
    unlikely = int(np.argmin(filters[0]))
    view = draw_view(filters, None, unlikely, str)
    assert (view.low, view.high, view.stages[-1].p) == (0.0, 0.0, 0.0)
    assert view.stages[0].p > 0
