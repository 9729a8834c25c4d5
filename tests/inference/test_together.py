"""Several texts at once, what steps know, and where texts stop."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.inference.sampling import filtered, uniforms
from mgpt_tui.inference.text.generation import StopFinder
from mgpt_tui.text import TextChunk

SAMPLED = SamplingSettings(
    temperature=2.0, top_k=None, max_tokens=80, seed=5, finish_sentence=False
)


@pytest.fixture
def engine(tiny_model, byte_tokenizer):
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


def text(generation):
    return "".join(chunk.text for chunk in generation)


# Several at once


def test_each_of_several_is_what_its_seed_writes_alone(engine):
    """Past the window of 32, and with ends at different lengths."""
    settings = replace(SAMPLED, bias=("a=1",))
    together = engine.together(["The fox"], settings, 5)
    texts = [text(generation) for generation in together]
    alone = [engine.stream(["The fox"], replace(settings, seed=5 + n)) for n in range(5)]
    assert texts == [text(generation) for generation in alone]
    for one, other in zip(together, alone, strict=True):
        assert replace(one.finished, seconds=0) == replace(other.finished, seconds=0)
    assert {one.finished.reason for one in together} <= {FinishReason.END, FinishReason.LENGTH}
    assert len({one.finished.tokens for one in together}) > 1


def test_ends_at_different_lengths(engine):
    settings = replace(SAMPLED, top_k=None, temperature=8.0, max_tokens=400)
    together = engine.together([""], settings, 6)
    texts = [text(generation) for generation in together]
    assert [one.finished.reason for one in together].count(FinishReason.END) >= 2
    assert texts == [text(engine.stream([""], replace(settings, seed=5 + n))) for n in range(6)]


def test_they_may_be_read_in_any_order_and_left(engine):
    first, second, third = engine.together(["a"], SAMPLED, 3)
    expected = [text(engine.stream(["a"], replace(SAMPLED, seed=seed))) for seed in (6, 7)]
    next(first)
    assert text(third) == expected[1]
    assert text(second) == expected[0]
    assert first.finished.reason is FinishReason.CANCELLED


def test_the_clock_is_that_of_all(engine, monkeypatch):
    ticks = iter(range(10_000))
    monkeypatch.setattr("mgpt_tui.inference.steps.time.perf_counter", lambda: next(ticks))
    settings = replace(SAMPLED, max_tokens=4, ignore_end=True)
    for generation in engine.together(["a"], settings, 3):
        text(generation)
        assert generation.finished.seconds == 4


def test_a_text_that_meets_a_stop_string_leaves_the_others_alone(engine):
    plain = [text(one) for one in engine.together(["a"], replace(SAMPLED, ignore_end=True), 3)]
    stop = plain[0][10:12]
    settings = replace(SAMPLED, ignore_end=True, stop=(stop,))
    together = engine.together(["a"], settings, 3)
    for one, whole in zip(together, plain, strict=True):
        assert text(one) == whole.partition(stop)[0]
    assert together[0].finished.reason is FinishReason.STOP


def test_when_all_are_stopped_each_keeps_what_was_computed_for_it(engine):
    plain = [text(one) for one in engine.together(["a"], replace(SAMPLED, ignore_end=True), 3)]
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 20

    together = engine.together(["a"], replace(SAMPLED, ignore_end=True), 3, should_stop)
    texts = [text(one) for one in together]
    assert all(
        len(one) > 5 and whole.startswith(one) for one, whole in zip(texts, plain, strict=True)
    )
    assert {one.finished.reason for one in together} == {FinishReason.CANCELLED}


# What steps know


def test_chances_are_those_of_the_model_and_change_nothing(engine):
    settings = replace(SAMPLED, temperature=0.9, top_k=3, max_tokens=20, ignore_end=True)
    context = engine.encode(["Once"])
    plain = list(engine.tokens(context, settings, 5))
    steps = list(engine.steps(context, settings, 5, n_best=4))
    assert [step.token for step in steps] == plain
    for at, step in enumerate(steps):
        logits = torch.from_numpy(engine.next_logits([*context, *plain[:at]])).double()
        log_shares = torch.log_softmax(logits, 0)
        how = step.chances
        assert how.token == step.token
        assert how.log_probability == pytest.approx(float(log_shares[step.token]), abs=1e-4)
        entropy = -float((log_shares.exp() * log_shares).sum())
        assert how.distribution.entropy == pytest.approx(entropy, abs=1e-4)
        best = log_shares.sort(descending=True, stable=True).indices[:4].tolist()
        assert [entry.token for entry in how.distribution.alternatives] == best
        for entry in how.distribution.alternatives:
            assert entry.before == pytest.approx(math.exp(log_shares[entry.token]), rel=1e-4)
        # Of the four best, three pass top-k, unless the end, which is banned, is among them.
        after = [entry.after for entry in how.distribution.alternatives if entry.token != 256][:3]
        assert all(share > 0 for share in after)
        if 256 not in best:
            weights = np.exp(log_shares[best[:3]].numpy() / 0.9)
            np.testing.assert_allclose(after, weights / weights.sum(), rtol=1e-4)


# Biases, bans and ends


def test_what_is_banned_never_comes(engine):
    settings = replace(SAMPLED, ban=("e", "t"), ignore_end=True, max_tokens=300)
    generation = engine.stream(["x"], settings)
    told = text(generation)
    assert generation.finished.reason is FinishReason.LENGTH
    assert not {"e", "t"} & set(told)


def test_a_bias_decides(engine):
    assert text(engine.stream(["x"], replace(SAMPLED, bias=("q=1000",), max_tokens=5))) == "qqqqq"


@pytest.mark.parametrize("bias", ["q", "q=", "q=x", "q=nan", "q=inf", "q=1e39", "two=1", "=1"])
def test_a_bias_that_is_none_is_refused(engine, bias):
    with pytest.raises(UserError, match=r"not TOKEN=NUMBER|not one token"):
        engine.stream(["x"], replace(SAMPLED, bias=(bias,)))


def test_a_ban_of_several_tokens_names_them(engine):
    with pytest.raises(UserError, match="'t' \\+ 'w' \\+ 'o'"):
        engine.stream(["x"], replace(SAMPLED, ban=("two",)))


def test_the_penalty_counts_what_the_model_sees(engine):
    """The prompt too, and nothing that the window has left behind."""
    settings = replace(SAMPLED, repetition_penalty=3, max_tokens=60, ignore_end=True)
    story = engine.encode(["abc"])
    expected = list(story)
    for number in itertools.islice(uniforms(1), 60):
        start = engine.config.window_start(len(expected))
        logits = engine.next_logits(expected)
        bias = {engine.tokenizer.end_token: -math.inf}
        expected.append(filtered(logits, settings, bias, expected[start:]).token(number))
    assert list(engine.tokens(story, settings, 1)) == expected[len(story) :]
    assert engine.config.window_start(len(expected)) > len(story)


# Stop strings


def test_a_stop_string_ends_the_text_before_it(engine):
    whole = text(engine.stream(["x"], replace(SAMPLED, ignore_end=True)))
    stop = whole[20:23]
    generation = engine.stream(["x"], replace(SAMPLED, ignore_end=True, stop=("never", stop)))
    assert text(generation) == whole[: whole.index(stop)]
    assert generation.finished.reason is FinishReason.STOP


@given(
    pieces=st.lists(st.text("ab", min_size=1, max_size=4), max_size=12),
    stops=st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_stops_are_found_wherever_pieces_are_cut(byte_tokenizer, pieces, stops):
    finder = StopFinder(tuple(stops), byte_tokenizer)
    out = []
    for number, piece in enumerate(pieces):
        out += finder.feed(TextChunk(piece, (number,)))
        if finder.found:
            break
        assert all(stop not in "".join(chunk.text for chunk in out) for stop in stops)
    out += finder.finish()
    whole = "".join(pieces)
    # The first stop that is whole ends the text, before where it began.
    ends = [whole.find(stop) + len(stop) for stop in stops if stop in whole]
    assert finder.found == bool(ends)
    told = "".join(chunk.text for chunk in out)
    assert whole.startswith(told)
    if not ends:
        assert told == whole
        assert [chunk.tokens for chunk in out] == [(n,) for n in range(len(pieces))]
    else:
        assert all(stop not in told for stop in stops)
        assert any(whole[len(told) :].startswith(stop) for stop in stops)


def test_a_chunk_that_is_cut_has_tokens_of_its_text(byte_tokenizer):
    finder = StopFinder(("STOP",), byte_tokenizer)
    (free,) = finder.feed(TextChunk("endSTOPmore", (1, 2)))
    assert free.text == "end"
    assert byte_tokenizer.decode(free.tokens) == "end"


def test_the_seed_after_the_largest_one_is_0(engine):
    texts = engine.together(["a"], replace(SAMPLED, seed=2**63 - 2), 3)
    assert [text.seed for text in texts] == [2**63 - 2, 2**63 - 1, 0]
